from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from bank_rows import Rig, set_cell, set_cells, set_temperature
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Alarm, Column
from packbank.model.controls import External

NAN = float("nan")


def test_sums_means_and_weights() -> None:
    rig = Rig(3)
    rig.rows[:, Column.CURRENT] = [10.0, 20.0, -5.0]
    rig.rows[:, Column.POWER] = [500.0, 1000.0, -250.0]
    rig.rows[:, Column.FULL_CAPACITY] = [100.0, 100.0, 200.0]
    rig.rows[:, Column.SOH] = [100.0, 80.0, 90.0]
    set_temperature(rig.rows, 2, 40.0)
    rig.rows[1, Column.TEMPERATURE_MOS] = 44.0
    battery = rig.step()
    assert battery.current == pytest.approx(25.0)
    assert battery.power == pytest.approx(1250.0)
    assert battery.soh == pytest.approx((100 * 100 + 80 * 100 + 90 * 200) / 400)
    assert battery.temperature == pytest.approx((24 + 26 + 24 + 26 + 4 * 40) / 8)
    assert battery.temperature_mos == 44.0
    assert battery.voltage == pytest.approx(52.8)


def test_a_pack_that_never_answered_does_not_hide_the_health_of_the_others() -> None:
    rig = Rig(3, expected=[True, True, False])
    rig.rows[2] = NAN
    rig.silent = {2}
    rig.rows[:2, Column.SOH] = [100.0, 90.0]
    assert rig.run(3).soh == pytest.approx(95.0)


def test_extremes_name_pack_and_cell_or_sensor_as_on_the_pack() -> None:
    rig = Rig(3)
    set_cell(rig.rows, 2, 16, 3.25)
    set_cell(rig.rows, 1, 1, 3.35)
    rig.rows[0, Column.TEMPERATURE_5] = 31.0
    rig.rows[1, Column.TEMPERATURE_2] = 12.0
    battery = rig.step()
    assert (battery.lowest_cell.value, battery.lowest_cell.pack, battery.lowest_cell.number) == (3.25, 2, 16)
    assert (battery.highest_cell.value, battery.highest_cell.pack, battery.highest_cell.number) == (3.35, 1, 1)
    assert (battery.highest_temperature.pack, battery.highest_temperature.number) == (0, 5)
    assert (battery.lowest_temperature.pack, battery.lowest_temperature.number) == (1, 2)


def test_what_one_pack_does_not_report_is_made_of_the_others() -> None:
    rig = Rig(2)
    rig.rows[1, [Column.SOH, Column.TEMPERATURE_MOS, Column.POWER, Column.TEMPERATURE_1, Column.TEMPERATURE_2]] = NAN
    rig.rows[0, Column.POWER] = 100.0
    battery = rig.step()
    assert battery.soh == 100.0
    assert battery.temperature_mos == 30.0
    assert battery.temperature == pytest.approx(25.0)
    assert battery.power == 100.0


def test_what_nobody_reports_is_unknown_and_never_zero() -> None:
    rig = Rig(2)
    keep = rig.rows[:, [Column.VOLTAGE]].copy()
    rig.rows[:] = NAN
    rig.rows[:, [Column.VOLTAGE]] = keep
    battery = rig.step()
    for value in (battery.current, battery.power, battery.soc, battery.soh, battery.temperature, battery.time_to_go):
        assert isnan(value)
    assert isnan(battery.installed_capacity)
    assert isnan(battery.lowest_cell.value)
    assert battery.lowest_cell.pack == -1
    assert battery.charge_current_limit.value == battery.discharge_current_limit.value == 0.0


def test_power_follows_from_voltage_and_current_when_no_pack_reports_it() -> None:
    rig = Rig(2)
    rig.rows[:, Column.CURRENT] = 10.0
    assert rig.step().power == pytest.approx(20.0 * 52.8)


def test_an_external_shunt_replaces_current_and_power_but_not_the_shares() -> None:
    rig = Rig(2)
    rig.rows[:, Column.CURRENT] = 50.0
    rig.external = External(current=111.0)
    battery = rig.step()
    assert battery.current == 111.0
    assert battery.power == pytest.approx(111.0 * 52.8)
    assert battery.packs[0].charge_share == pytest.approx(0.5)


def test_voltage_is_that_of_the_packs_on_the_busbar() -> None:
    rig = Rig(3)
    rig.run(3)
    rig.rows[2, [Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET]] = 0.0
    set_cells(rig.rows, 2, 3.35)
    assert rig.step().voltage == pytest.approx(52.8)


def test_flags_of_one_pack_are_flags_of_the_bank() -> None:
    rig = Rig(3)
    battery = rig.step()
    assert (battery.balancing, battery.heating, battery.allow_to_balance) == (False, False, True)
    rig.rows[1, [Column.BALANCING, Column.HEATING]] = [2.0, 1.0]
    battery = rig.step()
    assert (battery.balancing, battery.heating) == (True, True)
    rig.rows[:, Column.BALANCE_ENABLED] = 0.0
    assert not rig.step().allow_to_balance


def test_low_voltage_and_charge_request_speak_for_the_neediest_pack() -> None:
    rig = Rig(3)
    battery = rig.step()
    assert battery.battery_low_voltage == pytest.approx(16 * 2.9)
    assert not battery.charge_request
    set_cell(rig.rows, 1, 3, 2.75)
    battery = rig.step()
    assert battery.discharge_current_limit.value == 0.0
    assert battery.charge_request


def test_cell_count_without_settings_is_that_of_the_cells() -> None:
    rig = Rig(2)
    rig.rows[:, Column.CELL_COUNT] = NAN
    assert rig.step().cells_per_pack == 16
    rig.rows[:, CELL_VOLTAGES] = NAN
    rig.rows[:, :8] = 3.3
    assert rig.step().cells_per_pack == 8


def test_the_matrix_is_only_read() -> None:
    rig = Rig(3)
    rig.step()
    before = rig.rows.copy()
    rig.rows.flags.writeable = False
    rig.bank.step(rig.rows, rig.now + 1, 0.0)
    assert np.array_equal(before, rig.rows, equal_nan=True)


def test_a_battery_that_was_given_out_stays_as_it_was() -> None:
    rig = Rig(4)
    given = [rig.run(5)]
    before = [list(given[0].packs)]
    rig.silent.add(0)
    for pack, column, value in (
        (1, Column.CHARGE_MOSFET, 0.0),
        (2, Alarm.CELL_IMBALANCE.column, 1.0),
        (3, Column.TEMPERATURE_1, 0.0),
        (1, Column.CURRENT, -60.0),
    ):
        rig.rows[pack, column] = value
        given.append(rig.run(20))
        before.append(list(given[-1].packs))
        assert before[-1] != before[-2]
        assert [list(battery.packs) for battery in given] == before


def test_a_matrix_of_another_bank_is_refused() -> None:
    with pytest.raises(ValueError, match=f"needs \\(2, {COLUMNS}\\)"):
        Rig(2).bank.step(Rig(3).rows, 0.0, 0.0)
