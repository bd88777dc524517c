"""The typed arguments of a custom id, packed by the annotations of the handler's parameters.

    annotation                                bytes   holds
    bool                                      1       True, False
    an Enum class with up to 256 members      1       the member's place
    int                                       8       -2^63 ... 2^63 - 1
    Annotated[int, Interval(ge=…, le=…)]      1-8     as many as the interval needs
    a NewType of int (UserId, RoleId, …)      8       a snowflake: 0 ... 2^64 - 1
    Annotated[str, Size(n)]                   n + 1   up to n bytes of UTF-8
    any of these | None                       + 1

`Interval` is the one of annotated-types. The worst case of a declaration is known from its types alone, so a
declaration that cannot fit is refused when its module is imported, not when somebody presses the button.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, NewType, Union, get_args, get_origin

from annotated_types import Interval


@dataclass(frozen=True, slots=True)
class Size:
    """The longest UTF-8 form of a text argument, in bytes (1-60)."""

    most: int

    def __post_init__(self) -> None:
        if not 1 <= self.most <= 60:
            raise TypeError("Size must be between 1 and 60 bytes")


@dataclass(frozen=True, slots=True)
class _Packer:
    """One argument type. `pack` raises ValueError; `unpack` takes and returns the offset."""

    name: str
    most: int
    pack: Callable[[Any], bytes] = field(repr=False)
    unpack: Callable[[bytes, int], tuple[Any, int]] = field(repr=False)


class UnsupportedType(TypeError):
    """A parameter's annotation cannot be packed into a custom id."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one route, in order."""

    packers: tuple[tuple[str, _Packer], ...]

    @classmethod
    def of(cls, annotations: Mapping[str, Any]) -> Arguments:
        """Build from parameter names and resolved annotations. Raises UnsupportedType."""
        packers = []
        for name, annotation in annotations.items():
            try:
                packers.append((name, _packer(annotation)))
            except TypeError as error:
                raise UnsupportedType(f"parameter {name!r}: {error}") from None
        return cls(tuple(packers))

    @property
    def most(self) -> int:
        """The bytes of the longest possible arguments."""
        return sum(packer.most for _, packer in self.packers)

    @property
    def signature(self) -> str:
        """Names and types, so that an id packed for other parameters is recognised as another release's."""
        return ",".join(f"{name}:{packer.name}" for name, packer in self.packers)

    def pack(self, values: Mapping[str, Any]) -> bytes:
        """Pack the values. Raises TypeError for missing or surplus names, ValueError for unfit values."""
        names = [name for name, _ in self.packers]
        if set(names) != set(values):
            raise TypeError(f"expects the arguments {names}, got {sorted(values)}")
        parts = []
        for name, packer in self.packers:
            try:
                parts.append(packer.pack(values[name]))
            except (ValueError, AttributeError, TypeError, OverflowError) as error:
                raise ValueError(f"argument {name!r} is not a {packer.name}: {error}") from None
        return b"".join(parts)

    def unpack(self, data: bytes) -> dict[str, Any]:
        """Unpack what `pack` made. Raises ValueError when the bytes do not fit exactly."""
        values: dict[str, Any] = {}
        offset = 0
        for name, packer in self.packers:
            values[name], offset = packer.unpack(data, offset)
        if offset != len(data):
            raise ValueError("bytes are left over")
        return values


def _packer(annotation: Any) -> _Packer:
    metadata: tuple[Any, ...] = ()
    if get_origin(annotation) is Annotated:
        annotation, *rest = get_args(annotation)
        metadata = tuple(rest)
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not types.NoneType]
        if len(inner) != 1:
            raise UnsupportedType("a union can only be with None")
        return _optional(_packer(Annotated[(inner[0], *metadata)] if metadata else inner[0]))
    if annotation is bool:
        return _whole("bool", 1, signed=False, low=0, high=1, convert=bool)
    if isinstance(annotation, NewType) and annotation.__supertype__ is int:
        return _whole("snowflake", 8, signed=False, low=0, high=2**64 - 1)
    if annotation is int:
        return _interval(next((part for part in metadata if isinstance(part, Interval)), None))
    if annotation is str:
        size = next((part for part in metadata if isinstance(part, Size)), None)
        if size is None:
            raise UnsupportedType("a text needs its size: Annotated[str, Size(20)]")
        return _text(size.most)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _enum(annotation)
    raise UnsupportedType(
        f"{annotation!r} cannot be packed; use int, a snowflake NewType, str, bool, an Enum"
    )


def _whole(
    name: str, width: int, *, signed: bool, low: int, high: int, convert: Callable[[int], Any] = int
) -> _Packer:
    def pack(value: Any) -> bytes:
        if not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{value!r} is not between {low} and {high}")
        return int(value).to_bytes(width, "big", signed=signed)

    def unpack(data: bytes, offset: int) -> tuple[Any, int]:
        number = int.from_bytes(_take(data, offset, width), "big", signed=signed)
        if not low <= number <= high:
            raise ValueError("out of range")
        return convert(number), offset + width

    return _Packer(name, width, pack, unpack)


def _interval(interval: Interval | None) -> _Packer:
    if interval is None:
        return _whole("int", 8, signed=True, low=-(2**63), high=2**63 - 1)
    low, high = interval.ge, interval.le
    if not isinstance(low, int) or not isinstance(high, int) or low > high:
        raise UnsupportedType("an Interval needs whole numbers for ge and le")
    signed = low < 0
    bits = max((-low - 1).bit_length(), max(high, 0).bit_length()) + 1 if signed else high.bit_length()
    width = max(1, -(-bits // 8))
    if width > 8:
        raise UnsupportedType("an Interval wider than 64 bits cannot be packed")
    return _whole(f"int[{low},{high}]", width, signed=signed, low=low, high=high)


def _text(most: int) -> _Packer:
    def pack(value: str) -> bytes:
        data = value.encode("utf-8")
        if len(data) > most:
            raise ValueError(f"{len(data)} bytes of UTF-8, at most {most} fit")
        return bytes([len(data)]) + data

    def unpack(data: bytes, offset: int) -> tuple[str, int]:
        length = _take(data, offset, 1)[0]
        return _take(data, offset + 1, length).decode("utf-8"), offset + 1 + length

    return _Packer(f"str[{most}]", most + 1, pack, unpack)


def _enum(kind: type[Enum]) -> _Packer:
    members = list(kind)
    if not 1 <= len(members) <= 256:
        raise UnsupportedType(f"{kind.__name__} must have 1 to 256 members")

    def pack(value: Any) -> bytes:
        return bytes([members.index(kind(value))])

    def unpack(data: bytes, offset: int) -> tuple[Enum, int]:
        place = _take(data, offset, 1)[0]
        if place >= len(members):
            raise ValueError("no such member")
        return members[place], offset + 1

    return _Packer(f"enum[{'|'.join(member.name for member in members)}]", 1, pack, unpack)


def _optional(inner: _Packer) -> _Packer:
    def pack(value: Any) -> bytes:
        return b"\0" if value is None else b"\1" + inner.pack(value)

    def unpack(data: bytes, offset: int) -> tuple[Any, int]:
        present = _take(data, offset, 1)[0]
        return (None, offset + 1) if not present else inner.unpack(data, offset + 1)

    return _Packer(f"{inner.name}?", inner.most + 1, pack, unpack)


def _take(data: bytes, offset: int, length: int) -> bytes:
    part = data[offset : offset + length]
    if len(part) != length:
        raise ValueError("bytes are missing")
    return part
