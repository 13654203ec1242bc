"""Settings that cannot be: which they are, what stands for them, and how they are named."""

from __future__ import annotations

import numpy as np
import pytest

from bank_rows import Rig, healthy
from packbank.aggregator.plausible import Plausible
from packbank.aggregator.settings import PackSettings
from packbank.model.battery import Cause
from packbank.model.columns import Column
from packbank.model.remarks import remarks
from virtual_battery import snapshot

CHARGE, DISCHARGE = Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT


def found(*bends: tuple[int, Column, float], packs: int = 4) -> set[tuple[int, Column]]:
    rows = healthy(packs)
    for pack, column, value in bends:
        rows[pack, column] = value
    judge = Plausible(packs)
    judge.step(rows)
    return {(pack, column) for pack, wrong in judge.found.items() for column, _ in wrong}


def test_a_healthy_bank_is_left_as_it_is() -> None:
    rows = healthy(4)
    assert Plausible(4).step(rows) is rows


@pytest.mark.parametrize(
    ("column", "value"),
    [(CHARGE, 0.0), (DISCHARGE, 6000.0), (Column.CELL_OVP, 0.0), (Column.MOS_OTP, 0.0), (Column.CELL_COUNT, 1.0)],
)
def test_what_no_pack_has_is_found_in_a_bank_of_one(column: Column, value: float) -> None:
    assert found((0, column, value), packs=1) == {(0, column)}


def test_a_capacity_is_judged_by_the_other_packs_and_by_what_the_pack_may_carry() -> None:
    assert found((1, Column.FULL_CAPACITY, 2.0)) == {(1, Column.FULL_CAPACITY)}
    assert found((0, Column.FULL_CAPACITY, 2.0), packs=1) == {(0, Column.FULL_CAPACITY)}  # 100 A of 2 Ah
    assert found((1, Column.FULL_CAPACITY, 50.0)) == set()  # a small pack among large ones
    assert found((1, Column.FULL_CAPACITY, 30_000.0)) == {(1, Column.FULL_CAPACITY)}


def test_a_pack_that_is_set_lower_than_the_others_is_believed() -> None:
    assert found((1, CHARGE, 1.0), (1, DISCHARGE, 5.0), (1, Column.CELL_OVP, 3.4), (1, Column.CELL_UVP, 3.0)) == set()


def test_a_pack_whose_cells_are_protected_much_later_than_the_others_is_not() -> None:
    assert found((1, Column.CELL_OVP, 4.25)) == {(1, Column.CELL_OVP)}
    assert found((1, Column.CELL_UVP, 1.5)) == {(1, Column.CELL_UVP)}


def test_a_current_limit_with_a_digit_too_many_is_found_by_the_packs_of_its_kind() -> None:
    assert found((1, CHARGE, 1000.0), (2, DISCHARGE, 1500.0)) == {(1, CHARGE), (2, DISCHARGE)}
    assert found((1, CHARGE, 500.0), (2, DISCHARGE, 750.0)) == set()
    assert found((1, CHARGE, 1000.0), packs=2) == set(), "of two packs nobody knows which is right"
    assert found((1, CHARGE, 600.0), (1, Column.FULL_CAPACITY, 1400.0)) == set(), "so much larger is the pack"
    rows = healthy(4)
    rows[0, CHARGE] = 1000.0
    assert Plausible(4).step(rows, np.array([1, 0, 0, 0])) is rows, "nor of another make"


def test_a_delay_that_is_far_longer_than_the_others_is_found_and_counts_as_short() -> None:
    rows, judge = healthy(4), Plausible(4)
    rows[:, Column.CHARGE_OCP_DELAY] = [6.0, 6.0, 300.0, 60.0]
    assert np.isnan(judge.step(rows)[2, Column.CHARGE_OCP_DELAY])
    assert judge.step(rows)[3, Column.CHARGE_OCP_DELAY] == 60.0
    rig = Rig(4)
    rig.rows[:, Column.CHARGE_OCP_DELAY] = rows[:, Column.CHARGE_OCP_DELAY]
    rig.run(2)
    [text] = [remark.text for remark in remarks(snapshot(rig.step())) if remark.pack == 2]
    assert text == (
        "its BMS says delay of the charge over-current protection: 300 s, which cannot be and counts as unknown; "
        "correct it in the BMS; until then it counts as short where RESERVE_PACKS or LOADS_FROM_SYSTEM keeps room"
    )


@pytest.mark.parametrize(("column", "value"), [(CHARGE, 1000.0), (Column.CELL_OVP, 4.25), (Column.FULL_CAPACITY, 4.0)])
def test_what_was_reported_before_the_other_packs_were_there_is_no_better_for_it(column: Column, value: float) -> None:
    rows, judge = healthy(4), Plausible(4)
    rows[0, column] = value
    rows[0, [CHARGE, DISCHARGE]] = np.fmin(rows[0, [CHARGE, DISCHARGE]], [value * 20.0] * 2)
    rows[1:] = np.nan
    assert judge.step(rows) is rows
    rows[1:] = healthy(3)
    assert np.isnan(judge.step(rows)[0, column])


def test_a_believed_limit_stands_only_where_it_is_lower_than_one_that_is_too_high() -> None:
    rows, judge = healthy(4), Plausible(4)
    rows[:, CHARGE] = 900.0
    judge.step(rows)
    rows[0, CHARGE] = 800.0
    rows[1:, CHARGE] = 100.0
    assert judge.step(rows)[0, CHARGE] == 800.0
    rows[0, CHARGE] = 1000.0
    assert judge.step(rows)[0, CHARGE] == 800.0


def test_unequal_banks_of_sound_packs_are_believed() -> None:
    rows = healthy(4)
    rows[:, Column.FULL_CAPACITY] = [50.0, 100.0, 280.0, 628.0]
    rows[:, CHARGE] = [50.0, 100.0, 100.0, 200.0]
    rows[:, DISCHARGE] = [100.0, 100.0, 200.0, 300.0]
    assert Plausible(4).step(rows) is rows


def test_what_was_reported_before_stands_until_another_pack_is_there() -> None:
    rows, judge = healthy(3), Plausible(3)
    rows[1, CHARGE] = 40.0
    judge.step(rows)
    rows[1, CHARGE] = 0.0
    assert judge.step(rows)[1, CHARGE] == 40.0
    assert rows[1, CHARGE] == 0.0  # the packs' own rows are nobody's to change
    rows[1, CHARGE] = np.nan
    judge.step(rows)
    rows[1, CHARGE] = 0.0
    assert np.isnan(judge.step(rows)[1, CHARGE])


def test_a_mistyped_limit_neither_stops_the_bank_nor_opens_it_and_is_named() -> None:
    rig, sound = Rig(4), Rig(4)
    rig.rows[2, CHARGE] = 0.0
    rig.rows[2, DISCHARGE] = 6000.0
    limits = [each.run(60).charge_current_limit for each in (rig, sound)]
    assert 0.4 * limits[1].value < limits[0].value < limits[1].value
    assert (limits[0].pack, limits[0].cause) == (2, Cause.ESTIMATE)
    assert limits[0].detail == "its BMS says 0 A, taken from other packs, set MAX_BATTERY_CHARGE_CURRENT"
    texts = [remark.text for remark in remarks(snapshot(rig.step())) if remark.pack == 2]
    assert (
        "its BMS says continuous charge current the BMS allows: 0 A, which cannot be and counts as unknown; "
        "correct it in the BMS, or set MAX_BATTERY_CHARGE_CURRENT for it"
    ) in texts


def test_the_configuration_overrules_a_mistyped_limit_and_capacity() -> None:
    own = PackSettings(max_battery_charge_current=80.0, battery_capacity=300.0)
    rig = Rig(3, pack_settings=[own, PackSettings(), PackSettings()])
    rig.rows[0, CHARGE] = 0.0
    rig.rows[0, Column.FULL_CAPACITY] = 2.0
    battery = rig.run(10)
    assert battery.packs[0].charge_limit == 80.0
    assert not battery.packs[0].charge_estimated
    assert battery.installed_capacity == pytest.approx(860.0)


def test_a_mistyped_over_voltage_protection_is_taken_from_the_others() -> None:
    rig = Rig(3)
    rig.rows[:, Column.CELL_OVP] = [0.0, 3.5, 3.55]
    assert rig.run(10).charge_voltage_limit.value == pytest.approx(16 * 3.45)
    rig = Rig(3)
    rig.rows[:, Column.CELL_OVP] = [0.0, 3.4, 3.55]
    battery = rig.run(10)
    assert battery.charge_voltage_limit.value == pytest.approx(16 * 3.37)
    assert battery.charge_current_limit.value > 100.0
