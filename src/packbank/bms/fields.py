"""The rows of a field table: where a quantity stands in a message, and where it goes in a row of the matrix.

A protocol writes its messages down as tuples of :class:`Field` and :class:`Flag`; a
:class:`packbank.cext.layout.Layout` compiles them once and then decodes messages into rows and encodes rows
into messages. Offsets count bytes from the start of the message. Texts are :class:`Text` rows, which only an
identity needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from packbank.model.columns import Alarm

Kind = Literal["u8", "i8", "u16", "i16", "u32", "i32"]


class Bit(NamedTuple):
    """Bit ``bit`` (0 is the lowest, 8 the lowest of the next byte) from byte ``offset`` on."""

    offset: int
    bit: int
    when: int = 1  # the value the bit has while the field is there


class Field(NamedTuple):
    """A number, or ``count`` of them in a row, for the columns ``column`` and following.

    ``value = (raw + shift) * scale``; a scale that is the inverse of a whole number divides by it, so 52695 at 0.001
    is exactly 52.695. The value is ``NaN`` when raw (after the mask) equals ``absent`` or when the bit ``present``
    (the next one for each further element) is not as it should be.

    Encoding is the inverse: the nearest raw value, clamped to what ``kind`` holds. ``NaN`` becomes ``absent``; without
    ``absent`` it leaves the bytes as they are, 0 in a new message. A bit ``present`` is set when a value is there, also
    that of another field with the same bit, else cleared.
    """

    column: int
    offset: int
    kind: Kind
    scale: float = 1.0
    shift: float = 0.0
    absent: int | None = None
    present: Bit | None = None
    mask: int | None = None  # raw & mask, moved down to the mask's lowest bit
    count: int = 1  # type: ignore[assignment]  # hides tuple.count, of no use in a row
    stride: int = 0  # bytes from element to element; 0: they touch
    sign: int | None = None  # a column decoded by an earlier field: the raw value is a magnitude with its sign
    source: str = ""  # where the offset and the scale come from


class Flag(NamedTuple):
    """While any bit of ``mask`` is set, ``column`` is at least ``level``; 0 when no flag of that column says so.

    Encoding sets the first flag of a column that has its level, unless fields have already set one.
    """

    column: int
    offset: int
    kind: Kind
    mask: int
    level: int
    source: str = ""


Bits = Mapping[tuple[int, int], tuple[str, Alarm, int]]
"""Alarm bits: (byte, mask) -> name, alarm, level."""


def flags_of(bits: Bits, at: int, source: str) -> list[Flag]:
    """The rows of a table of alarm bits whose bytes count from ``at``."""
    return [
        Flag(alarm.column, at + byte, "u8", mask, level, f"{source}: {name}")
        for (byte, mask), (name, alarm, level) in bits.items()
    ]


def names_of(bits: Bits, message: bytes, at: int) -> list[str]:
    """The names of the alarm bits that a message has set; their bytes count from ``at``."""
    return [name for (byte, mask), (name, _, _) in bits.items() if message[at + byte] & mask]


class Text(NamedTuple):
    """A text of up to ``length`` bytes that ends at its first NUL."""

    name: str
    offset: int
    length: int
    source: str = ""

    def decode(self, message: bytes) -> str:
        """The text with what is not printable ASCII as ``?``, without outer blanks."""
        raw = message[self.offset : self.offset + self.length].split(b"\0", 1)[0]
        return "".join(chr(c) if 32 <= c < 127 else "?" for c in raw).strip()


def columns_of(rows: Sequence[Field | Flag]) -> frozenset[int]:
    """The columns that a table can fill."""
    return frozenset(
        column
        for row in rows
        for column in range(row.column, row.column + (row.count if isinstance(row, Field) else 1))
    )
