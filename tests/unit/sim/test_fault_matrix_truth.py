"""The judge of the fault matrix: it must let every true row pass and find every wrong one."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from packbank.bms.jkpb_fields import settings_layout, status_layout
from packbank.bms.protocol import Row, Topic
from packbank.model.columns import Alarm, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.fault_matrix import NAMES, PACKS, Case, CheckedStore, Truth, cases, serial_of
from packbank.sim.faults import Fault
from packbank.sim.responder_jkpb import JkPbResponder, request


@pytest.fixture
def store() -> CheckedStore:
    return CheckedStore(Truth())


def say(store: CheckedStore, address: int, topic: Topic, ticks: float = 0.0) -> Row:
    """Let a pack answer; the row that a faithful poller makes of it."""
    meant: Row = PhysicalBank(BankSpec(packs=PACKS, seed=3, soc_spread=5.0)).answers()[address - 1]
    meant[Column.TICKS] = ticks
    asked = request(topic, address)
    bursts = JkPbResponder(address).answer(asked, meant, Random(1))
    store.truth(0.0, address, asked, bursts)
    row: Row = empty_matrix(1)[0]
    layout, stamp = {
        Topic.STATUS: (status_layout(), Column.STATUS_TIME),
        Topic.SETTINGS: (settings_layout(), Column.SETTINGS_TIME),
    }[topic]
    layout.decode_into(bursts[0].data, row)
    row[stamp] = ticks
    return row


def test_true_rows_pass(store: CheckedStore) -> None:
    for ticks in range(10):
        store.put(4, say(store, 5, Topic.STATUS, float(ticks)), Identity())
    store.put(4, say(store, 5, Topic.SETTINGS), Identity(serial=serial_of(5)))
    assert store.wrong == 0


@pytest.mark.parametrize("column", [Column.CURRENT, Column.SOC, Column.CYCLES, 0, 15, Alarm.HIGH_CELL_VOLTAGE.column])
def test_one_changed_value_is_found(store: CheckedStore, column: int) -> None:
    row = say(store, 5, Topic.STATUS)
    row[column] = np.nan_to_num(row[column]) + 0.001
    store.put(4, row, Identity())
    assert store.wrong == 1


def test_changed_setting_is_found(store: CheckedStore) -> None:
    row = say(store, 5, Topic.SETTINGS)
    row[Column.CELL_OVP] += 0.001
    store.put(4, row, Identity())
    assert store.wrong == 1


def test_row_of_another_pack_is_found(store: CheckedStore) -> None:
    say(store, 5, Topic.STATUS)
    store.put(4, say(store, 6, Topic.STATUS), Identity())
    assert store.wrong == 1


def test_identity_of_another_pack_is_found(store: CheckedStore) -> None:
    store.put(4, say(store, 5, Topic.STATUS), Identity(serial=serial_of(6)))
    assert store.wrong == 1


def test_values_without_an_answer_are_found(store: CheckedStore) -> None:
    row = say(store, 5, Topic.STATUS)
    row[Column.CELL_OVP] = 3.65
    store.put(4, row, Identity())
    assert store.wrong == 1


def test_ages_are_measured(store: CheckedStore) -> None:
    for ticks in (0.0, 1.0, 4.5, 5.0):
        store.put(4, say(store, 5, Topic.STATUS, ticks), Identity())
    assert store.oldest[4] == 3.5
    store.note_ages(slice(None), 12.0)
    assert store.oldest[4] == 7.0


def test_every_fault_is_a_case_at_every_rate() -> None:
    assert {(case.name, case.rate) for case in cases()} == {(name, rate) for name in NAMES for rate in (0.01, 0.1, 0.5)}


def test_fault_of_packs_and_fault_of_the_bus() -> None:
    assert Case("late", 0.5, 2).faults == [Fault("late", 0.5, address=1), Fault("late", 0.5, address=2)]
    assert list(Case("late", 0.5, 12).healthy) == [12, 13, 14]
    assert Case("echo", 0.5, 2).faults == [Fault("echo", 0.5)]
    assert not Case("echo", 0.5, 2).healthy
