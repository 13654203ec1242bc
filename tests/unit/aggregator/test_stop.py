"""A charge limit that chargers do not follow is held by CVL, CCL 0 too, and no bank is emptied into the grid."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from bank_rows import CELLS_USED, Rig, set_cell, set_cells, set_temperature
from feed_in_plant import Plant
from packbank.aggregator.settings import BankSettings
from packbank.aggregator.stop import EASE, FALL, OFFSET, PATIENCE, RISE, SINK
from packbank.model.battery import Cause
from packbank.model.columns import Column
from packbank.model.controls import Controls

FLOOR = CELLS_USED * (3.375 - 0.1)
LOWER = CELLS_USED * OFFSET  # where chargers hold so much more
STOPPED = 0.02  # of the capacity, in A
WITHIN = 60  # s

CHARGERS: dict[str, dict[str, Any]] = {
    "solar": {},
    "a weak sun on a large bank": {"sun": 0.05, "packs": 16, "phase": 1},
    "a strong sun on a small pack": {"sun": 0.8, "packs": 1, "capacity": 100.0, "phase": 2},
    "cold cells": {"ohm": 2.5, "slow": 240.0, "sun": 0.4},
    "chargers that hold 0.3 V more": {"above": 0.3, "cables": 0.1, "rest": 3.33},
    "sensors that are off": {"offset": 0.5, "dead_band": 1.0, "lag": 3.0},
    "loads beside it": {"load": 0.1, "sun": 0.4},
}


@pytest.mark.parametrize("exports", [0.0, np.inf], ids=["no export", "export"])
@pytest.mark.parametrize("chargers", CHARGERS.values(), ids=CHARGERS.keys())
def test_charge_ends_within_a_minute_and_nothing_is_exported(chargers: dict[str, Any], exports: float) -> None:
    plant = Plant(**chargers, exports=exports)
    plant.run(60)
    plant.chill()
    plant.mark()
    battery = plant.run(180)
    assert battery.charge_current_limit.value == 0.0
    assert max(plant.charge[WITHIN:]) < STOPPED
    assert plant.exported < 0.5
    assert plant.turns() == 0.0
    assert min(plant.published) >= FLOOR - LOWER
    assert battery.charge_voltage_limit.cause is Cause.IGNORED
    steepest = min(after - before for before, after in pairwise(plant.published))
    assert steepest >= -max(FALL * CELLS_USED, plant.above) - 1e-9, "smoothly, or by what chargers hold more"


def test_without_the_rule_the_same_bank_goes_on_charging() -> None:
    plant = Plant(settings=BankSettings(stop_charge_by_voltage=False))
    plant.run(60)
    plant.chill()
    plant.run(120)
    assert plant.published[-1] == pytest.approx(CELLS_USED * 3.45)
    assert plant.charge[-1] == pytest.approx(plant.sun)


@pytest.mark.parametrize("exports", [0.0, np.inf], ids=["no export", "export"])
def test_loads_and_clouds_that_come_and_go_make_no_oscillation(exports: float) -> None:
    plant = Plant(exports=exports, sun=0.3)
    plant.run(60)
    plant.chill()
    plant.run(WITHIN)
    plant.mark()
    for _ in range(4):
        plant.load = 0.5
        plant.run(40)
        plant.load = 0.0
        plant.run(50)
        plant.sun = 0.0
        plant.run(20)
        plant.sun = 0.3
        plant.run(50)
    over = np.array(plant.charge) > STOPPED
    assert over.mean() < 0.05
    assert plant.turns() <= 0.5
    assert plant.exported < 0.5


def test_what_chargers_hold_more_stays_known_while_the_sun_is_gone() -> None:
    plant = Plant(above=0.4, sun=0.15, exports=0.06)
    plant.run(60)
    plant.chill()
    plant.run(WITHIN + 30)
    plant.sun = 0.02  # all of it is exported: the inverter holds the voltage at CVL, and first takes some of the packs'
    plant.run(60)
    assert plant.exported < 0.2
    plant.sun = 0.15
    plant.mark()
    plant.run(60)
    assert sum(charge > STOPPED for charge in plant.charge) <= 6, "it is learned once"
    assert plant.turns() <= 1.0
    assert plant.exported < 0.2


def test_chargers_hold_the_floor_where_they_hold_more_than_cvl() -> None:
    plant = Plant(above=0.4, rest=3.285)
    plant.run(60)
    plant.chill()
    plant.mark()
    battery = plant.run(180)
    assert battery.charge_voltage_limit.value < FLOOR
    assert max(plant.charge[WITHIN + 20 :]) < STOPPED / 2
    plant.load = 0.1
    plant.sun = 0.0
    assert plant.run(10).charge_voltage_limit.value >= FLOOR, "a discharge ends it"


def test_cvl_returns_smoothly_once_charging_is_allowed() -> None:
    plant = Plant()
    plant.run(60)
    plant.chill()
    low = plant.run(120).charge_voltage_limit.value
    plant.warm()
    assert plant.run(10).charge_current_limit.value > 0.0
    plant.mark()
    plant.run(60)
    assert plant.charge[-1] == pytest.approx(plant.sun), "CVL is no longer what holds the current"
    rises = [after - before for before, after in pairwise(plant.published)]
    assert max(rises) <= RISE + 1e-9
    assert min(rises) >= -SINK
    assert low < 53.5


def stopped(rig: Rig, current: float = 20.0, seconds: float = 60.0) -> float:
    """CVL after ``current`` A a pack flowed at CCL 0 for so long."""
    set_cells(rig.rows, slice(None), 3.33)
    rig.rows[:, Column.CURRENT] = current
    return rig.run(seconds).charge_voltage_limit.value


def cold(rig: Rig) -> None:
    for pack in range(len(rig.rows)):
        set_temperature(rig.rows, pack, -3.0)


def switched_off(rig: Rig) -> None:
    rig.controls = Controls(charge_off=True)


def capped(rig: Rig) -> None:
    rig.controls = Controls(charge_current=0.0)


def blocked(rig: Rig) -> None:
    rig.rows[:, Column.CHARGE_ENABLED] = 0.0


@pytest.mark.parametrize("why", [cold, switched_off, capped, blocked])
def test_whatever_makes_ccl_0_stops_a_current_that_flows_all_the_same(why: Any) -> None:
    rig = Rig(3)
    why(rig)
    assert stopped(rig) < CELLS_USED * 3.33


def test_chargers_that_heed_ccl_are_left_alone() -> None:
    rig = Rig(3)
    switched_off(rig)
    for second in range(60):  # DVCC looks after 3 s, and the charger follows in 2 s
        rig.rows[:, Column.CURRENT] = 50.0 * min(1.0, np.exp((3.0 - second) / 2.0))
        assert rig.step().charge_voltage_limit.value == pytest.approx(55.2)


@pytest.mark.parametrize("limit", [1.0, 30.0])
def test_a_charge_limit_that_is_not_0_is_held_too(limit: float) -> None:
    rig = Rig(3)
    rig.controls = Controls(charge_current=limit)
    assert stopped(rig) < 53.5


@pytest.mark.parametrize("exports", [0.0, np.inf], ids=["no export", "export"])
@pytest.mark.parametrize("chargers", CHARGERS.values(), ids=CHARGERS.keys())
def test_the_charge_current_comes_down_to_a_low_limit_and_follows_it(chargers: dict[str, Any], exports: float) -> None:
    plant = Plant(**chargers, exports=exports)
    limit = 0.4 * (plant.sun - plant.load) * plant.whole
    plant.run(60)
    plant.rig.controls = Controls(charge_current=limit)
    plant.mark()
    battery = plant.run(300)
    part = limit / plant.whole
    over = np.array(plant.charge) > part + 0.01 + 2.0 * plant.offset / plant.capacity
    assert over[WITHIN:].mean() < 0.05
    assert np.mean(plant.charge[-60:]) > 0.85 * part, "as much as is allowed"
    assert battery.charge_voltage_limit.cause is Cause.IGNORED
    assert plant.turns() <= 0.5
    assert plant.exported < 0.5
    plant.rig.controls = Controls()
    plant.run(60)
    rises = [after - before for before, after in pairwise(plant.published[-60:])]
    assert max(rises) <= RISE + 1e-9
    assert plant.charge[-1] > 1.2 * part


@pytest.mark.parametrize("exports", [0.0, np.inf], ids=["no export", "export"])
def test_a_sun_that_returns_finds_the_voltage_at_which_the_limit_flows(exports: float) -> None:
    plant = Plant(sun=0.3, exports=exports)
    plant.run(60)
    plant.rig.controls = Controls(charge_current=0.1 * plant.whole)
    plant.run(WITHIN)
    plant.mark()
    for _ in range(2):
        plant.sun = 0.02
        plant.run(150)
        plant.sun = 0.3
        plant.run(60)
    assert max(plant.charge) < 0.14
    assert (np.array(plant.charge) > 0.12).mean() < 0.03
    assert plant.turns() <= 1.0
    assert plant.exported < 0.5


def over_current(rig: Rig, current: float) -> None:
    """Chargers give ``current`` A a pack where the charge limit is far lower, until all BMSes open."""
    rig.controls = Controls(charge_current=30.0)
    set_cells(rig.rows, slice(None), 3.36)
    rig.rows[:, Column.CURRENT] = 0.0
    rig.run(PATIENCE + 2.0)
    rig.rows[:, Column.CURRENT] = current
    rig.run(3)
    rig.rows[:, Column.CURRENT] = 0.0
    rig.rows[:, Column.CHARGE_MOSFET] = 0.0


def test_packs_that_opened_under_an_ignored_limit_find_a_low_cvl() -> None:
    rig = Rig(3)
    over_current(rig, 150.0)
    set_cells(rig.rows, slice(None), 3.32)
    assert rig.run(40).charge_voltage_limit.value == pytest.approx(CELLS_USED * 3.32, abs=0.02)
    set_cells(rig.rows, slice(None), 3.31)  # they go on coming to rest
    assert rig.run(20).charge_voltage_limit.value == pytest.approx(CELLS_USED * 3.31, abs=0.02)
    rig.rows[:, Column.CHARGE_MOSFET] = 1.0
    before = rig.step().charge_voltage_limit.value
    for _ in range(30):
        after = rig.step().charge_voltage_limit.value
        assert after <= before + RISE + 1e-9
        before = after
    assert CELLS_USED * 3.31 < before < CELLS_USED * 3.34, "no higher than the limit allows"


def test_packs_that_opened_with_a_current_within_their_limit_find_the_usual_cvl() -> None:
    rig = Rig(3)
    over_current(rig, 9.0)
    assert rig.run(60).charge_voltage_limit.value == pytest.approx(55.2)


def test_ccl_does_not_rise_while_it_is_ignored() -> None:
    rig = Rig(3)
    for pack in range(3):
        set_temperature(rig.rows, pack, 4.0)
    set_cells(rig.rows, slice(None), 3.33)
    low = rig.run(30).charge_current_limit.value
    rig.rows[:, Column.CURRENT] = low
    rig.run(30)
    for pack in range(3):
        set_temperature(rig.rows, pack, 24.0)
    values = [rig.step().charge_current_limit.value for _ in range(20)]
    assert max(np.diff(values)) <= 0.0
    rig.rows[:, Column.CURRENT] = 0.2 * low / 3
    assert rig.run(20).charge_current_limit.value > 1.2 * low


def test_loads_that_go_off_under_chargers_that_follow_are_left_alone() -> None:
    """DVCC grants CCL and what the loads drew: each time they go off, more than CCL flows for some seconds."""
    rig = Rig(3)
    rig.controls = Controls(charge_current=60.0)
    set_cells(rig.rows, slice(None), 3.33)
    for second in range(120):
        rig.rows[:, Column.CURRENT] = 20.0 + 30.0 * min(1.0, np.exp((5.0 - second % 20) / 2.0))
        assert rig.step().charge_voltage_limit.value == pytest.approx(55.2)


def test_a_limit_that_falls_steadily_is_followed_late_and_that_is_no_reason() -> None:
    rig = Rig(3)
    set_cells(rig.rows, slice(None), 3.33)
    limits = 200.0 * np.exp(-np.arange(120) / 30.0)
    for second, limit in enumerate(limits):
        rig.controls = Controls(charge_current=float(limit))
        rig.rows[:, Column.CURRENT] = limits[max(second - 6, 0)] / 3
        assert rig.step().charge_voltage_limit.value == pytest.approx(55.2)


def test_nothing_flows_so_cvl_does_not_follow_a_falling_voltage() -> None:
    rig = Rig(3)
    cold(rig)
    low = stopped(rig)
    for cell in np.linspace(3.33, 3.20, 50):
        set_cells(rig.rows, slice(None), cell)
        rig.rows[:, Column.CURRENT] = 0.2
        assert rig.step().charge_voltage_limit.value == low


def test_a_discharge_lifts_cvl_above_the_voltage_at_once() -> None:
    rig = Rig(3)
    cold(rig)
    low = stopped(rig)
    rig.rows[:, Column.CURRENT] = -10.0
    limit = rig.step().charge_voltage_limit.value
    assert limit > max(low, CELLS_USED * 3.33)
    set_cells(rig.rows, slice(None), 3.20)  # loads: the voltage is far below CVL, which goes on rising slowly
    after = rig.run(100).charge_voltage_limit.value
    assert after == pytest.approx(limit + 100 * EASE, abs=0.01)


def test_cvl_waits_before_it_falls_and_never_falls_below_the_floor() -> None:
    rig = Rig(3)
    cold(rig)
    assert stopped(rig, seconds=PATIENCE) == pytest.approx(55.2)
    set_cells(rig.rows, slice(None), 3.20)
    assert rig.run(200).charge_voltage_limit.value == pytest.approx(FLOOR)
    set_cells(rig.rows, slice(None), 3.40)  # chargers that heed no CVL either
    assert rig.run(300).charge_voltage_limit.value == pytest.approx(FLOOR - LOWER)


def test_in_a_night_cvl_returns_to_the_usual_one() -> None:
    rig = Rig(3)
    rig.controls = Controls(charge_current=30.0)
    assert stopped(rig) < 53.5
    rig.controls = Controls()
    rig.rows[:, Column.CURRENT] = 0.0
    assert rig.run(900.0, every=10.0).charge_voltage_limit.value < 54.5
    assert rig.run(8 * 3600.0, every=10.0).charge_voltage_limit.value == pytest.approx(55.2)


def test_a_silent_pack_holds_cvl_where_it_is() -> None:
    rig = Rig(3)
    cold(rig)
    low = stopped(rig)
    rig.silent = {1}
    rig.run(6)
    held = rig.step().charge_voltage_limit.value
    assert held <= low
    rig.rows[:, Column.CURRENT] = -10.0
    assert rig.run(10).charge_voltage_limit.value == held


def test_a_bank_that_left_and_came_back_starts_from_its_usual_voltage() -> None:
    rig = Rig(3)
    cold(rig)
    assert stopped(rig) < 54.0
    rig.silent = {0, 1, 2}
    assert np.isnan(rig.run(40).charge_voltage_limit.value)
    rig.silent = set()
    assert rig.run(2).charge_voltage_limit.value == pytest.approx(55.2)


def test_the_drop_of_the_cables_is_known_beforehand() -> None:
    """Published is what chargers hold: at no current, the packs' voltage, and not that plus the drop."""
    low = []
    for drop in (0.0, 0.5):
        rig = Rig(3, BankSettings(voltage_drop=drop))
        cold(rig)
        low.append(stopped(rig, seconds=PATIENCE + 12.0))
    assert low[0] == pytest.approx(low[1], abs=0.01)


def test_no_guard_recovers_while_current_flows_in() -> None:
    rig = Rig(3, BankSettings(cvl_recovery_hold_sec=0.0))
    set_cells(rig.rows, slice(None), 3.38)
    set_cell(rig.rows, 1, 4, 3.60)
    low = rig.run(3).charge_voltage_limit.value
    cold(rig)
    set_cells(rig.rows, slice(None), 3.38)
    rig.rows[:, Column.CURRENT] = 20.0
    values = [low, *(rig.step().charge_voltage_limit.value for _ in range(int(PATIENCE)))]
    assert max(np.diff(values)) <= 0.0
