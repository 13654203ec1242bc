"""Recorded traffic as events: our own captures, and traces of a bus made with other tools."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packbank.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Event:
    """Bytes of one bus at ``time`` (s, of the recording's clock)."""

    time: float
    bus: str
    sent: bool  # by the recorder itself
    data: bytes


def read_events(path: Path) -> Iterator[Event]:
    """The events of a recording in its own order. Raises ConfigError that names the line that cannot be read.

    Lines are those of :mod:`packbank.sources.serial.capture`, or of a trace with ``capture``, ``t_end_ms`` and ``hex``.
    """
    with _open(path) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                if isinstance(record, dict) and "hex" in record:
                    yield _event(record)
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"{path}, line {number}: not a line of a capture ({error!r})") from error


def read_protocols(path: Path) -> dict[str, str]:
    """The protocol of each bus, where the recording says it."""
    with _open(path) as lines:
        headers = (json.loads(line) for line in lines if '"protocol"' in line)
        return {header["bus"]: header["protocol"] for header in headers}


def _open(path: Path) -> Any:
    try:
        return path.open(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _event(record: Mapping[str, Any]) -> Event:
    data = bytes.fromhex(record["hex"])
    if "capture" in record:
        return Event(record["t_end_ms"] / 1000.0, record["capture"], sent=False, data=data)
    return Event(record["t"], record["bus"], sent=record["dir"] == "tx", data=data)
