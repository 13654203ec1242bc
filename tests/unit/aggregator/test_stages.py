"""Charge stages end whatever is off by some tenths of a volt, however long they take, and whatever the clock says."""

from __future__ import annotations

import numpy as np
import pytest

from bank_rows import CELLS_USED, WALL, Rig, set_cell, set_cells
from packbank.aggregator.reach import STANDS, STANDS_NEAR
from packbank.aggregator.settings import BankSettings
from packbank.model.battery import VirtualBattery
from packbank.model.columns import Column
from packbank.model.controls import Controls

QUICK = BankSettings(switch_to_float_wait_for_sec=60.0, absorption_max_sec=14400.0)
DAY = 86400.0


def held_at(rig: Rig, cell: float, current: float = 0.5, soc: float = 99.0) -> None:
    """A charger holds every cell at ``cell`` V; each pack takes ``current`` A."""
    set_cells(rig.rows, slice(None), cell)
    rig.rows[:, Column.CURRENT] = current
    rig.rows[:, Column.SOC] = soc


def stages(rig: Rig, seconds: float, every: float = 5.0) -> list[str]:
    return [rig.step(every).stage for _ in range(int(seconds / every))]


@pytest.mark.parametrize(("short", "stands"), [(0.2, STANDS_NEAR), (0.45, STANDS_NEAR), (0.9, STANDS)])
def test_a_charger_that_stops_short_of_the_cvl_ends_the_charge(short: float, stands: float) -> None:
    rig = Rig(3, QUICK)
    held_at(rig, 3.45 - short / CELLS_USED)
    seen = stages(rig, stands + 300.0)
    assert seen[int((stands - 60.0) / 5.0)] == "bulk"
    assert "absorption" in seen
    assert seen[-1] == "float"


@pytest.mark.parametrize(
    ("cell", "current"),
    [(3.42, 40.0), (3.36, 0.5)],
    ids=["a current that lifts the voltage", "a bank at rest below float"],
)
def test_what_is_not_the_end_of_a_charge_is_not_taken_for_it(cell: float, current: float) -> None:
    rig = Rig(3, QUICK)
    held_at(rig, cell, current)
    assert set(stages(rig, 2.0 * STANDS)) == {"bulk"}


def test_a_voltage_that_still_rises_is_not_the_end_of_a_charge() -> None:
    rig = Rig(3, QUICK)
    for minute in range(90):
        held_at(rig, 3.38 + 0.00025 * minute)  # 15 mV an hour: 1 A into the knee of a full cell
        assert rig.run(60, every=5.0).stage == "bulk"


def test_clouds_pause_the_search_for_where_the_charger_stops() -> None:
    rig = Rig(3, QUICK)
    for _ in range(40):
        held_at(rig, 3.4375)
        rig.run(60, every=5.0)
        held_at(rig, 3.42, -20.0)
        battery = rig.run(20, every=5.0)
    assert battery.stage == "float"


def test_a_bank_that_its_owner_keeps_low_is_not_taken_for_full() -> None:
    rig = Rig(3, QUICK)
    rig.controls = Controls(charge_voltage=54.4)
    held_at(rig, 3.40)
    assert set(stages(rig, 2.0 * STANDS)) == {"bulk"}
    rig.controls = Controls()
    assert stages(rig, STANDS + 300.0)[-1] == "float"  # then it is the charger that keeps it low


@pytest.mark.parametrize("low", [0.2, 0.4])
def test_a_pack_that_reads_low_does_not_hold_up_the_others(low: float) -> None:
    rig = Rig(4, QUICK)
    held_at(rig, 3.45)
    set_cells(rig.rows, 2, 3.45 - low / CELLS_USED)
    battery = rig.run(90)
    assert (battery.stage, battery.unfinished) == ("float", ())


def test_a_pack_that_still_takes_current_below_the_others_is_waited_for_and_named() -> None:
    rig = Rig(4, QUICK)
    held_at(rig, 3.45)
    set_cells(rig.rows, 2, 3.43)
    rig.rows[2, Column.CURRENT] = 15.0
    battery = rig.run(300)
    assert (battery.stage, battery.waiting_for) == ("absorption", (2,))


def cycle(rig: Rig, days: int) -> list[tuple[float, str]]:
    """Days between 82 and 100 %: by day at the voltage of CVL, by night on the plateau; time in days, and stage."""
    seen = []
    battery = rig.step()
    for half in range(2 * days):
        for _ in range(24):
            cvl = battery.charge_voltage_limit.value
            sunny = half % 2
            held_at(rig, cvl / CELLS_USED if sunny else 3.33, 0.5 if sunny else -10.0, 100.0 if sunny else 82.0)
            battery = rig.step(1800.0)
            seen.append(((rig.now - 1000.0) / DAY, battery.stage))
    return seen


def test_a_bank_that_never_falls_below_the_threshold_is_balanced_every_week() -> None:
    seen = cycle(Rig(2, BankSettings()), 23)
    absorbed = [t for t, stage in seen if stage == "absorption"]
    assert len(absorbed) >= 3
    assert max(np.diff([0.0, *absorbed, seen[-1][0]])) < 8.5
    assert sum(stage == "float" for _, stage in seen) > 0.8 * len(seen)


def test_the_weekly_charge_can_be_switched_off() -> None:
    seen = [stage for _, stage in cycle(Rig(2, BankSettings(switch_to_bulk_after_days=None)), 15)]
    assert set(seen[seen.index("float") :]) == {"float"}


def test_time_in_float_survives_a_restart() -> None:
    rig = Rig(2, QUICK)
    held_at(rig, 3.45)
    assert rig.run(90, every=5.0).stage == "float"
    assert set(stages(rig, 6.0 * DAY, 3600.0)) == {"float"}
    again = Rig(2, QUICK, state=rig.bank.state())
    held_at(again, 3.36)
    assert stages(again, 1.2 * DAY, 3600.0)[-1] == "bulk"


@pytest.mark.parametrize("pause", [30.0, 901.0])
def test_a_pause_of_the_process_is_no_absorption(pause: float) -> None:
    rig = Rig(2, QUICK)
    held_at(rig, 3.45)
    assert rig.run(20).stage == "absorption"
    for _ in range(20):
        rig.step(pause)
        assert rig.step().stage == "absorption"
    assert rig.run(15).stage == "absorption"
    assert rig.run(10).stage == "float"


def test_nothing_rises_for_the_time_of_a_pause() -> None:
    rig = Rig(1, BankSettings(cvl_recovery_hold_sec=0.0))
    set_cells(rig.rows, 0, 3.40)
    rig.rows[0, 3] = 3.50
    low = rig.step().charge_voltage_limit.value
    set_cells(rig.rows, 0, 3.40)
    assert rig.step(900.0).charge_voltage_limit.value == pytest.approx(low)


def test_steps_that_are_always_long_count() -> None:
    rig = Rig(2, BankSettings())
    held_at(rig, 3.45)
    assert stages(rig, 3600.0, 60.0)[-1] == "float"


TICK = 4.0  # s
RAMP = -0.001 * TICK - 1e-6  # V


def top_balance(rig: Rig, seconds: float) -> list[VirtualBattery]:
    """The cells follow CVL as long as it rises and for a minute after, and then fall back to rest slowly."""
    seen = []
    for _ in range(int(seconds / TICK)):
        battery = rig.step(TICK)
        cvl = battery.charge_voltage_limit.value / CELLS_USED
        highest = float(rig.rows[0, 0])
        held_at(rig, cvl if cvl > highest else max(cvl, highest - 0.0008))
        seen.append(battery)
    return seen


def test_after_a_top_balance_cvl_comes_down_on_its_ramp() -> None:
    rig = Rig(2, QUICK)
    rig.step()
    rig.bank.request_top_balance()
    seen = top_balance(rig, 1000)
    values = [battery.charge_voltage_limit.value for battery in seen]
    assert max(values) == pytest.approx(CELLS_USED * 3.62)
    assert seen[-1].stage == "float"
    assert min(np.diff(values)) >= RAMP
    rest = [battery.charge_voltage_limit.value for battery in top_balance(rig, 4500)]
    assert min(np.diff(rest)) >= RAMP
    assert rest[-1] == pytest.approx(54.0)


def test_guards_work_while_cvl_comes_down_after_a_top_balance() -> None:
    rig = Rig(2, QUICK)
    rig.step()
    rig.bank.request_top_balance()
    assert top_balance(rig, 1000)[-1].stage == "float"
    held_at(rig, 3.55)
    set_cell(rig.rows, 1, 4, 3.64)
    limit = rig.step(TICK).charge_voltage_limit
    assert limit.pack == 1
    assert limit.value == pytest.approx(15 * 3.55 + 3.62)


def clock(rig: Rig, wall: float, seconds: int = 1) -> VirtualBattery:
    """So many seconds at a wall clock that stands at ``wall`` then."""
    for second in range(seconds):
        rig.now += 1.0
        rig.rows[:, Column.STATUS_TIME] = rig.now
        battery = rig.bank.step(rig.rows, rig.now, wall + second, rig.controls, rig.external)
    return battery


@pytest.mark.parametrize("first", [0.0, WALL - 400 * DAY, WALL + 400 * DAY])
def test_a_wall_clock_that_is_set_right_begins_no_top_balance_and_prevents_none(first: float) -> None:
    settings = BankSettings(soc_reset_after_days=30.0)
    rig = Rig(2, settings)
    assert clock(rig, first, 5).stage == "bulk"
    assert clock(rig, WALL, 5).stage == "bulk"
    again = Rig(2, settings, state=rig.bank.state())
    assert clock(again, first, 5).stage == "bulk"
    assert clock(again, WALL, 5).stage == "bulk"
    for _ in range(30 * 4):
        again.step(6 * 3600.0)
    assert again.step().stage == "top balance: bulk"


@pytest.mark.parametrize("jump", [-1e9, 1e9])
def test_the_time_since_the_last_full_charge_does_not_jump_with_the_wall_clock(jump: float) -> None:
    rig = Rig(2, QUICK)
    held_at(rig, 3.45)
    clock(rig, WALL, 100)
    assert clock(rig, WALL + jump, 60).history.time_since_full == pytest.approx(97.0, abs=5.0)


def test_a_bms_that_counts_wrongly_does_not_restart_the_charge_at_every_cloud() -> None:
    rig = Rig(2, QUICK)
    for _ in range(3):
        held_at(rig, 3.45, soc=60.0)
        assert rig.run(25).stage in {"absorption", "float"}
        held_at(rig, 3.40, soc=60.0)
        rig.run(10)
    assert rig.step().stage == "float"
