from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import IO, Any

import pytest

pytest.importorskip("dbus.bus", reason="the D-Bus edge is an extra: pip install packbank[venus]")
pytest.importorskip("gi.repository.GLib", reason="the D-Bus edge is an extra: pip install packbank[venus]")

from packbank.errors import LinkError
from packbank.outputs.venus.bindings import GLib, dbus
from packbank.outputs.venus.bus import BUS_ITEM, DBus

STAND_INS = Path(__file__).parent / "stand_ins.py"


@dataclass
class Bench:
    """A private dbus-daemon, and what a test does on it. All connections of the test share one main context."""

    address: str
    daemon: subprocess.Popen[str]
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    connections: list[Any] = field(default_factory=list)

    def bus(self) -> DBus:
        bus = DBus(self.address)
        self.connections.append(bus)
        return bus

    def connect(self) -> Any:
        """A plain dbus-python connection, to look at packbank with other code than its own."""
        connection = dbus.bus.BusConnection(self.address, mainloop=dbus.mainloop.glib.DBusGMainLoop())
        connection.set_exit_on_disconnect(False)
        self.connections.append(connection)
        return connection

    def start(self, kind: str) -> subprocess.Popen[str]:
        """Start a stand-in: ``settings`` or ``system``."""
        process = subprocess.Popen([sys.executable, STAND_INS, self.address, kind], stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert _stdout(process).readline() == "ready\n"
        return process

    def until(self, condition: Callable[[], object], timeout: float = 20.0) -> None:
        """Let messages pass until ``condition`` holds."""
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, "the condition never held"
            if not GLib.MainContext.default().iteration(False):
                time.sleep(0.001)

    def settle(self) -> None:
        """Let every message that is under way arrive.

        The daemon keeps the order of each connection, so a round trip of the senders and then one of those that look
        on is enough.
        """
        for bus in self.connections:
            if isinstance(bus, DBus):
                with suppress(LinkError):  # one that the test has closed
                    bus.names()
        plain = [connection for connection in self.connections if not isinstance(connection, DBus)]
        answers: list[object] = []
        for connection in plain:
            connection.call_async(
                "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId", "", (), answers.append, answers.append
            )
        self.until(lambda: len(answers) == len(plain))

    def ask(self, connection: Any, service: str, path: str, member: str, signature: str = "", *args: Any) -> Any:
        """Call a BusItem method of a service in this process: without blocking, or it could not answer."""
        answers: list[Any] = []
        connection.call_async(
            service, path, BUS_ITEM, member, signature, args, lambda *a: answers.append(a[0]), answers.append
        )
        self.until(lambda: answers)
        if isinstance(answers[0], dbus.exceptions.DBusException):
            raise answers[0]
        return answers[0]


def _stdout(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    if which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed (package dbus-daemon or dbus)")
    command = ["dbus-daemon", "--session", "--nofork", "--print-address=1", f"--address=unix:path={tmp_path}/bus"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    bench = Bench(_stdout(daemon).readline().strip(), daemon)
    try:
        yield bench
    finally:
        for connection in bench.connections:
            connection.close()
        for process in (*bench.processes, daemon):
            process.kill()
            process.communicate()


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """The configuration of a simulated bank of two packs."""
    simulate = [sys.executable, "-m", "packbank", "simulate", "--packs", "2", "--buses", "1"]
    with subprocess.Popen(simulate, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as packs:
        assert packs.stdout is not None
        lines: list[str] = []
        while not (lines and lines[-1].startswith("BATTERY_ADDRESSES")):
            lines.append(packs.stdout.readline())
        config = tmp_path / "config.ini"
        config.write_text("[DEFAULT]\nSTART_TIMEOUT = 5\n" + "".join(lines))
        yield config
        packs.kill()
