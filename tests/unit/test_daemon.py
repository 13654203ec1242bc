from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import pytest

from packbank import daemon as daemon_module
from packbank.bms.protocol import Row
from packbank.config.model import BusConfig, Config, PackConfig
from packbank.daemon import SAVE_PERIOD, STEPS_MAY_FAIL, Daemon, wait_loop
from packbank.errors import ConfigError, LinkError
from packbank.model.battery import VirtualBattery
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Column
from packbank.model.controls import Controls
from packbank.model.identity import Identity
from packbank.sources.serial.bus import Bus, start_bus

NO_BUS = Config(buses=(), packs=(PackConfig(bus="rack", address=1, name="P1"),))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Recorder:
    """A publisher that keeps what it gets, and fails while it is told to."""

    def __init__(self) -> None:
        self.batteries: list[VirtualBattery] = []
        self.error: Exception | None = None
        self.closed = False

    def publish(self, battery: VirtualBattery, now: float) -> None:
        if self.error is not None:
            raise self.error
        self.batteries.append(battery)

    def close(self) -> None:
        self.closed = True


def pack_row(now: float, **limits: float) -> Row:
    """A healthy pack of 16 cells at ``now``."""
    row = np.full(COLUMNS, np.nan)
    row[CELL_VOLTAGES][:16] = 3.3
    known = {
        Column.STATUS_TIME: now,
        Column.SETTINGS_TIME: now,
        Column.VOLTAGE: 52.8,
        Column.CURRENT: 0.0,
        Column.SOC: 50.0,
        Column.FULL_CAPACITY: 280.0,
        Column.CELL_COUNT: 16.0,
        Column.CHARGE_MOSFET: 1.0,
        Column.DISCHARGE_MOSFET: 1.0,
        Column.TEMPERATURE_1: 25.0,
    }
    for column, value in known.items():
        row[column] = value
    for key, value in limits.items():
        row[Column[key.upper()]] = value
    return row


def test_a_step_that_fails_now_and_then_is_logged_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    with Daemon(NO_BUS) as daemon:
        daemon.publishers.append(recorder)
        for _ in range(3 * STEPS_MAY_FAIL):
            recorder.error = RuntimeError("a fault of ours")
            assert daemon.tick()
            recorder.error = None
            assert daemon.tick()
    assert "a fault of ours" in caplog.text
    assert recorder.closed


def test_steps_that_keep_failing_end_the_loop() -> None:
    recorder = Recorder()
    recorder.error = RuntimeError("a fault of ours")
    with Daemon(NO_BUS) as daemon:
        daemon.publishers.append(recorder)
        assert [daemon.tick() for _ in range(STEPS_MAY_FAIL)] == [True] * (STEPS_MAY_FAIL - 1) + [False]


def test_a_publisher_whose_peer_is_gone_for_good_ends_the_process() -> None:
    recorder = Recorder()
    recorder.error = LinkError("the D-Bus connection is gone")
    with Daemon(NO_BUS) as daemon:
        daemon.publishers.append(recorder)
        with pytest.raises(LinkError, match="gone"):
            daemon.tick()


def test_the_users_wishes_outlive_the_process(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with Daemon(NO_BUS, state_file=state) as daemon:
        daemon.take_controls(Controls(charge_current=80.0, discharge_off=True))
    with Daemon(NO_BUS, state_file=state) as again:
        assert again.controls == Controls(charge_current=80.0, discharge_off=True)


@pytest.mark.parametrize(
    "wishes",
    [{"warp": 9}, {"charge_current": "80"}, {"charge_current": True}, {"charge_off": 1.5}, {"charge_off": None}],
)
def test_wishes_of_another_version_are_dropped_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wishes: dict[str, object]
) -> None:
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"controls": wishes}))
    assert Daemon(NO_BUS, state_file=state).controls == Controls()
    assert "set them again" in caplog.text


def test_state_is_written_once_a_minute_not_each_second(tmp_path: Path) -> None:
    clock = Clock()
    state = tmp_path / "state.json"
    with Daemon(NO_BUS, state_file=state, clock=clock) as daemon:
        for _ in range(int(SAVE_PERIOD)):
            daemon.tick()
            clock.now += 1.0
        assert not state.exists()
        daemon.tick()
        assert state.exists()


def test_a_folder_that_cannot_be_written_is_a_warning_not_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with Daemon(NO_BUS, state_file=tmp_path / "file" / "state.json") as daemon:
        assert daemon.tick()
    assert "state not saved" in caplog.text


def test_a_pack_whose_current_nobody_limits_is_named_once_with_the_keys(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with Daemon(NO_BUS, clock=clock) as daemon:
        for _ in range(3):
            daemon.store.put(0, pack_row(clock.now), Identity())
            daemon.tick()
            clock.now += 1.0
    told = [record.getMessage() for record in caplog.records if "tells no current limit" in record.getMessage()]
    assert len(told) == 2
    assert all("P1" in text for text in told)
    assert any("MAX_BATTERY_CHARGE_CURRENT" in text for text in told)
    assert any("MAX_BATTERY_DISCHARGE_CURRENT" in text for text in told)


def test_a_pack_becomes_a_battery_under_the_users_cap() -> None:
    clock, recorder = Clock(), Recorder()
    with Daemon(NO_BUS, clock=clock) as daemon:
        daemon.publishers.append(recorder)
        daemon.take_controls(Controls(charge_current=7.0))
        for _ in range(3):
            row = pack_row(clock.now, charge_current_limit=100.0, discharge_current_limit=150.0)
            daemon.store.put(0, row, Identity())
            daemon.tick()
            clock.now += 1.0
    battery = recorder.batteries[-1]
    assert battery.ready
    assert battery.charge_current_limit.value <= 7.0
    assert battery.discharge_current_limit.value > 50.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_loop_without_a_d_bus_ends_with_a_signal(number: signal.Signals) -> None:
    ticks: list[None] = []

    def tick() -> bool:
        ticks.append(None)
        return True

    timer = Timer(0.1, os.kill, (os.getpid(), number))
    timer.start()
    wait_loop(tick, 0.02)
    timer.join()
    assert len(ticks) > 1


def test_the_loop_ends_with_a_tick_that_says_so() -> None:
    left = [True, True, False]
    wait_loop(lambda: left.pop(0), 0.001)
    assert left == []


def test_when_a_second_bus_cannot_start_the_first_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Bus] = []

    def start(config: BusConfig, *rest: Any) -> Bus:
        if started:
            raise ConfigError("the second bus cannot start")
        started.append(start_bus(config, *rest))
        return started[0]

    monkeypatch.setattr(daemon_module, "start_bus", start)
    buses = tuple(BusConfig(name=name, port=str(tmp_path / name)) for name in ("one", "two"))
    with pytest.raises(ConfigError, match="second"), Daemon(Config(buses=buses, packs=NO_BUS.packs)):
        pytest.fail("must not start")
    assert started[0].join(0.0), "its thread has ended"
