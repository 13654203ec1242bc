"""What a simulated pack of each family says, its protocol reads back."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from other_bms import answered, ask, check_alarms, check_hearing, pack_row
from packbank.bms import daly_fields, eg4_fields, jkbms_fields
from packbank.bms.daly import Daly
from packbank.bms.eg4 import Eg4
from packbank.bms.jkbms import JkBms
from packbank.bms.protocol import Protocol
from packbank.model.columns import ALARMS, CELL_VOLTAGES, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.responder import Responder
from packbank.sim.responder_daly import DalyResponder
from packbank.sim.responder_eg4 import Eg4Responder
from packbank.sim.responder_jkbms import JkBmsResponder

COMMON = (Column.VOLTAGE, Column.CURRENT, Column.SOC, Column.CYCLES, Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET)
DALY = (*COMMON, Column.REMAINING_CAPACITY, Column.NOMINAL_CAPACITY, Column.CELL_COUNT, Column.BALANCING)
EG4 = (*COMMON, Column.SOH, Column.FULL_CAPACITY, Column.TEMPERATURE_MOS, Column.HEATING, Column.CELL_COUNT)
JKBMS = (*COMMON, Column.FULL_CAPACITY, Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT, Column.CHARGE_UTP)
WHO = Identity(
    model="JK_B2A24S15P",
    hardware="R32-01E",
    software="11.XW_S11.26",
    serial="AB-17",
    name="rack",
    manufactured="2023-06-09",
)

millivolts = st.integers(2000, 4200)


@pytest.mark.parametrize("old", [False, True])
def test_daly_reads_back_what_the_board_says(old: bool) -> None:
    row = pack_row(14)
    read, identity = ask(Daly(), DalyResponder(1, WHO, old_firmware=old), row)
    np.testing.assert_allclose(read[list(DALY)], row[list(DALY)])
    np.testing.assert_allclose(read[CELL_VOLTAGES], row[CELL_VOLTAGES], atol=1e-9)
    assert (read[Column.TEMPERATURE_1], read[Column.TEMPERATURE_2]) == (24.0, -5.0)
    assert np.isnan(read[[Column.TEMPERATURE_4, Column.TEMPERATURE_5, Column.SOH, Column.CHARGE_CURRENT_LIMIT]]).all()
    assert not np.nan_to_num(read[ALARMS]).any()
    assert (identity.hardware, identity.serial, identity.manufactured) == ("R32-01E", "AB-17", "2023-06-09")


@pytest.mark.parametrize("start", [0x7E, 0x7C])
def test_eg4_reads_back_what_the_pack_says(start: int) -> None:
    row = pack_row(15)
    read, identity = ask(Eg4(), Eg4Responder(9, WHO, start=start), row)
    np.testing.assert_allclose(read[list(EG4)], row[list(EG4)])
    np.testing.assert_allclose(read[CELL_VOLTAGES], row[CELL_VOLTAGES], atol=1e-9)
    assert (read[Column.TEMPERATURE_1], read[Column.TEMPERATURE_2]) == (24.0, -5.0)
    assert np.isnan(read[[Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT, Column.CELL_OVP]]).all()
    assert (identity.software, identity.serial) == ("11.XW_S11.26", "AB-17")


@pytest.mark.parametrize("version", [0, 1])
def test_jkbms_reads_back_what_the_bms_says(version: int) -> None:
    row = pack_row(16)
    read, identity = ask(JkBms(), JkBmsResponder(1, WHO, version=version), row)
    columns = [column for column in JKBMS if version or column is not Column.FULL_CAPACITY]
    np.testing.assert_allclose(read[columns], row[columns])
    np.testing.assert_allclose(read[CELL_VOLTAGES], row[CELL_VOLTAGES], atol=1e-9)
    assert (read[Column.TEMPERATURE_MOS], read[Column.TEMPERATURE_2]) == (31.0, -5.0)
    assert np.isnan(read[Column.FULL_CAPACITY]) == (version == 0)
    assert np.isnan(read[[Column.SOH, Column.REMAINING_CAPACITY, Column.TEMPERATURE_4]]).all()
    assert identity.software == "11.XW_S11.26"
    assert identity.manufactured == "2023-06"
    assert identity.model == ("JK_B2A24S15P" if version else "")


@given(st.lists(millivolts, min_size=1, max_size=32), st.integers(-20000, 20000), st.integers(0, 1000), st.booleans())
def test_daly_round_trip(cells: list[int], current: int, soc: int, old: bool) -> None:
    row = pack_row(len(cells), current=current / 10, soc=soc / 10)
    row[CELL_VOLTAGES][: len(cells)] = np.array(cells) / 1000
    row[Column.VOLTAGE] = round(sum(cells) / 1000, 1)
    read, _ = ask(Daly(), DalyResponder(1, old_firmware=old), row)
    np.testing.assert_array_equal(read[CELL_VOLTAGES], row[CELL_VOLTAGES])
    assert (read[Column.CURRENT], read[Column.SOC]) == (current / 10, soc / 10)


@given(
    st.lists(millivolts, min_size=1, max_size=32),
    st.integers(-32767, 29999),
    st.lists(st.integers(-50, 100), min_size=0, max_size=4),
)
def test_eg4_round_trip(cells: list[int], current: int, sensors: list[int]) -> None:
    row = pack_row(len(cells), current=current / 100)
    row[CELL_VOLTAGES][: len(cells)] = np.array(cells) / 1000
    row[Column.VOLTAGE] = sum(cells) // 10 / 100
    columns = [Column.TEMPERATURE_1, Column.TEMPERATURE_2, Column.TEMPERATURE_4, Column.TEMPERATURE_5]
    row[columns] = [*sensors, *[np.nan] * (4 - len(sensors))]
    read, _ = ask(Eg4(), Eg4Responder(3), row)
    np.testing.assert_array_equal(read[CELL_VOLTAGES], row[CELL_VOLTAGES])
    np.testing.assert_array_equal(read[columns], row[columns])
    assert read[Column.CURRENT] == current / 100


@given(
    st.lists(millivolts, min_size=1, max_size=32),
    st.integers(-10000, 10000),
    st.integers(-40, 99),
    st.sampled_from([0, 1]),
)
def test_jkbms_round_trip(cells: list[int], current: int, celsius: int, version: int) -> None:
    row = pack_row(len(cells), current=current / 100, temperature_1=celsius, soc=55)
    row[CELL_VOLTAGES][: len(cells)] = np.array(cells) / 1000
    row[Column.VOLTAGE] = sum(cells) / 1000
    read, _ = ask(JkBms(), JkBmsResponder(version=version), row)
    np.testing.assert_array_equal(read[CELL_VOLTAGES], row[CELL_VOLTAGES])
    assert read[Column.CURRENT] == current / 100
    assert read[Column.TEMPERATURE_1] == celsius
    assert read[Column.CELL_COUNT] == len(cells)


def daly_raises() -> set[tuple[Alarm, int]]:
    return {(alarm, level) for _, alarm, level in daly_fields.ALARMS.values() if alarm is not None}


def eg4_raises() -> set[tuple[Alarm, int]]:
    return {(alarm, level) for _, alarms, level in eg4_fields.ALARMS.values() for alarm in alarms}


def jkbms_raises() -> set[tuple[Alarm, int]]:
    return {(alarm, level) for _, alarm, level in jkbms_fields.ALARMS}


@pytest.mark.parametrize(
    ("protocol", "responder", "raises"),
    [
        (Daly(), DalyResponder(1), daly_raises()),
        (Eg4(), Eg4Responder(1), eg4_raises()),
        (JkBms(), JkBmsResponder(), jkbms_raises()),
    ],
    ids=["daly", "eg4", "jkbms"],
)
def test_every_alarm_that_a_family_can_raise_comes_through(
    protocol: Protocol, responder: Responder, raises: set[tuple[Alarm, int]]
) -> None:
    assert len(raises) >= 12
    check_alarms(protocol, responder, raises)


def test_a_sleeping_board_sends_the_request_back() -> None:
    responder = DalyResponder(3)
    responder.asleep = True
    exchange = Daly().exchange("pack", 3)
    assert not answered(exchange, responder, pack_row())
    assert [error.reason for error in exchange.rejected] == ["asleep"]


def test_the_buffer_of_a_board_keeps_what_a_command_does_not_set() -> None:
    daly, responder, row = Daly(), DalyResponder(1), pack_row()
    data = {}
    for question in ("pack", "temperature extremes"):
        request = daly.exchange(question, 1).request
        data[question] = responder.answer(request, row, Random(1))[0].data[4:12]
    assert data["temperature extremes"][4:] == data["pack"][4:]


def test_only_whole_questions_to_this_pack_are_heard() -> None:
    for responder, request in (
        (DalyResponder(2), Daly().exchange("pack", 2).request),
        (Eg4Responder(2), Eg4().exchange("status", 2).request),
        (JkBmsResponder(), JkBms().exchange("all", 1).request),
    ):
        check_hearing(responder, request)
    assert not DalyResponder(1).wants(Daly().exchange("pack", 2).request)
