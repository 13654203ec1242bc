"""Listen mode beside a simulated JK pack at DIP 0, which asks the others in its slots of 220 ms."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from packbank.bms.jkpb import JkPb
from packbank.config.model import BusConfig, Mode
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_pty import Buses
from packbank.sources.serial.bus import start_bus
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store

PLAN = BusPlan(packs=2, master=True)
PATIENCE = 12.0  # s; a cycle of the master takes 4.2 s


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
            while np.isnan(store.snapshot()[0][:, [Column.STATUS_TIME, Column.SETTINGS_TIME]]).any():
                assert time.monotonic() < start + PATIENCE
                time.sleep(0.1)
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
