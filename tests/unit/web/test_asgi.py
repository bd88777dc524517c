from typing import Any

import pytest

from app.web.asgi import BodyTooLarge, Disconnected, read_body, repeated_body


def receiving(*messages: dict[str, Any]) -> Any:
    queue = list(messages)

    async def receive() -> dict[str, Any]:
        return queue.pop(0)

    return receive


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_in_pieces_is_joined() -> None:
    assert await read_body(receiving(part(b"ab", more=True), part(b"", more=True), part(b"c"))) == b"abc"


@pytest.mark.parametrize("pieces", [[b"12345"], [b"123", b"45"], [b"123", b"4", b"5"]])
async def test_the_limit_is_inclusive_and_reading_stops_beyond_it(pieces: list[bytes]) -> None:
    messages = [part(piece, more=number < len(pieces) - 1) for number, piece in enumerate(pieces)]
    assert await read_body(receiving(*messages), 5) == b"12345"
    with pytest.raises(BodyTooLarge):
        await read_body(receiving(*messages), 4)


async def test_an_endless_body_is_not_read_to_its_end() -> None:
    async def receive() -> dict[str, Any]:
        return part(b"x" * 100, more=True)

    with pytest.raises(BodyTooLarge):
        await read_body(receive, 1000)


async def test_a_client_that_leaves_is_told_apart() -> None:
    gone = {"type": "http.disconnect"}
    for messages in ([gone], [part(b"a", more=True), gone]):
        with pytest.raises(Disconnected):
            await read_body(receiving(*messages))


def test_only_a_get_can_carry_its_body_in_a_header() -> None:
    headers = [(b"x-gatehouse-body", b"{}")]
    assert repeated_body({"method": "GET", "headers": headers}) == b"{}"
    assert repeated_body({"method": "GET", "headers": []}) is None
    assert repeated_body({"method": "DELETE", "headers": headers}) is None
