"""Services by type: a handler's keyword-only parameter receives the object of its annotated type.

    async def check(event: MessageCreated, *, automod: Automod) -> None: ...

`bind(check, {Automod: automod})` returns `{"automod": automod}`. It runs once, when a process starts, so a
missing service stops the start instead of failing on the first event.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from app.errors import AppError

Services = Mapping[type, object]


class MissingService(AppError):
    """A handler asks for a service that no feature provides."""


def service_parameters(function: Callable[..., Any]) -> dict[str, type]:
    """Return the keyword-only parameters without default and their types. Raises MissingService."""
    keywords = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is inspect.Parameter.empty
    ]
    if not keywords:
        return {}
    try:
        hints = typing.get_type_hints(function)
    except NameError as error:
        raise MissingService(
            f"{_where(function)}: the type {error.name!r} of a parameter must be imported at run time, "
            "not under TYPE_CHECKING"
        ) from None
    found: dict[str, type] = {}
    for name in keywords:
        if name not in hints:
            raise MissingService(f"{_where(function)}: the service parameter {name!r} needs a type")
        found[name] = hints[name]
    return found


def bind(function: Callable[..., Any], services: Services) -> dict[str, object]:
    """Return the keyword arguments of `function`. Raises MissingService naming the handler and the type."""
    bound: dict[str, object] = {}
    for name, wanted in service_parameters(function).items():
        if wanted not in services:
            raise MissingService(
                f"{_where(function)}: no feature provides {wanted.__qualname__!r} for the parameter {name!r}"
            )
        bound[name] = services[wanted]
    return bound


def _where(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
