"""``packbank scan`` as a user sees it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from packbank.cli import main
from packbank.cli.scan import ranges
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_pty import Buses


def test_it_prints_what_answers_and_a_stanza_that_the_checker_accepts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = time.monotonic()
    wires = wire_up(LiveBank(demo_spec(3, 16, 1), start), [BusPlan("jkpb", 3)], [], 1, start)
    with Buses(wires, tmp_path) as buses:
        assert main(["scan", "--protocol", "jkpb", buses.paths[0], str(tmp_path / "none")]) == 0
        out, err = capsys.readouterr()
        config = tmp_path / "config.ini"
        config.write_text(out)
        assert main(["check", str(config)]) == 0
    assert "0x02  JK_PB2A16S20P" in out
    assert "SIM00100002" in out
    assert "16 cells" in out
    assert "BATTERY_ADDRESSES = 0x01-0x03" in out
    assert "no such port" in err


def test_nothing_found_says_what_to_look_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(tmp_path / "none")]) == 1
    assert "DIP switches" in capsys.readouterr().err


def test_no_adapter_is_a_mistake_of_use(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packbank.cli.scan.serial_ports", list)
    assert main(["scan"]) == 2
    assert "no serial adapter found" in capsys.readouterr().err


def test_addresses_are_written_as_a_configuration_writes_them() -> None:
    assert ranges([1, 2, 3, 7, 9, 10]) == "0x01-0x03, 0x07, 0x09-0x0a"
    assert ranges([15]) == "0x0f"
