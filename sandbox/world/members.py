"""What happens to people in a guild: they join, leave, are kicked, banned, timed out, renamed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.world.messages import MessageActions
from sandbox.world.models import Ban, Member, User
from sandbox.world.payloads import guild_create_payload, member_payload, presence_payload, user_payload
from sandbox.world.snowflakes import iso
from sandbox.world.state import Unknown

MEMBER_KICK, MEMBER_BAN_ADD, MEMBER_BAN_REMOVE, MEMBER_UPDATE, MEMBER_ROLE_UPDATE = 20, 22, 23, 24, 25
BOT_ADD = 28
JOIN_MESSAGE = 7

Json = dict[str, Any]


class _Keep:
    """Marks a value that is not changed, where None has a meaning of its own."""


KEEP = _Keep()


class MemberActions(MessageActions):
    """Join, leave, kick, ban, time out, edit members and users."""

    def create_user(
        self, username: str, *, global_name: str | None = None, bot: bool = False, user_id: int | None = None
    ) -> User:
        """Make an account that belongs to no guild yet."""
        user = User(user_id or self.ids.next(), username, global_name, bot)
        self.save_user(user)
        return user

    def join_member(
        self, guild_id: int, user_id: int, *, roles: Iterable[int] = (), quietly: bool = False
    ) -> Member:
        """Let a user join (an existing member stays as it is); GUILD_MEMBER_ADD and the system's welcome
        line.

        When the bot itself joins, GUILD_CREATE follows instead.
        """
        guild = self.guild(guild_id)
        if user_id in guild.members:
            return guild.members[user_id]
        user = self.user(user_id)
        member = Member(guild_id, user_id, self.clock(), list(roles))
        guild.members[user_id] = member
        self._save_member(member)
        if user_id == self.bot_id:
            self.audit(guild_id, BOT_ADD, guild.owner_id, user_id)
            self.emit("GUILD_CREATE", guild_create_payload(self, guild, all_members=False), guild_id)
            return member
        data = {**member_payload(self, member), "guild_id": str(guild_id)}
        self.emit("GUILD_MEMBER_ADD", data, guild_id)
        if guild.system_channel_id is not None and not quietly and not user.bot:
            self.post_message(guild.system_channel_id, user_id, type=JOIN_MESSAGE)
        return member

    def _save_member(self, member: Member) -> None:
        self.touch("member", member, member.guild_id, member.user_id)

    def _remove_member(self, guild_id: int, user_id: int) -> None:
        guild = self.guild(guild_id)
        if guild.members.pop(user_id, None) is None:
            raise Unknown("member", guild_id, user_id)
        self.forget("member", guild_id, user_id)
        if user_id == self.bot_id:
            self.emit("GUILD_DELETE", {"id": str(guild_id)}, guild_id)
            return
        data = {"guild_id": str(guild_id), "user": user_payload(self.user(user_id))}
        self.emit("GUILD_MEMBER_REMOVE", data, guild_id)

    def leave_member(self, guild_id: int, user_id: int) -> None:
        """Let a member leave; for the bot itself this is GUILD_DELETE without `unavailable`."""
        self._remove_member(guild_id, user_id)

    def kick_member(self, guild_id: int, user_id: int, *, actor: int, reason: str | None = None) -> None:
        """Throw a member out."""
        self._remove_member(guild_id, user_id)
        self.audit(guild_id, MEMBER_KICK, actor, user_id, reason=reason)

    def ban_member(
        self,
        guild_id: int,
        user_id: int,
        *,
        actor: int,
        reason: str | None = None,
        delete_message_seconds: int = 0,
    ) -> Ban:
        """Ban a user, member or not, and delete what it wrote in the last seconds. A second ban changes
        nothing.
        """
        guild = self.guild(guild_id)
        user = self.user(user_id)
        if user_id in guild.bans:
            return guild.bans[user_id]
        ban = Ban(guild_id, user_id, reason)
        guild.bans[user_id] = ban
        self.touch("ban", ban, guild_id, user_id)
        self.emit("GUILD_BAN_ADD", {"guild_id": str(guild_id), "user": user_payload(user)}, guild_id)
        if user_id in guild.members:
            self._remove_member(guild_id, user_id)
        self.audit(guild_id, MEMBER_BAN_ADD, actor, user_id, reason=reason)
        if delete_message_seconds:
            self.purge_recent(guild_id, user_id, delete_message_seconds)
        return ban

    def unban_member(self, guild_id: int, user_id: int, *, actor: int, reason: str | None = None) -> None:
        """Lift a ban."""
        guild = self.guild(guild_id)
        if guild.bans.pop(user_id, None) is None:
            raise Unknown("ban", guild_id, user_id)
        self.forget("ban", guild_id, user_id)
        data = {"guild_id": str(guild_id), "user": user_payload(self.user(user_id))}
        self.emit("GUILD_BAN_REMOVE", data, guild_id)
        self.audit(guild_id, MEMBER_BAN_REMOVE, actor, user_id, reason=reason)

    def timeout_member(
        self, guild_id: int, user_id: int, until_ms: int | None, *, actor: int, reason: str | None = None
    ) -> Member:
        """Silence a member until then; None (or a past time) lifts it."""
        return self.edit_member(guild_id, user_id, actor=actor, reason=reason, timed_out_until_ms=until_ms)

    def edit_member(
        self,
        guild_id: int,
        user_id: int,
        *,
        actor: int,
        reason: str | None = None,
        nick: str | _Keep | None = KEEP,
        roles: list[int] | _Keep = KEEP,
        timed_out_until_ms: int | _Keep | None = KEEP,
        mute: bool | _Keep = KEEP,
        deaf: bool | _Keep = KEEP,
        flags: int | _Keep = KEEP,
    ) -> Member:
        """Change what is given; one GUILD_MEMBER_UPDATE and one audit entry per kind of change."""
        member = self.member(guild_id, user_id)
        changes: list[Json] = []
        if not isinstance(nick, _Keep) and nick != member.nick:
            changes.append(_change("nick", member.nick, nick))
            member.nick = nick
        if not isinstance(timed_out_until_ms, _Keep) and timed_out_until_ms != member.timed_out_until_ms:
            old, new = _when(member.timed_out_until_ms), _when(timed_out_until_ms)
            changes.append(_change("communication_disabled_until", old, new))
            member.timed_out_until_ms = timed_out_until_ms
        if not isinstance(mute, _Keep) and mute != member.mute:
            changes.append(_change("mute", member.mute, mute))
            member.mute = mute
        if not isinstance(deaf, _Keep) and deaf != member.deaf:
            changes.append(_change("deaf", member.deaf, deaf))
            member.deaf = deaf
        if not isinstance(flags, _Keep):
            member.flags = flags
        role_changes = [] if isinstance(roles, _Keep) else self._set_roles(member, roles)
        self._member_changed(member)
        if changes:
            self.audit(guild_id, MEMBER_UPDATE, actor, user_id, reason=reason, changes=changes)
        if role_changes:
            self.audit(guild_id, MEMBER_ROLE_UPDATE, actor, user_id, reason=reason, changes=role_changes)
        return member

    def _set_roles(self, member: Member, roles: list[int]) -> list[Json]:
        guild = self.guild(member.guild_id)
        for role_id in roles:
            if role_id not in guild.roles:
                raise Unknown("role", role_id)
        before, after = set(member.roles), set(roles)
        member.roles = sorted(after - {guild.id})
        changes: list[Json] = []
        for key, moved in (("$add", after - before), ("$remove", before - after)):
            named = [{"name": guild.roles[r].name, "id": str(r)} for r in sorted(moved) if r in guild.roles]
            if named:
                changes.append({"key": key, "new_value": named})
        return changes

    def _member_changed(self, member: Member) -> None:
        self._save_member(member)
        data = {**member_payload(self, member), "guild_id": str(member.guild_id)}
        self.emit("GUILD_MEMBER_UPDATE", data, member.guild_id)

    def add_role(
        self, guild_id: int, user_id: int, role_id: int, *, actor: int, reason: str | None = None
    ) -> None:
        """Give a member a role; nothing happens when it has it."""
        member = self.member(guild_id, user_id)
        if role_id not in member.roles:
            self.edit_member(guild_id, user_id, actor=actor, reason=reason, roles=[*member.roles, role_id])

    def remove_role(
        self, guild_id: int, user_id: int, role_id: int, *, actor: int, reason: str | None = None
    ) -> None:
        """Take a role from a member; nothing happens when it has none."""
        member = self.member(guild_id, user_id)
        if role_id in member.roles:
            kept = [r for r in member.roles if r != role_id]
            self.edit_member(guild_id, user_id, actor=actor, reason=reason, roles=kept)

    def edit_user(
        self, user_id: int, *, username: str | None = None, global_name: str | _Keep | None = KEEP
    ) -> User:
        """Rename an account; dispatches USER_UPDATE for the bot, GUILD_MEMBER_UPDATE for others."""
        user = self.user(user_id)
        if username is not None:
            user.username = username
        if not isinstance(global_name, _Keep):
            user.global_name = global_name
        self.save_user(user)
        if user_id == self.bot_id:
            self.emit("USER_UPDATE", user_payload(user), None)
            return user
        for guild in self.guilds.values():
            if user_id in guild.members:
                self._member_changed(guild.members[user_id])
        return user

    def set_presence(self, user_id: int, status: str) -> None:
        """Set online, idle, dnd or offline; dispatches PRESENCE_UPDATE in every guild of the user."""
        user = self.user(user_id)
        user.presence = status
        self.save_user(user)
        for guild in self.guilds.values():
            if user_id in guild.members:
                data = presence_payload(user) | {"guild_id": str(guild.id)}
                self.emit("PRESENCE_UPDATE", data, guild.id)


def _when(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else iso(unix_ms)


def _change(key: str, old: Any, new: Any) -> Json:
    change: Json = {"key": key}
    if old is not None:
        change["old_value"] = old
    if new is not None:
        change["new_value"] = new
    return change
