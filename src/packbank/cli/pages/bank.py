"""The bank: what it is, its limits with their reasons, alarms, buses, and a table of the packs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from packbank.cli.pages.words import (
    BANK_ROWS,
    BUS_ROWS,
    INDENT,
    Line,
    Report,
    Style,
    cut,
    duration,
    explained,
    flowed,
    known,
    padded,
    printable,
    say,
    width_of,
    without_unit,
)
from packbank.model.battery import Presence
from packbank.model.catalogue import PACK
from packbank.model.columns import Alarm
from packbank.model.reasons import LEVELS
from packbank.outputs.terminal import GAP, WIDEST, fitting

LIMITS = {"CVL": "charge_voltage_limit", "CCL": "charge_current_limit", "DCL": "discharge_current_limit"}
SILENT = (Alarm.BMS_CABLE.venus, Presence.LOST)  # an alarm that a pack cannot report itself
LONGEST_NAME = 24  # columns of a name in the table
PRESENCE_STYLES = {Presence.HELD: Style.WARNING, Presence.JOINING: Style.WARNING, Presence.LOST: Style.ALARM}
EXTREMES = (("lowest_cell", "highest_cell"), ("lowest_temperature", "highest_temperature"))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the packs' table, a value and its text for each pack."""

    head: str
    values: Sequence[Any]  # None: not known
    texts: Sequence[str]
    rank: int = 0  # the lowest are shown first where room is short, 0 always
    left: bool = False  # its texts stand at the left

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return max(WIDEST.get(self.head, 0), *map(width_of, (self.head, *self.texts)))


def bank_page(report: Report, width: int) -> list[Line]:
    """The whole page."""
    columns = pack_columns(report, width)
    rows = range(len(report["packs"]))
    return [
        *summary(report, width),
        *extremes(report, width),
        *buses(report, width),
        Line(""),
        Line(row_text(columns, None), Style.TITLE),
        *(Line(row_text(columns, index), presence_style(report["packs"][index])) for index in rows),
    ]


def summary(report: Report, width: int) -> list[Line]:
    """What the bank is, its limits with their reasons, its charge stage and its alarms."""
    total = f"{report['online']} of {len(report['packs'])} packs"
    measured = [say(BANK_ROWS[key], report) for key in ("voltage", "current", "power", "soc")]
    left, whole = (without_unit(BANK_ROWS[key], report[key]) for key in ("remaining_capacity", "installed_capacity"))
    to_go = report["time_to_go"]
    ends = [f"empty in {duration(to_go)}"] if to_go is not None and (report["current"] or 0.0) < 0.0 else []
    limits = [
        f"{name} {say(BANK_ROWS[f'{key}.value'], report)}: {report[key]['reason'] or 'no reason known'}"
        for name, key in LIMITS.items()
    ]
    raised = alarms(report)
    stage = [f"charge stage: {report['charge_mode'] or '-'}"]
    stage += [] if report["ready"] else ["not published: the settings of some packs are not read yet"]
    stage += [] if raised else ["alarms: none"]
    return [
        *(Line(text, Style.TITLE) for text in flowed([total, *measured, f"{left} of {whole} Ah", *ends], width)),
        *(Line(printable(text)) for text in limits),
        *(Line(printable(text)) for text in flowed(stage, width)),
        *raised,
    ]


def alarms(report: Report) -> list[Line]:
    """A line for each alarm that is on in ``report``, a bank or a pack; a bank's names the packs that raise it."""
    return [_alarm(name, level, report.get("packs", ())) for name, level in report["alarms"].items() if level]


def _alarm(name: str, level: int, packs: Sequence[Report]) -> Line:
    raising = ", ".join(pack["name"] for pack in packs if pack["alarms"][name] or (name, pack["presence"]) == SILENT)
    text = f"{LEVELS[level].upper()} {name}: {explained(BANK_ROWS[f'alarms.{name}'])}{raising and f' ({raising})'}"
    return Line(printable(text), Style.WARNING if level == 1 else Style.ALARM)


def extremes(report: Report, width: int) -> list[Line]:
    """The lowest and highest cell and temperature, with their places."""
    of_cells, of_sensors = (f"{_extreme(report, low)} to {_extreme(report, high)}" for low, high in EXTREMES)
    return [Line(text) for text in flowed([f"cells {of_cells}", of_sensors], width, INDENT)]


def buses(report: Report, width: int) -> Iterator[Line]:
    """How each bus is doing; counts that are 0 are left out."""
    for bus in report["buses"]:
        if bus["error"]:
            yield Line(printable(f"{bus['name']}: {bus['error']}"), Style.ALARM)
            continue
        counts = {key: bus[key] for key in ("answers", "missed", "retries", "lost")}
        counts["refused"] = sum(bus["refused"].values())
        parts = [f"{bus['name']}: {bus['state']}", f"round {say(BUS_ROWS['round_time'], bus)}"]
        parts += [f"{count} {name}" for name, count in counts.items() if count]
        yield from (Line(printable(text)) for text in flowed(parts, width, INDENT, ", "))
        yield from map(trouble_line, bus["troubles"])


def trouble_line(trouble: Report) -> Line:
    """A pack that is heard, but not read as it should be."""
    return Line(printable(f"{INDENT}{trouble['address']:#04x}: {trouble['text']}; {trouble['remedy']}"), Style.WARNING)


def presence_style(pack: Report) -> Style:
    """How the line of a pack stands out."""
    return PRESENCE_STYLES.get(pack["presence"], Style.PLAIN)


def pack_columns(report: Report, width: int) -> list[Column]:
    """The columns of the packs' table that ``width`` holds uncut."""
    packs = report["packs"]
    names = [cut(printable(pack["name"]), LONGEST_NAME) for pack in packs]
    presences = [pack["presence"] for pack in packs]
    numbers = range(1, len(packs) + 1)
    columns = [
        Column("#", numbers, [str(number) for number in numbers]),
        Column("pack", names, names, left=True),
        Column("state", presences, presences, left=True),
    ]
    for row in (row for row in PACK if row.rank):
        values = [known(pack, row.key) for pack in packs]
        columns.append(Column(row.column, values, [without_unit(row, value) for value in values], row.rank))
    ranks = [column.rank for column in columns]
    return [columns[index] for index in fitting(ranks, [GAP + column.width for column in columns], width + GAP)]


def row_text(columns: Sequence[Column], index: int | None) -> str:
    """The line of pack ``index`` in the table; of None the heads."""
    texts = (column.head if index is None else column.texts[index] for column in columns)
    return (" " * GAP).join(
        padded(text, column.width, left=column.left) for text, column in zip(texts, columns, strict=True)
    )


def _extreme(report: Report, key: str) -> str:
    """``"3.301 V (P2C4)"``."""
    place = known(report, f"{key}.id")
    return say(BANK_ROWS[f"{key}.value"], report) + (f" ({place})" if place else "")
