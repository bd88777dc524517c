"""`gatehouse web` as an operator meets it: start, stop, and what it says when something is wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import pytest
from nacl.signing import SigningKey

from tests.fixtures.replicas import Replica
from tests.fixtures.signed_requests import Requests

pytestmark = pytest.mark.process


def run_web(environment: dict[str, str], **changes: str) -> subprocess.CompletedProcess[str]:
    """Run it until it ends by itself; it must not take long."""
    merged = {**os.environ, **environment, **changes}
    return subprocess.run(
        [sys.executable, "-m", "app", "web"],
        env={name: value for name, value in merged.items() if value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DISCORD_PUBLIC_KEY", ""),
        ("TRUSTED_PROXIES", "cloudfare"),
        ("CUSTOM_ID_KEYS", "foo"),
    ],
)
def test_a_wrong_setting_ends_it_with_2_and_one_line_that_names_the_variable(
    web_environment: dict[str, str], variable: str, value: str
) -> None:
    ended = run_web(web_environment, **{variable: value})
    assert ended.returncode == 2, ended.stderr
    (line,) = ended.stderr.strip().splitlines()
    assert variable in line
    assert ended.stdout == ""  # and uvicorn has nothing to add


def test_a_taken_port_is_told_in_one_line(web_environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = run_web(web_environment, PORT=str(taken.getsockname()[1]))
    assert ended.returncode == 2
    (line,) = ended.stderr.strip().splitlines()
    assert "PORT" in line
    assert "in use" in line


def test_a_database_that_is_away_ends_it_with_1_and_e004(web_environment: dict[str, str]) -> None:
    ended = run_web(web_environment, DATABASE_URL="postgresql://gatehouse:secret@127.0.0.1:9/x")
    assert ended.returncode == 1
    (line,) = ended.stderr.strip().splitlines()
    assert "E004" in line
    assert "secret" not in ended.stderr + ended.stdout


async def test_sigterm_lets_the_running_request_end_and_the_status_is_0(
    web_environment: dict[str, str],
    signing_key: SigningKey,
    tmp_path: Path,
    wait_until: Any,
) -> None:
    replica = Replica(web_environment, tmp_path)
    replica.start()
    await replica.answering()
    assert replica.process is not None
    requests = Requests(signing_key)
    body = orjson.dumps(requests.interaction(2, {"id": "1", "name": "slow", "type": 1}))
    signature, timestamp = requests.sign(body)
    headers = {"X-Signature-Ed25519": signature, "X-Signature-Timestamp": timestamp}
    async with httpx.AsyncClient(timeout=30) as client:
        url = f"http://127.0.0.1:{replica.port}"
        running = asyncio.create_task(client.post(f"{url}/interactions", content=body, headers=headers))

        async def under_way() -> bool:
            return bool((await client.get(f"{url}/health")).json()["interactions"]["under_way"])

        await wait_until(under_way)
        replica.process.send_signal(signal.SIGTERM)
        # The handler waits for ever: after 1.5 s it is deferred for, which is its answer.
        response = await running
        assert response.json()["type"] == 5
        assert await asyncio.to_thread(replica.process.wait, 20) == 0


async def test_it_is_small_and_logs_nothing_secret(
    web_environment: dict[str, str], signing_key: SigningKey, tmp_path: Path
) -> None:
    replica = Replica(web_environment | {"LOG_LEVEL": "debug"}, tmp_path)
    replica.start()
    await replica.answering()
    requests = Requests(signing_key)
    payloads = [
        requests.interaction(2, {"id": "1", "name": "boom", "type": 1}),
        requests.interaction(2, {"id": "1", "name": "count", "type": 1}),
        requests.interaction(3, {"custom_id": "forged", "component_type": 2}),
        {"type": 2, "token": "malformed-token"},
    ]
    async with httpx.AsyncClient() as client:
        for payload in payloads:
            body = orjson.dumps(payload)
            signature, timestamp = requests.sign(body)
            headers = {"X-Signature-Ed25519": signature, "X-Signature-Timestamp": timestamp}
            await client.post(f"http://127.0.0.1:{replica.port}/interactions", content=body, headers=headers)
    assert replica.process is not None
    assert psutil.Process(replica.process.pid).memory_info().rss / 2**20 < 120
    assert replica.stop() == 0
    logged = replica.log()
    assert "interaction failed" in logged
    secrets = [payload["token"] for payload in payloads]
    secrets += [web_environment["DISCORD_TOKEN"], "zoë (EU/raid)", "Zoë ✨ Marchetti"]
    for secret in secrets:
        assert secret not in logged
