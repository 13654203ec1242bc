"""Recorded traffic as events: our own captures, traces of a bus made with other tools, and lines of plain hex.

What another host sent is an event with a topic, and its bus is that host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
from math import inf, isfinite
from pathlib import Path
from typing import Any

from packbank.bms import registry
from packbank.config.model import REMOTE
from packbank.errors import ConfigError
from packbank.hextext import lines_of, parse_hex

HEX_EVERY = 1.0  # s between two lines of plain hex, which do not say when they were heard
HEX_BUS = "log"
LATE = 2.0  # s that a line may be behind the lines of another bus
LONGEST_GAP = 900.0  # s; a longer one is shortened to it, since nothing changes any more
MOST_BUSES = 64
CUT_SHORT = re.compile(r"\{[^}]*\n?")
COMPRESSED = {
    b"\x1f\x8b": "gunzip",
    b"BZh": "bunzip2",
    b"\xfd7zXZ": "unxz",
    b"PK": "unzip",
    b"\x28\xb5\x2f\xfd": "unzstd",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Bytes of one bus at ``time`` (s, of the recording's clock)."""

    time: float
    bus: str
    sent: bool  # by the recorder itself
    data: bytes
    topic: str = ""  # of a message of another host, below that host; empty: bytes of a bus
    retained: bool = False  # that message had been kept by the broker


@dataclass(frozen=True, slots=True)
class Header:
    """A capture begins here, maybe after an older one in the same file: the protocol of one bus."""

    bus: str
    protocol: str


def read_events(path: Path) -> Iterator[Event]:
    """The events of a recording in the order of time. Raises ConfigError that names the line that cannot be read.

    Lines are those of :mod:`packbank.sources.serial.capture`, of a trace with ``capture``, ``t_end_ms`` and ``hex``, or
    the bytes of an answer in hex. The clock of a capture that went on after a restart goes on, too, and a gap of more
    than :data:`LONGEST_GAP` becomes one of that length.
    """
    waiting: list[tuple[float, int, Event]] = []
    newest, shift, last = -inf, 0.0, -inf
    for number, recorded in enumerate(record for record in _records(path) if isinstance(record, Event)):
        time = recorded.time + shift
        if newest > -inf and not newest - LATE <= time <= newest + LONGEST_GAP:
            goal = newest if time < newest else newest + LONGEST_GAP
            shift, time = shift + goal - time, goal
        newest = max(newest, time)
        heappush(waiting, (time, number, recorded))
        while waiting[0][0] < newest - LATE:
            due, _, event = heappop(waiting)
            last = max(last, due)
            yield replace(event, time=last)
    while waiting:
        due, _, event = heappop(waiting)
        yield replace(event, time=max(last, due))


def read_protocols(path: Path) -> dict[str, str]:
    """The protocol of each bus, where the recording says it."""
    return {header.bus: header.protocol for header in _records(path) if isinstance(header, Header)}


def read_buses(path: Path) -> list[str]:
    """The buses and hosts of the recording that have traffic, in the order in which they appear."""
    buses = dict[str, None]()
    for record in _records(path):
        if isinstance(record, Event):
            buses.setdefault(record.bus)
        if len(buses) > MOST_BUSES:
            raise ConfigError(f"{path}: more than {MOST_BUSES} buses; it is not a capture of packbank")
    return list(buses)


def _records(path: Path) -> Iterator[Event | Header]:
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path} is not a file; give the one that 'packbank run --capture FILE' made")
        with path.open("rb") as file:
            head = file.read(6)
            file.seek(0)
            for magic, program in COMPRESSED.items():
                if head.startswith(magic):
                    raise ConfigError(f"{path}: is compressed; '{program} {path}' first")
            number, known = 0, False
            try:
                for number, line in zip(count(1), lines_of(file), strict=False):
                    if known and CUT_SHORT.fullmatch(line):  # by a power cut
                        continue
                    if record := _record(line, number):
                        known = True
                        yield record
            except (ValueError, RecursionError, OverflowError) as error:
                what = str(error)[:100] or "nested too deep"
                where = f"{path}, line {max(number, 1)}"
                raise ConfigError(f"{where}: neither a line of a capture nor hex ({what})") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _record(line: str, number: int) -> Event | Header | None:
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    if not text.startswith("{"):
        return Event(number * HEX_EVERY, HEX_BUS, sent=False, data=parse_hex(text))
    record = json.loads(text)
    if "protocol" in record and "hex" not in record:
        protocol = _text(record, "protocol")
        if protocol not in (*registry.NAMES, REMOTE):
            raise ValueError(f"protocol {protocol[:40]!r} is not known")
        return Header(_text(record, "bus"), protocol)
    if "hex" not in record:
        return None
    data = bytes.fromhex(_text(record, "hex"))
    if "capture" in record:
        return Event(_seconds(record, "t_end_ms") / 1000.0, _text(record, "capture"), sent=False, data=data)
    if (direction := _text(record, "dir")) not in ("tx", "rx"):
        raise ValueError(f"dir is {direction[:40]!r}, neither tx nor rx")
    topic = _text(record, "topic") if "topic" in record else ""
    kept = record.get("retained") is True
    return Event(_seconds(record, "t"), _text(record, "bus"), direction == "tx", data, topic, retained=kept)


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is {'missing' if value is None else 'no text'}")
    return value


def _seconds(record: Mapping[str, Any], key: str) -> float:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{key} is {'missing' if value is None else 'no time'}")
    return float(value)
