"""JK PB packs on a simulated RS485 bus: polled, overheard, scanned, captured and replayed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from packbank.bms.jkpb import JkPb
from packbank.bms.protocol import Topic
from packbank.config.model import BusConfig, Mode
from packbank.model.bus_stats import BusState
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.sim.responder_jkpb import PASSCODE, JkPbResponder, request
from packbank.sim.wire import Wire, WirePack
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_master import JkPbMaster
from packbank.sim.wire_pty import Buses
from packbank.sources.serial.bus import Bus
from packbank.sources.serial.capture import Capture
from packbank.sources.serial.gate import Member
from packbank.sources.serial.recording import read_events, read_protocols
from packbank.sources.serial.replay import Player
from packbank.sources.serial.scan import scan
from packbank.sources.store import Store

PACKS = 4


class Rig:
    """``PACKS`` simulated packs and the bus that reads them; row 0 is the address 0, for a master."""

    def __init__(self, folder: Path, stack: ExitStack, mode: Mode = Mode.POLL, master: bool = False) -> None:
        start = time.monotonic()
        self.bank = LiveBank(demo_spec(PACKS + 1, 16, 1), start)
        self.wire: Wire = wire_up(self.bank, [BusPlan("jkpb", PACKS)], [], 1, start)[0]
        if master:
            own = WirePack(JkPbResponder(0), lambda now: self.bank.row(PACKS, now))
            self.wire.talkers.append(JkPbMaster(own, start))
        self.port = stack.enter_context(Buses([self.wire], folder)).paths[0]
        self.store = Store(PACKS + 1)
        self.mode = mode

    def bus(self, stack: ExitStack, capture: Capture | None = None) -> Bus:
        addresses = range(PACKS + 1) if self.mode is Mode.LISTEN else range(1, PACKS + 1)
        members = [Member(address, address, f"pack {address}") for address in addresses]
        tap = capture.tap("rack", JkPb()) if capture else None
        bus = Bus(BusConfig(name="rack", port=self.port, mode=self.mode), JkPb(), members, self.store, tap)
        bus.start()

        def end() -> None:
            bus.stop()
            assert bus.join(2.0)

        stack.callback(end)
        return bus


@contextmanager
def rig(folder: Path, mode: Mode = Mode.POLL, master: bool = False) -> Iterator[tuple[Rig, ExitStack]]:
    with ExitStack() as stack:
        yield Rig(folder, stack, mode, master), stack


def wait(until: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def test_every_pack_is_read_whole_and_nothing_is_lost(tmp_path: Path) -> None:
    with rig(tmp_path) as (packs, stack):
        bus = packs.bus(stack)
        wait(lambda: bus.stats().rounds >= 4)
        stats = bus.stats()
        matrix, identities = packs.store.snapshot()
        truth = np.array([packs.bank.row(index, time.monotonic()) for index in range(PACKS)])
    assert stats.missed == stats.retries == stats.lost == stats.foreign == 0
    assert stats.refused == {}
    assert packs.wire.tally.deaf == packs.wire.tally.collisions == 0
    assert 0.02 < stats.line_use < 0.6
    assert stats.wakeups / stats.answers < 3.0, "a sleep for the silence, one for the answer, now and then another look"
    for column in (Column.VOLTAGE, Column.CELL_OVP, Column.NOMINAL_CAPACITY, Column.CELL_COUNT):
        np.testing.assert_allclose(matrix[1:, column], truth[:, column], atol=0.1)
    assert np.isfinite(matrix[1:, CELL_VOLTAGES]).sum() == PACKS * 16
    assert [identity.serial for identity in identities[1:]] == [
        f"SIM00100{address:03d}" for address in range(1, PACKS + 1)
    ]


def test_listening_beside_a_master_fills_every_row_and_sends_nothing(tmp_path: Path) -> None:
    with rig(tmp_path, Mode.LISTEN, master=True) as (packs, stack):
        bus = packs.bus(stack)
        times = [Column.STATUS_TIME, Column.SETTINGS_TIME]
        wait(lambda: bool(np.isfinite(packs.store.snapshot()[0][:, times]).all()), 9.0)
        matrix, _ = packs.store.snapshot()
        stats = bus.stats()
    assert stats.requests == 0
    assert stats.state is BusState.LISTENING
    assert 0 <= packs.wire.tally.requests - stats.foreign <= 2, "all but those from before the port was open"
    assert matrix[0, Column.VOLTAGE] > 40.0, "the master's own broadcast is the pack at address 0"


def test_auto_listens_where_a_master_polls_and_polls_where_none_does(tmp_path: Path) -> None:
    with rig(tmp_path, Mode.AUTO, master=True) as (packs, stack):
        bus = packs.bus(stack)
        wait(lambda: bus.stats().answers >= 3)
        time.sleep(2.5)
        assert bus.stats().state is BusState.LISTENING
        assert bus.stats().requests == 0
        packs.wire.talkers.clear()
        wait(lambda: bus.stats().state is BusState.POLLING, 4.0)
        wait(lambda: bus.stats().rounds >= 1)


def test_scan_finds_the_packs_and_sends_only_the_three_questions(tmp_path: Path) -> None:
    sent: list[bytes] = []
    with rig(tmp_path) as (packs, _):

        def note(data: bytes) -> bytes:
            sent.append(data)
            return b""

        packs.wire.echoes.append(note)
        asked: list[int] = []
        result = scan(packs.port, JkPb(), asked.append)
    assert [found.address for found in result.found] == [1, 2, 3, 4]
    assert asked[:15] == list(JkPb.addresses)
    assert asked[15:] == list(range(5, 16)), "a second pass over those where nothing was heard"
    assert {found.cells for found in result.found} == {16}
    assert all(0.036 < found.response_time < 1.0 for found in result.found), "no less than the bytes take"
    assert result.found[2].identity.serial == "SIM00100003"
    allowed = {request(topic, address) for topic in Topic for address in JkPb.addresses}
    assert set(sent) <= allowed


def test_scan_keeps_quiet_where_somebody_else_asks(tmp_path: Path) -> None:
    with rig(tmp_path, master=True) as (packs, _):
        result = scan(packs.port, JkPb(), lambda _: pytest.fail("asked"))
    assert result.master
    assert result.overheard == (0, 1, 2, 3, 4), "who answered, not who was asked"
    assert not result.found


def test_a_capture_holds_no_passcode_and_replays_to_the_same_rows(tmp_path: Path) -> None:
    file = tmp_path / "capture.jsonl"
    with rig(tmp_path) as (packs, stack):
        capture = Capture(file)
        bus = packs.bus(stack, capture)
        wait(lambda: bus.stats().rounds >= 2)
        bus.stop()
        bus.join(2.0)
        capture.close()
        bus_stats = bus.stats()
        matrix, identities = packs.store.snapshot()
    assert PASSCODE.hex() not in "".join(json.loads(line).get("hex", "") for line in file.read_text().splitlines())
    player = Player({bus: JkPb() for bus in read_protocols(file)})
    for event in read_events(file):
        player.take(event)
    replayed, who = player.store.snapshot()
    live = [column for column in range(matrix.shape[1]) if column not in (Column.STATUS_TIME, Column.SETTINGS_TIME)]
    replayed, matrix = replayed[1 : PACKS + 1], matrix[1:]
    same = np.abs(replayed[:, Column.STATUS_TIME] - matrix[:, Column.STATUS_TIME]) < 0.05
    assert same.all() or bus_stats.missed, "on a busy machine an answer may be too late for the live bus only"
    np.testing.assert_array_equal(replayed[same][:, live], matrix[same][:, live])
    assert who[1 : PACKS + 1] == identities[1:]
    assert player.stats(1.0)[0].refused == {}


def test_a_full_capture_is_rotated_and_both_halves_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "capture.jsonl"
    capture = Capture(file, limit=4000, clock=lambda: 12.5)
    tap = capture.tap("rack", JkPb())
    for number in range(60):
        tap("tx", bytes((number,)) * 30, 12.5)
    capture.close()
    tap("tx", b"ignored after the end", 12.5)
    old = tmp_path / "capture.jsonl.1"
    events = [*read_events(old), *read_events(file)]
    assert max(file.stat().st_size, old.stat().st_size) < 4200
    assert [event.data[0] for event in events] == list(range(events[0].data[0], 60))
    assert read_protocols(file) == read_protocols(old) == {"rack": "jkpb"}
