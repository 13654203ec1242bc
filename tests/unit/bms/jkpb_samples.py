"""Frames made by the project's own encoder, so that tests need no captured ones."""

from __future__ import annotations

import numpy as np

from packbank.bms.jkpb_frames import REGISTERS
from packbank.bms.protocol import Row, Topic
from packbank.cext.framing import acknowledgement
from packbank.model.columns import CELL_RESISTANCES, CELL_VOLTAGES, COLUMNS, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.responder_jkpb import frame

CELLS_OF_PACK = 16
IDENTITY = Identity(
    model="JK_PB2A16S20P",
    hardware="15A",
    software="15.41",
    serial="40119491480",
    name="House 3",
    manufactured="2024-09-14",
    runtime=48_572_700,
    power_on_count=22,
)


def empty() -> Row:
    return np.full(COLUMNS, np.nan)


def sample_row() -> Row:
    """A pack that charges: every column of status and settings that JK PB reports."""
    row = empty()
    row[CELL_VOLTAGES][:CELLS_OF_PACK] = (3300 + np.arange(CELLS_OF_PACK)) / 1000
    row[CELL_RESISTANCES][:CELLS_OF_PACK] = 0.050
    live = {
        Column.VOLTAGE: 52.920, Column.CURRENT: 41.5, Column.POWER: 2196.18, Column.TEMPERATURE_MOS: 31.2,
        Column.TEMPERATURE_1: 21.5, Column.TEMPERATURE_2: -3.4, Column.TEMPERATURE_3: 31.2, Column.TEMPERATURE_4: 20.1,
        Column.SOC: 62, Column.SOH: 99, Column.REMAINING_CAPACITY: 173.6, Column.FULL_CAPACITY: 280.0,
        Column.CYCLES: 62, Column.CYCLE_CAPACITY: 17414.022, Column.CHARGE_MOSFET: 1, Column.DISCHARGE_MOSFET: 1,
        Column.BALANCING: 2, Column.BALANCE_CURRENT: -1.99, Column.HEATING: 0, Column.HEATER_CURRENT: -0.003,
        Column.RUNTIME: 48_570_884, Column.TICKS: 1_152_709.2, Column.CELL_AVERAGE: 3.308, Column.CELL_DELTA: 0.015,
        Column.ALARM_BITS: 0,
    }  # fmt: skip
    settings = {
        Column.CELL_UVP: 2.7, Column.CELL_UVP_RECOVERY: 2.9, Column.CELL_OVP: 3.65, Column.CELL_OVP_RECOVERY: 3.444,
        Column.BALANCE_TRIGGER: 0.005, Column.CELL_FULL: 3.445, Column.CELL_EMPTY: 2.9,
        Column.CELL_CHARGE_REQUEST: 3.45, Column.CELL_FLOAT_REQUEST: 3.35, Column.CHARGE_CURRENT_LIMIT: 60.0,
        Column.CHARGE_OCP_DELAY: 3, Column.CHARGE_OCP_RELEASE: 60, Column.DISCHARGE_CURRENT_LIMIT: 100.0,
        Column.DISCHARGE_OCP_DELAY: 300, Column.DISCHARGE_OCP_RELEASE: 60, Column.SHORT_CIRCUIT_RELEASE: 5,
        Column.SHORT_CIRCUIT_DELAY: 0.0015, Column.BALANCE_CURRENT_LIMIT: 2.0, Column.CHARGE_OTP: 55.0,
        Column.CHARGE_OTP_RECOVERY: 50.0, Column.DISCHARGE_OTP: 60.0, Column.DISCHARGE_OTP_RECOVERY: 55.0,
        Column.CHARGE_UTP: -20.0, Column.CHARGE_UTP_RECOVERY: -10.0, Column.DISCHARGE_UTP: -10.0,
        Column.DISCHARGE_UTP_RECOVERY: -5.0, Column.MOS_OTP: 80.0, Column.MOS_OTP_RECOVERY: 70.0,
        Column.HEATING_START: 5.0, Column.HEATING_STOP: 10.0, Column.CHARGE_ENABLED: 1, Column.DISCHARGE_ENABLED: 1,
        Column.BALANCE_ENABLED: 1, Column.NOMINAL_CAPACITY: 280.0, Column.CELL_COUNT: CELLS_OF_PACK,
        Column.BALANCE_START: 3.44, Column.DEVICE_ADDRESS: 3,
    }  # fmt: skip
    for column, value in {**live, **settings}.items():
        row[column] = value
    for alarm in _REPORTED:
        row[alarm.column] = 0
    return row


_REPORTED = (
    Alarm.LOW_VOLTAGE, Alarm.HIGH_VOLTAGE, Alarm.LOW_CELL_VOLTAGE, Alarm.HIGH_CELL_VOLTAGE, Alarm.HIGH_CHARGE_CURRENT,
    Alarm.HIGH_DISCHARGE_CURRENT, Alarm.CELL_IMBALANCE, Alarm.INTERNAL_FAILURE, Alarm.HIGH_CHARGE_TEMPERATURE,
    Alarm.LOW_CHARGE_TEMPERATURE, Alarm.HIGH_TEMPERATURE, Alarm.LOW_TEMPERATURE, Alarm.HIGH_INTERNAL_TEMPERATURE,
    Alarm.BATTERY_TEMPERATURE_SENSOR, Alarm.CONTACTOR,
)  # fmt: skip


def sample_frame(topic: Topic = Topic.STATUS, address: int = 3) -> bytes:
    return frame(topic, sample_row(), address, IDENTITY)


def sample_answer(topic: Topic = Topic.STATUS, address: int = 3, between: bytes = b"") -> bytes:
    return sample_frame(topic, address) + between + acknowledgement(address, REGISTERS[topic])
