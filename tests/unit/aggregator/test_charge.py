from __future__ import annotations

from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from bank_rows import CELLS_USED, Rig, set_cell, set_cells
from packbank.aggregator.limits import TOP_BALANCE
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.battery import Cause
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.model.controls import Controls

QUICK = BankSettings(switch_to_float_wait_for_sec=60.0, absorption_max_sec=600.0)
NAN = float("nan")


def full(rig: Rig) -> None:
    """Every cell at the charge voltage, SoC as it should be then."""
    set_cells(rig.rows, slice(None), 3.45)
    rig.rows[:, Column.SOC] = 99.0


def test_bulk_aims_at_the_charge_voltage_of_the_packs() -> None:
    battery = Rig().step()
    assert battery.stage == "bulk"
    assert battery.charge_voltage_limit.value == pytest.approx(55.2)
    assert battery.charge_voltage_limit.cause is Cause.STAGE


def test_voltage_drop_is_added_once() -> None:
    assert Rig(3, BankSettings(voltage_drop=0.3)).step().charge_voltage_limit.value == pytest.approx(55.5)


def test_absorption_waits_for_the_last_pack_and_names_it_then_float() -> None:
    rig = Rig(3, QUICK)
    full(rig)
    set_cell(rig.rows, 1, 4, 3.42)  # 30 mV apart
    battery = rig.run(200)
    assert battery.stage == "absorption"
    assert battery.waiting_for == (1,)
    full(rig)
    assert rig.run(55).stage == "absorption"
    battery = rig.run(10)
    assert battery.stage == "float"
    assert battery.unfinished == ()


def test_a_pack_that_blocks_charge_is_not_waited_for() -> None:
    rig = Rig(3, QUICK)
    full(rig)
    set_cell(rig.rows, 1, 4, 3.40)
    rig.rows[1, Column.CHARGE_MOSFET] = 0.0
    assert rig.run(70).stage == "float"


def test_absorption_ends_in_time_and_names_who_was_not_finished() -> None:
    rig = Rig(3, QUICK)
    full(rig)
    set_cell(rig.rows, 2, 4, 3.42)
    battery = rig.run(620)
    assert battery.stage == "float"
    assert battery.unfinished == (2,)
    assert battery.history.time_since_full < 100.0  # most of the bank is full
    assert rig.run(60).stage == "float"  # the unfinished pack's cells do not start it all over


def test_the_way_down_to_float_is_slow() -> None:
    rig = Rig(2, QUICK)
    full(rig)
    before = rig.run(62)
    after = rig.run(100)
    assert before.stage == after.stage == "float"
    assert before.charge_voltage_limit.value - after.charge_voltage_limit.value == pytest.approx(0.1, abs=0.002)
    assert rig.run(1200).charge_voltage_limit.value == pytest.approx(54.0)


def test_float_ends_below_the_threshold_and_when_cells_drift_apart() -> None:
    for bend in (
        lambda rig: rig.rows.__setitem__((slice(None), Column.SOC), 79.0),
        lambda rig: set_cell(rig.rows, 0, 3, 3.34),
    ):
        rig = Rig(2, QUICK)
        full(rig)
        rig.run(70)
        set_cells(rig.rows, slice(None), 3.375)
        rig.rows[:, Column.SOC] = 85.0
        assert rig.run(10).stage == "float"
        bend(rig)
        if rig.rows[0, 2] == 3.34:
            set_cell(rig.rows, 0, 4, 3.43)
        assert rig.step().stage == "bulk"


def test_a_wrong_soc_does_not_make_the_stage_flap() -> None:
    rig = Rig(2, QUICK)
    full(rig)
    rig.rows[:, Column.SOC] = 60.0
    assert rig.run(70).stage == "float"
    assert rig.run(300).stage == "float"
    rig.rows[:, Column.SOC] = 54.0
    assert rig.step().stage == "bulk"


def test_passing_clouds_pause_the_absorption_instead_of_restarting_it() -> None:
    rig = Rig(2, QUICK)
    full(rig)
    rig.run(40)
    set_cells(rig.rows, slice(None), 3.40)
    assert rig.run(5).stage == "bulk"
    full(rig)
    assert rig.run(30).stage == "float"


def test_the_guard_falls_at_once_to_the_clipped_sum_and_names_the_cell() -> None:
    rig = Rig(3)
    set_cells(rig.rows, slice(None), 3.40)
    rig.step()
    set_cell(rig.rows, 1, 7, 3.60)
    limit = rig.step().charge_voltage_limit
    assert limit.value == pytest.approx(15 * 3.40 + 3.45)
    assert (limit.pack, limit.cause, limit.detail) == (1, Cause.CELL_VOLTAGE, "cell 7 3.600 V")


def test_the_guard_rests_then_rises_towards_the_target_no_faster_than_allowed() -> None:
    rig = Rig(1, BankSettings(cvl_recovery_hold_sec=20.0, cvl_recovery_rate_v_per_sec=0.004))
    set_cells(rig.rows, 0, 3.40)
    set_cell(rig.rows, 0, 7, 3.50)
    low = rig.step().charge_voltage_limit.value
    set_cell(rig.rows, 0, 7, 3.40)
    assert rig.run(18).charge_voltage_limit.value == pytest.approx(low)
    values = [rig.step().charge_voltage_limit.value for _ in range(100)]
    assert max(np.diff(values)) <= 0.004 + 1e-9
    assert values[-1] > low + 0.3
    set_cell(rig.rows, 0, 7, 3.45)  # the highest cell has arrived: no further
    resting = rig.step().charge_voltage_limit.value
    assert rig.run(60).charge_voltage_limit.value == pytest.approx(resting)


def test_no_cell_empties_the_bank_into_the_grid() -> None:
    rig = Rig(2)
    set_cells(rig.rows, slice(None), 3.20)
    set_cell(rig.rows, 0, 1, 3.60)
    assert rig.step().charge_voltage_limit.value == pytest.approx(CELLS_USED * (3.375 - 0.1))


def test_the_target_stays_below_the_bms_own_protection() -> None:
    rig = Rig(2)
    rig.rows[1, Column.CELL_OVP] = 3.45
    assert rig.step().charge_voltage_limit.value == pytest.approx(CELLS_USED * 3.42)


def test_a_bms_that_was_never_set_up_does_not_bring_the_limits_to_zero() -> None:
    rig = Rig(2)
    rig.rows[0, [Column.CELL_OVP, Column.CELL_COUNT, Column.FULL_CAPACITY]] = 0.0
    battery = rig.step()
    assert battery.charge_voltage_limit.value == pytest.approx(55.2)
    assert battery.charge_current_limit.value > 50.0
    assert battery.soc == 50.0


def test_packs_of_different_cell_counts_and_settings_take_the_lowest_target() -> None:
    rig = Rig(2, pack_settings=[PackSettings(max_cell_voltage=3.50), PackSettings()])
    rig.rows[1, Column.CELL_COUNT] = 15
    rig.rows[1, 15] = NAN
    rig.rows[1, Column.VOLTAGE] = rig.rows[0, Column.VOLTAGE]
    assert rig.step().charge_voltage_limit.value == pytest.approx(15 * 3.45)


def test_cvl_stays_while_every_pack_blocks_charge() -> None:
    rig = Rig(2)
    rig.rows[:, Column.CHARGE_MOSFET] = 0.0
    assert rig.run(3).charge_voltage_limit.value == pytest.approx(55.2)


def test_cvl_is_there_even_if_every_switch_is_open_from_the_start() -> None:
    rig = Rig(2)
    rig.rows[:, [Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET]] = 0.0
    battery = rig.run(3)
    assert battery.charge_voltage_limit.value == pytest.approx(55.2)
    assert battery.charge_current_limit.value == battery.discharge_current_limit.value == 0.0


def test_user_cap_holds_but_nonsense_does_not() -> None:
    rig = Rig(2)
    rig.controls = Controls(charge_voltage=54.4)
    limit = rig.step().charge_voltage_limit
    assert (limit.value, limit.cause) == (54.4, Cause.USER)
    rig.controls = Controls(charge_voltage=5.0)
    assert rig.step().charge_voltage_limit.value == pytest.approx(CELLS_USED * 3.275)
    rig.controls = Controls(charge_voltage=0.0)
    assert rig.step().charge_voltage_limit.value == pytest.approx(55.2)


def test_without_stages_the_target_stands_and_guards_work() -> None:
    rig = Rig(2, BankSettings(cvcm_enable=False, switch_to_float_wait_for_sec=5.0))
    full(rig)
    battery = rig.run(60)
    assert battery.stage == "fixed"
    assert battery.charge_voltage_limit.value == pytest.approx(55.2)
    set_cells(rig.rows, slice(None), 3.44)
    set_cell(rig.rows, 0, 1, 3.60)
    assert rig.step().charge_voltage_limit.value == pytest.approx(15 * 3.44 + 3.45)


def test_scheduled_top_balance_for_the_bank_as_a_whole() -> None:
    rig = Rig(2, BankSettings(soc_reset_after_days=1.0, switch_to_float_wait_for_sec=60.0))
    rig.rows[:, Column.SOC] = 99.0
    assert rig.step().stage == "bulk"  # the first interval begins with the first step
    rig.step(86000.0)
    battery = rig.step(500.0)
    assert battery.stage == "top balance: bulk"
    battery = rig.run(400)
    assert battery.charge_voltage_limit.value == pytest.approx(CELLS_USED * 3.62)  # OVP less its gap
    set_cells(rig.rows, slice(None), 3.60)
    assert rig.step().charge_current_limit.value > 0.0  # the curve stands higher by as much
    set_cells(rig.rows, slice(None), 3.62)
    battery = rig.run(70)
    assert battery.stage == "float"
    set_cells(rig.rows, slice(None), 3.375)
    assert rig.run(100).stage == "float"


def test_top_balance_on_request() -> None:
    rig = Rig(2)
    rig.step()
    rig.bank.request_top_balance()
    assert rig.step().stage == "top balance: bulk"


def test_a_top_balance_charges_beyond_the_curve_with_a_trickle_only() -> None:
    rig = Rig(2)
    rig.teach()
    rig.bank.request_top_balance()
    set_cells(rig.rows, slice(None), 3.40)
    rig.rows[:, Column.CURRENT] = 25.0
    on_curve = rig.run(300).charge_current_limit.value
    assert on_curve == pytest.approx(2 * 25.0, rel=0.06), "the curve holds where it allows more"
    set_cells(rig.rows, slice(None), 3.55)
    rig.rows[:, Column.CURRENT] = 5.0
    limit = rig.run(300).charge_current_limit.value
    assert limit == pytest.approx(2 * 100.0 * TOP_BALANCE, rel=0.15)


def test_a_top_balance_begun_in_absorption_counts_from_its_own_voltage() -> None:
    rig = Rig(2, QUICK)
    full(rig)
    assert rig.run(50).stage == "absorption"
    rig.bank.request_top_balance()
    highest = 0.0
    for _ in range(400):
        battery = rig.step()
        highest = max(highest, battery.charge_voltage_limit.value)
        set_cells(rig.rows, slice(None), battery.charge_voltage_limit.value / CELLS_USED)
    assert battery.stage == "float"
    assert highest == pytest.approx(CELLS_USED * 3.62)


def test_without_stages_a_top_balance_cannot_be_begun_since_it_would_never_end() -> None:
    begun = Rig(2)
    begun.step()
    begun.bank.request_top_balance()
    rig = Rig(2, BankSettings(cvcm_enable=False), state=begun.bank.state())
    rig.bank.request_top_balance()
    assert rig.run(400).charge_voltage_limit.value == pytest.approx(55.2)


def test_a_bank_that_the_user_keeps_low_is_not_full() -> None:
    rig = Rig(2, replace(QUICK, soc_calculation=True))
    rig.controls = Controls(charge_voltage=52.8)
    battery = rig.run(200)
    assert battery.charge_voltage_limit.value == pytest.approx(52.8)
    assert (battery.stage, battery.soc) == ("bulk", 50.0)
    assert isnan(battery.history.time_since_full)


@pytest.mark.parametrize("voltage", [26.0, 0.0, -5.0, 1e9])
def test_a_saved_voltage_of_another_bank_does_not_last(voltage: float) -> None:
    rig = Rig(2)
    rig.step()
    state = rig.bank.state()
    state["charge"]["voltage"] = voltage
    assert CELLS_USED * 3.275 <= Rig(2, state=state).step().charge_voltage_limit.value <= 55.2


def test_a_held_packs_guard_does_not_rise() -> None:
    rig = Rig(2, BankSettings(cvl_recovery_hold_sec=0.0))
    set_cells(rig.rows, slice(None), 3.40)
    set_cell(rig.rows, 1, 1, 3.50)
    low = rig.step().charge_voltage_limit.value
    set_cell(rig.rows, 1, 1, 3.44)
    rig.step()
    rig.silent = {1}
    values = [rig.step().charge_voltage_limit.value for _ in range(20)]
    assert values[0] > low
    assert values[-1] == values[8]


def test_a_pack_without_cell_voltages_is_charged_by_its_voltage() -> None:
    rig = Rig(2, QUICK)
    full(rig)
    rig.rows[1, CELL_VOLTAGES] = NAN
    assert not isnan(rig.step().charge_voltage_limit.value)
    assert rig.run(70).stage == "float"


def test_the_stage_survives_a_restart() -> None:
    rig = Rig(3, QUICK)
    full(rig)
    set_cell(rig.rows, 2, 4, 3.42)
    rig.run(300)
    again = Rig(3, QUICK, state=rig.bank.state())
    again.rows[:] = rig.rows
    battery = again.step()
    assert (battery.stage, battery.waiting_for) == ("absorption", (2,))
    battery = again.run(305)
    assert (battery.stage, battery.unfinished) == ("float", (2,))
    third = Rig(3, QUICK, state=again.bank.state())
    third.rows[:] = rig.rows
    battery = third.step()
    assert (battery.stage, battery.unfinished) == ("float", (2,))
    assert battery.charge_voltage_limit.value == pytest.approx(again.step().charge_voltage_limit.value, abs=0.01)
