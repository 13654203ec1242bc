"""A bus whose packs may have one of several rates tries them in turn, and stays with the one that is answered."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from random import Random

import pytest

from packbank.bms.eg4 import Eg4
from packbank.cli import main
from packbank.config.model import BusConfig
from packbank.sim.responder_eg4 import Eg4Responder
from packbank.sim.wire import Wire, WirePack
from packbank.sim.wire_bank import LiveBank, demo_spec
from packbank.sim.wire_pty import Buses
from packbank.sources.serial import bus as bus_module
from packbank.sources.serial.bus import Bus, start_bus
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store
from patience import until

FAST = 19_200


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Eg4, "line", Eg4.line.at(9_600, FAST))
    monkeypatch.setattr(Eg4, "addresses", range(1, 3))
    monkeypatch.setattr(bus_module, "TRY_RATE", 1.0)


def wire() -> Wire:
    bank = LiveBank(demo_spec(1, 16, 1), time.monotonic())
    return Wire([WirePack(Eg4Responder(1), partial(bank.row, 0))], Random(1), FAST)


def started(port: str, store: Store) -> Bus:
    return start_bus(BusConfig(name="rack", port=port), Eg4(), [Member(0, 1, "pack")], store)


@pytest.mark.usefixtures("several")
def test_the_second_rate_is_tried_and_kept_while_the_pack_is_away(tmp_path: Path) -> None:
    packs = wire()
    with Buses([packs], tmp_path) as buses:
        bus = started(buses.paths[0], Store(1))
        try:
            until(lambda: bus.stats().answers > 0)
            pack = packs.packs.pop()
            missed = bus.stats().missed
            until(lambda: bus.stats().missed > missed + 1)
            opened = bus.stats().reopened
            packs.packs.append(pack)
            answers = bus.stats().answers
            until(lambda: bus.stats().answers > answers)
            assert bus.stats().reopened == opened == 1
        finally:
            bus.stop()
            assert bus.join(5.0)


@pytest.mark.slow
@pytest.mark.usefixtures("several")
def test_scan_finds_the_rate_and_writes_it_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Buses([wire()], tmp_path) as buses:
        assert main(["scan", "--protocol", "eg4", buses.paths[0]]) == 0
        assert "BAUDRATES = 19200" in capsys.readouterr().out
        assert main(["scan", "--protocol", "eg4", "--baudrates", "9600", buses.paths[0]]) == 1
        assert main(["scan", "--protocol", "eg4", "--baudrates", "2400, 19200", buses.paths[0]]) == 0
        assert "BAUDRATES = 19200" in capsys.readouterr().out
    with pytest.raises(SystemExit) as usage:
        main(["scan", "--baudrates", "fast", "/dev/null"])
    assert usage.value.code == 2


def test_rates_of_a_bus_are_checked_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.ini"
    config.write_text("[bus:rack]\nPORT = /dev/ttyUSB0\nBAUDRATES = 9600, 19200\nBATTERY_ADDRESSES = 0x01\n")
    assert main(["check", str(config)]) == 0
    assert "9600, 19200 baud" in capsys.readouterr().out
    config.write_text(config.read_text().replace("19200", "19,2k"))
    assert main(["check", str(config)]) == 2
    assert "BAUDRATES" in capsys.readouterr().err
