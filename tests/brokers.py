"""Brokers for tests: a Mosquitto of their own, and one that misbehaves as a test demands. All on loopback ports."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread

PATH = os.environ.get("PATH", "") + ":/usr/sbin"  # where Debian has mosquitto
MOSQUITTO = shutil.which("mosquitto", path=PATH) or ""
PASSWD = shutil.which("mosquitto_passwd", path=PATH) or ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Mosquitto:
    """A Mosquitto with a configuration of its own; without ``lines`` it lets everybody in."""

    def __init__(self, folder: Path, lines: Sequence[str] = ("allow_anonymous true",)) -> None:
        self.folder = folder
        self.port = free_port()
        self.lines = tuple(lines)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        file = self.folder / "mosquitto.conf"
        user = ["user root"] if os.geteuid() == 0 else []  # else it could not read the test's files
        text = "\n".join([f"listener {self.port} 127.0.0.1", "persistence false", *user, *self.lines])
        file.write_text(text + "\n", encoding="utf-8")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([MOSQUITTO, "-c", file], stdout=log, stderr=log)
        end = time.monotonic() + 20.0
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
                return
            except OSError:
                assert self.process.poll() is None, (self.folder / "mosquitto.log").read_text()
                assert time.monotonic() < end
                time.sleep(0.02)

    def stop(self) -> None:
        """End it; what it retained is lost, as on a GX."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


CONNACK = {4: b"\x20\x02\x00\x00", 5: b"\x20\x03\x00\x00\x00"}  # accepted, by protocol version


class BadBroker:
    """Takes connections one after the other and does ``behave`` with each, in a thread, until it is stopped."""

    def __init__(self, behave: Callable[[socket.socket, Event], None]) -> None:
        self.behave = behave
        self.connections = 0
        self._stopped = Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # else megabytes wait in buffers
        self.port: int = self._server.getsockname()[1]
        self._thread = Thread(target=self._run)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(10.0)
        self._server.close()

    def _run(self) -> None:
        self._server.settimeout(0.05)
        while not self._stopped.is_set():
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                continue
            self.connections += 1
            with connection:
                connection.settimeout(0.05)
                try:
                    self.behave(connection, self._stopped)
                except OSError:
                    continue


def accept(connection: socket.socket) -> None:
    """Read what asks for a connection, and accept it."""
    connection.settimeout(5.0)
    asked = connection.recv(4096)
    connection.sendall(CONNACK[asked[asked.index(b"MQTT") + 4]])
    connection.settimeout(0.05)


def closes(_: socket.socket, __: Event) -> None:
    """Accepts the connection and closes it."""


def says_nothing(connection: socket.socket, stopped: Event) -> None:
    """Reads, and never answers."""
    while not stopped.is_set():
        try:
            if not connection.recv(4096):
                return
        except TimeoutError:
            continue


def hangs(connection: socket.socket, stopped: Event) -> None:
    """Lets us in and reads nothing more."""
    accept(connection)
    stopped.wait()


def floods(connection: socket.socket, stopped: Event) -> None:
    """Lets us in and sends messages without end: births, commands, and what nobody asked for."""
    accept(connection)
    messages = b""
    for topic, payload in ((b"homeassistant/status", b"online"), (b"packbank/home/set", b"x" * 80)):
        body = len(topic).to_bytes(2, "big") + topic + b"\0" + payload  # both versions read it, as different payloads
        messages += b"\x30" + bytes([len(body)]) + body
    block, sent = messages * 500, 0
    while not stopped.is_set():
        try:
            sent = (sent + connection.send(block[sent:])) % len(block)
        except TimeoutError:
            continue
        stopped.wait(0.02)  # else this thread would leave the one under test no time


def lets_in_and_closes(connection: socket.socket, _: Event) -> None:
    accept(connection)


def talks_nonsense(connection: socket.socket, stopped: Event) -> None:
    accept(connection)
    connection.sendall(os.urandom(4096) + b"\xff" * 64)
    stopped.wait(0.2)
