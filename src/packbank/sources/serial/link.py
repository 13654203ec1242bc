"""One port: open it or say why not, ask, listen, and count what passes.

The caller of :meth:`Link.ask` says how long an answer takes; the link sleeps for that long and then reads whatever has
come, which is one wake-up an answer instead of one a byte. Several requests are written in one call, on a device or a
TCP socket by compiled code (:mod:`packbank.cext.sweep`): how, is the link's own matter.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import termios
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from queue import Full, Queue
from typing import NamedTuple
from urllib.parse import urlsplit

import serial
from serial import rfc2217

from packbank.bms.protocol import Line
from packbank.cext.sweep import SWEEP_LOOKS, SWEEP_ROOM, sweep
from packbank.errors import LinkError
from packbank.sources.serial.ports import explain
from packbank.sources.serial.statistics import Statistics

NETWORK_LATENCY = 0.15  # s, what a gateway on a home network may add to an answer
WRITE_TIMEOUT = 1.0  # s, a port that takes no bytes for so long is gone
CONNECT_TIMEOUT = 5.0  # s
DEAF_LIMIT = 30.0  # s without a byte, after which a port is opened anew
BACKLOG = 1 << 14  # bytes that pyserial's thread may keep for us; a second of a fast line
GONE = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.EPIPE, errno.ECONNRESET)
STEP = 0.001  # s between two looks at an answer
_CHUNK = 4096  # the tty layer's buffer: nothing more can be waiting on a serial port
_QUEUE_STEP = 0.02  # s

Tap = Callable[[str, bytes, float], None]  # "tx" or "rx", bytes, when they passed (monotonic s)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the answers to some requests take, s, and how many bytes they have."""

    look: float  # from the end of the writing to when the whole answer should have come
    silence: float  # to keep between an answer and the next request
    shortest: int = 1  # bytes of an answer that may be complete
    longest: int = SWEEP_ROOM - 1  # more than that is a surprise
    until: float = inf  # monotonic s; behind the first, no request is made whose answer would come later


class Reception(NamedTuple):
    """What came after one request; times are monotonic s."""

    asked: float  # when the request had been written
    taken: float  # when the line was read last
    looks: int  # how often it was read
    data: bytes


class Link(ABC):
    """An open port. Every failure is a LinkError, after which the link must be closed and opened anew."""

    def __init__(self, port: str, latency: float, statistics: Statistics, tap: Tap | None) -> None:
        self.port = port
        self.patience = DEAF_LIMIT  # s of silence after which it is to be opened anew
        self.latency = latency  # s, what the way to the wire may add to an answer
        self._statistics = statistics
        self._tap = tap
        self._heard_at = time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep; nothing that arrives meanwhile is lost."""
        if seconds > 0.0:
            self._statistics.count("wakeups")
            time.sleep(seconds)

    def ask(self, requests: Sequence[bytes], timing: Timing) -> list[Reception]:
        """Write each request in turn and take what comes, up to the first answer that is not as ``timing`` says.

        At most ``SWEEP_MOST``; the last are left out when their answers would come after ``timing.until``.
        What is returned last may be incomplete: :meth:`read` brings the rest.
        """
        try:
            receptions = self._ask(list(requests), timing)
        except OSError as error:
            raise self._failed(error) from error
        for request, reception in zip(requests, receptions, strict=False):
            self._passed("tx", request, reception.asked)
            self._passed("rx", reception.data, reception.taken)
        self._statistics.count("wakeups", sum(one.looks for one in receptions) + len(receptions) - 1)
        return receptions

    def read(self, timeout: float = 0.0) -> bytes:
        """What has arrived; when that is nothing, wait for the first bytes, at most ``timeout`` seconds."""
        try:
            data = self._read(timeout)
        except OSError as error:
            raise self._failed(error) from error
        self._passed("rx", data, time.monotonic())
        return data

    def check_alive(self) -> None:
        """Raise LinkError after :attr:`patience` of silence: some adapters and gateways hang without an error."""
        if time.monotonic() - self._heard_at > self.patience:
            raise LinkError(f"{self.port}: nothing received for {self.patience:.0f} s")

    def _passed(self, direction: str, data: bytes, when: float) -> None:
        if not data:
            return
        if direction == "rx":
            self._heard_at = when
        self._statistics.count("received" if direction == "rx" else "sent", len(data))
        if self._tap:
            self._tap(direction, data, when)

    def _failed(self, error: OSError) -> LinkError:
        gone = error.errno in GONE
        return LinkError(f"{self.port}: {'unplugged or disconnected' if gone else error}")

    @abstractmethod
    def close(self) -> None:
        """Give the port back; may be called twice."""

    @abstractmethod
    def _ask(self, requests: list[bytes], timing: Timing) -> list[Reception]: ...

    @abstractmethod
    def _read(self, timeout: float) -> bytes: ...


class DescriptorLink(Link):
    """A port with a file descriptor (tty, TCP socket), read and written directly: one system call a transfer."""

    def __init__(
        self,
        port: str,
        latency: float,
        statistics: Statistics,
        tap: Tap | None,
        device: serial.SerialBase | socket.socket,
    ) -> None:
        super().__init__(port, latency, statistics, tap)
        self._device = device
        self._descriptor = device.fileno()
        self._readable = select.poll()
        self._readable.register(self._descriptor, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(self._descriptor, select.POLLOUT)

    def close(self) -> None:
        """Give the port back; may be called twice."""
        self._device.close()

    def _ask(self, requests: list[bytes], timing: Timing) -> list[Reception]:
        if not self._writable.poll(WRITE_TIMEOUT * 1000.0):
            raise OSError("takes no bytes")
        pauses, sizes = (timing.look, STEP, timing.silence), (timing.shortest, timing.longest)
        receptions = []
        for asked, taken, looks, error, data in sweep(self._descriptor, requests, *pauses, *sizes, timing.until):
            if error:
                raise OSError(error, os.strerror(error))
            receptions.append(Reception(asked, taken, looks, data))
        return receptions

    def _read(self, timeout: float) -> bytes:
        data = self._take()
        if data or timeout <= 0.0:
            return data
        self._statistics.count("wakeups")
        if not self._readable.poll(timeout * 1000.0):
            return b""
        data = self._take()
        if not data:  # readable, yet nothing to read: a removed adapter or a closed connection
            raise OSError(errno.EIO, "the port has gone")
        return data

    def _take(self) -> bytes:
        try:
            return os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return b""


class Backlog(Queue[bytes | None]):
    """At most :data:`BACKLOG` of what pyserial's thread has received; what is more waits in the sender's buffers."""

    def __init__(self, is_open: Callable[[], bool]) -> None:
        super().__init__(BACKLOG)
        self._is_open = is_open

    def put(self, item: bytes | None, block: bool = True, timeout: float | None = None) -> None:
        """Wait for room, as long as the port is open; then what comes is of no use."""
        del block, timeout
        while self._is_open():
            with suppress(Full):
                super().put(item, timeout=_QUEUE_STEP)
                return


class Rfc2217(rfc2217.Serial):
    """pyserial's port with a bound for what it keeps: its own has none, and grows as fast as a gateway sends."""

    _backlog: Backlog | None = None

    @property
    def _read_buffer(self) -> Backlog | None:
        return self._backlog

    @_read_buffer.setter
    def _read_buffer(self, made: object) -> None:
        self._backlog = None if made is None else Backlog(lambda: bool(self.is_open))


class QueueLink(Link):
    """A port that pyserial reads in a thread of its own (``rfc2217://``)."""

    def __init__(
        self, port: str, latency: float, statistics: Statistics, tap: Tap | None, device: rfc2217.Serial
    ) -> None:
        super().__init__(port, latency, statistics, tap)
        self._device = device

    def close(self) -> None:
        """Give the port back; may be called twice."""
        self._device.close()

    def _ask(self, requests: list[bytes], timing: Timing) -> list[Reception]:
        """As the compiled sweep."""
        receptions: list[Reception] = []
        for request in requests:
            if receptions:
                if receptions[-1].taken + timing.silence + timing.look > timing.until:
                    break
                time.sleep(timing.silence)
            self._device.write(request)
            asked, looks, data = time.monotonic(), 0, b""
            while looks < SWEEP_LOOKS and len(data) < timing.shortest:
                time.sleep(max(asked + timing.look + looks * STEP - time.monotonic(), 0.0))
                data += bytes(self._device.read(self._device.in_waiting))
                looks += 1
            receptions.append(Reception(asked, time.monotonic(), looks, data))
            if not timing.shortest <= len(data) <= timing.longest:
                break
        return receptions

    def _read(self, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while not self._device.in_waiting and time.monotonic() < deadline:
            self._statistics.count("wakeups")
            if first := self._device.read(1):
                return bytes(first + self._device.read(self._device.in_waiting))
        return bytes(self._device.read(self._device.in_waiting))


def open_link(port: str, line: Line, statistics: Statistics, tap: Tap | None = None) -> Link:
    """Open ``port``, a device or a pyserial URL (``socket://``, ``rfc2217://``), at the line's rate, 8N1, locked.

    What passes is counted in ``statistics`` and shown to ``tap``. Raises LinkError that names the port and the remedy.
    """
    scheme, marker, _ = port.partition("://")
    if marker and scheme not in ("socket", "rfc2217"):
        raise LinkError(f"{port}: not a port; write a device path, socket://HOST:PORT or rfc2217://HOST:PORT")
    try:
        if marker and scheme == "socket":
            return DescriptorLink(port, NETWORK_LATENCY, statistics, tap, _connect(port))
        if marker:
            gateway = Rfc2217(port, baudrate=line.baudrate, timeout=_QUEUE_STEP)
            return QueueLink(port, NETWORK_LATENCY, statistics, tap, gateway)
        device = serial.Serial(port, baudrate=line.baudrate, timeout=_QUEUE_STEP, exclusive=True)
    except (OSError, ValueError, termios.error) as error:
        raise LinkError(explain(port, error)) from error
    _lower_latency(device)
    return DescriptorLink(port, 0.0, statistics, tap, device)


def _connect(url: str) -> socket.socket:
    """A connection to a gateway. Our own, since pyserial's leaves the descriptor open when the other end has gone."""
    parts = urlsplit(url)
    if not parts.hostname or not parts.port:
        raise ValueError("write socket://HOST:PORT")
    connection = socket.create_connection((parts.hostname, parts.port), timeout=CONNECT_TIMEOUT)
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _lower_latency(device: serial.SerialBase) -> None:
    """Ask an FTDI adapter to pass bytes on at once, not every 16 ms; others have no such switch."""
    try:
        device.set_low_latency_mode(True)  # type: ignore[attr-defined]  # Linux only
    except (ValueError, NotImplementedError):
        return
