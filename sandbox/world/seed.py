"""The world that a new data folder starts with: three small communities with the same friendly people in
them.

Every id but those of messages is fixed, so that examples, tests and bookmarks keep working; messages are
recent. The guilds' ids fall on different shards for two, three and four shards.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from nacl.signing import SigningKey

from sandbox.world.models import (
    Application,
    Channel,
    ChannelType,
    Guild,
    Member,
    Message,
    Overwrite,
    Role,
    User,
)
from sandbox.world.permissions import EVERYONE_DEFAULT, Permission
from sandbox.world.snowflakes import DISCORD_EPOCH_MS, at, wall_clock_ms
from sandbox.world.world import World

P = Permission

SEED_MS = DISCORD_EPOCH_MS + 12 * 16_666_666_666
"""When the seeded world began (May 2021); divisible by twelve after the epoch, see `_guild_id`."""

APPLICATION_ID = at(SEED_MS, 1)
PRIVILEGED_INTENTS_ON = 1 << 12 | 1 << 14 | 1 << 18
"""Application flags: the presence, member and message-content intents are switched on in the portal."""

GATEHOUSE_ROLE = (
    P.VIEW_CHANNEL
    | P.SEND_MESSAGES
    | P.SEND_MESSAGES_IN_THREADS
    | P.EMBED_LINKS
    | P.ATTACH_FILES
    | P.READ_MESSAGE_HISTORY
    | P.ADD_REACTIONS
    | P.USE_EXTERNAL_EMOJIS
    | P.MANAGE_MESSAGES
    | P.PIN_MESSAGES
    | P.MANAGE_THREADS
    | P.CREATE_PUBLIC_THREADS
    | P.MANAGE_CHANNELS
    | P.MANAGE_ROLES
    | P.MANAGE_NICKNAMES
    | P.MANAGE_GUILD
    | P.KICK_MEMBERS
    | P.BAN_MEMBERS
    | P.MODERATE_MEMBERS
    | P.VIEW_AUDIT_LOG
)
MODERATOR_ROLE = (
    P.KICK_MEMBERS
    | P.BAN_MEMBERS
    | P.MODERATE_MEMBERS
    | P.MANAGE_MESSAGES
    | P.PIN_MESSAGES
    | P.MANAGE_THREADS
    | P.MANAGE_NICKNAMES
    | P.VIEW_AUDIT_LOG
)
MUTED = P.SEND_MESSAGES | P.SEND_MESSAGES_IN_THREADS | P.ADD_REACTIONS | P.SPEAK | P.CREATE_PUBLIC_THREADS

PEOPLE = (
    ("maya", "Maya"),
    ("tomas", "Tomás"),
    ("priya", "Priya"),
    ("jonas", "Jonas"),
    ("aiko", "Aiko"),
    ("sam.okafor", "Sam"),
    ("lena", "Lena"),
    ("diego", "Diego"),
    ("robin", "Robin"),
)
"""Username and display name. Robin is in no guild yet: somebody who can join."""

MAYA, TOMAS, PRIYA, JONAS, AIKO, SAM, LENA, DIEGO, ROBIN = (at(SEED_MS, 101 + n) for n in range(len(PEOPLE)))
BOT_ID = APPLICATION_ID


@dataclass(frozen=True, slots=True)
class Community:
    """What is particular to one seeded guild."""

    name: str
    description: str
    owner: int
    admin: int
    moderators: tuple[int, ...]
    regulars: tuple[int, ...]
    members: tuple[int, ...]
    regular_role: str
    topics: tuple[tuple[str, str], ...]
    greetings: tuple[tuple[str, int, str], ...]


COMMUNITIES = (
    Community(
        "The Reading Room",
        "A book club with tea. One book a month, no exams.",
        MAYA,
        TOMAS,
        (PRIYA,),
        (JONAS, AIKO),
        (SAM, LENA, DIEGO),
        "Bookworm",
        (
            ("book-of-the-month", "This month: The Left Hand of Darkness"),
            ("recommendations", "What should we read next?"),
        ),
        (
            ("general", MAYA, "Good morning, readers! The kettle is on ☕"),
            ("general", JONAS, "Just finished chapter nine. No spoilers, but wow."),
            ("general", AIKO, "I am two chapters behind and at peace with it."),
            ("general", PRIYA, "Reminder: please use spoiler tags until Sunday 💛"),
            ("recommendations", SAM, "Has anybody here read Piranesi? It is short and strange and lovely."),
        ),
    ),
    Community(
        "Pixel Harbour",
        "Cosy games, co-op nights and screenshots of our farms.",
        TOMAS,
        MAYA,
        (AIKO,),
        (SAM, DIEGO),
        (PRIYA, JONAS, LENA),
        "Deckhand",
        (("co-op-nights", "Thursdays at eight"), ("screenshots", "Show us what you built")),
        (
            ("general", TOMAS, "Co-op night is on Thursday. Bring snacks."),
            ("general", DIEGO, "My turnips doubled. I am unstoppable."),
            ("screenshots", LENA, "Finally finished the lighthouse! It took me three weeks."),
        ),
    ),
    Community(
        "Kitchen Table",
        "Home cooks helping each other. Every question is welcome.",
        PRIYA,
        LENA,
        (SAM,),
        (MAYA,),
        (JONAS, DIEGO, TOMAS, AIKO),
        "Sous-chef",
        (("recipes", "Tried and tested"), ("bread-club", "Starters, crumbs and crusts")),
        (
            ("general", PRIYA, "What is everybody having for dinner tonight?"),
            ("general", JONAS, "Leftover dal. It is better on the second day."),
            ("bread-club", MAYA, "Sourdough question: why is mine so flat?"),
        ),
    ),
)


def _guild_id(index: int) -> int:
    """(id >> 22) is `index` modulo 2, 3 and 4: each guild on a shard of its own."""
    return at(SEED_MS + index)


def new_token() -> str:
    """Return a bot token of Discord's look."""
    head = base64.urlsafe_b64encode(str(APPLICATION_ID).encode()).decode().rstrip("=")
    return f"{head}.{secrets.token_urlsafe(4)}.{secrets.token_urlsafe(28)}"


def new_application(*, token: str | None = None) -> Application:
    """Return the application with a fresh token and signing key."""
    key = SigningKey.generate()
    return Application(
        id=APPLICATION_ID,
        bot_id=BOT_ID,
        owner_id=MAYA,
        name="Gatehouse",
        token=token or new_token(),
        signing_seed=key.encode().hex(),
        public_key=key.verify_key.encode().hex(),
        description="Keeps the door.",
        flags=PRIVILEGED_INTENTS_ON,
    )


def seeded_world(
    *, application: Application | None = None, clock: Callable[[], int] = wall_clock_ms
) -> World:
    """Return a new world with the three communities."""
    world = World(application or new_application(), clock=clock)
    world.save_application()
    world.save_user(User(BOT_ID, "Gatehouse", bot=True))
    for number, (username, global_name) in enumerate(PEOPLE):
        world.save_user(User(at(SEED_MS, 101 + number), username, global_name))
    for index, community in enumerate(COMMUNITIES):
        _found(world, index, community)
    return world


class _Founding:
    """Puts one community into the world with fixed ids and without audit entries or events."""

    def __init__(self, world: World, index: int, community: Community) -> None:
        self.world = world
        self.community = community
        self.guild = Guild(_guild_id(index), community.name, community.owner, community.description)
        self.guild.features = ["COMMUNITY", "NEWS"]
        self._next = at(SEED_MS + 1000 * (index + 1))
        self._moment = world.clock() - 1_800_000 * (index + 1)
        self.channels: dict[str, Channel] = {}

    def take_id(self) -> int:
        self._next += 1
        return self._next

    def role(self, name: str, permissions: int, position: int, color: int, **fields: bool) -> Role:
        role = Role(self.take_id(), self.guild.id, name, int(permissions), position, color, **fields)
        self.add_role(role)
        return role

    def add_role(self, role: Role) -> None:
        self.guild.roles[role.id] = role
        self.world.touch("role", role, self.guild.id, role.id)

    def member(self, user_id: int, *roles: Role) -> None:
        member = Member(self.guild.id, user_id, SEED_MS + 3_600_000, sorted(role.id for role in roles))
        self.guild.members[user_id] = member
        self.world.touch("member", member, self.guild.id, user_id)

    def channel(
        self,
        name: str,
        *,
        parent: Channel | None = None,
        kind: int = ChannelType.TEXT,
        topic: str | None = None,
        overwrites: tuple[Overwrite, ...] = (),
    ) -> Channel:
        channel = Channel(
            self.take_id(),
            kind,
            self.guild.id,
            name,
            position=len(self.channels),
            parent_id=None if parent is None else parent.id,
            topic=topic,
            overwrites=list(overwrites),
        )
        self.channels[name] = channel
        self.guild.channel_ids.append(channel.id)
        self.world.save_channel(channel)
        return channel

    def message(self, channel: str, author: int, content: str) -> None:
        place = self.channels[channel]
        self._moment += 97_000
        message = Message(at(self._moment), place.id, author, content, self.guild.id)
        place.last_message_id = message.id
        place.message_count += 1
        self.world.save_message(message)


def _found(world: World, index: int, community: Community) -> None:
    founding = _Founding(world, index, community)
    guild = founding.guild
    world.save_guild(guild)
    founding.add_role(Role(guild.id, guild.id, "@everyone", int(EVERYONE_DEFAULT), 0))
    muted = founding.role("Muted", 0, 1, 0x747F8D)
    regular = founding.role(community.regular_role, 0, 2, 0x3BA55D, hoist=True, mentionable=True)
    moderator = founding.role("Moderator", MODERATOR_ROLE, 3, 0x3498DB, hoist=True, mentionable=True)
    bot_role = Role(
        founding.take_id(),
        guild.id,
        "Gatehouse",
        int(GATEHOUSE_ROLE),
        4,
        0x9B59B6,
        managed=True,
        bot_id=BOT_ID,
    )
    founding.add_role(bot_role)
    admin = founding.role("Admin", P.ADMINISTRATOR, 5, 0xE67E22, hoist=True)
    founding.member(community.owner, admin)
    founding.member(community.admin, admin)
    for user_id in community.moderators:
        founding.member(user_id, moderator)
    for user_id in community.regulars:
        founding.member(user_id, regular)
    for user_id in community.members:
        founding.member(user_id)
    founding.member(BOT_ID, bot_role)
    _channels(founding, muted, moderator, bot_role)
    for channel, author, content in community.greetings:
        founding.message(channel, author, content)


def _channels(founding: _Founding, muted: Role, moderator: Role, bot_role: Role) -> None:
    everyone = founding.guild.id
    quiet = Overwrite(muted.id, 0, deny=int(MUTED))
    read_only = Overwrite(everyone, 0, deny=int(P.SEND_MESSAGES | P.CREATE_PUBLIC_THREADS))
    hidden = Overwrite(everyone, 0, deny=int(P.VIEW_CHANNEL))
    staff = tuple(Overwrite(role.id, 0, allow=int(P.VIEW_CHANNEL)) for role in (moderator, bot_role))
    speaks = Overwrite(bot_role.id, 0, allow=int(P.SEND_MESSAGES))
    welcome = founding.channel("Welcome", kind=ChannelType.CATEGORY)
    rules = founding.channel(
        "rules", parent=welcome, topic="Be kind. That is most of it.", overwrites=(read_only, speaks)
    )
    founding.channel(
        "announcements", parent=welcome, kind=ChannelType.ANNOUNCEMENT, overwrites=(read_only, speaks)
    )
    arrivals = founding.channel(
        "arrivals", parent=welcome, topic="Say hello to new people", overwrites=(quiet,)
    )
    community = founding.channel("Community", kind=ChannelType.CATEGORY, overwrites=(quiet,))
    founding.channel("general", parent=community, topic="Everything and nothing", overwrites=(quiet,))
    for name, topic in founding.community.topics:
        founding.channel(name, parent=community, topic=topic, overwrites=(quiet,))
    team = founding.channel("Team", kind=ChannelType.CATEGORY, overwrites=(hidden, *staff))
    founding.channel("moderators", parent=team, topic="For the team only", overwrites=(hidden, *staff))
    founding.channel("mod-log", parent=team, topic="What Gatehouse did", overwrites=(hidden, *staff))
    voice = founding.channel("Voice", kind=ChannelType.CATEGORY)
    founding.channel("Lounge", parent=voice, kind=ChannelType.VOICE, overwrites=(quiet,))
    founding.guild.system_channel_id = arrivals.id
    founding.guild.rules_channel_id = rules.id
    founding.message(
        "rules",
        founding.community.owner,
        "1. Be kind.\n2. No spam, no invites to other servers.\n3. Ask the team.",
    )
