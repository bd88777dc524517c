"""The feed against a model of the publish script, with faults injected between them."""

from __future__ import annotations

from collections import deque

import hiredis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ingester.feed import Batch, Feed, Session, event_heads, received_at

HEADS = event_heads("MESSAGE_CREATE")
SESSION = Session("abc", "ws://resume")


def arguments(call: Batch) -> list[bytes]:
    """Parse what goes to Redis back into the script's ARGV."""
    reader = hiredis.Reader()
    reader.feed(b"".join(call.encode()))
    command = reader.gets()
    assert reader.gets() is False, "more than one command"
    return command[3 + int(command[2]) :]


class Owner:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.gap_at: int | None = None

    def fenced(self, _feed: Feed) -> None:
        self.calls.append("fenced")

    def lease_unknown(self, _feed: Feed) -> None:
        self.calls.append("unknown")

    def gap(self, _feed: Feed, stored: int) -> None:
        self.calls.append("gap")
        self.gap_at = stored


def make_feed(owner: Owner, calls: deque[Batch]) -> Feed:
    return Feed(3, 4, "7", submit=calls.append, schedule=lambda _feed: None, owner=owner, sha=b"0" * 40)


def test_a_call_carries_every_argument_of_the_script() -> None:
    calls: deque[Batch] = deque()
    feed = make_feed(Owner(), calls)
    feed.begin(SESSION, 41)
    feed.append(HEADS, 42, b"1234567", b'{"content":"\xc3\xa9"}')
    feed.flush()
    argv = arguments(calls[1])
    assert argv[:2] == [b"7", b"5000"]
    assert argv[3:9] == [b"abc", b"ws://resume", b"41", b"42", b"90000", b"3"]
    index, name, sequence, guild, received, payload = argv[12:]
    assert int(index) == 4 + (1234567 >> 22) % 16
    assert (name, sequence, guild, payload) == (
        b"MESSAGE_CREATE",
        b"42",
        b"1234567",
        b'{"content":"\xc3\xa9"}',
    )
    assert len(received) == 13


def test_changes_of_guilds_ride_on_the_next_batch() -> None:
    calls: deque[Batch] = deque()
    feed = make_feed(Owner(), calls)
    changes = [[], [b"5", b'["Five",1,true]', b"6", b""], []]
    feed.guild_changes = lambda: changes.pop(0)
    feed.begin(SESSION, 0)
    feed.append(HEADS, 1, b"0", b"{}")
    feed.flush()
    argv = arguments(calls[1])
    assert argv[11:16] == [b"4", b"5", b'["Five",1,true]', b"6", b""]
    assert argv[17] == b"MESSAGE_CREATE"


def test_a_feed_in_the_shadow_keeps_only_what_is_young() -> None:
    calls: deque[Batch] = deque()
    feed = make_feed(Owner(), calls)
    feed.shadow = True
    feed.overlap(on=True)
    feed.begin(SESSION, 0)
    for sequence in range(1, 6000):
        feed.append(HEADS, sequence, b"0", b"{}", b"key%d" % sequence)
    feed.flush(touch=True)
    assert feed.pending == 5000
    assert (calls[1].events, calls[1].after) == (0, 999)
    feed.lead()
    feed.flush()
    assert arguments(calls[2])[12 + 6] == b"key1000"


def test_the_time_of_arrival_can_be_read_back() -> None:
    feed = make_feed(Owner(), deque())
    feed.append(HEADS, 1, b"0", b"{}")
    assert abs(received_at(feed._parts[0]) - feed.oldest) < 0.002


def test_what_was_discarded_is_not_passed_off_as_stored() -> None:
    """After a gap, until the session is resumed, the lease is renewed without saying where the session stands."""
    calls: deque[Batch] = deque()
    owner = Owner()
    feed = make_feed(owner, calls)
    feed.begin(SESSION, 0)
    calls.popleft().answered([1, 0])
    feed.append(HEADS, 1, b"0", b"{}")
    feed.flush()
    feed.append(HEADS, 2, b"0", b"{}")  # came while the batch was under way
    calls.popleft().answered([3, 0])
    assert owner.gap_at == 0
    feed.flush(touch=True)
    renewal = calls.popleft()
    assert arguments(renewal)[3] == b"", "no session"
    renewal.answered([1, 0])
    feed.begin(SESSION, 0)
    feed.append(HEADS, 1, b"0", b"{}")
    feed.append(HEADS, 2, b"0", b"{}")
    feed.flush()
    assert [(batch.before, batch.after, batch.events) for batch in calls] == [(0, 0, 0), (0, 2, 2)]


class FeedMachine(RuleBasedStateMachine):
    """Redis executes calls in order, loses its memory, loses replies; the feed must leave no hole, no double."""

    def __init__(self) -> None:
        super().__init__()
        self.owner = Owner()
        self.calls: deque[Batch] = deque()
        self.feed = make_feed(self.owner, self.calls)
        self.feed.begin(SESSION, 0)
        self.came = 0
        self.token: str | None = "7"
        self.stored: int | None = None
        self.stream: list[int] = []
        self.forwarded: set[int] = set()
        self.forgotten = self.ever_stored = 0

    @rule(count=st.integers(1, 1300), forwarded=st.booleans())
    def dispatches_come(self, count: int, forwarded: bool) -> None:
        if self.feed.stopped:
            return
        for _ in range(count):
            self.came += 1
            if forwarded:
                self.forwarded.add(self.came)
            self.dispatch(self.came)

    def dispatch(self, sequence: int) -> None:
        if sequence in self.forwarded:
            self.feed.append(HEADS, sequence, b"0", b"{}")
        else:
            self.feed.passed(sequence)

    @rule(touch=st.booleans())
    def flush(self, touch: bool) -> None:
        self.feed.flush(touch=touch)

    def execute(self, call: Batch) -> list[int]:
        """What publish.lua does."""
        argv = arguments(call)
        if self.token is None:
            return [2, 0]
        if argv[0].decode() != self.token:
            return [0, 0]
        if not argv[3]:
            return [1, 0]  # only the lease is renewed
        before, after = int(argv[5]), int(argv[6])
        if self.stored is not None and self.stored < before:
            return [3, self.stored]
        last = self.stored if self.stored is not None else before
        appended = 0
        for index in range(12, len(argv), 6):
            sequence = int(argv[index + 2])
            if sequence > last:
                last = sequence
                self.stream.append(sequence)
                appended += 1
        self.stored = max(last, after)
        self.ever_stored = max(self.ever_stored, self.stored)
        return [1, appended]

    @rule()
    @precondition(lambda self: self.calls)
    def redis_answers(self) -> None:
        call = self.calls.popleft()
        call.answered(self.execute(call))

    @rule()
    @precondition(lambda self: self.calls)
    def the_reply_is_lost_and_all_is_sent_again(self) -> None:
        self.execute(self.calls[0])

    @rule(keep=st.integers(0, 1000))
    @precondition(lambda self: self.stored)
    def redis_forgets_its_last_writes(self, keep: int) -> None:
        assert self.stored is not None
        self.stored = max(0, self.stored - keep)
        self.stream = [sequence for sequence in self.stream if sequence <= self.stored]

    @rule()
    def redis_forgets_everything(self) -> None:
        self.forgotten = self.ever_stored
        self.token = self.stored = None
        self.stream = []

    @rule()
    @precondition(lambda self: self.feed.blocked)
    def the_lease_is_acquired_again(self) -> None:
        self.token = str(int(self.feed.token) + 1)
        self.feed.renew(self.token)

    @rule()
    @precondition(lambda self: self.owner.gap_at is not None)
    def the_session_is_resumed_from_what_is_stored(self) -> None:
        assert self.owner.gap_at is not None
        start, end = self.owner.gap_at, self.came
        self.owner.gap_at = None
        self.feed.begin(SESSION, start)
        for sequence in range(start + 1, end + 1):
            self.dispatch(sequence)

    @invariant()
    def the_stream_is_in_order_without_doubles(self) -> None:
        assert self.stream == sorted(set(self.stream))

    @invariant()
    def what_is_held_is_counted(self) -> None:
        feed = self.feed
        assert feed.events == len(feed._parts) + sum(batch.events for batch in feed._under_way)
        assert feed.bytes == sum(map(len, feed._parts)) + sum(len(b.data) for b in feed._under_way)

    def teardown(self) -> None:
        """With everything well again, nothing that could be kept is missing."""
        for _ in range(20):
            self.feed.flush(touch=True)
            while self.calls:
                self.redis_answers()
            if self.feed.blocked:
                self.the_lease_is_acquired_again()
            elif self.owner.gap_at is not None:
                self.the_session_is_resumed_from_what_is_stored()
        assert self.feed.stored
        assert self.stored == self.came
        assert set(self.stream) >= {sequence for sequence in self.forwarded if sequence > self.forgotten}
        assert "fenced" not in self.owner.calls


FeedMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
test_no_fault_between_feed_and_redis_loses_or_doubles = FeedMachine.TestCase
