"""Long texts are judged in parts: nothing is lost or hidden at a cut, offsets lead back, and the loop has its turns."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.features.moderation.rules.engine import CompiledGuild, CompiledRule, compile_rules
from app.features.moderation.rules.kind import OVERLAP, PART, Match, Sample, kinds, parts
from app.features.moderation.rules.store import Rule
from app.features.moderation.rules.turns import Turns
from app.features.moderation.text.view import TextView
from tests.unit.moderation.rule_samples import message

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def rule(kind: str, settings: dict[str, Any]) -> Rule:
    return Rule(1, 1, kind, kind, 1, settings, 2, None, True, False, None, (), ())


@given(st.lists(st.text(" \nabcé", max_size=3 * PART), max_size=4))
def test_parts_cover_the_text_and_overlap(texts: list[str]) -> None:
    whole = "\n".join(texts)
    found = list(parts(texts))
    assert found[0][0] == 0
    assert found[-1][0] + len(found[-1][1]) == len(whole)
    for offset, part in found:
        assert whole[offset : offset + len(part)] == part
        assert len(part) <= PART
    for (start, part), (following, _) in pairwise(found):
        assert start < following <= start + len(part)
        assert start + len(part) - following <= OVERLAP


@given(st.integers(0, 3 * PART), st.sampled_from(["x ", "xyz\n", "x"]))
def test_a_word_is_found_wherever_it_stands(before: int, filler: str) -> None:
    guild = compile_rules(1, [rule("words", {"words": ["zorgblat"]})])
    head = (filler * before)[:before]
    text = f"{head} zorgblat {(filler * PART)[:PART]}"
    [finding] = guild.judge(Sample.of_message(message(text)), NOW)
    start, end = finding.spans[0]
    assert text[start:end] == "zorgblat"


def test_a_cut_makes_no_word() -> None:
    """`zorg` is no word of the text, wherever a part ends."""
    guild = compile_rules(1, [rule("words", {"words": ["zorg", "blat"]})])
    for shift in range(12):
        text = "a" * shift + " " + "zorgblat " * (2 * PART // 9)
        assert guild.judge(Sample.of_message(message(text)), NOW) == []


async def test_the_loop_runs_between_match_calls_and_one_message_is_judged_at_a_time() -> None:
    working = 0

    def slow(sample: Sample) -> Match | None:
        nonlocal working
        working += 1
        assert working == 1, sample
        until = time.perf_counter() + 0.003
        while time.perf_counter() < until:
            pass
        working -= 1
        return None

    compiled = CompiledRule(rule("words", {}), kinds()["words"], slow)
    guild, turns = CompiledGuild(1, (compiled,) * 10), Turns()
    rounds = 0

    async def count_rounds() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_rounds())
    sample = Sample(TextView.of("hello"))
    await asyncio.gather(*(guild.watch(sample, NOW, None, turns=turns) for _ in range(3)))
    counting.cancel()
    assert rounds >= 30  # a round for each of the 30 calls
