"""Listen mode beside a simulated pack at DIP 0, which asks the others in its slots of 220 ms."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from packbank.bms.jkpb import JkPb
from packbank.bms.seplos_v3 import SeplosV3
from packbank.config.model import BusConfig, Mode
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_pty import Buses
from packbank.sources.serial.bus import start_bus
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store
from patience import until

PLAN = BusPlan(packs=2, master=True)


@pytest.mark.parametrize("mode", [Mode.LISTEN, Mode.AUTO])
def test_every_pack_is_heard_the_master_at_address_0(tmp_path: Path, mode: Mode) -> None:
    start = time.monotonic()
    bank = LiveBank(demo_spec(len(PLAN.addresses), 16, 1), start)
    wires = wire_up(bank, [PLAN], [], 1, start)
    store = Store(len(PLAN.addresses))
    members = [Member(address, address, f"pack {address}") for address in PLAN.addresses]
    with Buses(wires, tmp_path) as buses:
        bus = start_bus(BusConfig(name="attic", port=buses.paths[0], mode=mode), JkPb(), members, store)
        try:
            times = [Column.STATUS_TIME, Column.SETTINGS_TIME]
            until(lambda: not np.isnan(store.snapshot()[0][:, times]).any())  # a cycle of the master takes 4.2 s
        finally:
            bus.stop()
            bus.join()
    matrix, _ = store.snapshot()
    assert matrix[:, Column.DEVICE_ADDRESS].tolist() == [0, 1, 2]
    for index, row in enumerate(matrix):
        true = bank.row(index, start)
        assert row[CELL_VOLTAGES][:16] == pytest.approx(true[CELL_VOLTAGES][:16], abs=0.01)
        assert row[Column.FULL_CAPACITY] == pytest.approx(true[Column.FULL_CAPACITY], abs=0.001)
    assert wires[0].tally.collisions == 0
    assert bus.stats().requests == 0, "who listens is silent"


V3 = BusPlan("seplos-v3", packs=2, master=True)


@pytest.mark.slow
def test_packs_behind_a_seplos_v3_master_are_heard_at_the_rate_that_is_right(tmp_path: Path) -> None:
    start = time.monotonic()
    bank = LiveBank(demo_spec(V3.packs, 16, 1), start)
    wires = wire_up(bank, [V3], [], 1, start)
    store, protocol = Store(V3.packs), SeplosV3()
    protocol.line = protocol.line.at(9_600, 19_200)  # the first is wrong
    members = [Member(index, address, f"pack {address}") for index, address in enumerate(V3.addresses)]
    with Buses(wires, tmp_path) as buses:
        bus = start_bus(BusConfig(name="rack", port=buses.paths[0], mode=Mode.LISTEN), protocol, members, store)
        try:
            until(lambda: not np.isnan(store.snapshot()[0][:, Column.STATUS_TIME]).any())
        finally:
            bus.stop()
            bus.join()
    matrix, _ = store.snapshot()
    for index, row in enumerate(matrix):
        true = bank.row(index, row[Column.STATUS_TIME])
        assert row[CELL_VOLTAGES][:16] == pytest.approx(true[CELL_VOLTAGES][:16], abs=0.01)
        assert row[Column.SOC] == pytest.approx(true[Column.SOC], abs=0.5)
        assert row[Column.CHARGE_CURRENT_LIMIT] > 0
        assert np.isfinite(row[[Column.TEMPERATURE_1, Column.CHARGE_MOSFET]]).all()
    assert wires[0].tally.collisions == 0
    assert bus.stats().requests == 0, "who listens is silent"
    assert bus.stats().refused == {}
