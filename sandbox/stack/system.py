"""The whole system: what starts in which order, and what has to be true before the next one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx

from app.adapters.embedded import embedded_stores
from app.adapters.embedded.locks import FileLock, Mode
from app.adapters.postgres.migrate import migrate
from app.errors import AppError, ConfigurationError
from app.settings import Settings
from sandbox.stack.process import Child

READY_SECONDS = 90.0

EXAMPLE_OWNER, EXAMPLE_CHANNEL = "maya", "general"
EXAMPLE_WORDS = "badword, free nitro"
"""What the example rule of a new world blocks; the README and the greeting name the first."""


class AlreadyRuns(AppError):
    """The system of this DATA_DIR runs already."""


class NotReady(AppError):
    """A process did not become ready."""


class System:
    """One DATA_DIR's system on the sandbox."""

    def __init__(self, settings: Settings, *, page_port: int, fresh: bool, folder: Path) -> None:
        self._settings = settings
        self._page_port = page_port
        self._fresh = fresh
        self._data = (folder / settings.data_dir).absolute()
        self._children: list[Child] = []
        self._stop = asyncio.Event()
        self._page = f"http://127.0.0.1:{page_port}"

    async def run(self) -> int:
        """Start everything, wait for Ctrl-C or SIGTERM, stop everything; return the exit status."""
        lock = FileLock(self._data / "system.lock", Mode.EXCLUSIVE)
        address = self._data / "system.url"
        try:
            self._data.mkdir(parents=True, exist_ok=True)
            free = lock.acquire(wait=False)
        except OSError as error:
            raise ConfigurationError("DATA_DIR", f"cannot write to {self._data}: {error.strerror}") from None
        if not free:
            where = address.read_text(encoding="utf-8") if address.exists() else "starting"
            raise AlreadyRuns(f"Gatehouse already runs in {self._data}: {where}")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        try:
            self._refuse_taken_ports()
            async with AsyncExitStack() as stack:
                starting = asyncio.create_task(self._start(stack))
                stack.push_async_callback(self._stop_children)
                if await self._interrupted(starting):
                    return 0
                address.write_text(self._page, encoding="utf-8")
                self._greet()
                keeping = [asyncio.create_task(child.keep_running()) for child in self._children]
                interrupted = asyncio.create_task(self._stop.wait())
                await asyncio.wait([*keeping, interrupted], return_when=asyncio.FIRST_COMPLETED)
                print("\nstopping", flush=True)
                await self._stop_children()
                interrupted.cancel()
                for outcome in await asyncio.gather(*keeping, return_exceptions=True):
                    if isinstance(outcome, AppError):
                        raise outcome
            return 0
        finally:
            address.unlink(missing_ok=True)
            lock.release()

    async def _interrupted(self, starting: asyncio.Task[None]) -> bool:
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([starting, stopped], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            stopped.cancel()
            starting.result()
            return False
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return True

    def _refuse_taken_ports(self) -> None:
        settings = self._settings
        wanted = {
            "SANDBOX_PORT": self._page_port,
            "PORT": settings.port,
            "HEALTH_PORT": settings.health_port,
            "MANAGER_HEALTH_PORT": settings.manager_health_port,
            "WORKER_HEALTH_PORT": settings.worker_health_port,
        }
        for variable, port in wanted.items():
            if not 0 <= port <= 65535:  # SANDBOX_PORT: the others are checked as settings
                raise ConfigurationError(variable, "must be 0 to 65535")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    free = _free_port()
                    raise ConfigurationError(
                        variable,
                        f"port {port} is taken by another program; set another, e.g. {variable}={free}",
                    ) from None

    async def _start(self, stack: AsyncExitStack) -> None:
        say("starting PostgreSQL and Redis")
        stores = embedded_stores(self._settings.model_copy(update={"data_dir": self._data}))
        urls = await asyncio.to_thread(stores.__enter__)
        stack.callback(stores.__exit__, None, None, None)
        applied = await asyncio.to_thread(migrate, urls.database)
        if applied:
            say(f"applied {len(applied)} database migrations")

        say("starting the stand-in for Discord")
        environment = {**os.environ, "DATA_DIR": str(self._data), "PYTHONUNBUFFERED": "1"}
        arguments = ["--port", str(self._page_port), "--data-dir", str(self._data / "sandbox")]
        await self._child("sandbox", ["-m", "sandbox", *arguments, *["--reset"] * self._fresh], environment)
        async with httpx.AsyncClient(timeout=5) as http:
            credentials = await self._wait_for(http, f"{self._page}/sandbox/credentials", "sandbox")
            environment |= {name: str(value) for name, value in credentials.items()}

            say("starting web, worker and ingester")
            await self._child("web", ["-m", "app", "web"], environment)
            await self._child("worker", ["-m", "app", "worker"], environment)
            await self._child("ingester", ["-m", "ingester"], environment)
            await self._wait_for(http, f"http://127.0.0.1:{self._settings.port}/ready", "web")
            await self._wait_for(
                http, f"http://127.0.0.1:{self._settings.worker_health_port}/ready", "worker"
            )
            await self._wait_for(http, f"http://127.0.0.1:{self._settings.health_port}/ready", "ingester")
            say("registering the commands")
            await self._run_once(["-m", "app", "commands", "sync", "--yes"], environment)
            await self._save_endpoints(http, environment)
            await self._demonstrate(http)
            await self._wait_for(
                http, f"http://127.0.0.1:{self._settings.worker_health_port}/ready", "worker"
            )
            await self._wait_for(http, f"http://127.0.0.1:{self._settings.health_port}/ready", "ingester")

    async def _child(self, name: str, arguments: list[str], environment: dict[str, str]) -> None:
        child = Child(name, arguments, environment, len(self._children))
        self._children.append(child)
        await child.start()

    async def _wait_for(self, http: httpx.AsyncClient, url: str, name: str) -> Any:
        child = next(child for child in self._children if child.name == name)
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                answer = await http.get(url)
                if answer.status_code == 200:
                    return answer.json()
            except httpx.TransportError:
                pass  # not listening yet
            if not child.running:
                raise NotReady(f"{name} ended while starting; its lines above say why")
            if time.monotonic() > deadline:
                raise NotReady(f"{name} is not ready after {READY_SECONDS:.0f} s; its lines above say why")
            await asyncio.sleep(0.1)

    async def _run_once(self, arguments: list[str], environment: dict[str, str]) -> None:
        child = Child("commands", arguments, environment, len(self._children))
        await child.start()
        status = await child.wait()
        if status != 0:
            raise NotReady(f"`gatehouse {' '.join(arguments[2:])}` ended with exit status {status}")

    async def _save_endpoints(self, http: httpx.AsyncClient, environment: dict[str, str]) -> None:
        """Save our URLs at the sandbox as an operator does in the portal: it checks that we check signatures."""
        web = f"http://127.0.0.1:{self._settings.port}"
        answer = await http.patch(
            f"{environment['DISCORD_API_BASE']}/applications/@me",
            json={
                "interactions_endpoint_url": f"{web}/interactions",
                "event_webhooks_url": f"{web}/webhook-events",
                "event_webhooks_status": 2,
                "event_webhooks_types": ["APPLICATION_AUTHORIZED", "APPLICATION_DEAUTHORIZED"],
            },
            headers={"Authorization": f"Bot {environment['DISCORD_TOKEN']}"},
        )
        if answer.status_code != 200:
            raise NotReady(f"the sandbox refuses our interactions URL: {answer.text[:300]}")

    async def _demonstrate(self, http: httpx.AsyncClient) -> None:
        """Once per world, have the owner of the first server set up two rules, so that there is something to see."""
        marker = self._data / "demonstrated"
        if marker.exists():
            return
        rules = {
            "rule words": {"name": "blocked words", "listed": EXAMPLE_WORDS, "consequence": "timeout"},
            "rule invites": {"name": "invites", "consequence": "delete"},
        }
        for name, options in rules.items():
            call = {"as": EXAMPLE_OWNER, "channel": EXAMPLE_CHANNEL, "name": name, "options": options}
            answer = await http.post(f"{self._page}/sandbox/commands", json=call)
            if answer.status_code != 200 or answer.json().get("state") != "answered":
                raise NotReady(f"/{name} did not work: {answer.text[:300]}")
        marker.touch()

    async def _stop_children(self) -> None:
        """Stop in reverse order of starting; the ones that only consume may stop at once."""
        await asyncio.gather(*(child.stop() for child in self._children[1:]))
        for child in self._children[:1]:
            await child.stop()

    def _greet(self) -> None:
        lines = [
            f"Gatehouse is running: open {self._page}",
            "Try: type /ping; then, as Lena, write a message with the blocked word “b\u0430dw\u043erd”",
            f"Admin API: {self._page}/sandbox/docs      Stop: Ctrl-C",
        ]
        width = max(map(len, lines))
        print("\n".join(["", "┌" + "─" * (width + 2) + "┐", *(f"│ {line:<{width}} │" for line in lines)]))
        print("└" + "─" * (width + 2) + "┘", flush=True)


def say(text: str) -> None:
    """Tell somebody who waits what happens now."""
    print(f"gatehouse| {text}", flush=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
