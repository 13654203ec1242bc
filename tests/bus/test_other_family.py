"""A running bus names the family of packs that never answer as they should, and not for one damaged answer."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from random import Random

import pytest

from packbank.bms.pace import Pace
from packbank.config.model import BusConfig
from packbank.sim.responder_seplos import SeplosResponder
from packbank.sim.wire import Wire, WirePack
from packbank.sim.wire_bank import LiveBank, demo_spec
from packbank.sim.wire_pty import Buses
from packbank.sources.serial.bus import start_bus
from packbank.sources.serial.channel import NAME_AFTER
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store


@pytest.mark.slow
def test_a_bus_names_the_family_of_packs_that_it_cannot_read(tmp_path: Path) -> None:
    bank = LiveBank(demo_spec(1, 16, 1), time.monotonic())
    wire = Wire([WirePack(SeplosResponder(1), partial(bank.row, 0))], Random(1), 9_600)
    protocol = Pace()
    protocol.line = protocol.line.at(9_600)
    with Buses([wire], tmp_path) as buses:
        bus = start_bus(BusConfig(name="rack", port=buses.paths[0]), protocol, [Member(0, 1, "pack")], Store(1))
        end = time.monotonic() + 60.0
        while "family" not in bus.stats().refused and time.monotonic() < end:
            time.sleep(0.1)
        stats = bus.stats()
        bus.stop()
        assert bus.join(5.0)
    assert stats.refused["layout"] == NAME_AFTER - 1
    assert stats.refused["family"] >= 1
    assert any("PROTOCOL = seplos" in refusal.detail for refusal in stats.recent)
