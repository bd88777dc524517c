"""Flagged messages flow while the worker is killed again and again: shared by the test (few) and the benchmark (2,000)."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from .conftest import System

GUILD = "The Reading Room"
WORD = "badword"
MEMBER_UPDATE = 24
"""Audit-log action of a timeout (contract section 4.4)."""


@dataclass(frozen=True)
class Outcome:
    """What was found in the database and at the sandbox afterwards."""

    messages: int
    decisions: int
    cases: int
    unfinished: int
    still_there: list[str]
    doubled_timeouts: list[str]
    doubled_notices: list[str]
    kills: int
    audit: str


def guild_id(system: System) -> str:
    return next(guild["id"] for guild in system.admin("GET", "/world")["guilds"] if guild["name"] == GUILD)


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
    """Let as many people write one flagged message each, kill the worker meanwhile, wait, compare."""
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
        done = 0
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(random.uniform(0.3, 1.0))
            decided, open_cases = conn.execute(
                """SELECT (SELECT count(*) FROM moderation.decisions),
                          (SELECT count(*) FROM moderation.cases WHERE state = 'recorded')"""
            ).fetchone()  # type: ignore[misc]
            if decided - before >= messages and not open_cases:
                break
            if done < kills:
                worker = system.children().get("app worker")
                if worker is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)
                    done += 1
        decided = conn.execute("SELECT count(*) FROM moderation.decisions").fetchone()[0] - before  # type: ignore[index]
        cases = conn.execute(
            "SELECT message_id::text, target_id::text, state FROM moderation.cases WHERE message_id IS NOT NULL"
        ).fetchall()
    there = [
        m for m, _, _ in cases if system.http.get(f"{system.page}/sandbox/messages/{m}").status_code == 200
    ]
    timeouts = Counter(entry["target_id"] for entry in audit_entries(system, guild, MEMBER_UPDATE))
    targets = {target for _, target, _ in cases}
    notices = {t: len(system.admin("GET", f"/dms/{t}")) for t in sorted(targets)[:200]}
    return Outcome(
        messages=messages,
        decisions=decided,
        cases=len(cases),
        unfinished=sum(state == "recorded" for _, _, state in cases),
        still_there=there,
        doubled_timeouts=[target for target, count in timeouts.items() if count > 1],
        doubled_notices=[target for target, count in notices.items() if count > 1],
        kills=done,
        audit=system.gatehouse("audit", "verify").stdout,
    )
