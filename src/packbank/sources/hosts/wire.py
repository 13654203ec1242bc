"""What travels between hosts: topics, and three kinds of JSON messages. Pure; docs/hosts.md describes them.

:mod:`packbank.sources.hosts.decode` reads them.

``state`` says which start of the program (*boot*) is sending and which buses it has, ``packs`` who its packs are and
how their BMSes are set, ``bus`` what they measure now. The bank says with ``look`` when it looks, so that rows
are sent shortly before. Times are ms of the sender's monotonic clock: never an hour of
the day. An unknown key is passed over, so that a newer sender can say more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.bms.protocol import Row
from packbank.errors import FrameError
from packbank.model.columns import CELL_RESISTANCES, CELL_VOLTAGES, COLUMNS, Alarm, Column
from packbank.model.identity import Identity

SCHEMA = 1
LARGEST = 131_072  # bytes of a message: a bus of 64 packs needs 40 000
PACKS = 256  # of a bus
BUSES = 64  # of a host
DIGITS = 6  # behind the point: a cell's resistance is sent in 1e-6 ohm
NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")

REPORTED = (
    "silence", "rounds", "round_time", "round_time_mean", "requests", "missed", "retries", "lost", "foreign",
    "reopened", "line_use", "wakeups",
)  # fmt: skip
ERROR = "error"  # the one text of a report

NAMES: tuple[str, ...] = (
    *(f"cell_{number + 1}" for number in range(CELL_VOLTAGES.stop)),
    *(f"resistance_{number + 1}" for number in range(CELL_RESISTANCES.stop - CELL_RESISTANCES.start)),
    *(column.key for column in Column),
    *(f"alarm_{alarm.name.lower()}" for alarm in Alarm),
)
COLUMN_OF = {name: column for column, name in enumerate(NAMES)}
_TIMES = (Column.STATUS_TIME, Column.SETTINGS_TIME)
# Settings that a limit depends on, or that some BMS changes by itself: they come with every row, so that a lower limit
# holds within a second and the others are announced seldom.
LIVE = (
    Column.CELL_COUNT,
    Column.CELL_UVP,
    Column.CELL_OVP,
    Column.CELL_CHARGE_REQUEST,
    Column.CELL_FLOAT_REQUEST,
    Column.CHARGE_CURRENT_LIMIT,
    Column.DISCHARGE_CURRENT_LIMIT,
    Column.CHARGE_ENABLED,
    Column.DISCHARGE_ENABLED,
)
SETTINGS = np.zeros(COLUMNS, dtype=np.bool_)
SETTINGS[Column.CELL_COUNT : Column.DEVICE_ADDRESS + 1] = True
SETTINGS[list(LIVE)] = False
STATUS = ~SETTINGS
STATUS[list(_TIMES)] = False


class WireError(FrameError):
    """A message that is not used; ``reason`` is the word that it is counted under."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one host of one bank."""

    bank: str
    host: str

    @property
    def state(self) -> str:
        """Retained, and the will."""
        return self.below("state")

    def packs(self, bus: str) -> str:
        """Retained."""
        return self.below(f"packs/{bus}")

    def rows(self, bus: str) -> str:
        """Once a second, never retained."""
        return self.below(f"bus/{bus}")

    @property
    def look(self) -> str:
        """From the bank: when it looks."""
        return self.below("look")

    @property
    def everything(self) -> str:
        """A pattern for all of them."""
        return self.below("#")

    def below(self, topic: str) -> str:
        """The whole topic of one that is given below this host."""
        return f"{self._root}/{topic}"

    def parse(self, topic: str) -> tuple[str, str]:
        """The kind, ``state``, ``packs`` or ``bus``, and the bus's name; two empty texts when it is none of ours."""
        kind, _, bus = topic.removeprefix(f"{self._root}/").partition("/")
        known = (kind == "state" and not bus) or (kind in {"packs", "bus"} and NAME.fullmatch(bus) is not None)
        return (kind, bus) if known and topic.startswith(f"{self._root}/") else ("", "")

    @property
    def _root(self) -> str:
        return f"packbank/{SCHEMA}/{self.bank}/{self.host}"


@dataclass(frozen=True, slots=True)
class State:
    """Which start of a sender this is, and whether it lives."""

    boot: str  # 16 hexadecimal digits, new at each start
    up: bool
    program: str = ""
    buses: tuple[str, ...] = ()

    def encode(self) -> str:
        """As JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self), "up": int(self.up)})


@dataclass(frozen=True, slots=True)
class PackInfo:
    """Who a pack is and how it is set."""

    address: int
    identity: Identity = field(default_factory=Identity)
    settings: Mapping[str, float] = field(default_factory=dict)  # by name of the column, what is known
    read: int | None = None  # ms, sender's clock, when the settings were read


@dataclass(frozen=True, slots=True)
class Announcement:
    """The packs of one bus."""

    boot: str
    packs: tuple[PackInfo, ...]
    listed: bool = True  # false: the sender takes in whoever answers

    @property
    def addresses(self) -> tuple[int, ...]:
        """Of all packs, in order."""
        return tuple(sorted([pack.address for pack in self.packs]))

    def encode(self) -> str:
        """As JSON."""
        packs = [{**asdict(pack), "settings": dict(pack.settings)} for pack in self.packs]
        return json.dumps({"boot": self.boot, "listed": self.listed, "packs": packs})


@dataclass(frozen=True, slots=True)
class PackRow:
    """What one pack measured."""

    address: int
    measured: int  # ms, sender's clock
    row: Row  # (COLUMNS,), NaN where nothing was sent


@dataclass(frozen=True, slots=True)
class Rows:
    """All packs of a bus at one instant."""

    boot: str
    seq: int  # counts up for each bus
    sent: int  # ms, sender's clock
    packs: tuple[PackRow, ...]
    report: Mapping[str, float | str] = field(default_factory=dict)  # how the bus is doing, for people

    def encode(self) -> str:
        """As JSON."""
        places = [(pack.address, self.sent - pack.measured) for pack in self.packs]
        matrix = np.array([pack.row for pack in self.packs]).reshape(len(places), COLUMNS)
        return encode_rows(self.boot, self.seq, self.sent, places, matrix, self.report)


def encode_rows(
    boot: str, seq: int, sent: int, packs: Sequence[tuple[int, int]], matrix: NDArray[np.float64],
    report: Mapping[str, float | str],
) -> str:  # fmt: skip
    """``packs`` are addresses and ages in ms, ``matrix`` of shape ``(packs, COLUMNS)`` their rows."""
    known = np.flatnonzero(STATUS & ~np.isnan(matrix).all(axis=0))
    values = np.round(matrix[:, known], DIGITS)
    numbers: list[list[Any]] = values.tolist()
    for pack, column in np.argwhere(np.isnan(values)).tolist():
        numbers[pack][column] = None
    rows = [[address, age, *row] for (address, age), row in zip(packs, numbers, strict=True)]
    columns = [NAMES[column] for column in known.tolist()]
    message = {"boot": boot, "seq": seq, "t": sent, "columns": columns, "rows": rows, "report": report}
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def encode_look(boot: str, early: float) -> str:
    """To the sender ``boot``: its rows come ``early`` seconds before the bank looks."""
    return json.dumps({"boot": boot, "early": round(early * 1000.0)})


def settings_of(row: Row) -> dict[str, float]:
    """The settings that a row knows, by name."""
    known = np.flatnonzero(SETTINGS & ~np.isnan(row))
    return {NAMES[column]: round(float(row[column]), DIGITS) for column in known.tolist()}


def row_of(settings: Mapping[str, float]) -> Row:
    """A row that knows these settings only."""
    row = np.full(COLUMNS, nan)
    for name, value in settings.items():
        row[COLUMN_OF[name]] = value
    return row
