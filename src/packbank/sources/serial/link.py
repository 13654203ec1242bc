"""One port: open it or say why not, write, sleep through the wire time, read what is there.

A read never asks for a number of bytes: the caller knows how long an answer takes on the wire, sleeps for
that long and then takes whatever has come, which is one wake-up an answer instead of one a byte.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import termios
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from urllib.parse import urlsplit

import serial
from serial import rfc2217

from packbank.bms.protocol import Line
from packbank.cext.sweep import sweep
from packbank.errors import LinkError
from packbank.sources.serial.ports import explain
from packbank.sources.serial.stats import Traffic

NETWORK_LATENCY = 0.15  # s, what a gateway on a home network may add to an answer
WRITE_TIMEOUT = 1.0  # s, a port that takes no bytes for so long is gone
CONNECT_TIMEOUT = 5.0  # s
DEAF_LIMIT = 30.0  # s without a byte, after which a port is opened anew
GONE = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.EPIPE, errno.ECONNRESET)
_CHUNK = 4096  # the tty layer's buffer: nothing more can be waiting on a serial port
_QUEUE_STEP = 0.02  # s

Tap = Callable[[str, bytes], None]  # "tx" or "rx", bytes


class Link(ABC):
    """An open port. Every failure is a LinkError, after which the link must be closed and opened anew."""

    def __init__(self, port: str, latency: float, traffic: Traffic) -> None:
        self.port = port
        self.latency = latency  # s, what the way to the wire may add to an answer
        self.tap: Tap | None = None  # sees every byte, for a capture
        self.traffic = traffic
        self._heard_at = time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep; nothing that arrives meanwhile is lost."""
        if seconds > 0.0:
            self.traffic.wakeups += 1
            time.sleep(seconds)

    def write(self, data: bytes) -> None:
        """Send ``data``."""
        try:
            self._write(data)
        except OSError as error:
            raise self._failed(error) from error
        self.traffic.sent += len(data)
        if self.tap:
            self.tap("tx", data)

    def read(self, timeout: float = 0.0) -> bytes:
        """What has arrived; when that is nothing, wait for the first bytes, at most ``timeout`` seconds."""
        try:
            data = self._read(timeout)
        except OSError as error:
            raise self._failed(error) from error
        if data:
            self._heard_at = time.monotonic()
            self.traffic.received += len(data)
            if self.tap:
                self.tap("rx", data)
        return data

    def _failed(self, error: OSError) -> LinkError:
        gone = error.errno in GONE
        return LinkError(f"{self.port}: {'unplugged or disconnected' if gone else error}")

    def sweep(self, requests: list[bytes], look: float, pause: float, usual: range) -> list[tuple[float, float, bytes]]:
        """As :func:`packbank.cext.sweep.sweep`; only where :attr:`can_sweep`."""
        raise NotImplementedError

    @property
    def can_sweep(self) -> bool:
        """Whether several requests can be sent in one call."""
        return False

    def check_alive(self) -> None:
        """Raise LinkError after :data:`DEAF_LIMIT` of silence: some adapters and gateways hang without an error."""
        if time.monotonic() - self._heard_at > DEAF_LIMIT:
            raise LinkError(f"{self.port}: nothing received for {DEAF_LIMIT:.0f} s")

    @abstractmethod
    def close(self) -> None:
        """Give the port back; may be called twice."""

    @abstractmethod
    def _write(self, data: bytes) -> None: ...

    @abstractmethod
    def _read(self, timeout: float) -> bytes: ...


class DescriptorLink(Link):
    """A port with a file descriptor (tty, TCP socket), read and written directly: one system call a transfer."""

    def __init__(self, port: str, latency: float, traffic: Traffic, device: serial.SerialBase | socket.socket) -> None:
        super().__init__(port, latency, traffic)
        self._device = device
        self._descriptor = device.fileno()
        self._readable = select.poll()
        self._readable.register(self._descriptor, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(self._descriptor, select.POLLOUT)

    def close(self) -> None:
        """Give the port back; may be called twice."""
        self._device.close()

    @property
    def can_sweep(self) -> bool:
        """As :attr:`Link.can_sweep`: on a wire of our own, unless somebody wants to see every byte when it passes."""
        return not self.latency and self.tap is None

    def sweep(self, requests: list[bytes], look: float, pause: float, usual: range) -> list[tuple[float, float, bytes]]:
        """As :meth:`Link.sweep`. A port that fails ends it; the next read or write says why."""
        swept = sweep(self._descriptor, requests, look, pause, usual[0], usual[-1])
        received = sum(len(data) for _, _, data in swept)
        self.traffic.wakeups += len(swept) + 1
        self.traffic.sent += sum(len(request) for request in requests[: len(swept)])
        self.traffic.received += received
        if received:
            self._heard_at = time.monotonic()
        return swept

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                if not self._writable.poll(WRITE_TIMEOUT * 1000.0):
                    raise OSError("takes no bytes") from None

    def _read(self, timeout: float) -> bytes:
        data = self._take()
        if data or timeout <= 0.0:
            return data
        self.traffic.wakeups += 1
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


class QueueLink(Link):
    """A port that pyserial reads in a thread of its own (``rfc2217://``)."""

    def __init__(self, port: str, latency: float, traffic: Traffic, device: rfc2217.Serial) -> None:
        super().__init__(port, latency, traffic)
        self._device = device

    def close(self) -> None:
        """Give the port back; may be called twice."""
        self._device.close()

    def _write(self, data: bytes) -> None:
        self._device.write(data)

    def _read(self, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while not self._device.in_waiting and time.monotonic() < deadline:
            self.traffic.wakeups += 1
            if first := self._device.read(1):
                return bytes(first + self._device.read(self._device.in_waiting))
        return bytes(self._device.read(self._device.in_waiting))


def open_link(port: str, line: Line, traffic: Traffic) -> Link:
    """Open ``port``, a device or a pyserial URL (``socket://``, ``rfc2217://``), at the line's rate, 8N1, locked.

    What passes is counted in ``traffic``. Raises LinkError that names the port and the remedy.
    """
    scheme, marker, _ = port.partition("://")
    if marker and scheme not in ("socket", "rfc2217"):
        raise LinkError(f"{port}: not a port; write a device path, socket://HOST:PORT or rfc2217://HOST:PORT")
    try:
        if scheme == "socket" and marker:
            return DescriptorLink(port, NETWORK_LATENCY, traffic, _connect(port))
        device = serial.serial_for_url(port, baudrate=line.baudrate, timeout=_QUEUE_STEP, exclusive=True)
    except (OSError, ValueError, termios.error) as error:
        raise LinkError(explain(port, error)) from error
    if isinstance(device, rfc2217.Serial):
        return QueueLink(port, NETWORK_LATENCY, traffic, device)
    _lower_latency(device)
    return DescriptorLink(port, 0.0, traffic, device)


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
