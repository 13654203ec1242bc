"""The link on real descriptors: pseudo-terminals, TCP, RFC 2217, and every way a port can be refused."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from threading import enumerate as enumerate_threads

import pytest
from plain_protocol import LINE
from serial import serial_for_url
from serial.rfc2217 import PortManager

from packbank.errors import LinkError
from packbank.sources.serial import link as link_module
from packbank.sources.serial.link import BACKLOG, Link, QueueLink, Timing, open_link
from packbank.sources.serial.statistics import Statistics


@pytest.fixture
def statistics() -> Statistics:
    return Statistics("rack", "port")


@pytest.fixture
def seen() -> list[tuple[str, bytes, float]]:
    return []


@pytest.fixture
def link(terminal: tuple[int, str], statistics: Statistics, seen: list[tuple[str, bytes, float]]) -> Iterator[Link]:
    link = open_link(terminal[1], LINE, statistics, lambda *passed: seen.append(passed))
    yield link
    link.close()


SOON = Timing(look=0.02, silence=0.01)


def test_bytes_pass_unchanged_and_are_counted_and_tapped(
    terminal: tuple[int, str], link: Link, statistics: Statistics, seen: list[tuple[str, bytes, float]]
) -> None:
    every = bytes(range(256))
    began = time.monotonic()
    (nothing,) = link.ask([every], SOON)
    assert nothing.data == b""
    assert os.read(terminal[0], 1000) == every
    os.write(terminal[0], every)
    assert link.read(1.0) == every
    assert (statistics.counted("sent"), statistics.counted("received")) == (256, 256)
    assert [(direction, data) for direction, data, _ in seen] == [("tx", every), ("rx", every)]
    assert began <= seen[0][2] == nothing.asked <= seen[1][2] <= time.monotonic()


def test_what_comes_after_a_request_is_returned_with_it(
    terminal: tuple[int, str], link: Link, statistics: Statistics, seen: list[tuple[str, bytes, float]]
) -> None:
    def serve() -> None:
        for _ in range(3):
            os.write(terminal[0], b"!" + os.read(terminal[0], 2))

    thread = Thread(target=serve, daemon=True)
    thread.start()
    timing = Timing(look=0.05, silence=0.01, shortest=3, longest=4)
    receptions = link.ask([b"?1", b"?2", b"?3"], timing)
    thread.join(5.0)
    assert [one.data for one in receptions] == [b"!?1", b"!?2", b"!?3"]
    assert all(one.taken - one.asked >= timing.look for one in receptions)
    assert receptions[1].asked - receptions[0].taken >= timing.silence
    assert [(direction, data) for direction, data, _ in seen[:3]] == [("tx", b"?1"), ("rx", b"!?1"), ("tx", b"?2")]
    assert statistics.counted("wakeups") == sum(one.looks for one in receptions) + 2


def test_read_takes_what_is_there_and_waits_only_when_there_is_nothing(
    terminal: tuple[int, str], link: Link, statistics: Statistics
) -> None:
    assert link.read() == b""
    os.write(terminal[0], b"abc")
    time.sleep(0.01)
    assert link.read(5.0) == b"abc"
    assert statistics.counted("wakeups") == 0
    began = time.monotonic()
    assert link.read(0.05) == b""
    assert time.monotonic() - began >= 0.05
    assert statistics.counted("wakeups") == 1


def test_a_port_that_goes_away_is_an_error_of_reading_and_of_asking(terminal: tuple[int, str], link: Link) -> None:
    os.close(terminal[0])
    with pytest.raises(LinkError, match=terminal[1]):
        link.read(1.0)
    with pytest.raises(LinkError, match=terminal[1]):
        link.ask([b"?"], SOON)


def test_a_port_that_takes_no_bytes_is_an_error(
    terminal: tuple[int, str], link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "WRITE_TIMEOUT", 0.05)
    full = Timing(look=0.0, silence=0.0)
    with contextlib.suppress(LinkError):
        for _ in range(100):
            link.ask([bytes(4096)], full)
    with pytest.raises(LinkError, match="takes no bytes"):
        link.ask([b"?"], full)


def test_a_port_is_locked_while_it_is_open_and_free_afterwards(terminal: tuple[int, str], link: Link) -> None:
    with pytest.raises(LinkError, match="in use by"):
        open_link(terminal[1], LINE, Statistics("rack", "port"))
    link.close()
    link.close()
    open_link(terminal[1], LINE, Statistics("rack", "port")).close()


def test_no_descriptor_is_left_behind(terminal: tuple[int, str]) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for _ in range(3):
        open_link(terminal[1], LINE, Statistics("rack", "port")).close()
        with pytest.raises(LinkError):
            open_link("/dev/null", LINE, Statistics("rack", "port"))
    assert count() == before


def test_silence_for_long_is_an_error(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    link.check_alive()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 31.0)
    with pytest.raises(LinkError, match="nothing received for 30 s"):
        link.check_alive()


@pytest.mark.parametrize(
    ("port", "says"),
    [
        ("/dev/no-such-port", "no such port; is the adapter plugged in"),
        ("/dev/null", "not a serial port"),
        ("/dev", "not a serial port"),
        ("udp://host:1", "write a device path, socket://HOST:PORT or rfc2217://HOST:PORT"),
        ("socket://nowhere", "write socket://HOST:PORT"),
    ],
)
def test_a_port_that_cannot_be_opened_says_why(port: str, says: str) -> None:
    with pytest.raises(LinkError, match=says) as caught:
        open_link(port, LINE, Statistics("rack", "port"))
    assert port in str(caught.value)


def test_a_gateway_that_ends_the_connection_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = open_link(f"socket://127.0.0.1:{server.getsockname()[1]}", LINE, Statistics("rack", "port"))
        client, _ = server.accept()
        with client:
            link.ask([b"?"], SOON)
            assert client.recv(10) == b"?"
            client.sendall(b"!")
            assert link.read(1.0) == b"!"
            assert link.read() == b""
        with pytest.raises(LinkError, match="disconnected"):
            link.read(1.0)
        link.close()


def serve_rfc2217(server: socket.socket) -> None:
    """A gateway whose wires are joined: what is sent comes back; it ends at an EOT."""
    connection, _ = server.accept()
    loop = serial_for_url("loop://", timeout=0.01)

    class Sender:
        def write(self, data: bytes) -> None:
            connection.sendall(data)

    manager = PortManager(loop, Sender())  # type: ignore[arg-type]  # any object that reads and writes will do
    connection.settimeout(0.01)
    with connection:
        while True:
            with contextlib.suppress(TimeoutError):
                data = connection.recv(1024)
                plain = b"".join(manager.filter(data))
                if not data or b"\x04" in plain:
                    break
                loop.write(plain)
            if back := loop.read(loop.in_waiting):
                connection.sendall(b"".join(manager.escape(back)))
    loop.close()


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
def test_rfc2217_is_read_like_any_port_and_shows_when_it_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve_rfc2217, args=(server,))
        thread.start()
        link = open_link(f"rfc2217://127.0.0.1:{server.getsockname()[1]}", LINE, Statistics("rack", "port"))
        assert link.read(0.02) == b""
        (reception,) = link.ask([b"\x01\xff\x02"], Timing(look=0.01, silence=0.0, shortest=3))
        heard = reception.data
        while len(heard) < 3:
            heard += link.read(2.0)
        assert heard == b"\x01\xff\x02"
        late = Timing(look=1.0, silence=0.0, until=time.monotonic())
        assert len(link.ask([b"1", b"2"], late)) == 1  # the second answer would come too late
        with contextlib.suppress(LinkError):
            link.ask([b"\x04"], SOON)
        with pytest.raises(LinkError):
            [link.read(1.0) for _ in range(10)]
        link.close()
        thread.join(5.0)
        assert not thread.is_alive()


def flood(server: socket.socket, stop: Event) -> None:
    """A gateway that negotiates and then sends without end, as fast as it can."""
    connection, _ = server.accept()
    loop = serial_for_url("loop://", timeout=0.01)

    class Sender:
        def write(self, data: bytes) -> None:
            connection.sendall(data)

    manager = PortManager(loop, Sender())  # type: ignore[arg-type]  # any object that reads and writes will do
    connection.settimeout(0.2)
    with connection, contextlib.suppress(OSError):
        while True:
            try:
                list(manager.filter(connection.recv(1024)))
            except TimeoutError:
                break  # the client has opened its port
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection.sendall(bytes(65536))
    loop.close()


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
def test_a_gateway_that_floods_fills_no_memory_and_the_port_can_be_closed() -> None:
    stop = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=flood, args=(server, stop), daemon=True)
        thread.start()
        link = open_link(f"rfc2217://127.0.0.1:{server.getsockname()[1]}", LINE, Statistics("rack", "port"))
        assert isinstance(link, QueueLink)
        deadline = time.monotonic() + 10.0
        while link._device.in_waiting < BACKLOG:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        assert link._device.in_waiting == BACKLOG, "the rest waits at the gateway"
        assert link.read()
        link.close()
        stop.set()
        thread.join(5.0)
    assert not thread.is_alive()
    assert not [thread.name for thread in enumerate_threads() if "RFC 2217" in thread.name]
