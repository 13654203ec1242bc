from __future__ import annotations

import json
from math import isnan

import numpy as np
import pytest

from bank_rows import Rig, set_cells
from packbank.aggregator.settings import BankSettings
from packbank.model.columns import ALARMS, Alarm, Column

NAN = float("nan")


def test_the_worst_of_the_packs_after_the_delay() -> None:
    rig = Rig(3)
    rig.step()
    rig.rows[1, Alarm.HIGH_CELL_VOLTAGE.column] = 1.0
    rig.rows[2, Alarm.HIGH_CELL_VOLTAGE.column] = 2.0
    assert rig.run(3).alarms[Alarm.HIGH_CELL_VOLTAGE] == 0
    battery = rig.step()
    assert battery.alarms[Alarm.HIGH_CELL_VOLTAGE] == 2
    assert battery.packs[1].alarms == {Alarm.HIGH_CELL_VOLTAGE: 1}
    rig.rows[1:, Alarm.HIGH_CELL_VOLTAGE.column] = 0.0
    assert rig.run(3).alarms[Alarm.HIGH_CELL_VOLTAGE] == 2
    assert rig.step().alarms[Alarm.HIGH_CELL_VOLTAGE] == 0


def test_a_flicker_is_not_an_alarm() -> None:
    rig = Rig(1)
    rig.step()
    for _ in range(6):
        rig.rows[0, Alarm.LOW_VOLTAGE.column] = 2.0 - rig.rows[0, Alarm.LOW_VOLTAGE.column]
        assert rig.run(2).alarms[Alarm.LOW_VOLTAGE] == 0


def test_alarms_that_no_pack_can_report_are_left_out() -> None:
    rig = Rig(2)
    rig.rows[:, ALARMS] = NAN
    rig.rows[1, Alarm.CONTACTOR.column] = 0.0
    rig.rows[0, Column.SOH] = NAN
    rig.rows[1, Column.SOH] = 0.0  # as a BMS that counts none says
    assert set(rig.step().alarms) == {Alarm.CONTACTOR, Alarm.BMS_CABLE, Alarm.LOW_SOC}


@pytest.mark.parametrize(("health", "level"), [(100.0, 0), (70.0, 0), (69.0, 1), (50.0, 1), (49.0, 2)])
def test_the_worst_packs_health_is_an_alarm_of_the_bank_and_of_that_pack(health: float, level: int) -> None:
    rig = Rig(3)
    rig.step()
    rig.rows[1, Column.SOH] = health
    battery = rig.run(5)
    assert battery.alarms[Alarm.STATE_OF_HEALTH] == level
    assert battery.packs[1].alarms == ({Alarm.STATE_OF_HEALTH: level} if level else {})
    assert not battery.packs[0].alarms


def test_a_lost_packs_last_alarm_is_not_repeated_for_ever() -> None:
    rig = Rig(2)
    rig.run(3)
    rig.rows[1, Alarm.LOW_CELL_VOLTAGE.column] = 2.0
    rig.run(5)
    rig.silent = {1}
    battery = rig.run(45)
    assert battery.alarms[Alarm.LOW_CELL_VOLTAGE] == 0
    assert battery.alarms[Alarm.BMS_CABLE] == 1


def test_the_cable_alarm_can_be_switched_off() -> None:
    rig = Rig(2, BankSettings(bms_cable_alarm=False))
    rig.run(3)
    rig.silent = {1}
    battery = rig.run(45)
    assert battery.offline == 1
    assert battery.alarms[Alarm.BMS_CABLE] == 0


def test_low_soc_by_thresholds_with_hysteresis() -> None:
    rig = Rig(1)
    levels = []
    for soc in (21.0, 19.0, 21.0, 22.5, 9.0, 11.0, 12.5):
        rig.rows[0, Column.SOC] = soc
        levels.append(rig.run(6).alarms[Alarm.LOW_SOC])
    assert levels == [0, 1, 1, 0, 2, 2, 1]


def test_history_integrates_and_keeps_extremes() -> None:
    rig = Rig(2)
    rig.rows[:, Column.CURRENT] = -28.0
    set_cells(rig.rows, slice(None), 3.20)
    rig.step()
    rig.run(3600, every=10)
    set_cells(rig.rows, slice(None), 3.40)
    rig.rows[:, Column.CURRENT] = 14.0
    rig.rows[:, Column.SOC] = 70.0
    history = rig.run(3600, every=10).history
    assert history.total_ah_drawn == pytest.approx(-56.0)
    assert history.charge_cycles == pytest.approx(0.1)
    assert history.discharged_energy == pytest.approx(51.2 * 56.0 / 1000.0)
    assert history.charged_energy == pytest.approx(54.4 * 28.0 / 1000.0)
    assert (history.minimum_cell_voltage, history.maximum_cell_voltage) == (3.20, 3.40)
    assert (history.minimum_temperature, history.maximum_temperature) == (24.0, 26.0)
    assert isnan(history.deepest_discharge)  # how deep is known only after a full charge
    assert isnan(history.last_discharge)


def test_totals_begin_with_what_the_packs_report() -> None:
    rig = Rig(2)
    rig.rows[:, Column.CYCLES], rig.rows[:, Column.CYCLE_CAPACITY] = [40.0, 60.0], [11000.0, 17000.0]
    rig.rows[:, Column.CURRENT] = -28.0
    history = rig.run(3600, every=10).history
    assert history.charge_cycles == pytest.approx(50.1, abs=0.01)
    assert history.total_ah_drawn == pytest.approx(-28056.0, abs=1.0)
    rig.bank.clear_history()
    assert rig.step().history.charge_cycles < 0.01


def test_a_long_pause_is_not_integrated() -> None:
    rig = Rig(1)
    rig.rows[0, Column.CURRENT] = -100.0
    rig.step()
    assert isnan(rig.step(3600.0).history.total_ah_drawn)


def test_full_resets_the_last_discharge_and_starts_the_clock() -> None:
    rig = Rig(1, BankSettings(switch_to_float_wait_for_sec=30.0))
    assert rig.step().history.time_since_full != rig.step().history.time_since_full  # NaN: not known
    set_cells(rig.rows, 0, 3.45)
    rig.rows[0, Column.SOC] = 100.0
    history = rig.run(100).history
    assert 50.0 < history.time_since_full < 75.0
    assert isnan(history.last_discharge)
    assert isnan(history.deepest_discharge)
    rig.rows[0, Column.SOC], rig.rows[0, Column.REMAINING_CAPACITY] = 50.0, 140.0
    set_cells(rig.rows, 0, 3.3)
    history = rig.step().history
    assert history.deepest_discharge == history.last_discharge == pytest.approx(-140.0)
    assert isnan(history.average_discharge)  # of those that are over


def test_state_is_json_and_history_survives_a_restart_and_can_be_cleared() -> None:
    rig = Rig(2)
    rig.rows[:, Column.CURRENT] = -28.0
    rig.run(100)
    state = json.loads(json.dumps(rig.bank.state(), allow_nan=False))
    again = Rig(2, state=state)
    assert again.step().history.total_ah_drawn == pytest.approx(rig.bank.state()["history"]["record"]["total_ah_drawn"])
    again.bank.clear_history()
    assert again.step().history.total_ah_drawn == 0.0


def test_measured_shares_survive_a_restart_by_name() -> None:
    rig = Rig(2)
    share = rig.teach(2.0, 1.0).packs[0].charge_share
    assert share == pytest.approx(2 / 3, abs=0.01)
    state = json.loads(json.dumps(rig.bank.state()))
    again = Rig(3, state=state)
    again.silent = {2}
    battery = again.run(35)
    assert battery.packs[0].charge_share == pytest.approx(share, abs=0.02)


def limits_after_a_restart(exchange: float, level: float, age: float | None) -> list[tuple[float, float]]:
    """CCL and DCL of two packs before a restart, and of the first seconds after both have answered again."""
    rig = Rig(2)
    rig.teach(2.0, 1.0)
    now = np.array([exchange, -exchange]) + level * np.array([4 / 3, 2 / 3])
    rig.rows[:, Column.CURRENT] = now
    before = rig.run(60)
    again = Rig(2, state=json.loads(json.dumps(rig.bank.state())), state_age=age)
    again.rows[:, Column.CURRENT] = now
    for again.silent in ({0, 1}, {1}):
        assert not again.step().ready
    again.silent = set()
    batteries = [before, *(again.step() for _ in range(5))]
    return [(seen.charge_current_limit.value, seen.discharge_current_limit.value) for seen in batteries]


@pytest.mark.parametrize(("exchange", "level"), [(0.0, 0.0), (12.0, 0.0), (5.0, 60.0), (-5.0, -40.0)])
def test_limits_go_on_over_a_restart_of_some_seconds(exchange: float, level: float) -> None:
    before, *after = limits_after_a_restart(exchange, level, 4.0)
    assert after == [pytest.approx(before, rel=0.02)] * 5


@pytest.mark.parametrize("age", [None, 20.0])
def test_lines_of_long_ago_are_not_believed_whole(age: float | None) -> None:
    before, first, *_ = limits_after_a_restart(0.0, 0.0, age)
    assert first[0] < 0.95 * before[0]
    assert first[1] < 0.95 * before[1]


def test_the_longer_a_restart_takes_the_less_is_known_after_it() -> None:
    first = [limits_after_a_restart(8.0, 50.0, age)[1][0] for age in (1.0, 4.0, 8.0, 15.0)]
    assert first == sorted(first, reverse=True)


def test_a_pack_that_opened_during_a_restart_is_left_out() -> None:
    rig = Rig(3)
    rig.teach()
    rig.rows[:, Column.CURRENT] = 60.0
    rig.run(60)
    again = Rig(3, state=json.loads(json.dumps(rig.bank.state())), state_age=4.0)
    again.rows[:, Column.CURRENT] = [90.0, 90.0, 0.0]
    again.rows[2, Column.CHARGE_MOSFET] = 0.0
    limits = [again.step().charge_current_limit.value for _ in range(10)]
    assert all(170.0 <= limit <= 201.0 for limit in limits), limits


def test_the_state_of_a_large_bank_is_small() -> None:
    rig = Rig(300)
    rig.teach()
    assert len(json.dumps(rig.bank.state())) < 200_000


def test_a_state_of_another_version_is_passed_over() -> None:
    rig = Rig(2, state={"version": 0, "nonsense": True})
    assert rig.step().ready
    assert "version 0" in rig.bank.state_error


@pytest.mark.parametrize("part", ["weights", "exchange", "strings", "charge", "soc", "history", "incidents"])
@pytest.mark.parametrize("damage", [None, {}, {"pack 1": "x"}, [1, 2]])
def test_a_damaged_state_is_not_used_at_all_and_never_fatal(part: str, damage: object) -> None:
    rig = Rig(2)
    rig.rows[:, Column.CURRENT] = -28.0
    rig.run(10)
    state = rig.bank.state() | {part: damage}
    again = Rig(2, state=state)
    if part in {"weights", "exchange", "strings"} and damage == {}:
        assert again.bank.state_error == ""  # nothing is known of any pack: that is no damage
        return
    assert "damaged" in again.bank.state_error
    assert isnan(again.step().history.total_ah_drawn)


@pytest.mark.parametrize(
    ("part", "field", "damage"),
    [
        ("charge", "since_top_balance", "yesterday"),
        ("charge", "voltage", float("inf")),
        ("charge", "balanced", {"pack 1": float("nan")}),
        ("history", "since_full", "yesterday"),
        ("history", "record", {"charge_cycles": float("inf")}),
        ("history", "bottom", [1]),
        ("incidents", "last", [["BmsCable", "yesterday"]]),
        ("weights", "pack 1", [float("nan"), 1.0]),
        ("exchange", "drive", "none"),
        ("exchange", "packs", {"pack 1": [0.0, -1.0, 0.0]}),
        ("exchange", "packs", {"pack 1": [0.0, 1.0, 2.0]}),
        ("exchange", "packs", {"pack 1": [0.0, 1.0]}),
    ],
)
def test_no_single_damaged_figure_reaches_a_step(part: str, field: str, damage: object) -> None:
    rig = Rig(2)
    rig.run(10)
    state = rig.bank.state()
    state[part][field] = damage
    again = Rig(2, BankSettings(soc_reset_after_days=30.0), state=state)
    assert "damaged" in again.bank.state_error
    assert again.step().charge_current_limit.value > 0.0
