"""The limits of the bank: shares that are learned, cuts, ceilings and caps, and how a limit falls and rises."""

from __future__ import annotations

import pytest

from bank_rows import Rig, set_cell, set_cells
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.battery import Cause
from packbank.model.columns import Column
from packbank.model.controls import Controls

NAN = float("nan")
MARGIN = 1.0 + BankSettings().sensor_error


def test_before_anything_is_measured_shares_go_by_capacity_and_resistance_and_limits_by_how_little_is_known() -> None:
    rig = Rig(2, pack_settings=[PackSettings(), PackSettings(resistance_factor=2.0)])
    rig.rows[:, Column.FULL_CAPACITY] = [280.0, 280.0]
    battery = rig.step()
    assert battery.packs[0].charge_share == pytest.approx(2 / 3)
    assert 0.4 * 150.0 < battery.charge_current_limit.value < 0.9 * 150.0 / MARGIN


def test_a_single_pack_carries_all_and_nothing_of_that_is_uncertain() -> None:
    assert Rig(1).step().charge_current_limit.value == pytest.approx(100.0 / MARGIN)


def test_measured_currents_teach_the_shares_and_open_the_limits() -> None:
    rig = Rig(2)
    battery = rig.teach(2.0, 1.0)
    assert battery.packs[0].charge_share == pytest.approx(2 / 3, abs=0.01)
    assert battery.charge_current_limit.value == pytest.approx(150.0 / MARGIN, rel=0.06)
    assert battery.charge_current_limit.pack == 0
    assert battery.discharge_current_limit.value == pytest.approx(225.0 / MARGIN, rel=0.08), (
        "resistance has no direction"
    )


def test_limits_open_as_the_current_rises() -> None:
    rig = Rig(4)
    values = [rig.run(8).charge_current_limit.value]
    for level in (20.0, 40.0, 60.0, 80.0):
        rig.rows[:, Column.CURRENT] = level
        values.append(rig.run(8).charge_current_limit.value)
    assert values == sorted(values)
    assert values[0] < 250.0
    assert values[-1] > 380.0


def test_what_is_seen_at_rest_is_exchange_and_no_share() -> None:
    rig = Rig(2)
    rig.teach()
    rig.rows[:, Column.CURRENT] = [10.0, -10.0]
    battery = rig.run(60)
    assert battery.packs[0].charge_share == pytest.approx(0.5, abs=0.03)
    assert battery.charge_current_limit.value == pytest.approx(2 * (100.0 / MARGIN - 10.0), rel=0.06)


def test_shares_are_learned_from_small_currents_that_change_and_not_forgotten_at_rest() -> None:
    rig = Rig(2)
    for level in (2.0, 8.0) * 8:
        rig.rows[:, Column.CURRENT] = [2 * level, level]
        rig.run(8)
    assert rig.step().packs[0].charge_share == pytest.approx(2 / 3, abs=0.02)
    rig.rows[:, Column.CURRENT] = 0.0
    assert rig.run(4000, every=5).packs[0].charge_share == pytest.approx(2 / 3, abs=0.02)


def test_a_silent_pack_teaches_nothing() -> None:
    rig = Rig(2)
    rig.run(3)
    rig.silent = {1}
    rig.run(7)
    rig.rows[:, Column.CURRENT] = [90.0, 10.0]
    rig.silent = {1}
    assert rig.run(15).packs[0].charge_share == pytest.approx(0.5, abs=0.02)


def test_a_pack_that_reports_no_current_is_reckoned_with_its_share_and_its_uncertainty() -> None:
    rig = Rig(4)
    for level in (30.0, 60.0, 90.0, 40.0, 0.0):
        rig.rows[:, Column.CURRENT] = level
        rig.rows[3, Column.CURRENT] = NAN
        limit = rig.run(8).charge_current_limit
    assert limit.pack == 3
    assert 0.3 * 400.0 < limit.value < 0.7 * 400.0


def test_a_pack_seen_over_its_limit_lowers_the_banks_by_what_it_must_and_recovers_in_seconds() -> None:
    rig = Rig(2)
    rig.teach()
    rig.rows[:, Column.CURRENT] = 90.0
    rig.run(10)
    rig.rows[:, Column.CURRENT] = [115.0, 65.0]  # the packs begin to exchange 25 A
    limit = rig.run(6).charge_current_limit
    assert limit.pack == 0
    assert 125.0 < limit.value < 160.0
    rig.rows[:, Column.CURRENT] = 90.0
    assert rig.run(20).charge_current_limit.value == pytest.approx(200.0 / MARGIN, rel=0.08)


def test_the_limit_does_not_compound_while_the_inverter_is_slow() -> None:
    rig = Rig(2)
    rig.teach()
    rig.rows[:, Column.CURRENT] = [125.0, 75.0]
    rig.run(6)
    assert rig.run(30).charge_current_limit.value > 120.0


def hasty(delay: float) -> Rig:
    rig = Rig(2)
    rig.rows[:, Column.CHARGE_OCP_DELAY] = delay
    rig.teach()
    rig.rows[:, Column.CURRENT] = 96.0
    rig.run(6)
    return rig


def test_a_limit_is_cut_deep_for_one_look_when_a_bms_counts_down_and_then_is_what_is_predicted() -> None:
    rig = hasty(3.0)
    rig.rows[:, Column.CURRENT] = [108.0, 96.0]
    cut = rig.run(1).charge_current_limit
    assert (cut.cause, cut.pack) == (Cause.CUT, 0)
    assert cut.value < 0.5 * 190.0
    rig.rows[:, Column.CURRENT] = [88.0, 76.0]
    values = [rig.step().charge_current_limit.value for _ in range(6)]
    assert values[1] < 0.5 * 190.0, "for one look of DVCC"
    assert values[-1] > 0.85 * 190.0


def test_a_bms_that_waits_for_minutes_needs_no_cut() -> None:
    rig = hasty(300.0)
    rig.rows[:, Column.CURRENT] = [108.0, 96.0]
    assert rig.run(1).charge_current_limit.cause is not Cause.CUT


def test_a_pack_just_above_its_ceiling_is_over_before_its_bms_trips() -> None:
    rig = Rig(2)
    rig.teach()
    rig.rows[:, Column.CURRENT] = [100.4, 95.0]
    assert rig.run(6).charge_current_limit.value < 193.0


def test_a_pack_that_carries_nothing_is_over_no_limit_whatever_its_bms_reports() -> None:
    rig = Rig(3)
    rig.teach()
    before = rig.step().charge_current_limit.value
    rig.rows[2, [Column.CHARGE_CURRENT_LIMIT, Column.CHARGE_MOSFET, Column.CURRENT]] = [-1.0, 0.0, 0.0]
    battery = rig.run(5)
    assert battery.charge_current_limit.value == pytest.approx(before * 2 / 3, rel=0.02)
    assert battery.charge_current_limit.pack in (0, 1)


def test_what_packs_exchange_is_not_taken_for_a_share() -> None:
    rig = Rig(2)
    rig.teach()
    rig.rows[:, Column.CURRENT] = [130.0, -100.0]  # the second presses into the first; their shares would be 4 and -3
    limit = rig.run(6).charge_current_limit
    assert 0.0 < limit.value < 10.0


def test_bank_ceiling_and_user_caps() -> None:
    rig = Rig(4, BankSettings(max_bank_charge_current=200.0))
    assert rig.teach().charge_current_limit.value == 200.0
    assert rig.step().charge_current_limit.cause is Cause.CONFIG
    rig.controls = Controls(charge_current=50.0, discharge_off=True)
    battery = rig.step()
    assert (battery.charge_current_limit.value, battery.charge_current_limit.cause) == (50.0, Cause.USER)
    assert (battery.discharge_current_limit.value, battery.discharge_current_limit.cause) == (0.0, Cause.USER)


def test_limits_fall_at_once_and_rise_late_and_slowly() -> None:
    rig = Rig(2, BankSettings(ccl_recovery_hold_sec=10.0, ccl_recovery_rate_a_per_sec=2.0))
    full = rig.teach().charge_current_limit.value
    set_cell(rig.rows, 0, 1, 3.39)
    low = rig.step().charge_current_limit.value
    assert low < full * 0.55, "nothing flows: with a current its cell would be higher still"
    set_cells(rig.rows, 0, 3.30)
    limits = [rig.step().charge_current_limit for _ in range(13)]
    assert [limit.value for limit in limits[:10]] == [low] * 10
    assert limits[5].cause is Cause.RAMP
    assert limits[12].value - limits[11].value == pytest.approx(4.0)  # 2 A/s for each of two packs
    assert rig.run(90).charge_current_limit.value == pytest.approx(full, rel=0.02)


def test_no_limit_rises_while_a_pack_is_silent() -> None:
    rig = Rig(3)
    rig.teach()
    set_cell(rig.rows, 0, 1, 3.39)
    low = rig.step().charge_current_limit.value
    set_cells(rig.rows, 0, 3.30)
    rig.silent = {1}
    rig.run(6)
    before = rig.step().charge_current_limit.value
    assert low <= before < 290.0
    assert rig.run(15).charge_current_limit.value <= before


def test_a_bank_that_appears_or_returns_has_its_limits_at_once() -> None:
    rig = Rig(1)
    rows = rig.rows.copy()
    rig.rows[:], rig.silent = NAN, {0}
    assert rig.step().discharge_current_limit.value == 0.0
    rig.rows[:], rig.silent = rows, set()
    full = rig.step().discharge_current_limit.value
    assert full == pytest.approx(150.0 / MARGIN)
    rig.silent = {0}
    assert rig.run(120).discharge_current_limit.value == 0.0
    rig.silent = set()
    assert rig.run(10).discharge_current_limit.value == pytest.approx(full)


def test_after_zero_a_trickle_is_not_worth_starting_for() -> None:
    rig = Rig(1, BankSettings(ccl_recovery_hold_sec=0.0, ccl_recovery_rate_a_per_sec=0.0))
    rig.step()
    set_cells(rig.rows, 0, 3.51)
    rig.step()
    set_cells(rig.rows, 0, 3.446)
    assert rig.run(5).charge_current_limit.value == 0.0
    set_cells(rig.rows, 0, 3.44)
    assert rig.run(5).charge_current_limit.value > 0.0


def test_a_slow_drift_down_does_not_change_the_limit_every_second() -> None:
    rig = Rig(1)
    rig.step()
    values = []
    for k in range(100):
        rig.rows[0, Column.CHARGE_CURRENT_LIMIT] = 100.0 - 0.05 * k
        values.append(rig.step().charge_current_limit.value)
        assert values[-1] <= (100.0 - 0.05 * k) / MARGIN
    assert len(set(values)) <= 12
