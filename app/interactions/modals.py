"""Declaring what happens when a modal is submitted, and helping people whose entries are refused.

    @modal("appeal", ttl=timedelta(hours=1))
    async def appeal(submit: Submit, case: int, form: AppealForm, *, appeals: Appeals) -> Reply: ...

    return Reply.modal(appeal.open(case=7))                     in a command or component
    return Reply.modal(appeal.open(case=7, entries={"reason": "…"}))     filled in

The arguments travel in the signed custom id like those of a button; its expiry is the modal's lifetime. The last
positional parameter is the form. When the form refuses what was entered, the handler is not called: the person
reads what is wrong and a button opens the modal again with everything but files filled in. A modal cannot answer a
modal (contract 1.6), so what was entered waits in `Drafts` meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, ClassVar, Protocol, Self

import orjson

from app.errors import UserError
from app.interactions.arguments import Arguments, UnsupportedType
from app.interactions.components import Button, ButtonStyle
from app.interactions.context import Click, Submit
from app.interactions.custom_id import (
    Bound,
    CustomIdError,
    CustomIds,
    Opened,
    Route,
    Routes,
    Target,
    UnknownRoute,
)
from app.interactions.declarations import Component, Cooldown, Defer, Guard
from app.interactions.declare import button
from app.interactions.errors import DeclarationError
from app.interactions.handlers import HandlerFunction, read_handler
from app.interactions.interaction import Interaction
from app.interactions.modal_fields import Entry
from app.interactions.modal_schema import Entries, Form, InvalidForm, Modal, read_entries, validate
from app.interactions.permissions import Requirement
from app.interactions.replies import MessageFlag, Reply, ResponseType
from app.locale.text import Text, t

DRAFT_LIFETIME = timedelta(minutes=30)
"""How long refused entries are kept."""


@dataclass(frozen=True, slots=True)
class ModalComponent(Component):
    """A modal whose submissions lead to a handler."""

    form: type[Form]

    submits: ClassVar[bool] = True

    def open(
        self,
        *,
        entries: Mapping[str, Entry] | None = None,
        bound_to: int | None = None,
        ttl: timedelta | None = None,
        **arguments: Any,
    ) -> Modal:
        """Return the modal to show: `Reply.modal(appeal.open(case=7))`; `entries` are filled in."""
        return Modal(self.form, self.to(bound_to=bound_to, ttl=ttl, **arguments), entries or {})


def modal(
    route: str,
    *,
    ttl: timedelta = timedelta(hours=1),
    bound: Bound = Bound.USER,
    single_use: bool = False,
    version: int = 1,
    permission: Requirement = None,
    cooldown: Cooldown | None = None,
    flag: str | None = None,
    defer: Defer = Defer.PRIVATE,
) -> Callable[[HandlerFunction], ModalComponent]:
    """Declare what a submitted modal does: `(submit: Submit, arguments…, form: F, *, services…)`.

    Raises DeclarationError.
    """
    guard = Guard(permission, cooldown, flag)
    where = f"modal {route!r}"

    def declare(function: HandlerFunction) -> ModalComponent:
        handler = read_handler(where, function, Submit)
        *parameters, form = handler.parameters or (None,)
        if form is None or not isinstance(form.annotation, type) or not issubclass(form.annotation, Form):
            raise DeclarationError(
                where, "the handler's last positional parameter must be annotated with its Form"
            )
        try:
            arguments = Arguments.of({one.name: one.annotation for one in parameters if one is not None})
        except UnsupportedType as error:
            raise DeclarationError(where, str(error)) from None
        made = Route(route, arguments, ttl, bound, single_use, version)
        return ModalComponent(made, handler, guard, defer, form.annotation)

    return declare


def filled(declared: ModalComponent, interaction: Interaction) -> Form:
    """Return the validated form of a submission. Raises InvalidForm or InvalidInteraction."""
    entries = read_entries(declared.form, interaction.data.get("components"), interaction.resolved)
    return validate(declared.form, entries, interaction.resolved)


class Drafts(Protocol):
    """Where refused entries wait, sealed: they are text that a person wrote. `app.features.forms` keeps them."""

    async def keep(self, draft: bytes) -> int | None:
        """Keep a draft for DRAFT_LIFETIME. Return its key (0 to 2^63 - 1), None when it cannot be kept."""
        ...

    async def find(self, key: int) -> bytes | None:
        """Return a kept draft."""
        ...


class Modals:
    """The modals of this release by name; a service of the process."""

    def __init__(self, components: Iterable[Component]) -> None:
        self._by_name = {one.name: one for one in components if isinstance(one, ModalComponent)}

    def find(self, name: str) -> ModalComponent | None:
        """Return the modal declared with that route name."""
        return self._by_name.get(name)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A refused submission. `tag` is the route's, which changes when its arguments do."""

    name: str
    tag: bytes
    packed: bytes
    bound_to: int | None
    entries: Entries = field(repr=False)

    def dump(self) -> bytes:
        return orjson.dumps([self.name, self.tag.hex(), self.packed.hex(), self.bound_to, self.entries])

    @classmethod
    def parse(cls, data: bytes) -> Self:
        name, tag, packed, bound_to, entries = orjson.loads(data)
        return cls(name, bytes.fromhex(tag), bytes.fromhex(packed), bound_to, entries)


class DraftGone(UserError):
    """The refused entries are not kept any more."""

    def __init__(self) -> None:
        super().__init__(t("I do not have what you entered any more. Please start again."))


@button("form.correct", ttl=DRAFT_LIFETIME, bound=Bound.USER, defer=Defer.PRIVATE)
async def correct(click: Click, draft: int, *, drafts: Drafts, modals: Modals) -> Reply:
    """Open a refused modal again, filled in."""
    kept = await drafts.find(draft)
    if kept is None:
        raise DraftGone
    found = _Draft.parse(kept)
    declared = modals.find(found.name)
    if declared is None or declared.route.tag != found.tag:
        raise UnknownRoute
    target = Target(declared.route, found.packed, found.bound_to, declared.route.ttl)
    return Reply.modal(Modal(declared.form, target, found.entries))


class Corrections:
    """Answers refused submissions."""

    def __init__(self, drafts: Drafts, custom_ids: CustomIds, routes: Routes) -> None:
        self._drafts, self._custom_ids, self._routes = drafts, custom_ids, routes

    async def reply(self, refused: InvalidForm, opened: Opened, interaction: Interaction) -> Reply:
        """Return the problems and a button that opens the form again.

        A correction that is refused again replaces the answer it came from. Where the entries cannot be kept,
        their texts are repeated instead, so that nothing is lost.
        """
        target = opened.again()
        draft = _Draft(target.route.name, target.route.tag, target.packed, target.bound_to, refused.entries)
        key = await self._drafts.keep(draft.dump())
        if key is None:
            return Reply.private(Text("{problems}\n{entered}", params=_repeated(refused)))
        again = Button(correct.to(draft=key), t("Correct it"), ButtonStyle.PRIMARY)
        if self._is_correction(interaction):
            return Reply.update(refused.text, again)
        return Reply.private(refused.text, again)

    def settled(self, reply: Reply, interaction: Interaction) -> Reply:
        """Return the answer to a form that was accepted: it replaces the complaint that it corrects."""
        private = reply.type is ResponseType.MESSAGE and reply.ephemeral
        if private and reply.job is None and self._is_correction(interaction):
            return replace(reply, type=ResponseType.UPDATE, ephemeral=False)
        return reply

    def _is_correction(self, interaction: Interaction) -> bool:
        message = interaction.message
        if message is None or not message.flags & MessageFlag.EPHEMERAL:
            return False
        for row in message.components:
            for component in row.get("components", ()):
                try:
                    sealed = self._custom_ids.open(
                        component.get("custom_id", ""), guild=interaction.guild_id, routes=self._routes
                    )
                except CustomIdError:
                    continue
                if sealed.route is correct.route:
                    return True
        return False


def _repeated(refused: InvalidForm) -> dict[str, Any]:
    texts = [entry for entry in refused.entries.values() if isinstance(entry, str)]
    quoted = "\n\n".join(f"> {text}".replace("\n", "\n> ") for text in texts)
    return {"problems": refused.text, "entered": quoted[:1200]}  # of the 2000 characters of a message
