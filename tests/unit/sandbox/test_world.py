"""The world: permissions, mentions, audit entries, and a folder that brings everything back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.gateway.content import without_content
from sandbox.server import open_world
from sandbox.world import Channel, Guild, Overwrite, Permission, Unknown, World, seed, seeded_world
from sandbox.world.payloads import message_event
from sandbox.world.permissions import ALL, channel_permissions, guild_permissions, outranks
from sandbox.world.snowflakes import Snowflakes, at, created_ms
from sandbox.world.store import IncompatibleWorld, WorldStore
from tests.fixtures.sandbox import Clock, named, role_id

P = Permission
some_permissions = st.sets(st.sampled_from(list(Permission))).map(
    lambda chosen: int(sum(p.value for p in chosen))
)


def test_seeded_guilds_lie_on_different_shards() -> None:
    for count in (2, 3, 4):
        shards = {(guild_id >> 22) % count for guild_id in seeded_world().guilds}
        assert len(shards) == min(count, 3)


def test_seeded_ids_are_fixed() -> None:
    one, two = seeded_world(), seeded_world()
    assert one.guilds.keys() == two.guilds.keys()
    assert one.channels.keys() == two.channels.keys()
    assert one.application.token != two.application.token


def test_the_seeded_bot_is_no_administrator_but_can_do_its_work(world: World, guild: Guild) -> None:
    granted = guild_permissions(guild, guild.members[world.bot_id])
    assert not granted & P.ADMINISTRATOR
    assert granted & P.MODERATE_MEMBERS
    assert granted & P.MANAGE_MESSAGES
    bot = guild.members[world.bot_id]
    assert outranks(guild, bot, guild.members[seed.PRIYA])
    assert not outranks(guild, bot, guild.members[seed.TOMAS])
    assert not outranks(guild, bot, guild.members[seed.MAYA])


def test_staff_rooms_are_hidden(world: World, guild: Guild) -> None:
    room = named(world, guild, "moderators")
    assert not world.can_view(room.id, seed.JONAS)
    assert world.can_view(room.id, seed.PRIYA)
    assert world.can_view(room.id, world.bot_id)
    assert world.can_view(room.id, seed.TOMAS)


def test_timed_out_members_can_only_read(world: World, guild: Guild, general: Channel, clock: Clock) -> None:
    for user_id in (seed.SAM, seed.TOMAS):
        world.timeout_member(guild.id, user_id, clock.now + 60_000, actor=world.bot_id)
    assert world.permissions_in(general, seed.SAM) == P.VIEW_CHANNEL | P.READ_MESSAGE_HISTORY
    assert world.permissions_in(general, seed.TOMAS) == ALL  # administrators are exempt
    clock.forward(61)
    assert world.permissions_in(general, seed.SAM) & P.SEND_MESSAGES


@given(everyone=some_permissions, role=some_permissions, own=some_permissions, deny=some_permissions)
@settings(max_examples=60)
def test_overwrites_apply_in_discords_order(everyone: int, role: int, own: int, deny: int) -> None:
    world = seeded_world()
    guild = next(iter(world.guilds.values()))
    muted = role_id(guild, "Muted")
    member = guild.members[seed.SAM]
    member.roles = [muted]
    channel = Channel(1, 0, guild.id, "x")
    channel.overwrites = [
        Overwrite(guild.id, 0, deny=deny, allow=everyone),
        Overwrite(muted, 0, deny=deny, allow=role),
        Overwrite(seed.SAM, 1, deny=deny, allow=own),
    ]
    base = int(guild_permissions(guild, member))
    expected = (((base & ~deny | everyone) & ~deny | role) & ~deny) | own
    found = int(channel_permissions(guild, channel, member, 0))
    if not expected & P.VIEW_CHANNEL:
        assert found == 0
    elif expected & P.SEND_MESSAGES:
        assert found == expected
    else:
        assert found == expected & ~int(
            P.MENTION_EVERYONE | P.SEND_TTS_MESSAGES | P.ATTACH_FILES | P.EMBED_LINKS
        )


def test_threads_take_their_parents_permissions(world: World, guild: Guild, general: Channel) -> None:
    thread = world.create_thread(general.id, "aside", seed.SAM)
    world.set_overwrite(general.id, Overwrite(guild.id, 0, deny=int(P.SEND_MESSAGES)))
    assert world.permissions_in(thread, seed.SAM) & P.SEND_MESSAGES_IN_THREADS
    world.set_overwrite(general.id, Overwrite(guild.id, 0, deny=int(P.VIEW_CHANNEL)))
    assert not world.permissions_in(thread, seed.SAM)
    private = world.create_thread(named(world, guild, "arrivals").id, "us", seed.PRIYA, type=12)
    assert world.can_view(private.id, seed.PRIYA)
    assert not world.can_view(private.id, seed.SAM)


@pytest.mark.parametrize(
    ("text", "allowed", "users", "everyone"),
    [
        (f"<@{seed.SAM}> <@!{seed.LENA}>", None, [seed.SAM, seed.LENA], False),
        ("@everyone", None, [], False),
        (f"<@{seed.SAM}>", {"parse": []}, [], False),
        (f"<@{seed.SAM}> <@{seed.LENA}>", {"users": [str(seed.LENA)]}, [seed.LENA], False),
    ],
)
def test_mentions(
    world: World,
    general: Channel,
    text: str,
    allowed: dict[str, Any] | None,
    users: list[int],
    everyone: bool,
) -> None:
    message = world.post_message(general.id, seed.JONAS, text, allowed_mentions=allowed)
    assert (message.mentions, message.mention_everyone) == (users, everyone)


def test_administrators_reach_everyone(world: World, general: Channel, guild: Guild) -> None:
    role = role_id(guild, "Muted")
    message = world.post_message(general.id, seed.MAYA, f"@everyone <@&{role}>")
    assert (message.mention_everyone, message.mention_roles) == (True, [role])
    quiet = world.post_message(general.id, seed.JONAS, f"<@&{role}>")
    assert quiet.mention_roles == []


def test_content_is_stripped_in_forwards_too(world: World, general: Channel) -> None:
    source = world.post_message(general.id, seed.SAM, "secret")
    forward = world.post_message(
        general.id,
        seed.LENA,
        reference=world.reference_to(source) | {"type": 1},
        snapshots=[world.forward_snapshot(source)],
    )
    seen = without_content(message_event(world, forward), world.bot_id)
    assert "secret" not in str(seen)


def test_events_of_a_ban(world: World, guild: Guild, general: Channel) -> None:
    heard: list[str] = []
    stop = world.subscribe(lambda event, data, guild_id: heard.append(event))
    world.post_message(general.id, seed.DIEGO, "bye")
    world.ban_member(guild.id, seed.DIEGO, actor=seed.MAYA, reason="why", delete_message_seconds=60)
    stop()
    world.unban_member(guild.id, seed.DIEGO, actor=seed.MAYA)
    assert heard == [
        "MESSAGE_CREATE",
        "GUILD_BAN_ADD",
        "GUILD_MEMBER_REMOVE",
        "GUILD_AUDIT_LOG_ENTRY_CREATE",
        "MESSAGE_DELETE_BULK",
    ]
    with pytest.raises(Unknown):
        world.unban_member(guild.id, seed.DIEGO, actor=seed.MAYA)


def test_a_member_joins_with_a_welcome_line(world: World, guild: Guild) -> None:
    world.join_member(guild.id, seed.ROBIN)
    line = world.history(named(world, guild, "arrivals").id)[-1]
    assert (line.type, line.author_id, line.content) == (7, seed.ROBIN, "")


def test_ephemeral_messages_stay_out_of_the_history(world: World, general: Channel) -> None:
    heard: list[tuple[str, int | None]] = []
    world.subscribe(lambda event, data, guild_id: heard.append((event, guild_id)))
    message = world.post_message(general.id, world.bot_id, "psst", flags=64, ephemeral_for=seed.SAM)
    assert message not in world.history(general.id)
    assert world.message(general.id, message.id) is message
    assert heard == [("MESSAGE_CREATE", None)]


def busy(world: World) -> World:
    """Change a little of everything."""
    guild = next(iter(world.guilds.values()))
    general = named(world, guild, "general")
    first = world.post_message(general.id, seed.SAM, "one", embeds=[{"type": "rich"}], nonce=5)
    second = world.post_message(general.id, seed.SAM, "two")
    world.add_reaction(general.id, first.id, seed.LENA, "👍")
    world.edit_message(general.id, first.id, content="one, edited")
    world.delete_message(general.id, second.id, actor=world.bot_id, reason="off topic")
    world.create_thread(general.id, "aside", seed.SAM, message_id=first.id)
    world.ban_member(guild.id, seed.DIEGO, actor=world.bot_id, reason="spam")
    world.timeout_member(guild.id, seed.SAM, world.clock() + 1000, actor=world.bot_id)
    world.join_member(guild.id, seed.ROBIN)
    world.leave_member(guild.id, seed.LENA)
    world.open_dm(world.bot_id, seed.SAM)
    role = world.create_role(guild.id, "New", color=5)
    world.add_role(guild.id, seed.ROBIN, role.id, actor=world.bot_id)
    world.upsert_command(None, {"type": 1, "name": "ping", "description": "x"})
    world.delete_channel(named(world, guild, "recommendations").id, actor=seed.MAYA)
    world.edit_guild(guild.id, name="The Quiet Room")
    return world


def test_a_restart_finds_the_world_as_it_was(tmp_path: Path) -> None:
    world, store = open_world(tmp_path)
    store.save(busy(world))
    store.close()
    again, second_store = open_world(tmp_path)
    second_store.close()
    for name in ("application", "users", "channels", "commands"):
        assert getattr(again, name) == getattr(world, name), name
    for guild_id, guild in world.guilds.items():
        kept = again.guilds[guild_id]
        assert set(kept.channel_ids) == set(guild.channel_ids)
        kept.channel_ids = guild.channel_ids
        assert kept == guild
    assert {c: m for c, m in again.messages.items() if m} == {c: m for c, m in world.messages.items() if m}
    assert again.ids.next() > world.ids.last


def test_reset_and_foreign_versions(tmp_path: Path) -> None:
    world, store = open_world(tmp_path)
    token = world.application.token
    store._connection.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(IncompatibleWorld, match="--reset"):
        open_world(tmp_path)
    fresh, store = open_world(tmp_path, reset=True)
    store.close()
    assert fresh.application.token != token


def test_an_unwritable_batch_changes_nothing(tmp_path: Path) -> None:
    store = WorldStore(tmp_path / "w.db")
    with pytest.raises(Exception):
        store.write([("user", "1", 1, b"{}"), ("user", "2", object(), b"{}")])  # type: ignore[list-item]
    assert store._connection.execute("SELECT count(*) FROM documents").fetchone() == (0,)
    store.close()


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=50))
def test_ids_only_rise(times: list[int]) -> None:
    clock = Clock()
    ids = Snowflakes(clock)
    made = []
    for time in times:
        clock.now = 1_420_070_400_000 + time
        made.append(ids.next())
    assert made == sorted(set(made))
    assert created_ms(at(1_500_000_000_000)) == 1_500_000_000_000
