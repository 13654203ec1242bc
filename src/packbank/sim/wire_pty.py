"""Simulated buses in real time: each wire on a pseudo-terminal, one thread and one ``select`` for all of them.

The client opens ``WirePort.path``, a symbolic link to the terminal's slave end, so that a port which is
unplugged and plugged in again comes back under the same path, as it does under ``/dev/serial/by-id``.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time
import tty
from collections.abc import Sequence
from math import inf
from pathlib import Path
from threading import Thread
from types import TracebackType

from packbank.sim.wire import Wire

LONGEST_REQUEST = 4096
OUTPUT_RATE = 5  # its place among the attributes of a terminal; the input's is before it
IDLE = 0.5  # s at most between two looks at the ports


class WirePort:
    """The pseudo-terminal of a wire; it exists while the wire is ``connected``."""

    def __init__(self, wire: Wire, path: Path) -> None:
        self.wire = wire
        self.path = path
        self._rate: int = getattr(termios, f"B{wire.baudrate}")
        self._master = self._slave = -1
        self.plug()

    @property
    def plugged(self) -> bool:
        """Whether the port exists now."""
        return self._master >= 0

    def plug(self) -> None:
        """Make the port appear under its path."""
        self._master, self._slave = os.openpty()  # we keep the slave open: without it the master would read EIO
        tty.setraw(self._slave)
        self._set_rate()
        os.set_blocking(self._master, False)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        """Make the port vanish; who has it open reads an error."""
        self.path.unlink(missing_ok=True)
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
        self._master = self._slave = -1

    def fileno(self) -> int:
        """The descriptor to select on."""
        return self._master

    def serve(self, now: float) -> None:
        """Hand over what is due, and follow the wire when it is unplugged or plugged in."""
        if self.wire.deadline <= now and (data := self.wire.deliver(now)) and self.plugged:
            self._transmit(data)
        if self.wire.connected and not self.plugged:
            self.plug()
        elif self.plugged and not self.wire.connected:
            self.unplug()

    def receive(self) -> bytes:
        """What the client has sent; nothing that a pack understands when it has set another rate than the packs'."""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._master, LONGEST_REQUEST)
            return data if termios.tcgetattr(self._slave)[OUTPUT_RATE] == self._rate else b""
        return b""

    def _set_rate(self) -> None:
        """The rate of a port that nobody has set yet is the packs'."""
        modes = termios.tcgetattr(self._slave)
        modes[OUTPUT_RATE - 1] = modes[OUTPUT_RATE] = self._rate
        termios.tcsetattr(self._slave, termios.TCSANOW, modes)

    def _transmit(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # what the client's buffer cannot take is lost, as in a UART
            os.write(self._master, data)


class Buses:
    """Wires served in real time while the context is open. Nobody else may touch the wires meanwhile."""

    def __init__(self, wires: Sequence[Wire], folder: Path) -> None:
        self.ports = [WirePort(wire, folder / f"bus{number}") for number, wire in enumerate(wires, start=1)]
        self._waker, self._wake = os.pipe()
        self._running = True
        self._thread = Thread(target=self._serve, name="simulated buses", daemon=True)

    @property
    def paths(self) -> list[str]:
        """What the client opens, one path a bus."""
        return [str(port.path) for port in self.ports]

    @property
    def failed(self) -> bool:
        """Whether the thread ended although the context is open; its traceback is on standard error."""
        return self._running and not self._thread.is_alive()

    def plug(self, number: int, plugged: bool) -> None:
        """Plug in or unplug bus ``number`` (from 0); done within a few ms."""
        self.ports[number].wire.connected = plugged
        os.write(self._wake, b"!")

    def __enter__(self) -> Buses:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running = False
        os.write(self._wake, b"!")
        self._thread.join()
        for port in self.ports:
            port.unplug()
        os.close(self._waker)
        os.close(self._wake)

    def _serve(self) -> None:
        while self._running:
            sources: list[WirePort | int] = [self._waker, *(port for port in self.ports if port.plugged)]
            deadline = min((port.wire.deadline for port in self.ports), default=inf)
            pause = min(max(deadline - time.monotonic(), 0.0), IDLE)
            ready, _, _ = select.select(sources, [], [], pause)
            now = time.monotonic()
            for source in ready:
                if isinstance(source, int):
                    os.read(source, LONGEST_REQUEST)
                elif data := source.receive():
                    source.wire.hear(now, data)
            for port in self.ports:
                port.serve(now)
