"""A recording as a source of the daemon: a capture of simulated packs, played again at its own pace."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

import pytest

from packbank.config.loader import load
from packbank.daemon import Daemon
from packbank.errors import ConfigError
from packbank.model.columns import Column
from packbank.model.snapshot import Snapshot
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_pty import Buses
from packbank.sources import thread
from packbank.sources.serial.capture import Capture
from packbank.sources.serial.recording import Event
from packbank.sources.serial.replay import RecordedBus


def config_of(folder: Path, port: str, name: str = "rack") -> Path:
    path = folder / "config.ini"
    path.write_text(f"[bus:{name}]\nPORT = {port}\nBATTERY_ADDRESSES = 1-2\n", encoding="utf-8")
    return path


def until_ready(daemon: Daemon) -> Snapshot:
    """The first snapshot in which the battery is ready and every pack has said who it is."""
    end = time.monotonic() + 30.0
    while time.monotonic() < end:
        snapshot = daemon.step(time.monotonic())
        if snapshot.battery.ready and all(identity.serial for identity in snapshot.identities):
            return snapshot
        time.sleep(0.1)
    raise AssertionError("no battery")


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Snapshot]:
    """A capture of two packs until they were a battery, and that battery."""
    start = time.monotonic()
    bank = LiveBank(demo_spec(2, 16, 1), start)
    capture = Capture(tmp_path / "capture.jsonl")
    with Buses(wire_up(bank, [BusPlan("jkpb", 2)], [], 1, start), tmp_path) as buses:
        config = load(config_of(tmp_path, buses.paths[0]))
        with Daemon(config, capture=capture) as daemon:
            live = until_ready(daemon)
    return tmp_path / "capture.jsonl", live


def test_a_recording_is_a_battery_again(tmp_path: Path, recorded: tuple[Path, Snapshot]) -> None:
    capture, live = recorded
    with Daemon(load(config_of(tmp_path, f"replay://{capture}", "other"))) as daemon:
        again = until_ready(daemon)
    assert [identity.serial for identity in again.identities] == [identity.serial for identity in live.identities]
    columns = [Column.VOLTAGE, Column.CHARGE_CURRENT_LIMIT, Column.CELL_OVP]
    assert again.rows[:, columns] == pytest.approx(live.rows[:, columns], abs=0.1)
    assert again.buses[0].port == "recording"


def test_after_a_fault_of_the_program_the_recording_begins_again(
    tmp_path: Path,
    recorded: tuple[Path, Snapshot],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(thread, "RESTART_PAUSE", 0.05)
    take, faults = RecordedBus.take, count()

    def faulty(bus: RecordedBus, event: Event) -> None:
        if next(faults) < 3:
            raise RuntimeError("a fault of our own")
        take(bus, event)

    monkeypatch.setattr(RecordedBus, "take", faulty)
    with Daemon(load(config_of(tmp_path, f"replay://{recorded[0]}"))) as daemon:
        until_ready(daemon)
    assert caplog.text.count("rack: stopped by a fault of packbank (RuntimeError: a fault of our own)") == 1


def test_a_recording_without_that_bus_is_refused(tmp_path: Path, recorded: tuple[Path, Snapshot]) -> None:
    capture, _ = recorded
    text = capture.read_text(encoding="utf-8")
    capture.write_text(text + text.replace('"rack"', '"roof"'), encoding="utf-8")
    with (
        pytest.raises(ConfigError, match="no bus of that name; it has rack, roof"),
        Daemon(load(config_of(tmp_path, f"replay://{capture}", "other"))),
    ):
        pass


def test_a_recording_that_is_not_there_is_refused(tmp_path: Path) -> None:
    config = load(config_of(tmp_path, "replay:///nowhere/capture.jsonl"))
    with pytest.raises(ConfigError, match="cannot be read"), Daemon(config):
        pass
