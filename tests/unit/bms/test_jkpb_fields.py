"""The tables of JK PB: both meanings of a byte, gates, signs, and every alarm bit."""

from __future__ import annotations

from struct import pack_into

import numpy as np
import pytest
from jkpb_samples import empty, sample_frame, sample_row

from packbank.bms.fields import columns_of
from packbank.bms.jkpb_fields import (
    ALARM_NAMES,
    ALARMS,
    SETTINGS,
    STATUS,
    STATUS_FLAGS,
    settings_layout,
    status_layout,
)
from packbank.bms.protocol import Row, Topic
from packbank.model.columns import CELL_RESISTANCES, CELL_VOLTAGES, Alarm, Column


def decoded(patch: dict[int, tuple[str, int]], topic: Topic = Topic.STATUS) -> Row:
    data = bytearray(sample_frame(topic))
    for offset, (code, value) in patch.items():
        pack_into(code, data, offset, value)
    row = empty()
    (status_layout() if topic is Topic.STATUS else settings_layout()).decode_into(data, row)
    return row


def test_offsets_and_scales_by_hand() -> None:
    row = decoded({6 + 2 * 15: ("<H", 3456), 158: ("<i", -123_456), 162: ("<h", -15), 173: ("B", 77), 246: ("<I", 5)})
    assert row[CELL_VOLTAGES][15] == 3.456
    assert row[Column.CURRENT] == -123.456
    assert row[Column.TEMPERATURE_1] == -1.5
    assert row[Column.SOC] == 77
    assert row[Column.TICKS] == 0.5


def test_cells_are_gated_by_the_mask_not_by_their_value() -> None:
    row = decoded({70: ("<I", 0x8000_0005), 6: ("<H", 0)})
    there = np.flatnonzero(np.isfinite(row[CELL_VOLTAGES]))
    assert there.tolist() == [0, 2, 31]
    assert row[CELL_VOLTAGES][0] == 0.0
    assert np.flatnonzero(np.isfinite(row[CELL_RESISTANCES])).tolist() == [0, 2, 31]


@pytest.mark.parametrize(
    ("column", "offset", "bit"),
    [
        (Column.TEMPERATURE_MOS, 144, 0),
        (Column.TEMPERATURE_1, 162, 1),
        (Column.TEMPERATURE_2, 164, 2),
        (Column.TEMPERATURE_3, 254, 3),
        (Column.TEMPERATURE_4, 256, 4),
        (Column.TEMPERATURE_5, 258, 5),
    ],
)
def test_a_sensor_is_there_by_its_bit_and_its_value(column: Column, offset: int, bit: int) -> None:
    assert decoded({offset: ("<h", 215), 214: ("B", 0xFF)})[column] == 21.5
    assert np.isnan(decoded({offset: ("<h", -2000), 214: ("B", 0xFF)})[column])
    assert np.isnan(decoded({offset: ("<h", 215), 214: ("B", 0xFF ^ 1 << bit)})[column])


def test_power_has_the_sign_of_the_current() -> None:
    for current, power in ((-40_000, -2000.0), (40_000, 2000.0)):
        assert decoded({158: ("<i", current), 154: ("<I", 2_000_000)})[Column.POWER] == power


def test_heater_current_and_protection_temperatures_are_signed() -> None:
    assert decoded({236: ("<h", -5)})[Column.HEATER_CURRENT] == -0.005
    assert decoded({98: ("<i", -200)}, Topic.SETTINGS)[Column.CHARGE_UTP] == -20.0


def test_bytes_284_and_285_by_bit_7_of_293() -> None:
    heating = decoded({284: ("b", -3), 285: ("b", 7), 293: ("B", 0x9D)}, Topic.SETTINGS)
    assert (heating[Column.HEATING_START], heating[Column.HEATING_STOP]) == (-3, 7)
    assert np.isnan(heating[[Column.BATTERY_OTA, Column.BATTERY_OTA_RECOVERY]]).all()
    alarm = decoded({284: ("b", 60), 285: ("b", 50), 293: ("B", 0x1D)}, Topic.SETTINGS)
    assert (alarm[Column.BATTERY_OTA], alarm[Column.BATTERY_OTA_RECOVERY]) == (60, 50)
    assert np.isnan(alarm[[Column.HEATING_START, Column.HEATING_STOP]]).all()


def test_settings_without_a_discharge_cold_protection() -> None:
    row = decoded({296: ("b", 0), 297: ("b", 0)}, Topic.SETTINGS)
    assert np.isnan(row[[Column.DISCHARGE_UTP, Column.DISCHARGE_UTP_RECOVERY]]).all()


@pytest.mark.parametrize(("bit", "name"), list(enumerate(ALARM_NAMES)))
def test_each_alarm_bit_raises_its_alarm_and_no_other(bit: int, name: str) -> None:
    row = decoded({166: ("<I", 1 << bit)})
    raised = {alarm: row[alarm.column] for alarm in Alarm if row[alarm.column] > 0}
    _, alarm, level = ALARMS[bit]
    assert raised == ({} if alarm is None else {alarm: level}), name
    assert row[Column.ALARM_BITS] == 1 << bit


@pytest.mark.parametrize(
    ("bit", "name", "alarm"),
    [
        (4, "cell over-voltage", Alarm.HIGH_CELL_VOLTAGE),
        (5, "battery over-voltage", Alarm.HIGH_VOLTAGE),
        (11, "cell under-voltage", Alarm.LOW_CELL_VOLTAGE),
        (12, "battery under-voltage", Alarm.LOW_VOLTAGE),
        (19, "change the authorisation password", None),
    ],
)
def test_the_bits_that_others_confuse(bit: int, name: str, alarm: Alarm | None) -> None:
    assert ALARMS[bit][:2] == (name, alarm)


def test_alarms_are_reported_as_fine_when_no_bit_is_set() -> None:
    row = decoded({166: ("<I", 0)})
    own = {Alarm.LOW_SOC, Alarm.BMS_CABLE, Alarm.STATE_OF_HEALTH}  # that the bank raises
    assert {alarm for alarm in Alarm if np.isnan(row[alarm.column])} == own
    assert all(row[flag.column] == 0 for flag in STATUS_FLAGS)


def test_an_alarm_column_without_a_word_sets_a_bit() -> None:
    row = sample_row()
    row[Column.ALARM_BITS] = np.nan
    row[Alarm.HIGH_CELL_VOLTAGE.column] = 2
    again = empty()
    status_layout().decode_into(status_layout().encode_from(row), again)
    assert again[Column.ALARM_BITS] == 1 << 4


def test_every_row_says_where_it_comes_from() -> None:
    assert all(field.source for field in (*STATUS, *SETTINGS))
    assert all(flag.source for flag in STATUS_FLAGS)


def test_no_column_belongs_to_both_messages() -> None:
    assert not columns_of(STATUS) & columns_of(SETTINGS)
