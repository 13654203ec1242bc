"""What travels between hosts: topics, and three kinds of JSON messages. Pure; docs/hosts.md describes them.

``state`` says which start of the program (*boot*) is sending and which buses it has, ``packs`` who its packs are and
how their BMSes are set, ``bus`` what they measure now. The bank says with ``look`` when it looks, so that rows
are sent shortly before. Times are ms of the sender's monotonic clock: never an hour of
the day. An unknown key is passed over, so that a newer sender can say more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from math import isfinite, nan
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
DIGITS = 6  # behind the point: a cell's resistance is sent in 1e-6 ohm
LONGEST_TEXT = 64
LARGEST_NUMBER = 1e12
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_BOOT = re.compile(r"[0-9a-f]{16}")

NAMES: tuple[str, ...] = (
    *(f"cell_{number + 1}" for number in range(CELL_VOLTAGES.stop)),
    *(f"resistance_{number + 1}" for number in range(CELL_RESISTANCES.stop - CELL_RESISTANCES.start)),
    *(column.key for column in Column),
    *(f"alarm_{alarm.name.lower()}" for alarm in Alarm),
)
_COLUMNS = {name: column for column, name in enumerate(NAMES)}
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
        return f"{self._root}/state"

    def packs(self, bus: str) -> str:
        """Retained."""
        return f"{self._root}/packs/{bus}"

    def rows(self, bus: str) -> str:
        """Once a second, never retained."""
        return f"{self._root}/bus/{bus}"

    @property
    def look(self) -> str:
        """From the bank: when it looks."""
        return f"{self._root}/look"

    @property
    def everything(self) -> str:
        """A pattern for all of them."""
        return f"{self._root}/#"

    def parse(self, topic: str) -> tuple[str, str]:
        """The kind, ``state``, ``packs`` or ``bus``, and the bus's name; two empty texts when it is none of ours."""
        kind, _, bus = topic.removeprefix(f"{self._root}/").partition("/")
        known = (kind == "state" and not bus) or (kind in {"packs", "bus"} and _NAME.fullmatch(bus) is not None)
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


def decode_look(payload: bytes) -> tuple[str, float]:
    """The boot and the seconds of :func:`encode_look`. Raises WireError."""
    message = _object(payload)
    return _boot(message), _whole(message.get("early")) / 1000.0


def decode_state(payload: bytes) -> State:
    """Raises WireError."""
    message = _object(payload)
    buses = _list(message.get("buses", []), 64)
    if not all(isinstance(bus, str) and _NAME.fullmatch(bus) for bus in buses):
        raise WireError("message", "a bus without a name")
    up = _whole(message.get("up"))
    if up > 1:
        raise WireError("message", "up is neither 0 nor 1")
    return State(_boot(message), bool(up), _text(message.get("program", "")), tuple(dict.fromkeys(buses)))


def decode_packs(payload: bytes) -> Announcement:
    """Raises WireError."""
    message = _object(payload)
    packs = tuple(_pack_info(pack) for pack in _list(message.get("packs"), PACKS))
    if len({pack.address for pack in packs}) < len(packs):
        raise WireError("message", "a pack twice")
    return Announcement(_boot(message), packs, message.get("listed") is not False)


def decode_rows(payload: bytes) -> Rows:
    """Raises WireError."""
    message = _object(payload)
    names = _list(message.get("columns"), 2 * COLUMNS)
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise WireError("message", "columns that are no different names")
    columns = np.array([_COLUMNS.get(name, -1) for name in names], dtype=np.intp)
    columns[columns >= 0] = np.where(STATUS[columns[columns >= 0]], columns[columns >= 0], -1)
    sent = _whole(message.get("t"))
    packs = _pack_rows(_list(message.get("rows"), PACKS), columns, sent)
    return Rows(_boot(message), _whole(message.get("seq")), sent, packs, _report(message.get("report", {})))


def settings_of(row: Row) -> dict[str, float]:
    """The settings that a row knows, by name."""
    known = np.flatnonzero(SETTINGS & ~np.isnan(row))
    return {NAMES[column]: round(float(row[column]), DIGITS) for column in known.tolist()}


def row_of(settings: Mapping[str, float]) -> Row:
    """A row that knows these settings only."""
    row = np.full(COLUMNS, nan)
    for name, value in settings.items():
        row[_COLUMNS[name]] = value
    return row


def _pack_rows(rows: Sequence[object], columns: NDArray[np.intp], sent: int) -> tuple[PackRow, ...]:
    """Each row is an address, an age in ms and a number or null for each column; -1 is a column that is not ours."""
    if any(not isinstance(row, list) or len(row) != 2 + len(columns) for row in rows):
        raise WireError("message", f"a row that has not {len(columns)} values")
    if not {type(value) for row in rows for value in row} <= {float, int, type(None)}:  # type: ignore[attr-defined]
        raise WireError("message", "a row with what is no number")
    try:
        numbers = np.array(rows, dtype=np.float64).reshape(len(rows), 2 + len(columns))
    except OverflowError:
        raise WireError("message", "a number without end") from None
    if (np.abs(numbers) > LARGEST_NUMBER).any():  # infinite ones too; NaN is "not known", and so is null
        raise WireError("message", "a number without end")
    ours = columns >= 0
    matrix = np.full((len(rows), COLUMNS), nan)
    matrix[:, columns[ours]] = numbers[:, 2:][:, ours]
    places = [(_address(row[0]), _whole(row[1])) for row in rows]  # type: ignore[index]
    if len({address for address, _ in places}) < len(places):
        raise WireError("message", "a pack twice")
    return tuple([PackRow(address, sent - age, row) for (address, age), row in zip(places, matrix, strict=True)])


def _pack_info(value: object) -> PackInfo:
    if not isinstance(value, dict):
        raise WireError("message", "a pack that is no object")
    identity, settings, read = (value.get(key) for key in ("identity", "settings", "read"))
    if not isinstance(identity, dict) or not isinstance(settings, dict):
        raise WireError("message", "a pack without identity or settings")
    known = {name: _number(value) for name, value in settings.items() if SETTINGS[_COLUMNS.get(name, 0)]}
    return PackInfo(_address(value.get("address")), _identity(identity), known, None if read is None else _whole(read))


def _identity(identity: Mapping[str, object]) -> Identity:
    values: dict[str, Any] = {}
    for one in fields(Identity):
        value = identity.get(one.name, one.default)
        values[one.name] = _text(value) if isinstance(one.default, str) else None if value is None else _whole(value)
    return Identity(**values)


def _report(report: object) -> dict[str, float | str]:
    """What is understood of it: it is for people only."""
    if not isinstance(report, dict):
        return {}
    numbers = {key: value for key, value in report.items() if type(value) in {int, float} and isfinite(value)}
    return {**numbers, **{key: _text(value) for key, value in report.items() if isinstance(value, str)}}


def _object(payload: bytes) -> dict[str, Any]:
    if len(payload) > LARGEST:
        raise WireError("large", f"{len(payload)} bytes")
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise WireError("json", "is not JSON") from None
    if not isinstance(message, dict):
        raise WireError("message", "is no object")
    return message


def _list(value: object, most: int, at_least: int = 0) -> list[Any]:
    if not isinstance(value, list) or not at_least <= len(value) <= most:
        raise WireError("message", f"is no list of {at_least} to {most}")
    return value


def _boot(message: Mapping[str, object]) -> str:
    boot = message.get("boot")
    if not isinstance(boot, str) or not _BOOT.fullmatch(boot):
        raise WireError("message", "without a boot of 16 hexadecimal digits")
    return boot


def _address(value: object) -> int:
    address = _whole(value)
    if address >= PACKS:
        raise WireError("message", f"{address} is no address")
    return address


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_NUMBER:
        raise WireError("message", "not a whole number from 0")
    return value


def _number(value: object) -> float:
    if type(value) not in {int, float} or not abs(value) <= LARGEST_NUMBER:  # type: ignore[arg-type]
        raise WireError("message", "not a finite number")
    return float(value)  # type: ignore[arg-type]


def _text(value: object) -> str:
    """Letters that can stand in a log; what is too long is cut."""
    if not isinstance(value, str):
        raise WireError("message", "not a text")
    return "".join(letter for letter in value[:LONGEST_TEXT] if letter.isprintable())
