"""``packbank scan`` for packs that want to be asked in one of several ways, and tell no limits."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from random import Random

import pytest

from packbank.bms.daly import Daly
from packbank.bms.eg4 import Eg4
from packbank.bms.protocol import Protocol
from packbank.cli import main
from packbank.sim.responder import Responder
from packbank.sim.responder_daly import DalyResponder
from packbank.sim.responder_eg4 import Eg4Responder
from packbank.sim.wire import Wire, WirePack
from packbank.sim.wire_bank import LiveBank, demo_spec
from packbank.sim.wire_pty import Buses

DALY = (DalyResponder(1, old_firmware=True), DalyResponder(3))
EG4 = (Eg4Responder(1, start=0x7C), Eg4Responder(3))


@pytest.mark.parametrize(("family", "responders"), [(Daly, DALY), (Eg4, EG4)], ids=["daly", "eg4"])
def test_packs_are_found_however_they_want_to_be_asked(
    family: type[Protocol],
    responders: tuple[Responder, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(family, "addresses", range(1, 4))  # the others would only cost their time-outs
    bank = LiveBank(demo_spec(2, 16, 1), time.monotonic())
    packs = [WirePack(responder, partial(bank.row, index)) for index, responder in enumerate(responders)]
    with Buses([Wire(packs, Random(1), family.line.baudrate)], tmp_path) as buses:
        assert main(["scan", "--protocol", family.name, buses.paths[0]]) == 0
    out, _ = capsys.readouterr()
    assert "0x01  " in out
    assert "0x03  " in out
    assert out.count("16 cells") == 2
    assert "nan" not in out
    assert "BATTERY_ADDRESSES = 0x01, 0x03" in out
    config = tmp_path / "config.ini"
    config.write_text(out)
    assert main(["check", str(config)]) == 2
    assert "MAX_BATTERY_CHARGE_CURRENT" in capsys.readouterr().err
    config.write_text(config.read_text().replace("CURRENT =", "CURRENT = 80"))
    assert main(["check", str(config)]) == 0
