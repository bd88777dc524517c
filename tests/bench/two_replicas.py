"""Judge the edge: signed commands through Caddy to two replicas, one of which is killed with -9 again and again.

    python -m tests.bench.two_replicas [--commands 20000] [--every 2500] [--connections 16]

Every command has an effect in PostgreSQL. Bars: each answered 200 within 3 s, each effect exactly once.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
from nacl.signing import SigningKey

from app.adapters.embedded import embedded_stores
from app.adapters.postgres.migrate import migrate
from app.settings import Settings
from tests.fixtures import sample_feature
from tests.fixtures.replicas import Replica, caddy, send_counts
from tests.fixtures.signed_requests import APPLICATION_ID


async def run(database: str, redis: str, folder: Path, commands: int, every: int, connections: int) -> int:
    """Print what happened; 1 when a bar is missed."""
    key = SigningKey.generate()
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(sample_feature.TABLE)
    environment = {
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "DATA_DIR": str(folder),
        "DISCORD_PUBLIC_KEY": key.verify_key.encode().hex(),
        "DISCORD_APPLICATION_ID": str(APPLICATION_ID),
        "DISCORD_API_BASE": "http://127.0.0.1:9/api/v10",
        "LOG_LEVEL": "warning",
        **dict.fromkeys(("LIMIT_USER", "LIMIT_USER_COMMAND", "LIMIT_GUILD"), "off"),
    }
    replicas = [Replica(environment, folder) for _ in range(2)]
    for replica in replicas:
        replica.start()

    one_at_a_time = asyncio.Lock()

    def killing(victim: Replica, other: Replica) -> Callable[[], Awaitable[None]]:
        async def kill() -> None:
            async with one_at_a_time:
                await other.answering()
                victim.kill()
                await asyncio.sleep(0.5)
                victim.start()
                await victim.answering()

        return kill

    kills = {
        n: killing(*(replicas if i % 2 == 0 else replicas[::-1]))
        for i, n in enumerate(range(every, commands, every))
    }
    try:
        await asyncio.gather(*(replica.answering() for replica in replicas))
        async with caddy(replicas, folder) as url:
            traffic = await send_counts(url, key, commands, kills, connections=connections)
    finally:
        for replica in replicas:
            replica.stop()
    with psycopg.connect(database) as conn:
        happened = Counter(row[0] for row in conn.execute("SELECT interaction_id FROM public.effects"))
    twice = sum(1 for times in happened.values() if times > 1)
    missing = len(set(traffic.sent) - set(happened))
    print(f"{commands} commands, {len(kills)} kills: statuses {dict(traffic.statuses)}")
    print(f"answers: {dict(traffic.answers)}")
    print(f"slowest {traffic.slowest:.2f} s; effects twice {twice}, missing {missing}")
    for odd in traffic.odd:
        print(f"  {odd}")
    met = traffic.statuses == {200: commands} and not twice and not missing and traffic.slowest < 3
    print("bars met" if met else "a bar is missed")
    return 0 if met else 1


def main() -> int:
    """Start the stores and run."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--commands", type=int, default=20_000)
    options.add_argument("--every", type=int, default=2_500)
    options.add_argument("--connections", type=int, default=16)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = Settings.from_environment({"DATA_DIR": folder})
        with embedded_stores(settings, durable=False) as stores:
            migrate(stores.database)
            return asyncio.run(
                run(
                    stores.database,
                    stores.redis,
                    Path(folder),
                    arguments.commands,
                    arguments.every,
                    arguments.connections,
                )
            )


if __name__ == "__main__":
    sys.exit(main())
