"""The guilds of one shard, kept small: id, name and number of members, for the bridge and the metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec
import orjson


class _Guild(msgspec.Struct, gc=False):
    id: str | int
    name: str | None = None
    member_count: int | None = None
    unavailable: bool | None = None


_decode = msgspec.json.Decoder(_Guild).decode


@dataclass(frozen=True, slots=True)
class GuildEntry:
    """What is known of a guild. `name` is empty and `members` None until its GUILD_CREATE has come."""

    id: int
    name: str
    members: int | None
    available: bool


class GuildIndex:
    """About 150 bytes a guild."""

    def __init__(self) -> None:
        self._guilds: dict[int, tuple[str, int | None, bool]] = {}
        self._touched: set[int] = set()

    def __len__(self) -> int:
        return len(self._guilds)

    def __iter__(self) -> Iterator[int]:
        return iter(self._guilds)

    def __contains__(self, guild: int) -> bool:
        return guild in self._guilds

    def reset(self, ids: Iterable[int]) -> None:
        """Begin a new session: these guilds exist, none is available yet; known names are kept."""
        old = self._guilds
        self._touched.update(old)
        self._guilds = {
            guild: (old[guild][0], old[guild][1], False) if guild in old else ("", None, False)
            for guild in ids
        }
        self._touched.update(self._guilds)

    def take(self, name: str, guild: int, payload: bytes) -> None:
        """Take a dispatch that changes guilds. Raises msgspec.DecodeError (a ValueError)."""
        if name == "GUILD_DELETE":
            self.deleted(payload)
        elif name == "GUILD_MEMBER_ADD":
            self.changed(guild, 1)
        elif name == "GUILD_MEMBER_REMOVE":
            self.changed(guild, -1)
        else:
            self.created(payload)

    def created(self, payload: bytes) -> None:
        """Take GUILD_CREATE or GUILD_UPDATE. Raises msgspec.DecodeError (a ValueError)."""
        guild = _decode(payload)
        known = self._guilds.get(int(guild.id), ("", None, False))
        members = known[1] if guild.member_count is None else guild.member_count
        self._put(
            int(guild.id), (known[0] if guild.name is None else guild.name, members, not guild.unavailable)
        )

    def deleted(self, payload: bytes) -> None:
        """Take GUILD_DELETE: with `unavailable` an outage, without it we are out. Raises msgspec.DecodeError."""
        guild = _decode(payload)
        known = self._guilds.get(int(guild.id))
        if guild.unavailable is None:
            self._guilds.pop(int(guild.id), None)
            self._touched.add(int(guild.id))
        elif known is not None:
            self._put(int(guild.id), (known[0], known[1], False))

    def changed(self, guild: int, by: int) -> None:
        """Count a member more or less."""
        known = self._guilds.get(guild)
        if known is not None and known[1] is not None:
            self._put(guild, (known[0], max(0, known[1] + by), known[2]))

    def _put(self, guild: int, entry: tuple[str, int | None, bool]) -> None:
        self._guilds[guild] = entry
        self._touched.add(guild)

    def load(self, stored: Mapping[bytes, bytes]) -> None:
        """Take over what another process has stored."""
        for guild, data in stored.items():
            name, members, available = orjson.loads(data)
            self._guilds.setdefault(int(guild), (name, members, available))

    def changes(self) -> list[bytes]:
        """Return what has changed since the last call: pairs of id and entry, empty for a guild that is gone."""
        touched, self._touched = self._touched, set()
        pairs: list[bytes] = []
        for guild in touched:
            entry = self._guilds.get(guild)
            pairs += (b"%d" % guild, b"" if entry is None else orjson.dumps(entry))
        return pairs

    def unsaved(self) -> None:
        """Have everything returned by `changes` again: Redis has forgotten some of it."""
        self._touched.update(self._guilds)

    def find(self, guild: int) -> GuildEntry | None:
        """Return what is known of a guild."""
        known = self._guilds.get(guild)
        return None if known is None else GuildEntry(guild, *known)

    @property
    def members(self) -> int:
        """Sum of the member counts that are known."""
        return sum(members or 0 for _, members, _ in self._guilds.values())

    def largest(self, count: int) -> list[int]:
        """Return the guilds with the most members."""
        ranked = sorted(self._guilds, key=lambda guild: self._guilds[guild][1] or 0, reverse=True)
        return ranked[:count]
