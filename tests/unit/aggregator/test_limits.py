"""What each pack allows by itself, and which pack, cause and figure a limit names."""

from __future__ import annotations

import pytest

from bank_rows import Rig, set_cell, set_temperature
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.battery import Cause
from packbank.model.columns import CELL_VOLTAGES, Column

NAN = float("nan")
MARGIN = 1.0 + BankSettings().sensor_error


@pytest.mark.parametrize(
    ("bend", "cause", "detail"),
    [
        (lambda rig: set_cell(rig.rows, 1, 5, 3.4125), Cause.CELL_VOLTAGE, "cell 5 3.413 V"),
        (lambda rig: set_temperature(rig.rows, 1, 2.0), Cause.TEMPERATURE, "battery 2.0 to 2.0 degC"),
        (
            lambda rig: rig.rows.__setitem__((1, Column.TEMPERATURE_MOS), 85.0),
            Cause.MOS_TEMPERATURE,
            "MOSFETs 85.0 degC",
        ),
        (lambda rig: rig.rows.__setitem__((1, Column.CHARGE_CURRENT_LIMIT), 12.0), Cause.BMS, ""),
        (
            lambda rig: rig.rows.__setitem__((1, [Column.TEMPERATURE_1, Column.CHARGE_UTP]), [22.0, 20.0]),
            Cause.BMS,
            "battery 22.0 degC, no charge below 20 degC",
        ),
        (
            lambda rig: rig.rows.__setitem__((1, [Column.TEMPERATURE_MOS, Column.MOS_OTP]), [45.0, 50.0]),
            Cause.BMS,
            "MOSFETs 45.0 degC, they open at 50 degC",
        ),
        (
            lambda rig: rig.rows.__setitem__((1, Column.CELL_OVP), 3.33),
            Cause.BMS,
            "cell 3.300 V, over-voltage at 3.330 V",
        ),
    ],
)
def test_each_limit_names_pack_cause_and_figure(bend: object, cause: Cause, detail: str) -> None:
    rig = Rig(3)
    assert callable(bend)
    bend(rig)
    limit = rig.step().charge_current_limit
    assert (limit.pack, limit.cause, limit.detail) == (1, cause, detail)
    assert 0.0 < limit.value < 300.0 / MARGIN * 0.5
    assert limit.share == pytest.approx(1 / 3)


def test_a_curve_at_zero_brings_the_whole_bank_to_zero() -> None:
    rig = Rig(3)
    set_cell(rig.rows, 2, 1, 3.51)
    battery = rig.step()
    assert battery.charge_current_limit.value == 0.0
    assert battery.discharge_current_limit.value > 0.0
    assert not battery.allow_to_charge


def test_the_colder_and_the_hotter_sensor_both_count() -> None:
    rig = Rig(1)
    rig.rows[0, Column.TEMPERATURE_1] = 2.0
    assert rig.step().packs[0].charge_limit == pytest.approx(25.0)
    rig.rows[0, [Column.TEMPERATURE_1, Column.TEMPERATURE_2]] = [20.0, 50.0]
    assert rig.step().packs[0].charge_limit == pytest.approx(25.0)


def test_a_sensor_that_is_not_chosen_does_not_count() -> None:
    rig = Rig(1, pack_settings=[PackSettings(temperature_source_battery=(1,))])
    rig.rows[0, Column.TEMPERATURE_2] = 54.0
    battery = rig.step()
    assert battery.packs[0].charge_limit == pytest.approx(100.0)
    assert battery.highest_temperature.value == 24.0


def test_soc_curves_only_when_switched_on() -> None:
    for enable, limit in ((False, 100.0), (True, 50.0)):
        rig = Rig(1, pack_settings=[PackSettings(cccm_soc_enable=enable)])
        rig.rows[0, Column.SOC] = 90.0
        assert rig.step().packs[0].charge_limit == pytest.approx(limit)


def test_the_bms_own_protections_are_never_approached() -> None:
    rig = Rig(1)
    rig.rows[0, Column.CELL_OVP] = 3.32
    assert rig.step().packs[0].charge_limit == pytest.approx(25.0)
    assert rig.step().packs[0].charge_cause is Cause.BMS
    rig.rows[0, Column.CELL_OVP] = 3.30
    assert rig.step().packs[0].charge_limit == 0.0
    rig.rows[0, [Column.CELL_OVP, Column.DISCHARGE_OTP]] = [3.65, 26.5]
    assert rig.step().packs[0].discharge_limit == 0.0


def test_a_vanished_sensor_halves_and_one_that_never_was_does_not() -> None:
    rig = Rig(2)
    set_temperature(rig.rows, 1, NAN)
    assert [p.charge_limit for p in rig.run(3).packs] == [100.0, 100.0]
    set_temperature(rig.rows, 0, NAN)
    assert [p.charge_limit for p in rig.step().packs] == [50.0, 100.0]


def test_the_sensors_that_are_left_do_not_stand_in_for_one_that_vanished() -> None:
    rig = Rig(3, pack_settings=[PackSettings(), PackSettings(), PackSettings(cccm_t_enable=False)])
    rig.rows[:, Column.TEMPERATURE_1] = [2.0, 24.0, 24.0]
    assert [p.charge_limit for p in rig.run(3).packs] == [25.0, 100.0, 100.0]
    rig.rows[:, Column.TEMPERATURE_1] = NAN
    battery = rig.run(100)
    assert [p.charge_limit for p in battery.packs] == [25.0, 50.0, 100.0]
    assert [p.discharge_limit for p in battery.packs] == [52.5, 75.0, 75.0]
    rig.rows[:, Column.TEMPERATURE_1] = 24.0
    assert [p.charge_limit for p in rig.step().packs] == [100.0, 100.0, 100.0]


def test_a_sensor_that_vanishes_limits_no_less_than_it_did() -> None:
    rig = Rig(1)
    set_temperature(rig.rows, 0, 0.0)
    assert rig.run(3).charge_current_limit.value == 0.0
    set_temperature(rig.rows, 0, NAN)
    limit = rig.run(100).charge_current_limit
    assert (limit.value, limit.cause, limit.detail) == (0.0, Cause.TEMPERATURE, "battery sensors silent")


def test_a_pack_whose_limits_never_arrive_is_bounded_by_the_others_and_named() -> None:
    rig = Rig(2)
    rig.rows[1, [Column.CHARGE_CURRENT_LIMIT, Column.SETTINGS_TIME]] = NAN
    battery = rig.run(40)
    limit = battery.charge_current_limit
    assert (limit.pack, limit.cause) == (1, Cause.ESTIMATE)
    assert "MAX_BATTERY_CHARGE_CURRENT" in limit.detail
    assert 0.0 < limit.value <= 100.0
    assert battery.packs[1].charge_limit == 50.0  # half of what its neighbour allows
    assert battery.packs[1].charge_cause is Cause.ESTIMATE


def test_where_no_pack_reports_a_limit_there_is_none_to_allow() -> None:
    rig = Rig(2)
    rig.rows[:, [Column.CHARGE_CURRENT_LIMIT, Column.SETTINGS_TIME]] = NAN
    limit = rig.run(40).charge_current_limit
    assert (limit.value, limit.detail) == (0.0, "neither its BMS nor the configuration gives one")


@pytest.mark.parametrize("reported_settings", [True, False])
def test_packs_that_report_no_limit_are_named_whether_or_not_they_reported_settings(reported_settings: bool) -> None:
    rig = Rig(2)
    rig.rows[:, Column.CHARGE_CURRENT_LIMIT] = NAN
    if not reported_settings:
        rig.rows[:, Column.SETTINGS_TIME] = NAN
    assert [pack.charge_unlimited for pack in rig.step().packs] == [True, True]


def test_unseen_cells_allow_no_current_unless_the_pack_voltage_is_known() -> None:
    rig = Rig(1)
    rig.rows[0, CELL_VOLTAGES] = NAN
    battery = rig.step()
    assert battery.packs[0].charge_limit == pytest.approx(100.0)  # 52.8 V over 16 cells
    assert battery.highest_cell.value == pytest.approx(3.3)
    assert battery.highest_cell.number == 0
    rig.rows[0, Column.VOLTAGE] = NAN
    assert rig.step().packs[0].charge_limit == 0.0


def test_a_pack_that_nobody_limits_is_flagged_until_the_configuration_does() -> None:
    rig = Rig(2)
    rig.rows[1, Column.CHARGE_CURRENT_LIMIT] = NAN
    battery = rig.step()
    assert [(pack.charge_estimated, pack.discharge_estimated) for pack in battery.packs] == [
        (False, False),
        (True, False),
    ]
    rig = Rig(2, pack_settings=[PackSettings(), PackSettings(max_battery_charge_current=80.0)])
    rig.rows[1, Column.CHARGE_CURRENT_LIMIT] = NAN
    battery = rig.teach()
    assert battery.charge_current_limit.value == pytest.approx(160.0 / MARGIN, rel=0.06)
    assert not any(pack.charge_unlimited or pack.charge_estimated for pack in battery.packs)


def test_the_smaller_of_config_and_bms_is_the_ceiling() -> None:
    rig = Rig(1, pack_settings=[PackSettings(max_battery_charge_current=40.0, max_battery_discharge_current=400.0)])
    pack = rig.step().packs[0]
    assert (pack.charge_limit, pack.charge_cause) == (40.0, Cause.CONFIG)
    assert (pack.discharge_limit, pack.discharge_cause) == (150.0, Cause.BMS)
