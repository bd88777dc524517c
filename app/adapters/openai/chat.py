"""POST /chat/completions with a JSON schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from app.adapters.openai.client import OpenAI, json_of
from app.adapters.openai.errors import MalformedAnswer

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam


async def complete_json(
    provider: OpenAI,
    *,
    model: str,
    messages: Sequence[Mapping[str, str]],
    schema_name: str,
    schema: Mapping[str, Any],
    max_tokens: int,
    seconds: float,
) -> Any:
    """Return the parsed JSON of one answer at temperature 0. Raises ProviderUnavailable or MalformedAnswer.

    The API promises to follow the schema; the caller validates all the same.
    """

    async def send() -> Any:
        answer = await provider.client.chat.completions.create(
            model=model,
            messages=cast("list[ChatCompletionMessageParam]", list(messages)),
            temperature=0,
            max_tokens=max_tokens,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": schema_name, "strict": True, "schema": dict(schema)},
            },
        )
        if not answer.choices or answer.choices[0].finish_reason == "length":
            raise MalformedAnswer("cut off or empty")
        return json_of(answer.choices[0].message.content)

    return await provider.call("chat", seconds, send)
