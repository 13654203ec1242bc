"""Every byte of the buses with its direction and time, as JSON lines that ``packbank replay`` reads.

    {"bus": "rack1", "protocol": "jkpb", "started": "2026-03-01T12:00:00+00:00", "t": 8123.4}
    {"t": 8123.5112, "bus": "rack1", "dir": "tx", "hex": "01101620000102..."}
    {"t": 8123.5523, "bus": "rack1", "dir": "rx", "hex": "55aaeb90..."}

``t`` is in seconds of one clock, which begins anew when the machine does. A bus writes its lines in order, but packs
asked in one go together: up to a second behind the lines of another bus. What was received is written when it is sure
that it holds no passcode (:meth:`Protocol.conceal`), all other bytes as zeros.

Messages of another host stand there under its name, with the topic below it and whether the broker had kept them, as
far as they were understood; of others a zero stands there:

    {"bus": "room1", "protocol": "host", "started": "2026-03-01T12:00:00+00:00", "t": 8123.4}
    {"t": 8123.7, "bus": "room1", "dir": "rx", "topic": "bus/bus1", "retained": false, "hex": "7b22626f6f74..."}
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import IO, Any, NamedTuple

from packbank.bms.protocol import Protocol
from packbank.config.model import REMOTE
from packbank.errors import ConfigError
from packbank.mqtt.received import Received
from packbank.sources.serial.link import Tap

LIMIT = 32 * 1024 * 1024  # bytes a file: about three hours of a bus of 15 packs
MINUTES_LIMIT = 8 * 1024 * 1024  # bytes of a capture that somebody asks for
CONTEXT = 512  # bytes before and behind a byte that say what it belongs to: longer than any message
PAUSE = 0.5  # s of silence, over which no message goes on
_HEADER = {"bus", "protocol", "started"}

Ear = Callable[[str, Received], None]  # a message of another host, by its topic below that host
Conceal = Callable[[str, bytes], bytes]  # what may be shown of a message, by the same topic
Retained = Callable[[], Sequence[tuple[str, bytes]]]  # what the host said last on topics that are kept

_log = logging.getLogger(__name__)


class Passed(NamedTuple):
    """Bytes that passed at ``when`` (monotonic s); ``direction`` is ``tx`` or ``rx``."""

    direction: str
    data: bytes
    when: float


class Concealer:
    """Gives the bytes of one bus back without secrets, in their order, once enough is known of what surrounds them."""

    def __init__(self, conceal: Callable[[bytes], bytes]) -> None:
        self._conceal = conceal
        self._waiting: deque[Passed] = deque()
        self._before = b""  # received bytes that were given back, as they were
        self._received = b""  # those that wait
        self._heard = -PAUSE

    def take(self, passed: Passed) -> list[Passed]:
        """Take what passed now; what can be shown of it and of what came before."""
        settled = self.flush() if passed.when - self._heard > PAUSE else []
        self._waiting.append(passed)
        if passed.direction == "rx":
            self._heard = passed.when
            self._received += passed.data
        return [*settled, *self._give(max(len(self._received) - CONTEXT, 0))]

    def flush(self) -> list[Passed]:
        """Nothing more belongs to what has come: all of it as it can be shown."""
        given = self._give(len(self._received))
        self._before = b""
        return given

    def _give(self, sure: int) -> list[Passed]:
        """All that waits, up to the first line that is not whole within the first ``sure`` received bytes."""
        given: list[Passed] = []
        shown = b""
        while self._waiting:
            line = self._waiting[0]
            if line.direction == "rx":
                if len(line.data) > sure:
                    break
                shown = shown or self._conceal(self._before + self._received)[len(self._before) :]
                line, shown = line._replace(data=shown[: len(line.data)]), shown[len(line.data) :]
                sure -= len(line.data)
                self._before = (self._before + self._received[: len(line.data)])[-CONTEXT:]
                self._received = self._received[len(line.data) :]
            self._waiting.popleft()
            given.append(line)
        return given


class Capture:
    """A capture file of at most ``limit`` bytes; the one before it is kept as ``FILE.1``. Safe for many threads.

    A capture that is there is gone on with. Raises ConfigError for a file that is none, or that cannot be opened; one
    that fails later ends the capture with a warning, not the bus.
    """

    def __init__(self, path: Path, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._limit = limit
        self._clock = clock
        self._lock = Lock()
        self._protocols: dict[str, str] = {}
        self._concealers: dict[str, Concealer] = {}
        self._retained: dict[str, Retained] = {}  # by host
        _check_ours(self._old)
        _check_ours(path)
        try:
            self._file: IO[bytes] | None = _open(path)
        except OSError as error:
            raise ConfigError(f"{path}: cannot write the capture: {error.strerror}") from error

    def tap(self, bus: str, protocol: Protocol) -> Tap:
        """What a link of ``bus`` calls with every byte it sends or receives."""
        concealer = Concealer(protocol.conceal)

        def take(direction: str, data: bytes, when: float) -> None:
            with self._lock:
                self._write(bus, concealer.take(Passed(direction, data, when)))

        with self._lock:
            self._protocols[bus], self._concealers[bus] = protocol.name, concealer
            self._begin(bus)
        return take

    def ear(self, host: str, conceal: Conceal, retained: Retained) -> Ear:
        """What the source of another host calls with every message.

        A file begins with what was ``retained``, since a reader can use no row without it.
        """

        def take(topic: str, message: Received) -> None:
            with self._lock:
                self._put(_line(host, topic, conceal(topic, message.payload), message.time, kept=message.retained))

        with self._lock:
            self._protocols[host], self._retained[host] = REMOTE, retained
            self._begin(host)
        return take

    def close(self) -> None:
        """End the capture; later bytes are ignored."""
        with self._lock:
            for bus, concealer in self._concealers.items():
                self._write(bus, concealer.flush())
            if self._file:
                self._file.close()
            self._file = None

    @property
    def _old(self) -> Path:
        return self._path.with_name(self._path.name + ".1")

    def _begin(self, bus: str) -> None:
        """Write what a reader must know of a bus or a host before its lines."""
        for line in self._head(bus):
            self._put(line)

    def _head(self, bus: str) -> list[dict[str, object]]:
        started, now = datetime.now(UTC).isoformat(timespec="seconds"), self._clock()
        header = {"bus": bus, "protocol": self._protocols[bus], "started": started, "t": round(now, 4)}
        kept = self._retained[bus]() if bus in self._retained else ()
        return [header, *(_line(bus, topic, payload, now, kept=True) for topic, payload in kept)]

    def _write(self, bus: str, lines: list[Passed]) -> None:
        for direction, data, when in lines:
            self._put({"t": round(when, 4), "bus": bus, "dir": direction, "hex": data.hex()})

    def _put(self, line: dict[str, object]) -> None:
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
        self._path.replace(self._old)
        self._file = _open(self._path)
        for bus in self._protocols:
            self._file.write(b"".join(map(_encoded, self._head(bus))))


class OnRequest:
    """Looks on at the buses and writes nothing, but for a while when somebody asks for it. Safe for many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._kinds: dict[str, Callable[[Capture], Tap | Ear]] = {}  # makes what a capture has for each bus and host
        self._taps: dict[str, Any] = {}  # what it has made; empty: nothing is written
        self._capture: Capture | None = None
        self._until = 0.0

    def tap(self, bus: str, protocol: Protocol) -> Tap:
        """As :meth:`Capture.tap`."""
        return self._passing_on(bus, lambda capture: capture.tap(bus, protocol))

    def ear(self, host: str, conceal: Conceal, retained: Retained) -> Ear:
        """As :meth:`Capture.ear`."""
        return self._passing_on(host, lambda capture: capture.ear(host, conceal, retained))

    def _passing_on(self, name: str, make: Callable[[Capture], Tap | Ear]) -> Callable[..., None]:
        def take(*passed: object) -> None:
            if tap := self._taps.get(name):
                tap(*passed)
                if self._clock() > self._until:
                    self.close()

        self._kinds[name] = make
        return take

    def begin(self, path: Path, seconds: float) -> None:
        """Write to ``path``, whose last content goes, for ``seconds``; nothing happens while a capture is under way."""
        with self._lock:
            if self._capture is not None and self._clock() < self._until:
                return
            self._end()
            try:
                path.unlink(missing_ok=True)
                self._capture = Capture(path, MINUTES_LIMIT, self._clock)
            except (ConfigError, OSError) as error:
                _log.warning("no capture: %s", error)
                return
            self._until = self._clock() + seconds
            self._taps = {name: make(self._capture) for name, make in self._kinds.items()}

    def close(self) -> None:
        """End the capture, if there is one."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        self._taps = {}
        if self._capture is not None:
            self._capture.close()
            self._capture = None


def _check_ours(path: Path) -> None:
    """Raise ConfigError when ``path`` is there and is no capture: it would be spoilt or overwritten."""
    try:
        if not path.exists() or (path.is_file() and path.stat().st_size == 0):
            return
        if not path.is_file():
            raise ConfigError(f"{path} is not a file: name another one for the capture")
        with path.open("rb") as file:
            header = json.loads(file.readline(CONTEXT))
    except OSError as error:
        raise ConfigError(f"{path}: cannot write the capture: {error.strerror}") from error
    except ConfigError:
        raise
    except (ValueError, RecursionError):
        header = None
    if not (isinstance(header, dict) and header.keys() >= _HEADER):
        raise ConfigError(f"{path} is not a capture of packbank: name another file for the capture")


def _open(path: Path) -> IO[bytes]:
    """The file, to be written at its end, and for its owner only."""
    path.touch(0o600)
    path.chmod(0o600)
    with path.open("rb") as old:
        size = old.seek(0, os.SEEK_END)
        old.seek(max(size - 1, 0))
        cut_short = old.read(1) not in (b"", b"\n")  # by a power cut
    file = path.open("ab", buffering=0)
    if cut_short:
        file.write(b"\n")
    return file


def _line(bus: str, topic: str, payload: bytes, when: float, *, kept: bool) -> dict[str, object]:
    """A message of another host."""
    return {"t": round(when, 4), "bus": bus, "dir": "rx", "topic": topic, "retained": kept, "hex": payload.hex()}


def _encoded(line: dict[str, object]) -> bytes:
    return json.dumps(line).encode() + b"\n"
