"""Declaring handlers, finding them, and giving them their services."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from app import catalog
from app.events.messages import MessageCreated, MessageUpdated
from app.events.wanted import WANTED
from app.services import MissingService, bind
from app.streams.declare import Consumer, Job, consumes, declaration_of, scheduled
from app.streams.discovery import ConflictingHandlers, find_declarations
from app.streams.retry import Retry
from app.streams.store import Scheduled


class Automod:
    pass


@consumes(MessageCreated, MessageUpdated, group="moderation", retry=Retry(attempts=7), parallel=4)
async def check(event: MessageCreated | MessageUpdated, *, automod: Automod, note: str = "optional") -> None:
    pass


@consumes(MessageCreated, group="memory")
async def remember(event: MessageCreated) -> None:
    pass


@scheduled("moderation.unban")
async def unban(job: Scheduled, *, automod: Automod) -> None:
    pass


def _package(monkeypatch: pytest.MonkeyPatch, **functions: object) -> str:
    module = ModuleType("feature_under_test")
    vars(module).update(functions)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.__name__


def test_a_declared_function_stays_callable_and_carries_its_declaration() -> None:
    found = declaration_of(check)
    assert isinstance(found, Consumer)
    assert (found.group, found.events, found.retry.attempts) == (
        "moderation",
        (MessageCreated, MessageUpdated),
        7,
    )
    assert found.function is check
    assert isinstance(declaration_of(unban), Job)
    assert declaration_of(print) is None


def test_declarations_are_found_and_grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    name = _package(monkeypatch, check=check, alias=check, remember=remember, unban=unban)
    found = find_declarations([name])
    assert [group.name for group in found.groups] == ["memory", "moderation"]
    memory, moderation = found.groups
    assert (memory.parallel, moderation.parallel) == (1, 4)
    assert len(moderation.consumers) == 1, "an imported alias is the same handler"
    assert set(moderation.by_event()) == {"MESSAGE_CREATE", "MESSAGE_UPDATE"}
    assert [job.kind for job in found.jobs] == ["moderation.unban"]
    assert found.gateway_events() == {"MESSAGE_CREATE", "MESSAGE_UPDATE"}


def test_two_handlers_of_one_kind_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    @scheduled("moderation.unban")
    async def other(job: Scheduled) -> None:
        pass

    with pytest.raises(ConflictingHandlers, match=r"moderation\.unban"):
        find_declarations([_package(monkeypatch, unban=unban, other=other)])


def test_services_are_found_by_type_and_a_missing_one_is_named() -> None:
    automod = Automod()
    assert bind(check, {Automod: automod}) == {"automod": automod}
    assert bind(remember, {}) == {}
    with pytest.raises(MissingService, match=r"check.*Automod.*automod"):
        bind(check, {})


@pytest.mark.parametrize("wrong", ["", "a b", "a:b", "a*"])
def test_names_that_would_break_redis_keys_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        consumes(MessageCreated, group=wrong)
    with pytest.raises(ValueError, match="letters, digits"):
        scheduled(wrong)


def test_a_handler_consumes_something() -> None:
    with pytest.raises(ValueError, match="at least one event"):
        consumes(group="x")


def test_what_the_ingester_forwards_covers_what_the_catalogue_consumes() -> None:
    assert find_declarations(catalog.packages()).gateway_events() <= WANTED
