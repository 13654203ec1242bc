"""The simulated wire on a pseudo-terminal, in real time, asked through pyserial as the poller does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import serial

from packbank.bms.protocol import Row
from packbank.model.columns import empty_matrix
from packbank.sim.responder import Burst, Responder
from packbank.sim.wire import Wire, WirePack
from packbank.sim.wire_pty import Buses

ANSWER = bytes(range(250)) + b"tail"
WHOLE = 0.005 + 250 * 10 / 115200 + 0.007 + 4 * 10 / 115200
LATENESS = 0.025  # s: what a busy machine may add


class Slave(Responder):
    deaf_time = 0.030

    def __init__(self, address: int) -> None:
        self.address = address

    def wants(self, request: bytes) -> bool:
        return request == b"?%d" % self.address

    def answer(self, request: bytes, row: Row, random: Random) -> list[Burst]:
        return [Burst(0.005, ANSWER[:250]), Burst(0.007, ANSWER[250:])]


@pytest.fixture
def buses(tmp_path: Path) -> Iterator[Buses]:
    row: Row = empty_matrix(1)[0]
    wires = [Wire([WirePack(Slave(n), lambda now: row) for n in (1, 2)], Random(bus)) for bus in range(2)]
    with Buses(wires, tmp_path) as buses:
        yield buses


def read(port: serial.Serial, count: int) -> tuple[bytes, float]:
    begin = time.monotonic()
    return port.read(count), time.monotonic() - begin


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_answer_takes_its_time_on_the_wire(buses: Buses) -> None:
    with serial.serial_for_url(buses.paths[0], 115200, timeout=0.5, exclusive=True) as port:
        durations = []
        for _ in range(5):
            port.write(b"?1")
            data, seconds = read(port, len(ANSWER))
            assert data == ANSWER
            durations.append(seconds)
    assert min(durations) >= 0.95 * WHOLE
    assert min(durations) <= WHOLE + LATENESS


def test_buses_are_separate(buses: Buses) -> None:
    with (
        serial.serial_for_url(buses.paths[0], 115200, timeout=0.3) as one,
        serial.serial_for_url(buses.paths[1], 115200, timeout=0.3) as two,
    ):
        one.write(b"?1")
        two.write(b"?2")  # at once: no pack there has overheard the other bus
        assert one.read(len(ANSWER)) == ANSWER
        assert two.read(len(ANSWER)) == ANSWER


def test_unplugged_port_fails_and_comes_back_under_its_path(buses: Buses) -> None:
    path = Path(buses.paths[0])
    with serial.serial_for_url(str(path), 115200, timeout=0.5) as port:
        buses.plug(0, plugged=False)
        with pytest.raises((serial.SerialException, OSError)):
            port.read(1)
        assert not path.exists()
    buses.plug(0, plugged=True)
    until = time.monotonic() + 2.0
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.005)
    with serial.serial_for_url(str(path), 115200, timeout=0.5) as port:
        port.write(b"?1")
        assert port.read(len(ANSWER)) == ANSWER


def test_client_that_does_not_read_stalls_nobody(buses: Buses) -> None:
    with (
        serial.serial_for_url(buses.paths[0], 115200, timeout=0.5) as deaf,
        serial.serial_for_url(buses.paths[1], 115200, timeout=0.5) as other,
    ):
        for _ in range(30):
            deaf.write(b"?1" * 2000)
        other.write(b"?1")
        assert other.read(len(ANSWER)) == ANSWER


def test_closing_leaves_no_descriptor_and_no_path(tmp_path: Path) -> None:
    before = open_descriptors()
    with Buses([Wire([], Random(1))], tmp_path) as buses:
        path = Path(buses.paths[0])
        assert path.is_symlink()
    assert not path.is_symlink()
    assert open_descriptors() == before


def test_failure_of_the_simulation_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda args: None)

    def broken(now: float) -> Row:
        raise ValueError("no such row")

    with Buses([Wire([WirePack(Slave(1), broken)], Random(1))], tmp_path) as buses:
        assert not buses.failed
        with serial.serial_for_url(buses.paths[0], 115200, timeout=0.5) as port:
            port.write(b"?1")
            port.read(1)
        assert buses.failed
