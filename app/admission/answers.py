"""The latest answers of this process: a repeated interaction gets the same one without asking Redis."""

from __future__ import annotations

from collections import OrderedDict

MOST_BYTES = 8 * 2**20
MOST_ANSWERS = 20_000


class Answers:
    """Answers by interaction id, bounded in number and bytes; the oldest give way."""

    def __init__(self, *, most: int = MOST_ANSWERS, most_bytes: int = MOST_BYTES) -> None:
        self._answers: OrderedDict[int, bytes] = OrderedDict()
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0

    def get(self, interaction_id: int) -> bytes | None:
        """Return the answer, None if it is not known here (any more)."""
        return self._answers.get(interaction_id)

    def put(self, interaction_id: int, answer: bytes) -> None:
        """Keep an answer; the first one for an id stays."""
        if interaction_id in self._answers:
            return
        # A copy: orjson's bytes keep the 4 kB buffer that they were written into.
        self._answers[interaction_id] = bytes(memoryview(answer))
        self._bytes += len(answer)
        while self._bytes > self._most_bytes or len(self._answers) > self._most:
            _, dropped = self._answers.popitem(last=False)
            self._bytes -= len(dropped)

    def __len__(self) -> int:
        return len(self._answers)
