"""What happens to guilds as a whole, and to their roles."""

from __future__ import annotations

from typing import Any

from sandbox.world.channels import ChannelActions
from sandbox.world.models import Guild, Member, Role
from sandbox.world.payloads import guild_create_payload, guild_payload, role_payload
from sandbox.world.permissions import EVERYONE_DEFAULT
from sandbox.world.state import Unknown

GUILD_UPDATE, ROLE_CREATE, ROLE_UPDATE, ROLE_DELETE = 1, 30, 31, 32

Json = dict[str, Any]


class GuildActions(ChannelActions):
    """Create, edit, lose and regain guilds; roles."""

    def create_guild(self, name: str, owner_id: int, *, guild_id: int | None = None) -> Guild:
        """Found a guild with its @everyone role and its owner. The bot joins by `join_member`."""
        self.user(owner_id)
        guild = Guild(guild_id or self.ids.next(), name, owner_id)
        everyone = Role(guild.id, guild.id, "@everyone", int(EVERYONE_DEFAULT), 0)
        guild.roles[guild.id] = everyone
        guild.members[owner_id] = Member(guild.id, owner_id, self.clock())
        self.save_guild(guild)
        self.touch("role", everyone, guild.id, everyone.id)
        self.touch("member", guild.members[owner_id], guild.id, owner_id)
        return guild

    def edit_guild(
        self, guild_id: int, *, actor: int | None = None, reason: str | None = None, **fields: Any
    ) -> Guild:
        """Change the given fields of `Guild`; dispatches GUILD_UPDATE."""
        guild = self.guild(guild_id)
        changes: list[Json] = []
        for name, value in fields.items():
            old = getattr(guild, name)
            if old != value:
                setattr(guild, name, value)
                changes.append({"key": name.removesuffix("_ms"), "old_value": old, "new_value": value})
        self.save_guild(guild)
        self.emit("GUILD_UPDATE", guild_payload(self, guild), guild_id)
        if changes:
            self.audit(guild_id, GUILD_UPDATE, actor, guild_id, reason=reason, changes=changes)
        return guild

    def set_guild_available(self, guild_id: int, *, available: bool) -> None:
        """Play an outage (GUILD_DELETE with `unavailable`) and its end (GUILD_CREATE)."""
        guild = self.guild(guild_id)
        if guild.unavailable != available:
            return
        guild.unavailable = not available
        self.save_guild(guild)
        if not available:
            self.emit("GUILD_DELETE", {"id": str(guild_id), "unavailable": True}, guild_id)
        elif self.bot_id in guild.members:
            self.emit("GUILD_CREATE", guild_create_payload(self, guild, all_members=False), guild_id)

    def create_role(
        self,
        guild_id: int,
        name: str,
        *,
        actor: int | None = None,
        reason: str | None = None,
        role_id: int | None = None,
        **fields: Any,
    ) -> Role:
        """Make a role directly above @everyone, unless `position` says otherwise; `fields` are those of
        `Role`.
        """
        guild = self.guild(guild_id)
        if "position" not in fields:
            fields["position"] = 1
            for other in guild.roles.values():
                if other.id != guild_id:
                    other.position += 1
                    self.touch("role", other, guild_id, other.id)
        role = Role(role_id or self.ids.next(), guild_id, name, **fields)
        guild.roles[role.id] = role
        self.touch("role", role, guild_id, role.id)
        self.emit("GUILD_ROLE_CREATE", {"guild_id": str(guild_id), "role": role_payload(role)}, guild_id)
        changes = [{"key": "name", "new_value": name}]
        self.audit(guild_id, ROLE_CREATE, actor, role.id, reason=reason, changes=changes)
        return role

    def role(self, guild_id: int, role_id: int) -> Role:
        """Return the role."""
        try:
            return self.guild(guild_id).roles[role_id]
        except KeyError:
            raise Unknown("role", role_id) from None

    def edit_role(
        self,
        guild_id: int,
        role_id: int,
        *,
        actor: int | None = None,
        reason: str | None = None,
        **fields: Any,
    ) -> Role:
        """Change the given fields of `Role`."""
        role = self.role(guild_id, role_id)
        changes: list[Json] = []
        for name, value in fields.items():
            old = getattr(role, name)
            if old != value:
                setattr(role, name, value)
                changes.append({"key": name, "old_value": _json(name, old), "new_value": _json(name, value)})
        self.touch("role", role, guild_id, role_id)
        self.emit("GUILD_ROLE_UPDATE", {"guild_id": str(guild_id), "role": role_payload(role)}, guild_id)
        if changes:
            self.audit(guild_id, ROLE_UPDATE, actor, role_id, reason=reason, changes=changes)
        return role

    def delete_role(
        self, guild_id: int, role_id: int, *, actor: int | None = None, reason: str | None = None
    ) -> None:
        """Delete a role and take it from every member and overwrite."""
        role = self.role(guild_id, role_id)
        guild = self.guild(guild_id)
        del guild.roles[role_id]
        self.forget("role", guild_id, role_id)
        for member in guild.members.values():
            if role_id in member.roles:
                member.roles.remove(role_id)
                self.touch("member", member, guild_id, member.user_id)
        for channel in self.guild_channels(guild_id):
            if any(o.id == role_id for o in channel.overwrites):
                channel.overwrites = [o for o in channel.overwrites if o.id != role_id]
                self.save_channel(channel)
        self.emit("GUILD_ROLE_DELETE", {"guild_id": str(guild_id), "role_id": str(role_id)}, guild_id)
        changes = [{"key": "name", "old_value": role.name}]
        self.audit(guild_id, ROLE_DELETE, actor, role_id, reason=reason, changes=changes)


def _json(name: str, value: Any) -> Any:
    return str(value) if name == "permissions" else value
