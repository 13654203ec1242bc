"""Ports that vanish, are busy or hang: the bus comes back by itself, leaves no descriptor and never spins."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from plain_protocol import PlainProtocol, Rig, ScriptedBus, all_answer, answer

from packbank.config.model import BusConfig
from packbank.model.bus_stats import BusState, BusStats
from packbank.sources.serial.bus import Bus, start_bus
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_an_unplugged_adapter_is_opened_again_when_it_returns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Rig(tmp_path, all_answer) as rig:
        rig.wait(lambda: rig.bus.stats().rounds >= 1)
        before = descriptors()
        rig.wire.unplug()
        rig.wait(lambda: rig.bus.stats().state is BusState.OPENING)
        assert "port" in rig.bus.stats().error
        time.sleep(0.5)
        rig.wire.replug()
        rig.wait(lambda: rig.bus.stats().reopened == 1 and rig.age(1) < 0.3)
        assert descriptors() == before
    messages = [record.message for record in caplog.records]
    assert sum("is open again" in message for message in messages) == 1


def test_a_loose_plug_does_not_fill_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Rig(tmp_path, all_answer) as rig:
        for _ in range(5):
            answers = rig.bus.stats().answers
            rig.wait(lambda answers=answers: rig.bus.stats().answers > answers)  # type: ignore[misc]
            rig.wire.unplug()
            rig.wait(lambda: rig.bus.stats().state is BusState.OPENING)
            rig.wire.replug()
        rig.wait(lambda: rig.bus.stats().reopened == 5)
    about_the_port = [record for record in caplog.records if "port" in record.message]
    assert len(about_the_port) <= 2 * 3
    assert "not again within 60 minutes" in about_the_port[-1].message


def test_unplugged_in_the_middle_of_an_answer_nothing_wrong_is_taken(tmp_path: Path) -> None:
    with Rig(tmp_path, all_answer) as rig:
        rig.wait(lambda: rig.bus.stats().rounds >= 1)
        rig.wire.script = lambda address, question: [(0.003, answer(address, question, 7)[:4]), (0.2, b"")]
        time.sleep(0.05)
        rig.wire.unplug()
        rig.wait(lambda: rig.bus.stats().state is BusState.OPENING)
        rig.wire.script = all_answer
        rig.wire.replug()
        rig.wait(lambda: rig.age(1) < 0.2 and rig.age(2) < 0.2 and rig.age(3) < 0.5)
        assert rig.voltages == [100.0, 200.0, 300.0]


def test_a_missing_port_costs_no_more_than_a_few_looks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bus = start_bus(
        BusConfig(name="rack", port=str(tmp_path / "none")), PlainProtocol(), [Member(0, 1, "pack")], Store(1)
    )
    cpu = time.process_time()
    time.sleep(1.0)
    used = time.process_time() - cpu
    bus.stop()
    assert bus.join(1.0)
    assert used < 0.3
    assert "no such port" in bus.stats().error
    assert len(caplog.records) == 1, "the same error is said once"


HOLDER = """
import fcntl, sys, time
port = open(sys.argv[1], "rb+", 0)
fcntl.flock(port, fcntl.LOCK_EX)
print(flush=True)
time.sleep(60)
"""


def test_a_busy_port_is_named_with_its_holder_and_taken_when_free(tmp_path: Path) -> None:
    wire = ScriptedBus(tmp_path / "port", all_answer)
    with subprocess.Popen([sys.executable, "-c", HOLDER, wire.port], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        store = Store(1)
        bus = start_bus(BusConfig(name="rack", port=wire.port), PlainProtocol(), [Member(0, 1, "pack")], store)
        deadline = time.monotonic() + 2.0
        while not bus.stats().error and time.monotonic() < deadline:
            time.sleep(0.01)
        error = bus.stats().error
        name = Path(f"/proc/{holder.pid}/comm").read_text().strip()
        holder.kill()
    while not bus.stats().answers and time.monotonic() < deadline + 2.0:
        time.sleep(0.01)
    bus.stop()
    bus.join(1.0)
    wire.close()
    assert f"in use by {name} (pid {holder.pid})" in error
    assert bus.stats().answers


def test_a_port_that_can_change_its_name_is_advised_against(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("packbank.sources.serial.bus.stable_path", lambda _: "/dev/serial/by-id/usb-A")
    with Rig(tmp_path, all_answer):
        pass
    assert "better PORT = /dev/serial/by-id/usb-A" in caplog.text


CHILD = """
import sys, time
sys.path.insert(0, sys.argv[2])
from plain_protocol import PlainProtocol
from packbank.sources.serial.bus import start_bus
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store
from packbank.config.model import BusConfig
bus = start_bus(BusConfig(name="rack", port=sys.argv[1]), PlainProtocol(), [Member(0, 1, "pack")], Store(1))
while not bus.stats().answers:
    time.sleep(0.01)
print("polling", flush=True)
time.sleep(60)
"""


def test_killed_in_a_transaction_the_next_start_finds_a_clean_bus(tmp_path: Path) -> None:
    with Rig(tmp_path, all_answer) as rig:  # only for its wire
        rig.bus.stop()
        rig.bus.join(1.0)
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, rig.wire.port, str(Path(__file__).parent)], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout
            assert child.stdout.readline().strip() == b"polling"
            child.send_signal(signal.SIGKILL)
        store = Store(3)
        members = [Member(index, index + 1, f"pack {index + 1}") for index in range(3)]
        bus = start_bus(BusConfig(name="rack", port=rig.wire.port), PlainProtocol(), members, store)
        rig.wait(lambda: bus.stats().rounds >= 2)
        bus.stop()
        bus.join(1.0)
    assert bus.stats().refused == {}
    assert bus.stats().lost == 0


class Gateway:
    """A TCP gateway in front of a scripted bus, one client at a time."""

    def __init__(self, wire: ScriptedBus) -> None:
        self._wire = wire
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._serial = os.open(wire.port, os.O_RDWR | os.O_NOCTTY)
        self._threads = [Thread(target=self._to_wire, daemon=True), Thread(target=self._from_wire, daemon=True)]
        for thread in self._threads:
            thread.start()

    def drop(self) -> None:
        """The gateway restarts: the connection ends."""
        client = self._client
        if client:
            with suppress(OSError):  # it has gone meanwhile
                client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.drop()
        self._wire.close()  # ends the reading of its slave
        for thread in self._threads:
            thread.join(2.0)
        os.close(self._serial)

    def _to_wire(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._client = client
            with client, suppress(ConnectionError):
                while data := client.recv(4096):
                    os.write(self._serial, data)
            self._client = None

    def _from_wire(self) -> None:
        while True:
            try:
                data = os.read(self._serial, 4096)
            except OSError:
                return
            client = self._client
            if client and data:
                with suppress(OSError):  # it has gone meanwhile
                    client.sendall(data)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(ScriptedBus(tmp_path / "behind", all_answer))
    yield gateway
    gateway.close()


def test_a_gateway_is_read_and_reconnected_like_a_port(gateway: Gateway) -> None:
    store = Store(2)
    members = [Member(0, 1, "one"), Member(1, 2, "two")]
    bus: Bus = start_bus(BusConfig(name="lan", port=gateway.port), PlainProtocol(), members, store)

    def wait(until: Callable[[BusStats], bool]) -> None:
        deadline = time.monotonic() + 4.0
        while not until(bus.stats()):
            assert time.monotonic() < deadline, bus.stats()
            time.sleep(0.01)

    wait(lambda stats: stats.rounds >= 2)
    gateway.drop()
    wait(lambda stats: stats.reopened == 1 and stats.state is BusState.POLLING)
    answers = bus.stats().answers
    wait(lambda stats: stats.answers > answers + 4)
    bus.stop()
    assert bus.join(2.0)
    assert bus.stats().lost == 0


def test_a_gateway_that_is_off_is_said_with_its_address(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
    bus = start_bus(BusConfig(name="lan", port=url), PlainProtocol(), [Member(0, 1, "one")], Store(1))
    time.sleep(0.3)
    bus.stop()
    assert bus.join(2.0)
    assert url in caplog.text
    assert "nobody listens there" in caplog.text


class HangsUp:
    """A gateway that accepts every client and hangs up, or keeps silent."""

    def __init__(self, *, silent: bool = False) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._silent = silent
        self._kept: list[socket.socket] = []
        self.port = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self.clients = 0
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for client in self._kept:
            client.close()
        self._thread.join(1.0)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self.clients += 1
                if self._silent:
                    self._kept.append(client)
                else:
                    client.close()


def test_a_gateway_that_hangs_up_on_everybody_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("packbank.sources.serial.bus.LONGEST_PAUSE", 0.001)
    monkeypatch.setattr("packbank.sources.serial.bus.FIRST_PAUSE", 0.001)
    gateway = HangsUp()
    bus = start_bus(BusConfig(name="rack", port=gateway.port), PlainProtocol(), [Member(0, 1, "pack")], Store(1))
    deadline = time.monotonic() + 10.0
    while gateway.clients < 40 and time.monotonic() < deadline:
        time.sleep(0.01)
    bus.stop()
    bus.join(1.0)
    gateway.close()
    assert gateway.clients >= 40
    assert len(caplog.records) <= 2 * 3
    assert "not again within 60 minutes" in caplog.text


def test_a_port_on_which_nobody_speaks_is_opened_anew_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packbank.sources.serial.bus.DEAF_LIMIT", 0.2)
    gateway = HangsUp(silent=True)
    bus = start_bus(BusConfig(name="rack", port=gateway.port), PlainProtocol(), [Member(0, 1, "pack")], Store(1))
    time.sleep(4.0)  # 0.2, 0.4, 0.8, 1.6 s, and a pause each
    bus.stop()
    bus.join(1.0)
    gateway.close()
    assert 2 <= gateway.clients <= 5
