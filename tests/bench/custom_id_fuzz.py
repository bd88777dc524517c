"""A million forged or altered custom ids: none may be accepted. Also the cost of signing and opening.

Bar: 0 accepted of 10^6; every genuine id of a fresh set, of the set before a rotation, accepted; after retirement
of its key, refused.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.interactions.arguments import Arguments
from app.interactions.custom_id import Bound, CustomIdError, CustomIds, Route, Routes
from app.keyring import Keyring
from app.snowflake import GuildId, UserId

TRIES = 1_000_000
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NOW = datetime(2028, 2, 29, tzinfo=UTC)
ROUTES = [
    Route("empty", Arguments.of({})),
    Route("one", Arguments.of({"case": int}), bound=Bound.USER),
    Route("full", Arguments.of({"a": UserId, "b": UserId, "c": UserId, "d": UserId}), bound=Bound.USER),
    Route("once", Arguments.of({"a": UserId, "b": bool}), bound=Bound.MODERATORS, single_use=True),
]

Forge = Callable[[random.Random, list[str]], str]


def change(rng: random.Random, genuine: list[str]) -> str:
    """One to three characters replaced."""
    text = list(rng.choice(genuine))
    for _ in range(rng.randint(1, 3)):
        text[rng.randrange(len(text))] = rng.choice(ALPHABET)
    return "".join(text)


def splice(rng: random.Random, genuine: list[str]) -> str:
    """The body of one id with the MAC of another, or any other seam."""
    one, other = rng.sample(genuine, 2)
    seam = rng.choice([-22, rng.randrange(1, min(len(one), len(other)))])
    return one[:seam] + other[seam:]


def swap(rng: random.Random, genuine: list[str]) -> str:
    """Two characters exchanged."""
    text = list(rng.choice(genuine))
    i, j = rng.sample(range(len(text)), 2)
    text[i], text[j] = text[j], text[i]
    return "".join(text)


def resize(rng: random.Random, genuine: list[str]) -> str:
    """Cut, lengthened or padded."""
    text = rng.choice(genuine)
    cut = rng.randrange(1, len(text))
    return rng.choice([text[:cut], text[cut:], text + rng.choice(ALPHABET), text + "=", text[:cut] + text])


def invent(rng: random.Random, genuine: list[str]) -> str:
    """The right head, the rest at random."""
    length = rng.choice([len(rng.choice(genuine)), rng.randint(1, 100)])
    return (rng.choice(genuine)[:3] + "".join(rng.choices(ALPHABET, k=100)))[:length]


def flip(rng: random.Random, genuine: list[str]) -> str:
    """Case of a stretch changed: what a case-insensitive comparison would let through."""
    text = rng.choice(genuine)
    i = rng.randrange(len(text))
    return text[:i] + text[i : i + rng.randint(1, 8)].swapcase() + text[i + 8 :]


FORGERIES: tuple[Forge, ...] = (change, splice, swap, resize, invent, flip)


def opens(ids: CustomIds, text: str, routes: Routes, guild: GuildId) -> bool:
    """Tell whether the id is accepted for somebody who may do everything."""
    try:
        ids.open(text, guild=guild, routes=routes).admit(UserId(7), roles=[], moderator=True)
    except CustomIdError:
        return False
    return True


def main() -> int:
    """Run it and print the table."""
    seed = random.SystemRandom().getrandbits(32)
    rng = random.Random(seed)
    routes, guild = Routes(ROUTES), GuildId(822222222222222222)
    before = Keyring.new()
    old, keys = CustomIds(before, 1, lambda: NOW), before.rotated()
    ids, later = CustomIds(keys, 1, lambda: NOW), CustomIds(keys.without("k1"), 1, lambda: NOW)

    def make(signer: CustomIds) -> list[str]:
        made = []
        for route in ROUTES:
            for number in range(100):
                values = {
                    name: bool(number % 2) if name == "b" and route.name == "once" else number
                    for name, _ in route.arguments.packers
                }
                made.append(
                    signer.sign(route.to(ttl=timedelta(hours=1), **values), guild=guild, user=UserId(7))
                )
        return made

    rotated_away, genuine = make(old), make(ids)
    known = set(genuine) | set(rotated_away)
    accepted, tried = Counter[str](), Counter[str]()
    began = time.process_time()
    while tried.total() < TRIES:
        forge = FORGERIES[tried.total() % len(FORGERIES)]
        text = forge(rng, genuine)
        if text in known:
            continue
        tried[forge.__name__] += 1
        accepted[forge.__name__] += opens(ids, text, routes, guild)
    seconds = time.process_time() - began

    print(f"seed {seed}; {seconds:.1f} s of CPU")
    print(f"{'forgery':<10}{'tried':>10}{'accepted':>10}")
    for name, number in tried.items():
        print(f"{name:<10}{number:>10}{accepted[name]:>10}")
    checks = {
        "genuine ids accepted": all(opens(ids, text, routes, guild) for text in genuine),
        "ids from before the rotation accepted": all(
            opens(ids, text, routes, guild) for text in rotated_away
        ),
        "… refused once their key is retired": not any(
            opens(later, text, routes, guild) for text in rotated_away
        ),
        "… while newer ones go on": all(opens(later, text, routes, guild) for text in genuine),
        "ids of another application refused": not any(
            opens(CustomIds(keys, 2, lambda: NOW), text, routes, guild) for text in genuine
        ),
        "ids of another guild refused": not any(
            opens(ids, text, routes, GuildId(guild + 1)) for text in genuine
        ),
    }
    for name, met in checks.items():
        print(f"{'ok    ' if met else 'MISSED'} {name}")
    for what, call in (
        ("sign", lambda: ids.sign(ROUTES[2].to(a=1, b=2, c=3, d=4), guild=guild, user=UserId(7))),
        ("open", lambda: opens(ids, genuine[200], routes, guild)),
        ("refuse", lambda: opens(ids, genuine[200][:-1] + "!", routes, guild)),
    ):
        began = time.process_time()
        for _ in range(20_000):
            call()
        print(f"{what:<8}{(time.process_time() - began) / 20_000 * 1e6:>6.1f} µs")
    return 0 if not accepted.total() and all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
