"""100,000 mutated signed requests against the whole web app: no 5xx, no bad signature accepted.

Half are badly signed in every way we know; the answer must be 401, whatever the body. Half carry a valid signature over a
body that was bent, cut or spliced; the answer must be 200 or 400. Seeded: a failure can be repeated.

    python -m tests.bench.signature_fuzz [--requests 100000] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from nacl.signing import SigningKey

from app.settings import Settings
from app.web.main import create_app
from tests.fixtures.signed_requests import APPLICATION_ID, Requests

Headers = list[tuple[bytes, bytes]]
CONCURRENT = 64
SIGNATURE, TIMESTAMP = b"x-signature-ed25519", b"x-signature-timestamp"

KEY, OTHER_KEY = SigningKey(b"\1" * 32), SigningKey(b"\2" * 32)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request and the statuses that are right for it."""

    kind: str
    headers: Headers
    body: bytes
    allowed: frozenset[int]


REFUSED = frozenset({401})
READ = frozenset({200, 400})


def sign(body: bytes, *, key: SigningKey = KEY, age: float = 0) -> Headers:
    """Return the headers of a signed request."""
    timestamp = str(int(time.time() - age)).encode()
    return [(SIGNATURE, key.sign(timestamp + body).signature.hex().encode()), (TIMESTAMP, timestamp)]


class Mutations:
    """Bends genuine requests."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.requests = Requests(KEY, seed)
        self.signatures: tuple[Callable[[bytes], Headers], ...] = (
            self.flipped, self.other_key, self.stale, self.missing, self.doubled, self.odd, self.spaced, self.not_hex,
            self.resized, self.timestamp, self.of_another_body, self.binary,
        )  # fmt: skip
        self.bodies: tuple[Callable[[dict[str, Any]], bytes], ...] = (
            self.cut, self.spliced, self.byte, self.field, self.field, self.field, self.removed, self.deep, self.noise,
        )  # fmt: skip

    def attempt(self) -> Attempt:
        """Return the next request."""
        interaction = self.interaction()
        if self.random.random() < 0.5:
            bend = self.random.choice(self.signatures)
            body = orjson.dumps(interaction)
            return Attempt(bend.__name__, bend(body), body, REFUSED)
        mutate = self.random.choice(self.bodies)
        body = mutate(interaction)
        return Attempt(mutate.__name__, sign(body), body, READ)

    def interaction(self) -> dict[str, Any]:
        """Return a genuine interaction of any kind."""
        kind = self.random.choice((1, 2, 2, 2, 3, 4, 5))
        name = self.random.choice(("ping", "help", "about", "nothing"))
        option = {"name": "command", "type": 3, "value": "ping", "focused": True}
        data: dict[int, dict[str, Any]] = {
            2: {"id": "1", "name": name, "type": 1, "options": [option] if name == "help" else []},
            3: {
                "custom_id": self.random.choice(("x", "1ab" + "A" * 60)),
                "component_type": 2,
                "values": ["1"],
            },
            4: {"id": "1", "name": name, "type": 1, "options": [option]},
            5: {
                "custom_id": "x",
                "components": [{"type": 18, "component": {"type": 4, "custom_id": "a", "value": "b"}}],
            },
        }
        raw = self.requests.interaction(kind, data.get(kind))
        if kind in (3, 5):
            button = {"type": 2, "style": 2, "label": "x", "custom_id": "x"}
            raw["message"] = {"id": raw["id"], "channel_id": raw["id"], "flags": 0, "components": [button]}
        return raw

    # Bad signatures

    def flipped(self, body: bytes) -> Headers:
        (_, signature), stamp = sign(body)
        raw = bytearray(bytes.fromhex(signature.decode()))
        raw[self.random.randrange(64)] ^= 1 << self.random.randrange(8)
        return [(SIGNATURE, raw.hex().encode()), stamp]

    def other_key(self, body: bytes) -> Headers:
        return sign(body, key=OTHER_KEY)

    def stale(self, body: bytes) -> Headers:
        return sign(body, age=self.random.choice((-1, 1)) * self.random.uniform(330, 10**6))

    def missing(self, body: bytes) -> Headers:
        return self.random.sample(sign(body), self.random.randint(0, 1))

    def doubled(self, body: bytes) -> Headers:
        headers = sign(body)
        return self.random.sample([*headers, self.random.choice([*headers, *sign(b"", key=OTHER_KEY)])], 3)

    def odd(self, body: bytes) -> Headers:
        (_, signature), stamp = sign(body)
        return [(SIGNATURE, signature[: self.random.randrange(0, 64) * 2 + 1]), stamp]

    def spaced(self, body: bytes) -> Headers:
        (_, signature), stamp = sign(body)
        place = self.random.randrange(129)
        return [
            (SIGNATURE, signature[:place] + self.random.choice((b" ", b"\t", b"  ")) + signature[place:]),
            stamp,
        ]

    def not_hex(self, body: bytes) -> Headers:
        (_, signature), stamp = sign(body)
        place = self.random.randrange(128)
        wrong = self.random.choice((b"g", b"-", b"\xc3\xa9", b"\xff", b"\0"))
        return [(SIGNATURE, signature[:place] + wrong + signature[place + 1 :]), stamp]

    def resized(self, body: bytes) -> Headers:
        (_, signature), stamp = sign(body)
        length = self.random.choice([*range(0, 128, 2), 130, 256, 4096])
        return [(SIGNATURE, (signature * 40)[:length]), stamp]

    def timestamp(self, body: bytes) -> Headers:
        signature, (_, stamp) = sign(body)
        wrong = (
            b"",
            b"0",
            b"-1",
            b"now",
            b"9" * 50,
            stamp + b".0",
            b" " + stamp,
            stamp + b"\n",
            b"\xd9\xa1",
            b"1e9",
        )
        return [signature, (TIMESTAMP, self.random.choice(wrong))]

    def of_another_body(self, body: bytes) -> Headers:
        return sign(body + self.random.choice((b" ", b"\n", b"\0")))

    def binary(self, body: bytes) -> Headers:
        return [(SIGNATURE, self.random.randbytes(self.random.randrange(200))), sign(body)[1]]

    # Bent bodies under a valid signature

    def cut(self, raw: dict[str, Any]) -> bytes:
        body = orjson.dumps(raw)
        return body[: self.random.randrange(len(body))]

    def spliced(self, raw: dict[str, Any]) -> bytes:
        one, other = orjson.dumps(raw), orjson.dumps(self.interaction())
        return one[: self.random.randrange(len(one))] + other[self.random.randrange(len(other)) :]

    def byte(self, raw: dict[str, Any]) -> bytes:
        body = bytearray(orjson.dumps(raw))
        for _ in range(self.random.randint(1, 3)):
            body[self.random.randrange(len(body))] = self.random.randrange(256)
        return bytes(body)

    def field(self, raw: dict[str, Any]) -> bytes:
        """Put something else into one field, anywhere."""
        places: list[tuple[Any, Any]] = []
        self._places(raw, places)
        holder, key = self.random.choice(places)
        holder[key] = self._strange()
        return orjson.dumps(raw)

    def removed(self, raw: dict[str, Any]) -> bytes:
        places: list[tuple[Any, Any]] = []
        self._places(raw, places)
        holder, key = self.random.choice(places)
        del holder[key]
        return orjson.dumps(raw)

    def deep(self, raw: dict[str, Any]) -> bytes:
        depth = self.random.choice((10, 200, 900))
        shut, opened = self.random.choice(
            ((b"]" * depth, b"[" * depth), (b"}" * depth, b'{"components":' * depth))
        )
        nested = opened + b"1" + shut
        return orjson.dumps(raw).replace(b'"data":', b'"data":' + nested + b',"old":', 1)

    def noise(self, raw: dict[str, Any]) -> bytes:
        return self.random.randbytes(self.random.randrange(300))

    def _places(self, node: Any, places: list[tuple[Any, Any]]) -> None:
        entries = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in list(entries):
            places.append((node, key))
            if isinstance(value, dict | list):
                self._places(value, places)

    def _strange(self) -> Any:
        return self.random.choice(
            (
                None,
                True,
                0,
                -1,
                2**63,
                1.5,
                "",
                "x",
                "\0",
                "é" * 50,
                "1" * 30,
                "9" * 5000,
                [],
                [[]],
                [None],
                {},
                {"id": []},
                {"": {}},
                "-5",
            )
        )


class Incidents(logging.Handler):
    """Counts what the dispatcher logs: a bent body must not look like a fault of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.seen[repr(record.exc_info[1]) if record.exc_info else record.getMessage()] += 1


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[None]:
    """Run the lifespan of an ASGI application."""
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    task = asyncio.create_task(app({"type": "lifespan"}, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    started = await outbox.get()
    if started["type"] != "lifespan.startup.complete":
        raise SystemExit(f"the app did not start: {started}")
    yield
    await inbox.put({"type": "lifespan.shutdown"})
    await task


async def status_of(app: Any, attempt: Attempt) -> int:
    """Send one request; an exception counts as 500, as a server would answer it."""
    scope = {
        "type": "http", "method": "POST", "path": "/interactions", "query_string": b"", "http_version": "1.1",
        "scheme": "http", "client": ("203.0.113.9", 1), "headers": [(b"content-type", b"application/json"), *attempt.headers],
    }  # fmt: skip
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": attempt.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    try:
        await app(scope, receive, send)
    except Exception as error:
        print(f"{attempt.kind}: {error!r}", file=sys.stderr)
        return 500
    return status


async def fuzz(requests: int, seed: int, folder: str) -> list[str]:
    """Send the requests; return what was wrong."""
    settings = Settings.from_environment(
        {
            "DISCORD_PUBLIC_KEY": KEY.verify_key.encode().hex(),
            "DISCORD_APPLICATION_ID": str(APPLICATION_ID),
            "DISCORD_TOKEN": "none",
            "DISCORD_API_BASE": "http://127.0.0.1:9",
            "DATA_DIR": folder,
        }
    )
    mutations, app, incidents = Mutations(seed), create_app(settings), Incidents()
    logging.getLogger("app.interactions").addHandler(incidents)
    seen: Counter[tuple[str, int]] = Counter()
    wrong: list[str] = []

    async def worker() -> None:
        while seen.total() + active < requests:
            await one()

    active = 0

    async def one() -> None:
        nonlocal active
        active += 1
        attempt = mutations.attempt()
        status = await status_of(app, attempt)
        active -= 1
        seen[attempt.kind, status] += 1
        if status not in attempt.allowed:
            wrong.append(f"{attempt.kind}: {status}: {attempt.headers!r} {attempt.body[:400]!r}")

    async with running(app):
        genuine = orjson.dumps(mutations.interaction() | {"type": 1})
        assert await status_of(app, Attempt("genuine", sign(genuine), genuine, READ)) == 200
        await asyncio.gather(*(worker() for _ in range(CONCURRENT)))
    for kind in sorted({kind for kind, _ in seen}):
        statuses = {status: number for (name, status), number in sorted(seen.items()) if name == kind}
        print(f"{kind:16} {statuses}")
    print(f"{seen.total()} requests, seed {seed}: {len(wrong)} wrong, {incidents.seen.total()} incidents")
    return [*wrong, *(f"incident: {error} ({number} times)" for error, number in incidents.seen.items())]


def main(arguments: list[str] | None = None) -> int:
    """Return 1 if any answer was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        wrong = asyncio.run(fuzz(given.requests, given.seed, folder))
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
