"""``packbank scan`` as a user sees it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from packbank.cli import main
from packbank.cli.scan import ranges
from packbank.sim.faults import parse_fault
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


def bus(folder: Path, packs: int, *faults: str) -> Buses:
    """A bus of simulated packs."""
    start = time.monotonic()
    bank = LiveBank(demo_spec(packs, 16, 1), start)
    return Buses(wire_up(bank, [BusPlan("jkpb", packs)], [parse_fault(fault) for fault in faults], 1, start), folder)


def test_an_adapter_that_another_program_has_is_asked_only_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GX that is a meter, a charger or a GPS, which questions to packs would disturb."""
    with bus(tmp_path, 3) as buses:
        port = buses.paths[0]
        monkeypatch.setattr("packbank.cli.scan.serial_ports", lambda: [port])
        with Path(port).open("rb", buffering=0) as held, subprocess.Popen(["sleep", "60"], stdin=held) as other:
            held.close()
            assert main(["scan", "--protocol", "jkpb"]) == 1
            assert f"{port}: in use by sleep (pid {other.pid}), so it was left alone" in capsys.readouterr().err
            assert main(["scan", "--protocol", "jkpb", port]) == 0
            other.kill()
        assert main(["scan", "--protocol", "jkpb"]) == 0


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("exception=1@2", "0x02  answers, but is refused (modbus: Modbus exception 1"),
        ("two-in-turn@2", "0x02  two packs answer at this address: SIM00100002 and SIM00100002T"),
        ("two-at-once@2", "0x02  answers, but is refused"),
        ("bit-flip=1@2", "0x02  answers, but is refused (sum8"),
        ("late=1@2", "0x02  answers, but only after 0."),
    ],
)
def test_who_is_heard_and_not_identified_is_named_and_nothing_is_written(
    tmp_path: Path, fault: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.ini"
    with bus(tmp_path, 3, fault) as buses:
        assert main(["scan", "--protocol", "jkpb", buses.paths[0], "-o", str(config)]) == 1
    out, err = capsys.readouterr()
    assert says in out
    assert "BATTERY_ADDRESSES = 0x01, 0x03" in out
    assert "nothing at" not in out, "an address that is heard is no gap"
    assert "not written" in err
    assert not config.exists()


def test_a_damaged_line_costs_tries_and_a_gap_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with bus(tmp_path, 4, "bit-flip=0.4", "silence=1@3", "silence=0.3@4") as buses:
        main(["scan", "--protocol", "jkpb", buses.paths[0]])
    out, _ = capsys.readouterr()
    for address in ("0x01", "0x02", "0x04"):
        assert f"{address}  " in out, "found, or named"
    assert "nothing at 0x03: is a pack missing there?" in out


def test_a_file_is_written_whole_with_an_absolute_port_and_can_be_extended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, first, second = tmp_path / "config.ini", tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    monkeypatch.chdir(tmp_path)
    scan = ["scan", "--protocol", "jkpb", "-o", "config.ini"]
    with bus(first, 1), bus(second, 2):
        assert main([*scan, "a/bus1"]) == 0
        assert f"PORT = {first}/bus1" in config.read_text()
        assert main([*scan, "a/bus1"]) == 2
        assert "--extend" in capsys.readouterr().err
        config.chmod(0o640)
        before = config.read_text() + "# a remark of the owner\n"
        config.write_text(before)
        assert main([*scan, "--extend", "a/bus1", "b/bus1"]) == 0
        after = config.read_text()
        assert main([*scan, "--extend", "a/bus1", "b/bus1"]) == 0
    assert after.startswith(before)
    assert f"[bus:bus2]\nPORT = {second}/bus1" in after
    assert after.count(f"PORT = {first}/bus1") == 1
    assert config.read_text() == after, "nothing to add, nothing changed"
    assert config.stat().st_mode & 0o777 == 0o640
    assert main(["check", "config.ini"]) == 0


def test_a_pack_that_a_file_lacks_on_a_known_bus_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.ini"
    with bus(tmp_path, 2) as buses:
        config.write_text(f"[bus:rack]\nPORT = {buses.paths[0]}\nBATTERY_ADDRESSES = 0x01\n")
        assert main(["scan", "--protocol", "jkpb", buses.paths[0], "--extend", "-o", str(config)]) == 0
    assert "[bus:rack] lacks 0x02" in capsys.readouterr().err


def test_a_failed_scan_leaves_a_file_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.ini"
    config.write_text("[bus:rack]\nPORT = /dev/ttyUSB0\nBATTERY_ADDRESSES = 0x01\n")
    before = config.read_text()
    assert main(["scan", str(tmp_path / "none"), "--extend", "-o", str(config)]) == 1
    assert config.read_text() == before
    assert "DIP switches" in capsys.readouterr().err


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
