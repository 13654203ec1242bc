from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import pytest

from packbank.aggregator.bank import Bank
from packbank.bms.protocol import Row
from packbank.config.model import Config, HostConfig, MqttConfig, PackConfig
from packbank.daemon import SAVE_PERIOD, STEPS_MAY_FAIL, Daemon, wait_loop
from packbank.errors import ConfigError, LinkError
from packbank.model.bus_stats import BusStats
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Column
from packbank.model.commands import Redetect, SetControl
from packbank.model.controls import Controls
from packbank.model.identity import Identity
from packbank.model.snapshot import Snapshot
from packbank.sources.serial.statistics import Statistics

NO_BUS = Config(buses=(), packs=(PackConfig(bus="rack", address=1, name="P1"),))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Recorder:
    """An output that keeps what it gets, and fails while the test wants it to."""

    name = "recorder"

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self.error: Exception | None = None
        self.closed = False

    def show(self, snapshot: Snapshot) -> None:
        if self.error is not None:
            raise self.error
        self.snapshots.append(snapshot)

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
        daemon.outputs.add_vital(recorder)
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
        daemon.outputs.add_vital(recorder)
        assert [daemon.tick() for _ in range(STEPS_MAY_FAIL)] == [True] * (STEPS_MAY_FAIL - 1) + [False]


def test_a_vital_output_whose_peer_is_gone_for_good_ends_the_process() -> None:
    recorder = Recorder()
    recorder.error = LinkError("the D-Bus connection is gone")
    with Daemon(NO_BUS) as daemon:
        daemon.outputs.add_vital(recorder)
        with pytest.raises(LinkError, match="gone"):
            daemon.tick()


def test_what_the_user_sets_outlives_the_process(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with Daemon(NO_BUS, state_file=state) as daemon:
        daemon.send(SetControl("charge_current", 80.0))
        daemon.send(SetControl("discharge_off", True))
    with Daemon(NO_BUS, state_file=state) as again:
        assert again.saved_controls == Controls(charge_current=80.0, discharge_off=True)
        assert again.step(0.0).controls == again.saved_controls


def test_the_bank_is_given_the_age_of_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ages: list[float | None] = []

    class Recorded(Bank):
        def __init__(self, *args: Any) -> None:
            ages.append(args[-1])
            super().__init__(*args)

    monkeypatch.setattr("packbank.daemon.Bank", Recorded)
    with Daemon(NO_BUS, state_file=tmp_path / "state.json"):
        pass
    Daemon(NO_BUS, state_file=tmp_path / "state.json")
    first, second = ages
    assert first is None
    assert second is not None
    assert 0.0 <= second < 600.0


@pytest.mark.parametrize(
    "controls",
    [{"warp": 9}, {"charge_current": "80"}, {"charge_current": True}, {"charge_off": 1.5}, {"charge_off": None}, [1]],
)
def test_controls_of_another_version_are_dropped_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, controls: object
) -> None:
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"controls": controls}))
    assert Daemon(NO_BUS, state_file=state).saved_controls is None
    assert "set them again" in caplog.text


def test_commands_are_applied_before_the_next_step_and_shown_by_it() -> None:
    with Daemon(NO_BUS) as daemon:
        assert daemon.step(0.0).controls == Controls()
        daemon.send(SetControl("charge_current", 80.0))
        daemon.send(SetControl("charge_off", True))
        daemon.send(SetControl("charge_current", None))
        assert daemon.step(1.0).controls == Controls(charge_off=True)


class Searched:
    """A bus of the name that takes searches and ends them when the test does."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.searching = False
        self.searches = 0

    def search(self) -> None:
        self.searching = True
        self.searches += 1

    def stop(self) -> None:
        """It has no thread."""

    def join(self, timeout: float | None = None) -> bool:
        return timeout is not None

    def buses(self) -> tuple[BusStats, ...]:
        return (Statistics(self.name, "/dev/null").snapshot(1.0, 115200),)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> tuple[Daemon, dict[str, Searched]]:
    """Two buses of two packs each, of which one is listed; all answered at 1000 s, and none since."""
    packs = [PackConfig(bus=bus, address=n, name=f"{bus}{n}", expected=n == 1) for bus in ("a", "b") for n in (1, 2)]
    buses = {name: Searched(name) for name in ("a", "b")}
    daemon = Daemon(Config(buses=(), packs=tuple(packs)))
    daemon._sources = tuple(buses.values())
    for index in range(4):
        daemon.store.put(index, pack_row(1000.0), Identity(serial=f"S{index}"))
    assert daemon.step(1000.5).battery.online == 4
    return daemon, buses


def presences(shown: Snapshot) -> list[str]:
    return [pack.presence.value for pack in shown.battery.packs]


@pytest.mark.parametrize(
    ("hours", "found", "then"),
    [
        (23.9, ("a", "b"), ["lost"] * 4),  # it may still conduct
        (24.1, ("a", "b"), ["lost", "absent", "lost", "absent"]),
        (24.1, ("a",), ["lost", "absent", "lost", "lost"]),  # bus b could not be searched: its cable is out
        (1000.0, (), ["lost"] * 4),
    ],
)
def test_a_search_forgets_only_packs_that_nobody_listed_after_a_day(
    searched: tuple[Daemon, dict[str, Searched]], hours: float, found: tuple[str, ...], then: list[str]
) -> None:
    daemon, buses = searched
    now = 1000.0 + 3600.0 * hours
    assert presences(daemon.step(now)) == ["lost"] * 4
    assert presences(daemon.step(now + 1.0)) == ["lost"] * 4  # however long: only a search forgets
    daemon.send(Redetect())
    assert daemon.step(now + 2.0).searching
    for name in found:
        buses[name].searching = False
    shown = [daemon.step(now + 3.0 + second) for second in range(70)]
    assert [one.searching for one in shown] == [second < (0 if len(found) == 2 else 59) for second in range(70)]
    assert presences(shown[-1]) == then
    assert shown[-1].battery.online + shown[-1].battery.offline == then.count("lost")
    daemon.store.put(1, pack_row(now + 80.0), Identity(serial="S1"))
    assert presences(daemon.step(now + 80.5))[1] == "fresh"  # who comes back is there


def test_a_search_shows_for_one_step_at_least() -> None:
    with Daemon(NO_BUS) as daemon:
        daemon.send(Redetect())
        assert [daemon.step(second).searching for second in (1000.0, 1001.0)] == [True, False]


def test_a_change_is_saved_at_once(tmp_path: Path) -> None:
    state, clock = tmp_path / "state.json", Clock()
    with Daemon(NO_BUS, state_file=state, clock=clock) as daemon:
        daemon.send(SetControl("charge_off", True))
        daemon.tick()
        end = time.monotonic() + 10.0
        while not state.exists() and time.monotonic() < end:
            time.sleep(0.01)
        assert json.loads(state.read_text())["controls"]["charge_off"] is True


def test_a_snapshot_stays_what_it_was() -> None:
    with Daemon(NO_BUS) as daemon:
        daemon.store.put(0, pack_row(0.0), Identity(serial="A"))
        first = daemon.step(0.0)
        before = first.rows.copy(), first.battery.packs[0], first.identities
        daemon.store.put(0, pack_row(1.0, charge_current_limit=9.0), Identity(serial="B"))
        second = daemon.step(1.0)
    assert np.array_equal(first.rows, before[0], equal_nan=True)
    assert (first.battery.packs[0], first.identities) == before[1:]
    assert (first.number, second.number) == (1, 2)
    assert second.identities == (Identity(serial="B"),)
    for array in (first.rows, first.battery.packs.limit, first.battery.packs.alarms):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_state_is_written_once_a_minute_not_each_second(tmp_path: Path) -> None:
    clock = Clock()
    state = tmp_path / "state.json"
    with Daemon(NO_BUS, state_file=state, clock=clock) as daemon:
        for _ in range(int(SAVE_PERIOD)):
            daemon.tick()
            clock.now += 1.0
        assert not state.exists()
        daemon.tick()
        end = time.monotonic() + 10.0
        while not state.exists() and time.monotonic() < end:
            time.sleep(0.01)
        assert state.exists()


def test_a_folder_that_cannot_be_written_is_a_warning_not_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Daemon(NO_BUS, state_file=Path("/proc/state.json")) as daemon:
        assert daemon.tick()
    assert "state not saved" in caplog.text


def test_packs_that_a_host_announced_are_kept_for_the_next_start(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    here, listed = (
        HostConfig(name=name, mqtt=MqttConfig(), packs=(("bus1", (1, 2)),), listed=name == "listed")
        for name in ("here", "listed")
    )
    config = Config(buses=NO_BUS.buses, packs=NO_BUS.packs, hosts=(here, listed))
    daemon = Daemon(config, state_file=state)
    daemon.__exit__(None, None, None)
    assert json.loads(state.read_text())["hosts"] == {"here": [["bus1", [1, 2]]]}


def test_a_state_file_that_is_a_configuration_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "config.ini"
    config.write_text("[DEFAULT]\n")
    with pytest.raises(ConfigError, match="STATE_FILE"):
        Daemon(NO_BUS, state_file=config)


def test_a_pack_becomes_a_battery_under_the_users_cap() -> None:
    clock, recorder = Clock(), Recorder()
    with Daemon(NO_BUS, clock=clock) as daemon:
        daemon.outputs.add_vital(recorder)
        daemon.send(SetControl("charge_current", 7.0))
        for _ in range(3):
            row = pack_row(clock.now, charge_current_limit=100.0, discharge_current_limit=150.0)
            daemon.store.put(0, row, Identity())
            daemon.tick()
            clock.now += 1.0
    battery = recorder.snapshots[-1].battery
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
