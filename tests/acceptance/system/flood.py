"""Flagged messages flow while the worker is killed again and again: shared by the test (few) and the benchmark (2,000)."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from .conftest import System

GUILD = "The Reading Room"
WORD = "badword"
LOOKED_AT = 200
"""Members whose direct messages are counted."""
MEMBER_UPDATE = 24
"""Audit-log action of a timeout (contract section 4.4)."""


@dataclass(frozen=True)
class Outcome:
    """What was found in the database and at the sandbox afterwards."""

    messages: int
    decisions: int
    cases: int
    refused: int
    """Decisions against somebody who moderates: nothing is done to them."""
    strikes: int
    timeouts: int
    unfinished: int
    still_there: list[str]
    doubled_timeouts: list[str]
    doubled_notices: list[str]
    kills: int
    audit: str
    seconds: float
    """From the first message to the last case that was carried out."""


def case_of(text: str) -> str:
    """Return the case number that a reason or a direct message names."""
    found = re.search(r"Case (\d+)", text)
    assert found is not None, text
    return str(found[1])


def guild_id(system: System) -> str:
    guilds = system.admin("GET", "/world")["guilds"]
    return str(next(guild["id"] for guild in guilds if guild["name"] == GUILD))


def audit_entries(system: System, guild: str, action_type: int) -> list[dict[str, Any]]:
    """Read Discord's audit log of the bot, page by page, as any bot may."""
    base, token = system.environment["DISCORD_API_BASE"], system.environment["DISCORD_TOKEN"]
    found: list[dict[str, Any]] = []
    while True:
        query = {"limit": 100, "action_type": action_type} | ({"before": found[-1]["id"]} if found else {})
        answer = system.http.get(
            f"{base}/guilds/{guild}/audit-logs", params=query, headers={"Authorization": f"Bot {token}"}
        )
        if answer.status_code == 429:
            time.sleep(answer.json()["retry_after"])
            continue
        page = answer.json()["audit_log_entries"]
        found += page
        if len(page) < 100:
            return found


def flood(system: System, *, messages: int, per_second: float, kills: int, seconds: float) -> Outcome:
    """Let many people write flagged messages, kill the worker meanwhile at even parts of the work, wait, compare."""
    guild = guild_id(system)
    for number in range(0, messages, 1000):
        burst = {"count": min(1000, messages - number), "per_second": 1000, "prefix": f"flood{number}n"}
        system.admin("POST", f"/guilds/{guild}/join-burst", **burst)
    with system.database() as conn:
        before = conn.execute("SELECT count(*) FROM moderation.decisions").fetchone()[0]  # type: ignore[index]
        system.admin(
            "POST",
            "/load",
            messages=messages,
            per_second=per_second,
            guild=guild,
            contents=[f"a {WORD} {{n}}"],
        )
        done, began = 0, time.monotonic()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(random.uniform(0.3, 1.0))
            decided, open_cases = conn.execute(
                """SELECT (SELECT count(*) FROM moderation.decisions),
                          (SELECT count(*) FROM moderation.cases WHERE state = 'recorded')"""
            ).fetchone()  # type: ignore[misc]
            if decided - before >= messages and not open_cases:
                break
            if done < kills and decided - before > (done + 1) * messages // (kills + 2):
                worker = system.children().get("app worker")
                if worker is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)
                        done += 1
        took = time.monotonic() - began
        decided, refused, strikes = conn.execute(
            """SELECT (SELECT count(*) FROM moderation.decisions),
                      (SELECT count(*) FROM moderation.decisions WHERE outcome->>'refusal' IS NOT NULL),
                      (SELECT count(*) FROM moderation.strikes)"""
        ).fetchone()  # type: ignore[misc]
        decided -= before
        cases = conn.execute(
            "SELECT message_id::text, target_id::text, state FROM moderation.cases WHERE message_id IS NOT NULL"
        ).fetchall()
    there = [
        m for m, _, _ in cases if system.http.get(f"{system.page}/sandbox/messages/{m}").status_code == 200
    ]
    timeouts = Counter(case_of(entry["reason"]) for entry in audit_entries(system, guild, MEMBER_UPDATE))
    targets = {target for _, target, _ in cases}
    notices = Counter(
        case_of(message["content"])
        for target in sorted(targets)[:LOOKED_AT]
        for message in system.admin("GET", f"/dms/{target}")
    )
    return Outcome(
        messages=messages,
        decisions=decided,
        cases=len(cases),
        unfinished=sum(state == "recorded" for _, _, state in cases),
        still_there=there,
        refused=refused,
        strikes=strikes,
        timeouts=sum(timeouts.values()),
        doubled_timeouts=[case for case, count in timeouts.items() if count > 1],
        doubled_notices=[case for case, count in notices.items() if count > 1],
        kills=done,
        audit=system.gatehouse("audit", "verify").stdout,
        seconds=took,
    )
