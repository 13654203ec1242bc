"""Every byte of the buses with its direction and time, as JSON lines that ``packbank replay`` reads.

    {"bus": "rack1", "protocol": "jkpb", "started": "2026-03-01T12:00:00+00:00", "t": 8123.4}
    {"t": 8123.5112, "bus": "rack1", "dir": "tx", "hex": "01101620000102..."}
    {"t": 8123.5523, "bus": "rack1", "dir": "rx", "hex": "55aaeb90..."}

``t`` is in seconds of one clock. A bus writes its lines in order, but packs asked in one go together: up to a second
behind the lines of another bus. Passcodes never reach the file.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import IO

from packbank.bms.protocol import Protocol
from packbank.errors import PackbankError
from packbank.sources.serial.link import Tap

LIMIT = 32 * 1024 * 1024  # bytes a file: about three hours of a bus of 15 packs
BEFORE = 512  # bytes looked back at for the beginning of a frame whose secrets come now: longer than any frame

_log = logging.getLogger(__name__)


class CaptureError(PackbankError, OSError):
    """The capture's file cannot be written; the message names it."""


class Capture:
    """A capture file of at most ``limit`` bytes; the one before it is kept as ``FILE.1``. Safe for many threads.

    A file that cannot be opened raises CaptureError; one that fails later ends the capture with a warning, not the bus.
    """

    def __init__(self, path: Path, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._limit = limit
        self._clock = clock
        self._lock = Lock()
        self._protocols: dict[str, str] = {}
        try:
            self._file: IO[bytes] | None = path.open("wb", buffering=0)
        except OSError as error:
            raise CaptureError(f"{path}: cannot write the capture: {error.strerror}") from error

    def tap(self, bus: str, protocol: Protocol) -> Tap:
        """What a link of ``bus`` calls with every byte it sends or receives."""
        before = b""

        def take(direction: str, data: bytes, when: float) -> None:
            nonlocal before
            if direction == "rx":
                window = before + data
                data = protocol.conceal(window)[len(before) :]
                before = window[-BEFORE:]
            self._write({"t": round(when, 4), "bus": bus, "dir": direction, "hex": data.hex()})

        self._protocols[bus] = protocol.name
        self._write(self._header(bus))
        return take

    def close(self) -> None:
        """End the capture; later bytes are ignored."""
        with self._lock:
            if self._file:
                self._file.close()
            self._file = None

    def _header(self, bus: str) -> dict[str, object]:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        return {"bus": bus, "protocol": self._protocols[bus], "started": started, "t": round(self._clock(), 4)}

    def _write(self, line: dict[str, object]) -> None:
        with self._lock:
            if self._file is None:
                return
            try:
                self._file.write(_encoded(line))
                if self._file.tell() >= self._limit:
                    self._rotate(self._file)
            except OSError as error:
                _log.warning("%s: capture ended: %s", self._path, error.strerror)
                self._file.close()
                self._file = None

    def _rotate(self, full: IO[bytes]) -> None:
        full.close()
        self._path.replace(self._path.with_name(self._path.name + ".1"))
        self._file = self._path.open("wb", buffering=0)
        for bus in self._protocols:
            self._file.write(_encoded(self._header(bus)))


def _encoded(line: dict[str, object]) -> bytes:
    return json.dumps(line).encode() + b"\n"
