"""The shapes of components (contract 3.1): one model per type, and the unions of what may stand where."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from sandbox.interactions.rules.form import Form

CustomId = Annotated[str, Field(min_length=1, max_length=100)]
Snowflake = Annotated[str | int, Field(union_mode="left_to_right")]


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://", "discord://")):
        raise PydanticCustomError(
            "url_scheme",
            "Scheme must be one of ('http', 'https', 'discord').",
        )
    return value


def _media_url(value: str) -> str:
    if not value.startswith(("http://", "https://", "attachment://")):
        raise PydanticCustomError("url_scheme", "Scheme must be one of ('http', 'https', 'attachment').")
    return value


def _attachment_url(value: str) -> str:
    if not value.startswith("attachment://"):
        raise PydanticCustomError("url_scheme", "A File component takes attachment:// references only.")
    return value


class Component(Form):
    """What all components share; `id` is a 32-bit integer, 0 counts as missing."""

    id: int | None = Field(None, ge=0, le=2**31 - 1)


class Emoji(Form):
    id: Snowflake | None = None
    name: str | None = Field(None, max_length=32)
    animated: bool | None = None


class Media(Form):
    url: Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_media_url)]


class AttachmentMedia(Form):
    url: Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_attachment_url)]


class Button(Component):
    type: Literal[2]
    style: Literal[1, 2, 3, 4, 5, 6]
    label: str | None = Field(None, max_length=80)
    emoji: Emoji | None = None
    custom_id: CustomId | None = None
    url: Annotated[str, Field(max_length=512), AfterValidator(_http_url)] | None = None
    sku_id: Snowflake | None = None
    disabled: bool | None = None


class SelectOption(Form):
    label: str = Field(min_length=1, max_length=100)
    value: str = Field(min_length=1, max_length=100)
    description: str | None = Field(None, max_length=100)
    emoji: Emoji | None = None
    default: bool | None = None


class Select(Component):
    """Fields of all select menus; `required` counts in modals only, `disabled` in messages only."""

    custom_id: CustomId
    placeholder: str | None = Field(None, max_length=150)
    min_values: int | None = Field(None, ge=0, le=25)
    max_values: int | None = Field(None, ge=1, le=25)
    disabled: bool | None = None
    required: bool | None = None


class StringSelect(Select):
    type: Literal[3]
    options: list[SelectOption] = Field(min_length=1, max_length=25)


class DefaultValue(Form):
    id: Snowflake
    type: Literal["user", "role", "channel"]


class UserSelect(Select):
    type: Literal[5]
    default_values: list[DefaultValue] | None = Field(None, max_length=25)


class RoleSelect(Select):
    type: Literal[6]
    default_values: list[DefaultValue] | None = Field(None, max_length=25)


class MentionableSelect(Select):
    type: Literal[7]
    default_values: list[DefaultValue] | None = Field(None, max_length=25)


class ChannelSelect(Select):
    type: Literal[8]
    default_values: list[DefaultValue] | None = Field(None, max_length=25)
    channel_types: list[int] | None = None


class TextInput(Component):
    type: Literal[4]
    custom_id: CustomId
    style: Literal[1, 2]
    label: str | None = Field(None, min_length=1, max_length=45)
    value: str | None = Field(None, max_length=4000)
    placeholder: str | None = Field(None, max_length=100)
    required: bool | None = None
    min_length: int | None = Field(None, ge=0, le=4000)
    max_length: int | None = Field(None, ge=1, le=4000)


class FileUpload(Component):
    type: Literal[19]
    custom_id: CustomId
    min_values: int | None = Field(None, ge=0, le=10)
    max_values: int | None = Field(None, ge=1, le=10)
    required: bool | None = None
    file_types: list[Annotated[str, Field(pattern=r"^(image|video|audio|\.[A-Za-z0-9]+)$")]] | None = Field(
        None, max_length=10
    )


class GroupOption(Form):
    label: str = Field(min_length=1, max_length=100)
    value: str = Field(min_length=1, max_length=100)
    description: str | None = Field(None, max_length=100)
    default: bool | None = None


class RadioGroup(Component):
    type: Literal[21]
    custom_id: CustomId
    options: list[GroupOption] = Field(min_length=2, max_length=10)
    required: bool | None = None


class CheckboxGroup(Component):
    type: Literal[22]
    custom_id: CustomId
    options: list[GroupOption] = Field(min_length=1, max_length=10)
    min_values: int | None = Field(None, ge=0, le=10)
    max_values: int | None = Field(None, ge=1, le=10)
    required: bool | None = None


class Checkbox(Component):
    type: Literal[23]
    custom_id: CustomId
    default: bool | None = None


class TextDisplay(Component):
    type: Literal[10]
    content: str = Field(min_length=1, max_length=4000)


class Thumbnail(Component):
    type: Literal[11]
    media: Media
    description: str | None = Field(None, max_length=1024)
    spoiler: bool | None = None


class GalleryItem(Form):
    media: Media
    description: str | None = Field(None, max_length=1024)
    spoiler: bool | None = None


class MediaGallery(Component):
    type: Literal[12]
    items: list[GalleryItem] = Field(min_length=1, max_length=10)


class File(Component):
    type: Literal[13]
    file: AttachmentMedia
    spoiler: bool | None = None


class Separator(Component):
    type: Literal[14]
    divider: bool | None = None
    spacing: Literal[1, 2] | None = None


def by_type(value: Any) -> str:
    """Names the variant of a component; the tag has a form of its own so that error paths can drop it."""
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"type={kind}"


AnySelect = (
    Annotated[StringSelect, Tag("type=3")]
    | Annotated[UserSelect, Tag("type=5")]
    | Annotated[RoleSelect, Tag("type=6")]
    | Annotated[MentionableSelect, Tag("type=7")]
    | Annotated[ChannelSelect, Tag("type=8")]
)
RowChild = Annotated[Annotated[Button, Tag("type=2")] | AnySelect, Discriminator(by_type)]
Accessory = Annotated[
    Annotated[Button, Tag("type=2")] | Annotated[Thumbnail, Tag("type=11")], Discriminator(by_type)
]


class ActionRow(Component):
    type: Literal[1]
    components: list[RowChild] = Field(min_length=1, max_length=5)


class Section(Component):
    type: Literal[9]
    components: list[TextDisplay] = Field(min_length=1, max_length=3)
    accessory: Accessory


ContainerChild = Annotated[
    Annotated[ActionRow, Tag("type=1")]
    | Annotated[Section, Tag("type=9")]
    | Annotated[TextDisplay, Tag("type=10")]
    | Annotated[MediaGallery, Tag("type=12")]
    | Annotated[File, Tag("type=13")]
    | Annotated[Separator, Tag("type=14")],
    Discriminator(by_type),
]


class Container(Component):
    type: Literal[17]
    components: list[ContainerChild] = Field(min_length=1)
    accent_color: int | None = Field(None, ge=0, le=0xFFFFFF)
    spoiler: bool | None = None


LayoutChild = Annotated[
    Annotated[ActionRow, Tag("type=1")]
    | Annotated[Section, Tag("type=9")]
    | Annotated[TextDisplay, Tag("type=10")]
    | Annotated[MediaGallery, Tag("type=12")]
    | Annotated[File, Tag("type=13")]
    | Annotated[Separator, Tag("type=14")]
    | Annotated[Container, Tag("type=17")],
    Discriminator(by_type),
]

ModalLeaf = Annotated[
    AnySelect
    | Annotated[TextInput, Tag("type=4")]
    | Annotated[FileUpload, Tag("type=19")]
    | Annotated[RadioGroup, Tag("type=21")]
    | Annotated[CheckboxGroup, Tag("type=22")]
    | Annotated[Checkbox, Tag("type=23")],
    Discriminator(by_type),
]


class Label(Component):
    type: Literal[18]
    label: str = Field(min_length=1, max_length=45)
    description: str | None = Field(None, max_length=100)
    component: ModalLeaf


class InputRow(Component):
    """An action row in a modal: deprecated, holds exactly one text input."""

    type: Literal[1]
    components: list[TextInput] = Field(min_length=1, max_length=1)


ModalChild = Annotated[
    Annotated[InputRow, Tag("type=1")]
    | Annotated[TextDisplay, Tag("type=10")]
    | Annotated[Label, Tag("type=18")],
    Discriminator(by_type),
]
