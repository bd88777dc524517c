"""`python -m ingester` against the sandbox, with every trouble that the sandbox knows, on eight shards at once.

What only a process shows: the right reaction on a real socket, events in the streams, no process that ends.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from app.adapters.redis.bridge import GatewayBridge
from app.events.envelope import PARTITIONS, Envelope, stream_name
from app.events.messages import MessageCreated
from ingester import keys
from sandbox.instance import Sandbox
from sandbox.trouble import GatewayKind, GatewayTrouble
from sandbox.world import seed
from tests.fixtures.ingester import Instances
from tests.fixtures.sandbox import ServeSandbox

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

WaitUntil = Callable[..., Awaitable[Any]]
Json = dict[str, Any]
SHARDS = 8


@dataclass(frozen=True)
class Trouble:
    """Switches, then an action; and how many RESUMEs answer it, or a `new` session.

    `everywhere`: the switch works before a shard is known. `twice`, `lost`: what becomes of the messages posted.
    """

    name: str
    action: Json | None = None
    switches: tuple[Json, ...] = ()
    resumes: int = 1
    messages: int = 1
    new: bool = False
    everywhere: bool = False
    twice: bool = False
    lost: bool = False
    latency_ms: int = 0


def close(code: int, *, new: bool = False) -> Trouble:
    return Trouble(f"close code {code}", {"action": "close", "code": code}, new=new)


def on_message(kind: str, *, messages: int = 1, **options: Any) -> Trouble:
    switch = {"kind": kind, "event": "MESSAGE_CREATE", **options}
    return Trouble(kind, None, (switch,), 0, messages, twice=kind == "duplicate")


def malformed(form: str) -> Trouble:
    return replace(on_message("malformed", form=form), name=f"malformed {form}", resumes=1)


def on_reconnect(kind: str, *, new: bool = False, **options: Any) -> Trouble:
    everywhere = kind in ("refuse_connect", "op7_before_hello")
    switches = ({"kind": kind, **options},)
    return Trouble(f"{kind} after a drop", {"action": "drop"}, switches, new=new, everywhere=everywhere)


RESUMED = [
    *map(close, (4000, 4001, 4002, 4003, 4005, 4006, 4008, 4999)),
    Trouble("dropped socket", {"action": "drop"}),
    Trouble("op 7", {"action": "reconnect"}),
    Trouble("op 9 true", {"action": "invalid_session", "resumable": True}),
    *map(malformed, ("text", "json", "shape", "compression")),
    on_reconnect("refuse_connect"),
    on_reconnect("op7_before_hello"),
    on_reconnect("refuse_session", code=4008),
    on_reconnect("invalid_session", resumable=True),
]
ZOMBIE = Trouble("zombie", None, ({"kind": "no_ack"},))
"""Takes two beats, therefore the first."""
RENEWED = [
    close(1000, new=True),
    close(1001, new=True),
    close(4007, new=True),
    close(4009, new=True),
    Trouble("op 9 false", {"action": "invalid_session", "resumable": False}, new=True),
    on_reconnect("invalid_session", resumable=False, new=True),
]
BORNE = [
    on_message("duplicate"),
    on_message("out_of_order", messages=2),
    on_message("delay", milliseconds=300, messages=3),
    on_message("huge", kilobytes=4096),
    Trouble(
        "slow acknowledgement",
        {"action": "ask_heartbeat"},
        ({"kind": "slow_ack", "milliseconds": 600},),
        resumes=0,
        latency_ms=500,
    ),
]

SKIPPED = [
    replace(on_message("malformed", form="json", lasting=True), name="malformed again", resumes=2, lost=True)
]


class Streams:
    """Reads the messages in the streams as they come."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._read: dict[bytes | str | memoryview, int | bytes | str | memoryview] = {
            stream_name(partition): "0" for partition in range(PARTITIONS)
        }
        self._reading = asyncio.Lock()
        self.messages: list[Envelope] = []
        self.times: Counter[int] = Counter()

    async def read(self) -> None:
        async with self._reading:
            reply: Any = await self._redis.xread(self._read)
            for stream, entries in reply:
                self._read[stream.decode()] = entries[-1][0]
                for _, fields in entries:
                    envelope = Envelope.from_fields(fields)
                    if envelope.type == "MESSAGE_CREATE":
                        self.messages.append(envelope)
                        self.times[int(envelope.json()["id"])] += 1


@dataclass
class Lane:
    """One shard: what is done to it, and the messages of its guild."""

    sandbox: Sandbox
    redis: Redis
    streams: Streams
    shard: int
    http: httpx.AsyncClient
    wait_until: WaitUntil
    sent: list[int] = field(default_factory=list)
    twice: set[int] = field(default_factory=set)

    async def ask(self, path: str, body: Json) -> Json:
        answer = await self.http.post(f"/sandbox{path}", json={"shard": self.shard, **body})
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    async def session(self) -> Json | None:
        """The shard's session as the admin API shows it, None while it has no socket."""
        await asyncio.sleep(0.1)  # eight lanes ask, and the answer is long
        rows = (await self.http.get("/sandbox/gateway")).json()["sessions"]
        return next((row for row in rows if row["shard"] == self.shard and row["connected"]), None)

    def __post_init__(self) -> None:
        world = self.sandbox.world
        guild = world.create_guild(f"Shard {self.shard}", seed.SAM, guild_id=(SHARDS + self.shard) << 22)
        world.join_member(guild.id, world.bot_id)
        self.channel = world.create_channel(guild.id, "general").id

    def post(self) -> int:
        message = self.sandbox.world.post_message(self.channel, seed.SAM, f"message {len(self.sent)}")
        self.sent.append(message.id)
        return message.id

    async def arrived(self) -> bool:
        await self.streams.read()
        return all(self.streams.times[message] == 1 + (message in self.twice) for message in self.sent)

    async def suffer(self, trouble: Trouble) -> None:
        before = await self.session()
        assert before is not None
        if trouble.new:
            await self.redis.delete(keys.identify_slot(self.shard))  # five seconds that nobody needs to wait
        for switch in trouble.switches:
            shard = None if trouble.everywhere else self.shard
            await self.ask("/trouble/gateway", {"count": 1, "shard": shard, **switch})
        if trouble.action is not None:
            assert (await self.ask("/gateway/actions", trouble.action))["sockets"] == 1
        if not trouble.new:
            posted = [self.post() for _ in range(trouble.messages)]
            self.twice.update(posted if trouble.twice else ())
            if trouble.lost:
                del self.sent[-trouble.messages :]

        async def over() -> bool:
            now = await self.session()
            if now is None:
                return False
            if trouble.new:
                return bool(now["session_id"] != before["session_id"])
            assert now["session_id"] == before["session_id"]
            return bool(now["resumes"] == before["resumes"] + trouble.resumes)

        await self.wait_until(over, what=f"{trouble.name}: the reaction")
        if trouble.latency_ms:
            await self.wait_until(lambda: self._slow(trouble.latency_ms), what=trouble.name)
        self.post()
        await self.wait_until(self.arrived, what=f"{trouble.name}: all messages, each once")
        assert await over(), f"{trouble.name}: the session changed again"

    async def _slow(self, milliseconds: int) -> bool:
        stats = await GatewayBridge(self.redis).stats()
        latency = next(shard.latency_ms for shard in stats.shards if shard.id == self.shard)
        return latency is not None and latency > milliseconds


async def test_every_trouble_gets_its_reaction_and_ends_no_process(
    serve_sandbox: ServeSandbox, redis_url: str, redis: Redis, tmp_path: Path, wait_until: WaitUntil
) -> None:
    async with serve_sandbox(
        max_concurrency=16, identify_window_seconds=0.0, heartbeat_interval_ms=5000
    ) as sandbox:
        url = sandbox.settings.http_url
        instances = Instances(f"{url}/api/v10", tmp_path, sandbox.world.application.token)
        try:
            async with httpx.AsyncClient(base_url=url, timeout=30) as http:
                streams = Streams(redis)
                lanes = [Lane(sandbox, redis, streams, n, http, wait_until) for n in range(SHARDS)]
                instance = await instances.start(redis_url, SHARD_COUNT=SHARDS)
                for lane in lanes:
                    await wait_until(lane.session)
                family = {member.pid for member in instance.family()}

                # In turn: a RESUME that works forgets what failed before it, so that nothing waits long.
                turns = zip_longest(RESUMED, RENEWED, BORNE + SKIPPED)
                waiting = deque([ZOMBIE, *(trouble for turn in turns for trouble in turn if trouble)])

                async def endure(lane: Lane) -> None:
                    while waiting:
                        await lane.suffer(waiting.popleft())

                async with asyncio.TaskGroup() as group:
                    for lane in lanes:
                        group.create_task(endure(lane))
            everything = streams.messages
            twice = {message for lane in lanes for message in lane.twice}
            doubled = [entry for entry in everything if int(entry.json()["id"]) in twice]
            assert {entry.sequence for entry in doubled} == {doubled[0].sequence, doubled[0].sequence + 1}
            assert len({MessageCreated.parse(entry).key for entry in doubled}) == 1
            assert len(everything) == sum(len(lane.sent) for lane in lanes) + len(doubled) // 2
            assert {member.pid for member in instance.family()} == family
            assert instance.said("frame skipped: malformed again") == 1
            assert not instance.said("Traceback")
            assert await instance.stop() == 0
        finally:
            await instances.close()


async def test_close_codes_that_no_restart_cures_end_it_with_one_line(
    serve_sandbox: ServeSandbox, redis_url: str, redis: Redis, tmp_path: Path
) -> None:
    """Two of six: what is said for the others is in tests/unit/ingester/test_cluster.py."""
    async with serve_sandbox(limits_scale=0.0) as sandbox:
        api_base = f"{sandbox.settings.http_url}/api/v10"
        instances = Instances(api_base, tmp_path, sandbox.world.application.token)
        try:
            for code, status, line in (
                (4004, 2, "E002: Discord refuses DISCORD_TOKEN (close code 4004): set a valid DISCORD_TOKEN"),
                (4012, 1, "Discord no longer accepts this version of the gateway (close code 4012): update"),
            ):
                await redis.flushdb()  # the slot of the IDENTIFY before
                sandbox.trouble.add(GatewayTrouble(kind=GatewayKind.REFUSE_SESSION, code=code, count=1))
                instance = await instances.start(redis_url)
                assert await asyncio.wait_for(instance.process.wait(), 60) == status
                said = [text for text in instance.log.read_text().splitlines() if not text.startswith("{")]
                assert len(said) == 1
                assert said[0].startswith(f"ingester: {line}")
        finally:
            await instances.close()
        assert sandbox.gateway.counts["identifies"] == 0
