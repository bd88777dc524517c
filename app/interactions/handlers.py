"""Reading a handler's signature: `(context, what arrives…, *, services…) -> Reply`.

The first parameter is the context, the further positional ones are filled from the interaction (options, a custom
id's arguments, a modal's fields), keyword-only ones are services found by their type. Annotations are resolved when
the handler is declared, so what they name must be imported at run time, not under TYPE_CHECKING.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from app.interactions.errors import DeclarationError
from app.interactions.replies import Reply

HandlerFunction = Callable[..., Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One positional parameter after the context."""

    name: str
    annotation: Any
    default: Any
    has_default: bool


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler function and what it wants."""

    where: str
    function: HandlerFunction
    parameters: tuple[Parameter, ...]


def read_handler(where: str, function: HandlerFunction, context: type) -> Handler:
    """Read a handler whose first parameter must be annotated with `context`. Raises DeclarationError."""
    if not inspect.iscoroutinefunction(function):
        raise DeclarationError(where, "the handler must be an `async def`")
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise DeclarationError(
            where,
            f"an annotation names {error.name!r}, which is not imported at run time (not under TYPE_CHECKING)",
        ) from None
    if hints.pop("return", None) is not Reply:
        raise DeclarationError(where, "the handler must be annotated to return Reply")
    positional: list[Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        name = parameter.name
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise DeclarationError(where, "the handler cannot take *args or **kwargs")
        if name not in hints:
            raise DeclarationError(where, f"the parameter {name!r} has no annotation")
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            continue  # a service, found by app.services when the process starts
        given = parameter.default is not inspect.Parameter.empty
        positional.append(
            Parameter(name, hints[name], parameter.default if given else None, has_default=given)
        )
    if not positional or positional[0].annotation is not context:
        raise DeclarationError(
            where, f"the handler's first parameter must be annotated with {context.__name__}"
        )
    return Handler(where, function, tuple(positional[1:]))
