"""No request reaches a pack in its deaf window: two buses of JK PB packs, counted by the simulated wires."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from packbank.bms.jkpb import JkPb
from packbank.config.model import BusConfig
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_pty import Buses
from packbank.sources.serial.bus import start_bus
from packbank.sources.serial.gate import Member
from packbank.sources.serial.link import Tap
from packbank.sources.store import Store

PACKS = 15
SECONDS = 12.0  # by then the silence between packs has come down by a third


@pytest.mark.parametrize("tap", [None, lambda *_: None], ids=["", "capture"])
def test_two_buses_ask_nobody_who_is_deaf(tmp_path: Path, tap: Tap | None) -> None:
    start = time.monotonic()
    plans = [BusPlan("jkpb", PACKS)] * 2
    bank = LiveBank(demo_spec(2 * PACKS, 16, 1), start)
    wires = wire_up(bank, plans, [], 1, start)
    store = Store(2 * PACKS)
    with Buses(wires, tmp_path) as served:
        buses = []
        for number, port in enumerate(served.paths):
            members = [Member(PACKS * number + place, place + 1, f"{number}-{place}") for place in range(PACKS)]
            buses.append(start_bus(BusConfig(name=f"bus{number}", port=port), JkPb(), members, store, tap))
        while time.monotonic() < start + SECONDS:
            store.snapshot(time.monotonic() + 1.0)
            time.sleep(1.0)
        for bus in buses:
            bus.stop()
        assert all(bus.join(3.0) for bus in buses)
    stats = [bus.stats() for bus in buses]
    assert [wire.tally.deaf for wire in wires] == [0, 0]
    assert all(one.silence < JkPb.line.silence for one in stats), "the silence is being shortened"
    assert min(one.rounds for one in stats) >= 3
    assert max(one.wakeups / one.answers for one in stats) < 3.5
