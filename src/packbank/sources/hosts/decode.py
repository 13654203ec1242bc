"""Messages of another host as values; whatever is none is refused with a word for it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from math import nan
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from packbank.model.columns import COLUMNS
from packbank.model.identity import Identity
from packbank.sources.hosts.wire import (
    BUSES,
    COLUMN_OF,
    ERROR,
    LARGEST,
    NAME,
    PACKS,
    REPORTED,
    SETTINGS,
    STATUS,
    Announcement,
    PackInfo,
    PackRow,
    Rows,
    State,
    WireError,
)

LONGEST_TEXT = 64  # characters
LARGEST_NUMBER = 1e12
NOTHING = b"\0"  # what a capture shows of a message that is not understood, or too large
_BOOT = re.compile(r"[0-9a-f]{16}")


def look(payload: bytes) -> tuple[str, float]:
    """The boot and the seconds of :func:`~packbank.sources.hosts.wire.encode_look`. Raises WireError."""
    message = _object(payload)
    return _boot(message), _whole(message.get("early")) / 1000.0


def state(payload: bytes) -> State:
    """Raises WireError."""
    message = _object(payload)
    buses = _list(message.get("buses", []), BUSES)
    if not all(isinstance(bus, str) and NAME.fullmatch(bus) for bus in buses):
        raise WireError("message", "a bus without a name")
    up = _whole(message.get("up"))
    if up > 1:
        raise WireError("message", "up is neither 0 nor 1")
    return State(_boot(message), bool(up), _text(message.get("program", "")), tuple(dict.fromkeys(buses)))


def packs(payload: bytes) -> Announcement:
    """Raises WireError."""
    message = _object(payload)
    infos = tuple(_pack_info(pack) for pack in _list(message.get("packs"), PACKS))
    if len({pack.address for pack in infos}) < len(infos):
        raise WireError("message", "a pack twice")
    return Announcement(_boot(message), infos, message.get("listed") is not False)


def rows(payload: bytes) -> Rows:
    """Raises WireError."""
    message = _object(payload)
    names = _list(message.get("columns"), 2 * COLUMNS)
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise WireError("message", "columns that are no different names")
    columns = np.array([COLUMN_OF.get(name, -1) for name in names], dtype=np.intp)
    columns[columns >= 0] = np.where(STATUS[columns[columns >= 0]], columns[columns >= 0], -1)
    sent = _whole(message.get("t"))
    measured = _pack_rows(_list(message.get("rows"), PACKS), columns, sent)
    return Rows(_boot(message), _whole(message.get("seq")), sent, measured, _report(message.get("report", {})))


KINDS: Mapping[str, Callable[[bytes], State | Announcement | Rows]] = {"state": state, "packs": packs, "bus": rows}


def harmless(topic: str, payload: bytes) -> bytes:
    """What of a message may be shown to others: what was understood of it, and nothing else.

    ``topic`` is below that of its host.
    """
    try:
        shown = KINDS[topic.partition("/")[0]](payload).encode().encode()
    except WireError:
        return NOTHING
    return shown if len(shown) <= LARGEST else NOTHING


def _pack_rows(given: Sequence[object], columns: NDArray[np.intp], sent: int) -> tuple[PackRow, ...]:
    """Each row is an address, an age in ms and a number or null for each column; -1 is a column that is not ours."""
    if any(not isinstance(row, list) or len(row) != 2 + len(columns) for row in given):
        raise WireError("message", f"a row that has not {len(columns)} values")
    if not {type(value) for row in given for value in row} <= {float, int, type(None)}:  # type: ignore[attr-defined]
        raise WireError("message", "a row with what is no number")
    try:
        numbers = np.array(given, dtype=np.float64).reshape(len(given), 2 + len(columns))
    except OverflowError:
        raise WireError("message", "a number without end") from None
    if (np.abs(numbers) > LARGEST_NUMBER).any():  # infinite ones too; NaN is "not known", and so is null
        raise WireError("message", "a number without end")
    ours = columns >= 0
    matrix = np.full((len(given), COLUMNS), nan)
    matrix[:, columns[ours]] = numbers[:, 2:][:, ours]
    places = [(_address(row[0]), _whole(row[1])) for row in given]  # type: ignore[index]
    if len({address for address, _ in places}) < len(places):
        raise WireError("message", "a pack twice")
    return tuple([PackRow(address, sent - age, row) for (address, age), row in zip(places, matrix, strict=True)])


def _pack_info(value: object) -> PackInfo:
    if not isinstance(value, dict):
        raise WireError("message", "a pack that is no object")
    identity, settings, read = (value.get(key) for key in ("identity", "settings", "read"))
    if not isinstance(identity, dict) or not isinstance(settings, dict):
        raise WireError("message", "a pack without identity or settings")
    known = {name: _number(value) for name, value in settings.items() if SETTINGS[COLUMN_OF.get(name, 0)]}
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
    known: dict[str, float | str] = {key: report[key] for key in REPORTED if _is_number(report.get(key))}
    error = report.get(ERROR)
    return known | ({ERROR: _text(error)} if isinstance(error, str) else {})


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


def _list(value: object, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise WireError("message", f"is no list of at most {most}")
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
    if not _is_number(value):
        raise WireError("message", "not a finite number")
    return float(value)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and type(value) is not bool and abs(value) <= LARGEST_NUMBER


def _text(value: object) -> str:
    """Letters that can stand in a log; what is too long is cut."""
    if not isinstance(value, str):
        raise WireError("message", "not a text")
    return "".join(letter for letter in value[:LONGEST_TEXT] if letter.isprintable())
