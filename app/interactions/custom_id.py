"""Custom ids: everything that a button, select or modal remembers, in at most 100 characters.

Discord gives a custom id back as it was sent (contract 3.1), but a modified client may send any other text.
An id is therefore an encrypted and authenticated message from us to ourselves; no replica keeps anything.

    1 | label (2) | base64url(body), up to 75 | base64url(MAC), 22      = 100 characters at most

    version  "1". Another layout gets another character.
    label    which key: two characters of the hash of its key id. Newest key signs, all verify (keyring.py).
    body     encrypted; at most 56 bytes:
             tag      3   hash of route name, version, argument names and types
             expiry   4   Unix seconds, rounded up
             flags    1   bits 0-1 scope, bit 2 single use, bit 3 made in a guild
             guild    8   if made in a guild
             bound    8   if bound to a user or role
             nonce    4   if single use
             the rest     arguments, packed by their annotations (arguments.py): 32 bytes = 4 snowflakes in
                          the longest case, bound to a user in a guild; 28 = 3 snowflakes if single use too
    MAC      BLAKE2b-128 (RFC 7693), keyed, over version, label and plain body, salted with the application id

The construction is SIV (the idea of RFC 5297, with BLAKE2b for both halves): the MAC of the plain text is
also the nonce of the key stream that hides it. It needs no random bytes, so the same button has the same id
on every replica, and repeating it tells only that it is the same. Nobody can read whom a button is about.

An id is opened in this order, and the order matters.
(1) Decrypt with the key that the label names, compute the MAC again, build the *whole text* that we would
    have sent and compare it with the given one in constant time. As texts are compared, other spellings of
    the same bytes (spare bits of base64, padding, case) are refused too. A forger has 2^-128 per try.
    Nothing inside is interpreted before: Forged.
(2) Guild: Foreign. (3) Expiry: Expired.
(4) Tag: UnknownRoute, for instance of an older release with other arguments.
(5) `admit` checks the scope and only then hands out the arguments: Foreign.
(6) Single use: the caller claims `Opened.claim` (see `Claims`): Used.

The application id is no part of the text: an id of another application has another MAC.
"""

from __future__ import annotations

import hmac
import math
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import blake2b
from typing import Any, Protocol

from app.errors import UserError
from app.interactions.arguments import Arguments
from app.interactions.errors import DeclarationError
from app.keyring import Key, Keyring
from app.locale.text import t
from app.snowflake import GuildId, RoleId, UserId

MAX_CHARACTERS = 100
"""Contract 3.1."""
MAX_TTL = timedelta(days=5 * 365)
"""Long enough for a role picker that stays in a channel; the keys are rotated sooner."""

_VERSION = "1"
_MAC_BYTES = 16
_MAC_CHARACTERS = 22
_BODY_START = 3
_HEADER_BYTES = 8
_NONCE_BYTES = 4
_ID_BYTES = 8
_MAX_BODY_BYTES = (MAX_CHARACTERS - _BODY_START - _MAC_CHARACTERS) * 6 // 8
_SINGLE_USE = 0b100
_IN_GUILD = 0b1000
_MAC = b"gatehouse-id-mac"
_STREAM = b"gatehouse-id-str"


class CustomIdError(UserError):
    """A component or modal cannot be used; the person is told why."""


class Forged(CustomIdError):
    """The id is not ours, was changed, or was signed with a key that is retired."""

    def __init__(self) -> None:
        super().__init__(
            t("This control was not made by me, or is from before my keys were changed. Ask for a new one.")
        )


class Foreign(CustomIdError):
    """The id is genuine, but made for another member, role or server."""


class Expired(CustomIdError):
    """The id is genuine, but too old."""

    def __init__(self, expires_at: datetime) -> None:
        super().__init__(t("This control has expired. Run the command again to get a new one."))
        self.expires_at = expires_at


class Used(CustomIdError):
    """The id works only once, and has been used."""

    def __init__(self) -> None:
        super().__init__(t("This control works only once, and it has been used already."))


class UnknownRoute(CustomIdError):
    """The id is genuine, but of a release that had this control, or had it with other arguments."""

    def __init__(self) -> None:
        super().__init__(
            t("This control is from another version of me. Run the command again to get a new one.")
        )


class Bound(Enum):
    """Who may use a component."""

    ANYONE = 0
    USER = 1
    MODERATORS = 2
    ROLE = 3


class Claims(Protocol):
    """Where single-use ids are claimed. Implemented with Redis or a unique key in PostgreSQL."""

    async def claim(self, key: str, *, until: datetime) -> bool:
        """Return True to the first caller with this key and False to all others, at least until that time."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """What a component does when used: a name, typed arguments, and the defaults of its ids.

    `version` is raised when old ids must stop working though names and types of the arguments stayed.
    Raises DeclarationError when the longest possible id would not fit into 100 characters.
    """

    name: str
    arguments: Arguments
    ttl: timedelta = timedelta(days=1)
    bound: Bound = Bound.ANYONE
    single_use: bool = False
    version: int = 1
    tag: bytes = field(init=False)

    def __post_init__(self) -> None:
        where = f"custom id {self.name!r}"
        if not timedelta(seconds=1) <= self.ttl <= MAX_TTL:
            raise DeclarationError(where, f"ttl must be between 1 second and {MAX_TTL.days} days")
        spare = _MAX_BODY_BYTES - _HEADER_BYTES - _ID_BYTES  # any id may be made in a guild
        spare -= _ID_BYTES if self.bound in (Bound.USER, Bound.ROLE) else 0
        spare -= _NONCE_BYTES if self.single_use else 0
        if self.arguments.most > spare:
            raise DeclarationError(
                where,
                f"its arguments take up to {self.arguments.most} bytes, but only {spare} fit into "
                f"Discord's {MAX_CHARACTERS} characters; keep the state in the database and pass its id",
            )
        text = f"{self.name}/{self.version}({self.arguments.signature})"
        tag = blake2b(text.encode(), digest_size=3, person=b"gatehouse-route").digest()
        object.__setattr__(self, "tag", tag)

    def to(self, *, bound_to: int | None = None, ttl: timedelta | None = None, **arguments: Any) -> Target:
        """Return a target with these arguments.

        `bound_to` is the user or role of a route that is bound to one; without it a USER route is bound to
        whoever the reply is for. Raises TypeError for wrong argument names, ValueError for unfit values.
        """
        return Target(self, self.arguments.pack(arguments), bound_to, ttl or self.ttl)


@dataclass(frozen=True, slots=True)
class Target:
    """A route with packed arguments, to be signed when the message or modal is rendered."""

    route: Route
    packed: bytes
    bound_to: int | None
    ttl: timedelta

    def __post_init__(self) -> None:
        if not timedelta(seconds=1) <= self.ttl <= MAX_TTL:
            raise ValueError(f"ttl must be between 1 second and {MAX_TTL.days} days")
        if self.bound_to is not None and self.route.bound not in (Bound.USER, Bound.ROLE):
            raise TypeError(f"route {self.route.name!r} is not bound to a user or role")
        if self.bound_to is None and self.route.bound is Bound.ROLE:
            raise TypeError(f"route {self.route.name!r} needs bound_to, the role's id")


class Routes:
    """The routes of this release, by tag. Raises DeclarationError when two cannot be told apart."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_tag: dict[bytes, Route] = {}
        names: set[str] = set()
        for route in routes:
            other = self._by_tag.setdefault(route.tag, route)
            if other is not route:
                raise DeclarationError(
                    f"custom id {route.name!r}", f"has the same tag as {other.name!r}; rename one of them"
                )
            if route.name in names:
                raise DeclarationError(f"custom id {route.name!r}", "is declared twice")
            names.add(route.name)

    def find(self, tag: bytes) -> Route | None:
        return self._by_tag.get(tag)


@dataclass(frozen=True, slots=True)
class Opened:
    """A genuine, living id in the hands of somebody who may use it."""

    route: Route
    arguments: Mapping[str, Any]
    expires_at: datetime
    claim: str | None
    """Key to claim before the effect when the id is single use, else None."""
    bound_to: int | None

    def again(self) -> Target:
        """Return the target to sign a fresh id with the same arguments and scope."""
        return Target(self.route, self.route.arguments.pack(self.arguments), self.bound_to, self.route.ttl)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A genuine, living id whose scope is still to be checked: `admit` hands out the arguments."""

    route: Route
    scope: Bound
    expires_at: datetime
    _bound_to: int | None
    _arguments: Mapping[str, Any]
    _claim: str | None

    def admit(self, user: UserId, *, roles: Collection[RoleId] = (), moderator: bool = False) -> Opened:
        """Open for this person. `moderator` need be known only if `scope` is MODERATORS. Raises Foreign."""
        match self.scope:
            case Bound.USER if user != self._bound_to:
                raise Foreign(t("This control is for {member} only.", member=f"<@{self._bound_to}>"))
            case Bound.ROLE if self._bound_to not in roles:
                raise Foreign(
                    t("This control is for members with {role} only.", role=f"<@&{self._bound_to}>")
                )
            case Bound.MODERATORS if not moderator:
                raise Foreign(t("This control is for moderators only."))
        return Opened(self.route, self._arguments, self.expires_at, self._claim, self._bound_to)


class CustomIds:
    """Signs and opens the custom ids of one application."""

    def __init__(self, keyring: Keyring, application_id: int, clock: Callable[[], datetime]) -> None:
        """`clock` returns aware UTC time."""
        self._keyring = keyring
        self._salt = application_id.to_bytes(8, "big")
        self._clock = clock

    def sign(self, target: Target, *, guild: GuildId | None, user: UserId | None) -> str:
        """Return the custom id, at most 100 characters, of a component shown in this guild (None: in a DM).

        `user` is the person the reply is for. Raises ValueError if the route needs one and it is None.
        """
        route = target.route
        flags = (
            route.bound.value | (_SINGLE_USE if route.single_use else 0) | (0 if guild is None else _IN_GUILD)
        )
        expiry = math.ceil((self._clock() + target.ttl).timestamp())
        parts = [route.tag, expiry.to_bytes(4, "big"), bytes([flags])]
        if guild is not None:
            parts.append(guild.to_bytes(_ID_BYTES, "big"))
        if route.bound in (Bound.USER, Bound.ROLE):
            bound_to = target.bound_to if target.bound_to is not None else user
            if bound_to is None:
                raise ValueError(f"route {route.name!r} is bound to a user, and nobody is given")
            parts.append(bound_to.to_bytes(_ID_BYTES, "big"))
        if route.single_use:
            parts.append(secrets.token_bytes(_NONCE_BYTES))
        parts.append(target.packed)
        return self._text(self._keyring.newest, b"".join(parts))

    def open(self, text: str, *, guild: GuildId | None, routes: Routes) -> Sealed:
        """Check an id that came from this guild (None: a DM).

        Raises Forged, Foreign, Expired or UnknownRoute; see the order above.
        """
        body = self._authentic(text)
        flags = body[7]
        offset = _HEADER_BYTES
        made_in: int | None = None
        if flags & _IN_GUILD:
            made_in, offset = int.from_bytes(body[offset : offset + _ID_BYTES], "big"), offset + _ID_BYTES
        if made_in != guild:
            raise Foreign(t("This control belongs to another server."))
        expires_at = datetime.fromtimestamp(int.from_bytes(body[3:7], "big"), UTC)
        if self._clock() >= expires_at:
            raise Expired(expires_at)
        route = routes.find(body[:3])
        if route is None:
            raise UnknownRoute
        scope = Bound(flags & 0b11)
        bound_to = None
        if scope in (Bound.USER, Bound.ROLE):
            bound_to, offset = int.from_bytes(body[offset : offset + _ID_BYTES], "big"), offset + _ID_BYTES
        claim = None
        if flags & _SINGLE_USE:
            claim, offset = text[-_MAC_CHARACTERS:], offset + _NONCE_BYTES
        try:
            arguments = route.arguments.unpack(body[offset:])
        except ValueError:  # two releases whose tags collide: 1 in 2^24
            raise UnknownRoute from None
        return Sealed(route, scope, expires_at, bound_to, arguments, claim)

    def _authentic(self, text: str) -> bytes:
        if not _BODY_START + _MAC_CHARACTERS < len(text) <= MAX_CHARACTERS or not text.isascii():
            raise Forged
        encoded, encoded_mac = text[_BODY_START:-_MAC_CHARACTERS], text[-_MAC_CHARACTERS:]
        try:
            mac = urlsafe_b64decode(encoded_mac + "==")
            hidden = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except ValueError:
            raise Forged from None
        for key in self._keyring.labelled(text[1:_BODY_START]):
            body = _hide(key, mac, hidden)
            if (
                hmac.compare_digest(self._text(key, body).encode(), text.encode())
                and len(body) >= _HEADER_BYTES
            ):
                return body
        raise Forged

    def _text(self, key: Key, body: bytes) -> str:
        if len(body) > _MAX_BODY_BYTES:
            raise ValueError(f"custom id of {len(body)} bytes, at most {_MAX_BODY_BYTES} fit")
        head = f"{_VERSION}{key.label}"
        mac = blake2b(
            head.encode() + body, key=key.secret, digest_size=_MAC_BYTES, salt=self._salt, person=_MAC
        ).digest()
        return f"{head}{_base64(_hide(key, mac, body))}{_base64(mac)}"


def _hide(key: Key, mac: bytes, body: bytes) -> bytes:
    """Add the key stream of this MAC to the body; doing it twice gives the body back."""
    stream = blake2b(mac, key=key.secret, digest_size=64, person=_STREAM).digest()
    length = min(len(body), len(stream))
    return (int.from_bytes(body[:length], "big") ^ int.from_bytes(stream[:length], "big")).to_bytes(
        length, "big"
    )


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
