"""What is sent again, when, and when not: time, chance and answers belong to the test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.discord import errors, routes
from app.adapters.discord.exchange import Answered, Exchange, NoAnswer
from app.adapters.discord.headers import outcome_of
from app.adapters.discord.limits import Limits
from app.adapters.discord.local_limiter import LocalLimiter
from app.adapters.discord.priority import Priority
from app.adapters.discord.rate_limiter import RateLimiter
from app.adapters.discord.sender import BACKOFF_CAP, FAILURES_MAX, Call, Sender

DELETE = Exchange(routes.DELETE_MESSAGE.at(channel_id=1, message_id=2))
CREATE = Exchange(routes.CREATE_MESSAGE.at(channel_id=1), {"content": "x"})
LOST = NoAnswer("no answer (ReadTimeout)", maybe_sent=True)
UNSENT = NoAnswer("no answer (ConnectError)", maybe_sent=False)


def answered(status: int, body=None, headers=None):
    return lambda target: Answered(status, body, outcome_of(target, status, headers or {}, body))


def too_many(seconds: float, scope: str = "user"):
    body = {"retry_after": seconds, "global": scope == "global"}
    return answered(429, body, {"x-ratelimit-scope": scope})


class World:
    """A sender whose clock stands still but for sleeping, and whose Discord answers by a list."""

    def __init__(self, *answers) -> None:
        self.now = 100.0
        self.answers = list(answers)
        self.sent: list[tuple[float, Exchange]] = []
        self.slept: list[float] = []
        self.drawn: list[tuple[float, float]] = []
        limits = Limits(bot="1", processes=1)
        local = LocalLimiter(limits, self.clock)
        limiter = RateLimiter(limits, local, local, clock=self.clock, sleep=self.sleep)
        self.sender = Sender(limiter, self.deliver, self.clock, self.sleep, self.uniform)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def uniform(self, low: float, high: float) -> float:
        self.drawn.append((low, high))
        return high

    async def deliver(self, exchange: Exchange, seconds: float) -> Answered:
        self.sent.append((self.now, exchange))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(exchange.target)

    async def send(self, exchange=DELETE, deadline=30.0, idempotent=None):
        again = exchange.target.route.idempotent if idempotent is None else idempotent
        return await self.sender.send(Call(exchange, Priority.MODERATION, deadline, again))


@pytest.mark.parametrize(
    "trouble", [answered(500), answered(502), answered(503), answered(504), LOST, UNSENT]
)
async def test_trouble_is_waited_out_with_full_jitter(trouble) -> None:
    world = World(trouble, trouble, trouble, answered(204))
    assert await world.send() is None
    assert world.drawn == [(0, 1.0), (0, 2.0), (0, 4.0)]
    assert len(world.sent) == 4


async def test_pauses_are_capped_and_attempts_limited() -> None:
    world = World(*[answered(502)] * FAILURES_MAX)
    with pytest.raises(errors.DiscordUnreachable, match="answered 502, 8 times") as caught:
        await world.send(deadline=1e6)
    assert caught.value.status == 502
    assert max(high for _, high in world.drawn) == BACKOFF_CAP
    assert len(world.sent) == FAILURES_MAX


async def test_no_pause_goes_beyond_the_deadline() -> None:
    world = World(answered(502), answered(502), answered(502))
    with pytest.raises(errors.DiscordUnreachable, match="no time is left"):
        await world.send(deadline=2.5)
    assert len(world.sent) == 2
    assert world.now < 102.5


@pytest.mark.parametrize(
    ("trouble", "again"),
    [(answered(500), False), (LOST, False), (UNSENT, True)],
    ids=["500", "lost", "unsent"],
)
async def test_a_create_is_sent_again_only_if_it_was_certainly_not_done(trouble, again) -> None:
    world = World(trouble, answered(200, {"id": "1"}))
    if again:
        assert await world.send(CREATE) == {"id": "1"}
    else:
        with pytest.raises(errors.DiscordUnreachable, match="not sent again"):
            await world.send(CREATE)
    assert len(world.sent) == 1 + again


async def test_a_create_with_an_enforced_nonce_is_sent_again() -> None:
    world = World(answered(500), LOST, answered(200, {"id": "1"}))
    assert await world.send(CREATE, idempotent=True) == {"id": "1"}


async def test_a_429_is_waited_out_whatever_the_call() -> None:
    world = World(too_many(2.5), answered(200, {"id": "1"}))
    assert await world.send(CREATE) == {"id": "1"}
    assert world.sent[1][0] - world.sent[0][0] == pytest.approx(2.5, abs=0.1)
    assert world.drawn == []


async def test_a_429_longer_than_the_deadline_fails_at_once() -> None:
    world = World(too_many(60))
    with pytest.raises(errors.RateLimited) as caught:
        await world.send(deadline=30)
    assert world.now == 100
    assert caught.value.wait == pytest.approx(60)


async def test_a_call_with_little_patience_is_not_sent_when_it_would_have_to_wait() -> None:
    world = World(too_many(5), answered(204))
    with pytest.raises(errors.RateLimited):
        await world.sender.send(Call(DELETE, Priority.MODERATION, 30.0, idempotent=True, patience=2.0))
    assert (len(world.sent), world.now) == (1, 100)
    world.now += 5.1
    await world.sender.send(Call(DELETE, Priority.MODERATION, 30.0, idempotent=True, patience=2.0))
    assert len(world.sent) == 2


async def test_429s_without_end_are_given_up() -> None:
    world = World(*[too_many(0.01)] * 20)
    with pytest.raises(errors.RateLimited):
        await world.send()
    assert len(world.sent) == 10


@pytest.mark.parametrize("status", [400, 403, 404, 405, 418])
async def test_refusals_are_not_repeated(status) -> None:
    world = World(answered(status, {"code": 1, "message": "no"}))
    with pytest.raises(errors.DiscordRefused) as caught:
        await world.send()
    assert caught.value.status == status
    assert len(world.sent) == 1


async def test_a_401_that_stays_after_a_good_check_is_that_calls_refusal() -> None:
    no = answered(401, {"code": 0, "message": "401: Unauthorized"})
    world = World(no, answered(200, {"id": "1"}), no)
    with pytest.raises(errors.DiscordRefused) as caught:
        await world.send()
    assert caught.value.status == 401
    assert [exchange.target.path for _, exchange in world.sent][1] == "/users/@me"


async def test_a_check_that_gets_no_answer_does_not_log_out() -> None:
    world = World(answered(401), LOST, answered(204))
    with pytest.raises(errors.DiscordRefused):
        await world.send()
    assert await world.send() is None


async def test_the_bot_stays_logged_out_for_ten_minutes_and_then_tries_again() -> None:
    no = answered(401)
    world = World(no, no, no, no, answered(204))
    for _ in range(3):
        with pytest.raises(errors.LoggedOut):
            await world.send()
    assert len(world.sent) == 2
    world.now += 601
    with pytest.raises(errors.LoggedOut):
        await world.send()
    assert len(world.sent) == 4
    world.now += 601
    assert await world.send() is None


@given(st.lists(st.sampled_from(["500", "lost", "unsent", "429"]), max_size=15), st.floats(0.5, 60))
async def test_no_call_lasts_longer_than_its_deadline(troubles, deadline) -> None:
    kinds = {"500": answered(500), "lost": LOST, "unsent": UNSENT, "429": too_many(0.7)}
    world = World(*(kinds[name] for name in troubles), answered(204))
    try:
        await world.send(deadline=deadline)
    except (errors.DiscordUnreachable, errors.RateLimited):
        pass
    assert world.now <= 100 + deadline + 1e-6
