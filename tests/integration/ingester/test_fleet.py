"""The supervisor's side of its processes: frozen ones, crashing ones."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any, ClassVar

import psutil
import pytest

from app.errors import ProcessCrashed
from app.observability import metrics
from app.settings import Settings
from app.shard_plan import ShardPlan
from ingester import cluster_process, fleet
from ingester.cluster_process import ClusterProcess
from ingester.control import Setup
from ingester.fleet import Fatal, Fleet
from ingester.registry import LeaseRow, Roll
from ingester.supervisor import Supervisor
from tests.fixtures.gateway import TOKEN, ScriptedGateway

PLAN = ShardPlan(2, pinned=False, preferred=range(2), clusters=((0,), (1,)))


class FakeProcess:
    """Ends as told; remembers what it was told."""

    made: ClassVar[list[FakeProcess]] = []
    lives = 0.0
    says: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, setup: Setup, on_message: Any) -> None:
        self.setup, self.on_message = setup, on_message
        self.registered = asyncio.Event()
        self.alive = True
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.ended = asyncio.Event()
        FakeProcess.made.append(self)

    async def start(self) -> None:
        self.registered.set()
        for message in self.says:
            self.on_message(message)

    async def wait(self) -> int:
        if self.lives:
            await self.ended.wait()
        self.alive = False
        return 1

    def send(self, op: str, **values: Any) -> None:
        self.sent.append((op, values))

    async def ping(self, _seconds: float = 0) -> dict[str, Any]:
        return {"shards": []}

    async def stop(self, *, hung: bool = False) -> None:
        self.ended.set()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeProcess]:
    monkeypatch.setattr(fleet, "ClusterProcess", FakeProcess)
    monkeypatch.setattr(fleet, "backoff", lambda _attempt: 0.0)
    monkeypatch.setattr(FakeProcess, "made", [])
    monkeypatch.setattr(FakeProcess, "lives", 0.0)
    monkeypatch.setattr(FakeProcess, "says", [])
    return FakeProcess


def make_fleet() -> Fleet:
    return Fleet(PLAN, "me", "ws://gateway", 1, 3000)


async def test_a_crash_loop_ends_with_e005(fake: type[FakeProcess]) -> None:
    processes = make_fleet()
    processes.hold([0])
    with pytest.raises(ProcessCrashed) as crashed:
        await asyncio.wait_for(processes.failure, 20)
    assert crashed.value.for_operator().startswith(
        "E005: process 0 of the ingester ended 5 times in 5 minutes"
    )
    assert len(fake.made) == 5
    await processes.stop()


async def test_what_no_restart_cures_ends_at_once(fake: type[FakeProcess]) -> None:
    fake.says, fake.lives = [{"op": "fatal", "line": "E002: no", "status": 2}], 1.0
    processes = make_fleet()
    processes.hold([0])
    with pytest.raises(Fatal) as fatal:
        await asyncio.wait_for(processes.failure, 20)
    assert (fatal.value.line, fatal.value.status) == ("E002: no", 2)
    await processes.stop()


async def test_shards_go_to_their_process_and_health_ports_follow_the_seed(
    fake: type[FakeProcess], wait_until: Any
) -> None:
    fake.lives = 1.0
    processes = make_fleet()
    processes.hold([0, 1])
    await wait_until(lambda: len(fake.made) == 2)
    assert [process.setup.shards for process in fake.made] == [(0,), (1,)]
    assert [process.setup.health_port for process in fake.made] == [3000, 3002]
    await wait_until(lambda: ("mode", {"overlap": False, "shadow": False}) in fake.made[1].sent)
    fake.made[1].on_message({"op": "ended", "shard": 1, "why": "released"})
    assert processes.shards == {0}
    processes.hold([1])
    processes.release(0, "other")
    assert fake.made[1].sent[-1] == ("hold", {"shards": [1]})
    assert fake.made[0].sent[-1] == ("release", {"shard": 0, "successor": "other"})
    fake.made[1].on_message({"op": "asking", "shards": [1]})
    assert processes.asking == {1}
    await processes.stop()


async def test_slow_shards_are_degraded_and_silent_processes_are_replaced(
    fake: type[FakeProcess], wait_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "CHECK_SECONDS", 0.02)
    monkeypatch.setattr(fleet, "SUSPECT_SECONDS", 0.01)
    latencies = iter([499.0, None, 501.0])
    stopped: list[bool] = []

    async def ping(_process: FakeProcess, _seconds: float = 0) -> dict[str, Any]:
        try:
            return {"shards": [{"id": 71, "latency_ms": next(latencies)}]}
        except StopIteration:
            raise TimeoutError from None

    async def stop(process: FakeProcess, *, hung: bool = False) -> None:
        stopped.append(hung)
        process.ended.set()

    monkeypatch.setattr(FakeProcess, "ping", ping)
    monkeypatch.setattr(FakeProcess, "stop", stop)
    fake.lives = 1.0
    processes = make_fleet()
    processes.hold([0])
    await wait_until(lambda: len(fake.made) == 2, what="the process in place of the silent one")
    assert stopped[0]
    labels = {"shard_id": "71"}
    assert metrics.REGISTRY.get_sample_value("gateway_degraded_total", labels) == 1
    await processes.stop()


@pytest.mark.parametrize(("left_ms", "ok"), [(4000, True), (-1, False)])
async def test_an_instance_without_shards_stands_by_while_others_hold_them(left_ms: int, ok: bool) -> None:
    supervisor = Supervisor(Settings(), "redis://127.0.0.1:1/0")
    supervisor._fleet = make_fleet()
    supervisor._roll = Roll(leases=(LeaseRow("a/0", "a", left_ms, "ready", ever=True),))
    assert (await supervisor._check_shards())["ok"] == ok


async def test_a_frozen_process_is_drained_terminated_killed(
    gateway: ScriptedGateway, redis_url: str, wait_until: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name, value in {
        "DISCORD_TOKEN": TOKEN,
        "DISCORD_API_BASE": gateway.api_base,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(cluster_process, "DRAIN_ACKNOWLEDGE_SECONDS", 0.3)
    monkeypatch.setattr(cluster_process, "TERMINATE_SECONDS", 0.3)
    setup = Setup(0, "me", 1, f"ws://127.0.0.1:{gateway.port}/", 16, 0, (0,))
    process = ClusterProcess(setup, lambda _message: None)
    await process.start()
    await asyncio.wait_for(process.registered.wait(), 60)
    await wait_until(gateway.connected)
    assert (await process.ping())["shards"][0]["id"] == 0
    child = next(member for member in psutil.Process().children() if "ingester.cluster" in member.cmdline())
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        await process.ping(0.2)
    waiting = asyncio.create_task(process.wait())
    await process.stop(hung=True)
    assert await waiting == -signal.SIGKILL
    assert not process.alive
