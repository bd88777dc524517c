"""What a handler returns: a Reply, a value. The edge renders it in the reader's language and signs its ids.

Reply.private("…", undo.button(case=7))     only the caller sees it
Reply.public("…", embeds=[embed])           everyone in the channel
Reply.update("…")                           the message that the component sits on becomes exactly this
Reply.nothing()                             a component press that changes nothing
Reply.modal(form.open(…))                   a form; not as the answer to a form
Reply.choices([...])                        autocomplete
Reply.defer(export.job(user=…))             "thinking" now, the durable job edits it later
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from app.interactions.rendering import Renderable
from app.locale.text import Text


class ResponseType(IntEnum):
    """Contract 1.6."""

    PONG = 1
    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE = 7
    AUTOCOMPLETE = 8
    MODAL = 9


class MessageFlag(IntEnum):
    """Flags that an answer may set (contract 1.7)."""

    SUPPRESS_EMBEDS = 4
    EPHEMERAL = 64
    SUPPRESS_NOTIFICATIONS = 4096
    IS_COMPONENTS_V2 = 32768


@dataclass(frozen=True, slots=True)
class Mentions:
    """Who is pinged. The default is nobody: text that people wrote must not ping through us."""

    users: bool | tuple[int, ...] = ()
    roles: tuple[int, ...] = ()

    def render(self) -> dict[str, Any]:
        """Return Discord's `allowed_mentions`."""
        mentions: dict[str, Any] = {"parse": ["users"] if self.users is True else []}
        if isinstance(self.users, tuple) and self.users:
            mentions["users"] = [str(user) for user in self.users]
        if self.roles:
            mentions["roles"] = [str(role) for role in self.roles]
        return mentions


NOBODY = Mentions()


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of an option. `name` is shown (a Text is translated), `value` comes back."""

    name: Text | str
    value: str | int | float


@dataclass(frozen=True, slots=True)
class JobCall:
    """A durable job to enqueue: the name of its declaration and arguments that JSON can hold.

    Made by a job declaration of `app.jobs`; this package only carries it to the edge, which enqueues it before the
    deferred answer leaves.
    """

    job: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. Build it with the class methods."""

    type: ResponseType
    content: Text | str | None = None
    components: tuple[Renderable, ...] = ()
    embeds: tuple[Renderable, ...] = ()
    ephemeral: bool = False
    mentions: Mentions = NOBODY
    suppress_embeds: bool = False
    offered: tuple[Choice, ...] = ()
    form: Renderable | None = None
    job: JobCall | None = None

    @classmethod
    def private(
        cls,
        content: Text | str | None = None,
        *components: Renderable,
        embeds: Iterable[Renderable] = (),
        mentions: Mentions = NOBODY,
        suppress_embeds: bool = False,
    ) -> Reply:
        """Answer so that only the caller sees it. Loose buttons and selects are put into rows."""
        return cls(
            ResponseType.MESSAGE,
            content,
            components,
            tuple(embeds),
            ephemeral=True,
            mentions=mentions,
            suppress_embeds=suppress_embeds,
        )

    @classmethod
    def public(
        cls,
        content: Text | str | None = None,
        *components: Renderable,
        embeds: Iterable[Renderable] = (),
        mentions: Mentions = NOBODY,
        suppress_embeds: bool = False,
    ) -> Reply:
        """Answer so that everyone in the channel sees it."""
        return cls(
            ResponseType.MESSAGE,
            content,
            components,
            tuple(embeds),
            mentions=mentions,
            suppress_embeds=suppress_embeds,
        )

    @classmethod
    def update(
        cls,
        content: Text | str | None = None,
        *components: Renderable,
        embeds: Iterable[Renderable] = (),
        mentions: Mentions = NOBODY,
    ) -> Reply:
        """Make the message that the component sits on exactly this; what is not given is removed."""
        return cls(ResponseType.UPDATE, content, components, tuple(embeds), mentions=mentions)

    @classmethod
    def nothing(cls) -> Reply:
        """Acknowledge a component without changing anything."""
        return cls(ResponseType.DEFERRED_UPDATE)

    @classmethod
    def choices(cls, choices: Iterable[Choice | str]) -> Reply:
        """Offer at most 25 choices while an option is typed; the rest is cut off."""
        offered = (choice if isinstance(choice, Choice) else Choice(choice, choice) for choice in choices)
        return cls(ResponseType.AUTOCOMPLETE, offered=tuple(offered)[:25])

    @classmethod
    def modal(cls, form: Renderable) -> Reply:
        """Open a form."""
        return cls(ResponseType.MODAL, form=form)

    @classmethod
    def defer(cls, job: JobCall) -> Reply:
        """Show "thinking" and let a worker finish: it edits the answer.

        Private, public or a silent update is what the declaration's `defer=` says, and cannot change later (contract
        1.7).
        """
        return cls(ResponseType.DEFERRED_MESSAGE, job=job)
