"""Hypothesis strategies for components, embeds and modals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from app.interactions.arguments import Arguments
from app.interactions.components import (
    ActionRow,
    Button,
    ButtonStyle,
    ChannelSelect,
    LinkButton,
    MentionableSelect,
    PremiumButton,
    RoleSelect,
    SelectOption,
    StringSelect,
    UserSelect,
)
from app.interactions.custom_id import Route, Target
from app.interactions.embeds import Embed, Field
from app.interactions.layout import (
    Container,
    File,
    GalleryItem,
    MediaGallery,
    Section,
    Separator,
    Spacing,
    TextDisplay,
    Thumbnail,
)
from app.interactions.payloads import ChannelType
from app.interactions.rendering import Rendering
from app.locale.text import Text, t

ROUTE = Route("test", Arguments.of({"number": int}))

_count = iter(range(10**12))


def target() -> Target:
    """Return a target that no other has: ids are unique in a message."""
    return ROUTE.to(number=next(_count))


def sign(target: Target) -> str:
    return f"id-{target.packed.hex()}"


PLAIN = Rendering("en-US", lambda text, _locale: str(text), sign)


def texts(high: int, low: int = 1) -> st.SearchStrategy[Text | str]:
    plain = st.text(
        st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=low, max_size=high
    )
    plain = plain.map(str.strip).filter(lambda text: len(text) >= low)
    return plain | plain.map(lambda text: t("{text}", text=text))


targets = st.builds(target)
snowflakes = st.integers(1, 2**63)
emojis = st.sampled_from(["🎉", "👍🏽", "<:gate:811111111111111111>", "<a:spin:811111111111111111>"])
urls = st.sampled_from(["https://example.org/a.png", "http://example.org"])
media = urls | st.just("attachment://a.png")

buttons = st.one_of(
    st.builds(
        Button, targets, texts(80), st.sampled_from(ButtonStyle), st.none() | emojis, disabled=st.booleans()
    ),
    st.builds(Button, targets, emoji=emojis),
    st.builds(LinkButton, urls, texts(80), st.none() | emojis, st.booleans()),
    st.builds(PremiumButton, snowflakes, st.booleans()),
)


@st.composite
def selects(draw: st.DrawFn) -> Any:
    low, high = sorted((draw(st.integers(0, 25)), draw(st.integers(1, 25))))
    arguments: dict[str, Any] = {
        "target": draw(targets),
        "placeholder": draw(st.none() | texts(150)),
        "min_values": low,
        "max_values": high,
        "disabled": draw(st.booleans()),
    }
    defaults = draw(
        st.just(()) | st.lists(snowflakes, min_size=max(low, 1), max_size=high, unique=True).map(tuple)
    )
    kind = draw(st.sampled_from([StringSelect, UserSelect, RoleSelect, MentionableSelect, ChannelSelect]))
    if kind is StringSelect:
        values = draw(
            st.lists(
                st.text("abcd", min_size=1, max_size=100), min_size=max(1, low), max_size=25, unique=True
            )
        )
        options = [SelectOption(draw(texts(100)), value, draw(st.none() | texts(100))) for value in values]
        return StringSelect(**arguments, options=options)
    if kind is MentionableSelect:
        return MentionableSelect(**arguments, default_users=defaults[::2], default_roles=defaults[1::2])
    if kind is ChannelSelect:
        types = tuple(draw(st.lists(st.sampled_from([ChannelType.GUILD_TEXT, ChannelType.GUILD_FORUM]))))
        return ChannelSelect(**arguments, defaults=defaults, channel_types=types)
    return kind(**arguments, defaults=defaults)


rows = st.one_of(
    st.lists(buttons, min_size=1, max_size=5).map(lambda children: ActionRow(*children)),
    selects().map(ActionRow),
)
displays = st.builds(TextDisplay, texts(60))
thumbnails = st.builds(Thumbnail, media, st.none() | texts(80), st.booleans())
sections = st.builds(
    lambda children, accessory: Section(*children, accessory=accessory),
    st.lists(texts(60) | displays, min_size=1, max_size=3),
    buttons | thumbnails,
)
galleries = st.lists(
    st.builds(GalleryItem, media, st.none() | texts(80), st.booleans()), min_size=1, max_size=10
).map(lambda items: MediaGallery(*items))
files = st.builds(File, st.sampled_from(["a.png", "log.txt"]), st.booleans())
separators = st.builds(Separator, st.booleans(), st.sampled_from(Spacing))
inner = st.one_of(rows, displays, sections, galleries, files, separators)
containers = st.builds(
    lambda children, colour, spoiler: Container(*children, colour=colour, spoiler=spoiler),
    st.lists(inner, min_size=1, max_size=4),
    st.none() | st.integers(0, 0xFFFFFF),
    st.booleans(),
)
v2_components = st.one_of(containers, displays, sections, galleries, files, separators, rows)

embeds = st.builds(
    Embed,
    title=texts(40),
    description=st.none() | texts(80),
    fields=st.lists(st.builds(Field, texts(20), texts(20), st.booleans()), max_size=5),
    url=st.none() | urls,
    colour=st.none() | st.integers(0, 0xFFFFFF),
    timestamp=st.none() | st.just(datetime(2028, 2, 29, tzinfo=UTC)),
    author=st.none() | texts(40),
    footer=st.none() | texts(40),
    image=st.none() | media,
    thumbnail=st.none() | media,
)
