"""POST /moderations: scores per category, with the API's own category names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.adapters.openai.client import OpenAI
from app.adapters.openai.errors import MalformedAnswer

MODEL = "omni-moderation-latest"
SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Scores:
    """`scores` by category (`hate`, `self-harm`, `sexual/minors`, …), each 0 to 1; `model` as the API names it."""

    model: str
    scores: Mapping[str, float]


async def moderate(provider: OpenAI, text: str, *, seconds: float = SECONDS) -> Scores:
    """Return the scores of a text. Raises ProviderUnavailable or MalformedAnswer."""

    async def send() -> Scores:
        answer = await provider.client.moderations.create(model=MODEL, input=text)
        scores = answer.results[0].category_scores.model_dump(by_alias=True)
        numbers = {
            name: float(score)
            for name, score in scores.items()
            if isinstance(score, int | float) and not isinstance(score, bool)
        }
        # Without those that are out of bounds the text would be remembered as clean.
        if not numbers or not all(0 <= score <= 1 for score in numbers.values()):
            raise MalformedAnswer("no scores from 0 to 1")
        return Scores(str(answer.model), numbers)

    return await provider.call("moderation", seconds, send)
