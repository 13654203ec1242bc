"""A simulated JK PB pack: which requests it takes, what its answers say, how long they take."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from struct import unpack_from

import numpy as np
import pytest

from packbank.bms.jkpb import JkPb
from packbank.bms.protocol import Row, Topic
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, Alarm, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.responder_jkpb import PASSCODE, JkPbResponder, frame, request

ADDRESS = 7
IDENTITY = Identity(
    model="JK_PB2A16S20P",
    hardware="15A",
    software="15.41",
    serial="51020BO49000422",
    name="attic",
    manufactured="2024-05-17",
    runtime=123456,
    power_on_count=12,
)


@pytest.fixture
def row() -> Row:
    bank = PhysicalBank(BankSpec(packs=3, seed=2))
    bank.step(1.0, -120.0)
    row: Row = bank.answers()[1]
    return row


def answer_to(topic: Topic, row: Row) -> tuple[Row, Identity]:
    """What our own decoder makes of the answer."""
    exchange = JkPb().exchange(topic, ADDRESS)
    answer = JkPbResponder(ADDRESS, IDENTITY).answer(exchange.request, row, Random(1))
    assert exchange.feed(b"".join(burst.data for burst in answer))
    heard: Row = empty_matrix(1)[0]
    return heard, JkPb().decode(exchange.address, exchange.question, exchange.answer, heard, Identity())


def test_takes_its_own_three_requests_only() -> None:
    pack = JkPbResponder(ADDRESS)
    assert all(pack.wants(request(topic, ADDRESS)) for topic in Topic)
    assert not any(pack.wants(request(topic, ADDRESS + 1)) for topic in Topic)
    spoilt = bytearray(request(Topic.STATUS, ADDRESS))
    spoilt[-1] ^= 1
    assert not pack.wants(bytes(spoilt))
    assert not pack.wants(request(Topic.STATUS, ADDRESS) * 2)


def test_request_is_as_on_real_buses() -> None:
    assert request(Topic.STATUS, 3).hex() == "0310162000010200" + "00cf91"
    assert request(Topic.ABOUT, 0x0F).hex() == "0f10161c00010200" + "009fad"


def test_status_says_what_the_row_says(row: Row) -> None:
    heard, _ = answer_to(Topic.STATUS, row)
    assert np.array_equal(heard[CELL_VOLTAGES], row[CELL_VOLTAGES], equal_nan=True)
    assert heard[Column.CURRENT] == pytest.approx(row[Column.CURRENT], abs=0.0005)
    assert heard[Column.VOLTAGE] == pytest.approx(row[Column.VOLTAGE], abs=0.0005)
    assert heard[Column.TICKS] == pytest.approx(row[Column.TICKS], abs=0.05)
    assert heard[list(BATTERY_TEMPERATURES)] == pytest.approx(row[list(BATTERY_TEMPERATURES)])


def test_status_holds_alarms_and_missing_sensors(row: Row) -> None:
    row[Column.TEMPERATURE_4] = np.nan
    row[Column.ALARM_BITS] = 1 << 4
    heard, _ = answer_to(Topic.STATUS, row)
    assert np.isnan(heard[Column.TEMPERATURE_4])
    assert heard[Alarm.HIGH_CELL_VOLTAGE.column] == 2


def test_status_repeats_the_voltage(row: Row) -> None:
    content = frame(Topic.STATUS, row, ADDRESS, IDENTITY)
    assert unpack_from("<H", content, 234)[0] / 100 == pytest.approx(row[Column.VOLTAGE], abs=0.006)


def test_settings_name_the_address(row: Row) -> None:
    heard, _ = answer_to(Topic.SETTINGS, row)
    assert heard[Column.DEVICE_ADDRESS] == ADDRESS
    assert heard[Column.CELL_COUNT] == 16
    assert heard[Column.CELL_OVP] == row[Column.CELL_OVP]
    assert heard[Column.CHARGE_CURRENT_LIMIT] == row[Column.CHARGE_CURRENT_LIMIT]


def test_about_holds_the_identity_and_passcodes_as_real_ones_do(row: Row) -> None:
    _, identity = answer_to(Topic.ABOUT, row)
    assert identity == IDENTITY
    assert frame(Topic.ABOUT, row, ADDRESS, IDENTITY).count(PASSCODE) >= 2


def test_long_texts_are_cut_not_spilt(row: Row) -> None:
    content = frame(Topic.ABOUT, row, ADDRESS, replace(IDENTITY, hardware="x" * 100))
    assert content[30:35] == b"15.41"


def test_times_are_those_measured(row: Row) -> None:
    pack, random = JkPbResponder(ADDRESS), Random(5)
    answers = [pack.answer(request(Topic.STATUS, ADDRESS), row, random) for _ in range(200)]
    turnaround = np.array([answer[0].delay for answer in answers])
    pause = np.array([answer[1].delay for answer in answers])
    assert turnaround.min() >= 0.00421
    assert turnaround.max() <= 0.00528
    assert np.median(turnaround) == pytest.approx(0.0049, abs=0.0002)
    assert pause.min() >= 0.00694
    assert pause.max() <= 0.00801
