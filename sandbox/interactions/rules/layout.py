"""Rules across components: unique custom ids, button styles, selects, the 40 (contract 3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.interactions.rules.components import (
    ActionRow,
    Button,
    ChannelSelect,
    Checkbox,
    CheckboxGroup,
    Component,
    Container,
    File,
    FileUpload,
    InputRow,
    Label,
    MediaGallery,
    MentionableSelect,
    RadioGroup,
    RoleSelect,
    Section,
    Select,
    StringSelect,
    TextDisplay,
    TextInput,
    Thumbnail,
    UserSelect,
)
from sandbox.interactions.rules.form import Path, Problems

MOST_ROWS = 5
MOST_COMPONENTS = 40
MOST_TEXT = 4000
"""Characters of all Text Displays of a message together."""

Interactive = Button | Select | TextInput | FileUpload | RadioGroup | CheckboxGroup | Checkbox


def walk(components: Sequence[Component], path: Path) -> Iterator[tuple[Component, Path]]:
    """Every component with its path, parents before children, in reading order."""
    for index, component in enumerate(components):
        place = (*path, index)
        yield component, place
        if isinstance(component, ActionRow | InputRow | Section | Container):
            yield from walk(component.components, (*place, "components"))
        if isinstance(component, Section):
            yield component.accessory, (*place, "accessory")
        if isinstance(component, Label):
            yield component.component, (*place, "component")


def check_message_components(
    components: Sequence[Component], problems: Problems, path: Path, *, v2: bool, files: Sequence[str]
) -> None:
    """The rules for a message's components. `files` are the names that attachment:// may refer to."""
    if not v2:
        if len(components) > MOST_ROWS:
            problems.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {MOST_ROWS} in length.")
        for index, component in enumerate(components):
            if not isinstance(component, ActionRow):
                problems.add(
                    (*path, index, "type"),
                    "UNION_TYPE_CHOICES",
                    'Value of field "type" must be one of (1,). Other types need the flag IS_COMPONENTS_V2.',
                )
    everything = list(walk(components, path))
    if len(everything) > MOST_COMPONENTS:
        problems.add(
            path,
            "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
            f"The total number of components must not exceed {MOST_COMPONENTS}, got {len(everything)}.",
        )
    text = sum(len(c.content) for c, _ in everything if isinstance(c, TextDisplay))
    if text > MOST_TEXT:
        problems.add(
            path,
            "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED",
            f"Total displayable text must not exceed {MOST_TEXT} characters, got {text}.",
        )
    check_identity(everything, problems)
    for component, place in everything:
        match component:
            case ActionRow():
                _check_row(component, problems, place)
            case Button():
                _check_button(component, problems, place)
            case Select():
                check_select(component, problems, place, modal=False)
            case _:
                pass
        for name, spot in _attachments(component, place):
            if name not in files:
                problems.add(
                    spot, "BASE_TYPE_INVALID", f"attachment://{name} refers to no attachment of this message."
                )


def check_identity(everything: Sequence[tuple[Component, Path]], problems: Problems) -> None:
    """custom_id and id are unique within a message or modal; id 0 counts as missing."""
    custom_ids: set[str] = set()
    numbers: set[int] = set()
    for component, place in everything:
        if isinstance(component, Interactive) and component.custom_id:
            if component.custom_id in custom_ids:
                problems.add(
                    (*place, "custom_id"),
                    "COMPONENT_CUSTOM_ID_DUPLICATED",
                    "Component custom id cannot be duplicated",
                )
            custom_ids.add(component.custom_id)
        if component.id:
            if component.id in numbers:
                problems.add((*place, "id"), "COMPONENT_ID_DUPLICATED", "Component id cannot be duplicated")
            numbers.add(component.id)


def _check_row(row: ActionRow, problems: Problems, place: Path) -> None:
    if len(row.components) > 1 and any(isinstance(child, Select) for child in row.components):
        problems.add(
            (*place, "components"),
            "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
            "An action row holds up to 5 buttons or exactly one select menu, never both.",
        )


def _check_button(button: Button, problems: Problems, place: Path) -> None:
    def say(field: str, code: str, message: str) -> None:
        problems.add((*place, field), code, message)

    if button.style in {1, 2, 3, 4}:
        if not button.custom_id:
            say("custom_id", "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED", "A custom id is required")
        if button.url is not None:
            say("url", "BUTTON_COMPONENT_URL_NOT_ALLOWED", "A custom id button cannot have a url")
    elif button.custom_id is not None:
        say("custom_id", "BUTTON_COMPONENT_CUSTOM_ID_NOT_ALLOWED", "This button style takes no custom id")
    if button.style == 5 and not button.url:
        say("url", "BUTTON_COMPONENT_URL_REQUIRED", "A url is required")
    if button.style == 6:
        if button.sku_id is None:
            say("sku_id", "BUTTON_COMPONENT_SKU_ID_REQUIRED", "A sku id is required")
        for field in ("label", "url", "emoji"):
            if getattr(button, field) is not None:
                say(field, "BUTTON_COMPONENT_FIELD_NOT_ALLOWED", "A premium button takes no " + field)
    else:
        if button.sku_id is not None:
            say("sku_id", "BUTTON_COMPONENT_SKU_ID_NOT_ALLOWED", "Only a premium button takes a sku id")
        if not button.label and button.emoji is None:
            say("label", "BUTTON_COMPONENT_LABEL_REQUIRED", "A button needs a label or an emoji")


def check_select(select: Select, problems: Problems, place: Path, *, modal: bool) -> None:
    """Bounds, defaults and the two flags that mean different things in messages and modals."""
    least = 1 if select.min_values is None else select.min_values
    most = 1 if select.max_values is None else select.max_values
    if least > most:
        problems.add(
            (*place, "min_values"), "NUMBER_TYPE_MAX", "min_values must not be greater than max_values."
        )
    if modal:
        check_required(required=select.required, min_values=select.min_values, problems=problems, place=place)
        if select.disabled:
            problems.add((*place, "disabled"), "BASE_TYPE_INVALID", "Components in modals cannot be disabled")
    if isinstance(select, StringSelect):
        _check_options(select, least, most, problems, place)
        return
    defaults = getattr(select, "default_values", None) or []
    if defaults and not least <= len(defaults) <= most:
        problems.add(
            (*place, "default_values"),
            "BASE_TYPE_BAD_LENGTH",
            f"The number of default values must be between {least} and {most}.",
        )
    allowed = _default_types(select)
    for index, default in enumerate(defaults):
        if default.type not in allowed:
            problems.add(
                (*place, "default_values", index, "type"),
                "BASE_TYPE_CHOICES",
                f"Value must be one of {sorted(allowed)}.",
            )


def _check_options(select: StringSelect, least: int, most: int, problems: Problems, place: Path) -> None:
    seen: set[str] = set()
    for index, option in enumerate(select.options):
        if option.value in seen:
            problems.add(
                (*place, "options", index, "value"),
                "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                "The specified option value is already used",
            )
        seen.add(option.value)
    if least > len(select.options):
        problems.add(
            (*place, "min_values"), "NUMBER_TYPE_MAX", "min_values is greater than the number of options."
        )
    chosen = sum(1 for option in select.options if option.default)
    if chosen > most:
        problems.add(
            (*place, "options"),
            "SELECT_COMPONENT_TOO_MANY_DEFAULTS",
            f"{chosen} options are chosen by default, max_values allows {most}.",
        )


def _default_types(select: Select) -> set[str]:
    match select:
        case UserSelect():
            return {"user"}
        case RoleSelect():
            return {"role"}
        case MentionableSelect():
            return {"user", "role"}
        case ChannelSelect():
            return {"channel"}
        case _:
            return set()


def check_required(*, required: bool | None, min_values: int | None, problems: Problems, place: Path) -> None:
    """In modals `required` defaults to true, and then min_values 0 contradicts it (contract 3.1)."""
    if required is not False and min_values == 0:
        problems.add(
            (*place, "min_values"),
            "NUMBER_TYPE_MIN",
            "min_values must be at least 1 (or left out) while the component is required.",
        )


def _attachments(component: Component, place: Path) -> Iterator[tuple[str, Path]]:
    urls: list[tuple[str, Path]] = []
    match component:
        case Thumbnail():
            urls = [(component.media.url, (*place, "media", "url"))]
        case MediaGallery():
            urls = [
                (item.media.url, (*place, "items", index, "media", "url"))
                for index, item in enumerate(component.items)
            ]
        case File():
            urls = [(component.file.url, (*place, "file", "url"))]
        case _:
            pass
    for url, spot in urls:
        if url.startswith("attachment://"):
            yield url.removeprefix("attachment://"), spot
