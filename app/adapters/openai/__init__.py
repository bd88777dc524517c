"""OpenAI-compatible APIs: the moderation endpoint and chat completions, through the openai package."""
