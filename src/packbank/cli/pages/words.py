"""Values of the catalogue as people read them, and lines of a given width."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any
from unicodedata import combining, east_asian_width

from packbank.model.catalogue import BANK, BUS, PACK, Quantity, Unit

INDENT = "  "
DURATIONS_FROM = 120.0  # s; less is said in seconds

Report = dict[str, Any]
BANK_ROWS, PACK_ROWS, BUS_ROWS = ({row.key: row for row in table} for table in (BANK, PACK, BUS))


class Style(Enum):
    """How a terminal may show a line; its words say the same without."""

    PLAIN = ""
    TITLE = "title"
    WARNING = "warning"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page."""

    text: str
    style: Style = Style.PLAIN


def known(report: Report, key: str) -> Any:
    """What ``report`` has under a dotted key; None when it is not known."""
    value: Any = report
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def say(row: Quantity[Any], report: Report) -> str:
    """The value of ``row`` in ``report`` with its unit; ``-`` when it is not known."""
    return with_unit(row, known(report, row.key))


def with_unit(row: Quantity[Any], value: Any) -> str:
    """One value of ``row`` with its unit; ``-`` when it is not known."""
    unit = row.unit
    if value is None or value == "":
        return "-"
    if unit is Unit.FLAG:
        return "yes" if value else "no"
    if unit is Unit.MINUTES or (unit is Unit.SECONDS and value >= DURATIONS_FROM):
        return duration(value)
    sign = "+z" if row.key in ("current", "power") else ""
    return f"{without_unit(row, value, sign)} {unit.unit}".rstrip()


def without_unit(row: Quantity[Any], value: Any, sign: str = "") -> str:
    """One value of ``row`` where the unit stands elsewhere; ``-`` when it is not known."""
    if value is None:
        return "-"
    return f"{value:{sign}.{row.unit.digits}f}" if row.unit.kind is float else str(value)


def duration(seconds: float) -> str:
    """``"3 d 4 h"``, ``"4 h 12 min"``, ``"12 min"``."""
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def explained(row: Quantity[Any]) -> str:
    """What ``row`` is, in the catalogue's words, without its code of values."""
    return row.title.partition(":")[0]


def width_of(text: str) -> int:
    """The columns that ``text`` takes in a terminal."""
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def padded(text: str, width: int, *, left: bool = True) -> str:
    """``text`` at the left or the right of ``width`` columns."""
    space = " " * (width - width_of(text))
    return text + space if left else space + text


def cut(text: str, width: int) -> str:
    """``text``, shortened to ``width`` columns where it does not fit."""
    if width_of(text) <= width:
        return text
    while text and width_of(text) >= width:
        text = text[:-1]
    return text + "…"


def printable(text: str) -> str:
    """``text`` without what a terminal would obey: names come from files and from packs."""
    return "".join(char if char.isprintable() else "?" for char in text)


def flowed(parts: Iterable[str], width: int, indent: str = "", between: str = " · ") -> list[str]:
    """``parts`` side by side in as few lines as hold them uncut; lines after the first begin with ``indent``."""
    lines: list[str] = []
    for part in parts:
        if lines and width_of(lines[-1]) + len(between) + width_of(part) <= width:
            lines[-1] += between + part
        else:
            lines.append(indent + part if lines else part)
    return lines
