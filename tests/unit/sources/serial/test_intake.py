"""The gate to the matrix: what gets in, what stays out, and what is forgotten."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from packbank.bms.jkpb import JkPb
from packbank.bms.protocol import Row, Topic
from packbank.errors import FrameError
from packbank.model.columns import Column
from packbank.model.identity import Identity
from packbank.sources.serial.intake import DOUBT_AFTER, FORGET_AFTER, Intake, Member
from packbank.sources.serial.stats import Counters
from packbank.sources.store import Store


def status(ticks: float, voltage: float = 52.0) -> Callable[[Row, Identity], Identity]:
    def fill(row: Row, identity: Identity) -> Identity:
        row[Column.TICKS] = ticks
        row[Column.VOLTAGE] = voltage
        return identity

    return fill


def settings(row: Row, identity: Identity) -> Identity:
    row[Column.CELL_OVP] = 3.65
    return identity


class Gate:
    def __init__(self) -> None:
        self.store = Store(2)
        self.counters = Counters("rack", "port")
        members = [Member(0, 1, "one"), Member(1, 2, "two")]
        self.intake = Intake("rack", JkPb(), members, self.store, self.counters)

    def status(self, now: float, ticks: float, voltage: float = 52.0) -> bool:
        return self.intake.accept(1, Topic.STATUS, [status(ticks, voltage)], now)

    def settings(self, now: float) -> bool:
        return self.intake.accept(1, Topic.SETTINGS, [settings], now)

    def value(self, column: Column) -> float:
        return float(self.store.snapshot()[0][0, column])


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_answers_add_up_in_a_row_and_are_stamped(gate: Gate) -> None:
    assert gate.status(5.0, 100.0)
    assert gate.settings(6.0)
    assert gate.value(Column.VOLTAGE) == 52.0
    assert gate.value(Column.CELL_OVP) == 3.65
    assert (gate.value(Column.STATUS_TIME), gate.value(Column.SETTINGS_TIME)) == (5.0, 6.0)
    assert np.isnan(gate.store.snapshot()[0][1]).all()


def test_a_refused_answer_changes_nothing_but_a_counter(gate: Gate) -> None:
    gate.status(5.0, 100.0)
    before = gate.store.snapshot()[0]
    assert not gate.status(6.0, 101.0, voltage=9999.0)
    np.testing.assert_array_equal(gate.store.snapshot()[0], before)
    assert gate.counters.refused == {"voltage": 1}
    assert gate.status(7.0, 102.0)


def test_an_answer_from_an_address_that_is_not_ours_is_refused(gate: Gate) -> None:
    assert not gate.intake.accept(9, Topic.STATUS, [status(1.0)], 5.0)
    assert gate.counters.refused == {"unlisted": 1}


def test_a_frozen_pack_stays_out_for_ever(gate: Gate) -> None:
    gate.status(5.0, 100.0)
    assert not any(gate.status(5.0 + second, 100.0) for second in range(1, 200))
    assert gate.settings(205.0)
    assert gate.value(Column.STATUS_TIME) == 5.0, "the settings of a frozen pack do not bring its status along"


def test_one_wrong_row_cannot_keep_the_right_ones_out_for_long(gate: Gate) -> None:
    gate.status(5.0, 4e8)  # a corrupt one that passed
    taken = [second for second in range(1, 30) if gate.status(5.0 + second, 100.0 + second)]
    assert taken[0] <= DOUBT_AFTER + 3
    assert taken == list(range(taken[0], 30))


def test_a_reboot_is_taken_at_once(gate: Gate) -> None:
    gate.status(5.0, 5000.0)
    assert gate.status(8.0, 1.0)


def test_after_a_long_silence_nothing_of_the_pack_is_taken_for_granted(gate: Gate) -> None:
    gate.status(5.0, 5000.0)
    gate.settings(5.1)
    later = 5.2 + FORGET_AFTER
    assert gate.status(later, 77.0), "it may be another pack, so its clock may be any"
    assert np.isnan(gate.value(Column.CELL_OVP))


def test_bytes_that_raise_while_they_are_decoded_are_refused(gate: Gate) -> None:
    def fill(row: Row, identity: Identity) -> Identity:
        row[Column.VOLTAGE] = 1.0
        raise FrameError("group", "cut short")

    assert not gate.intake.accept(1, Topic.STATUS, [fill], 5.0, b"\x01\x02")
    assert np.isnan(gate.value(Column.VOLTAGE))
    assert gate.counters.snapshot(1.0, 115200).recent[0].data == b"\x01\x02"
