"""``packbank scan`` for packs that want to be asked in one of several ways, and tell no limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

from packbank.bms.daly import Daly
from packbank.bms.eg4 import Eg4
from packbank.bms.pace import Pace
from packbank.bms.protocol import Protocol, Row
from packbank.cext.envelope import HEADER, open_frame, seal
from packbank.cli import main
from packbank.sim.responder import Burst, Responder
from packbank.sim.responder_daly import DalyResponder
from packbank.sim.responder_eg4 import Eg4Responder
from packbank.sim.responder_pace import PaceResponder
from packbank.sim.responder_seplos import SeplosResponder
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


@pytest.mark.slow
def test_a_pack_of_another_family_is_named_with_its_protocol(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "addresses", range(1, 3))
    monkeypatch.setattr(Pace, "line", Pace.line.at(9_600))
    bank = LiveBank(demo_spec(1, 16, 1), time.monotonic())
    with Buses([Wire([WirePack(SeplosResponder(1), partial(bank.row, 0))], Random(1), 9_600)], tmp_path) as buses:
        assert main(["scan", "--protocol", "pace", buses.paths[0]]) == 1
    out = capsys.readouterr().out
    assert "this is a Seplos V1/V2 pack; PROTOCOL = seplos" in out
    assert "set PROTOCOL as the message says" in out


@pytest.mark.slow
def test_packs_behind_a_master_are_found_through_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the RS232 of a PACE master with two others behind it."""
    monkeypatch.setattr(Pace, "addresses", range(1, 5))
    monkeypatch.setattr(Pace, "line", Pace.line.at(9_600))
    bank = LiveBank(demo_spec(3, 16, 1), time.monotonic())
    master = PaceMaster([partial(bank.row, number) for number in range(3)])
    with Buses([Wire([WirePack(master, partial(bank.row, 0))], Random(1), 9_600)], tmp_path) as buses:
        assert main(["scan", "--protocol", "pace", buses.paths[0]]) == 0
    assert "BATTERY_ADDRESSES = 0x01-0x03" in capsys.readouterr().out


class PaceMaster(PaceResponder):
    """A master that answers for its slaves, as it does on RS232."""

    def __init__(self, rows: list[Callable[[float], Row]]) -> None:
        super().__init__(1)
        self.rows = rows

    def has_number(self, number: int) -> bool:
        return 1 <= number <= len(self.rows)

    def answer(self, request: bytes, row: Row, random: Random) -> list[Burst]:
        opened = open_frame(request)
        question, number = self.question_of(request), (*opened[HEADER:], 1)[0]
        info = bytearray(PaceResponder(number).info(question, self.rows[number - 1](time.monotonic())))
        if question == "packs":
            info[0] = len(self.rows)
        return [Burst(0.05, seal(self.version, 1, 0x46, 0, bytes(info)))]
