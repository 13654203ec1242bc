"""The judge of the fault matrix: it must let every true row pass and find every wrong one."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from other_bms import blank, pack_row
from packbank.bms import registry
from packbank.bms.jkpb_fields import settings_layout, status_layout
from packbank.bms.protocol import Row, Topic
from packbank.model.columns import Alarm, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.fault_matrix import NAMES, Case, cases, names_for, packs_of
from packbank.sim.fault_truth import CheckedStore, Truth, serial_of
from packbank.sim.faults import Fault
from packbank.sim.responder import responder
from packbank.sim.responder_jkpb import JkPbResponder, request
from packbank.sim.wire_bank import BusPlan, identity_of

PACKS = 15


@pytest.fixture
def store() -> CheckedStore:
    return CheckedStore(Truth("jkpb"), range(1, PACKS + 1))


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
    every = {(case.name, case.rate) for family in ("jkpb", "pace") for case in cases(family=family)}
    assert every == {(name, rate) for name in NAMES for rate in (0.01, 0.1, 0.5)}
    assert "foreign-ack" not in names_for("pace")


def test_fault_of_packs_and_fault_of_the_bus() -> None:
    assert Case("late", 0.5, 2).faults == [Fault("late", 0.5, address=1), Fault("late", 0.5, address=2)]
    assert list(Case("late", 0.5, 12).healthy) == [12, 13, 14]
    assert Case("echo", 0.5, 2).faults == [Fault("echo", 0.5)]
    assert not Case("echo", 0.5, 2).healthy


FAMILIES = [name for name in registry.NAMES if name != "jkpb"]


def heard(family: str, address: int, current: float, store: CheckedStore) -> Row:
    """Let a pack of a family answer everything; the row that a faithful poller makes of it."""
    who = replace(identity_of(BusPlan(family), 1, address), serial=serial_of(address))
    protocol, pack = registry.protocol(family), responder(family, address, who)
    meant, row, identity = pack_row(current=current), blank(), Identity()
    for topic in (Topic.SETTINGS, Topic.ABOUT, Topic.STATUS):
        for question in protocol.questions_to(address, topic) if topic in protocol.questions else ():
            for _ in range(protocol.ways_to_ask(address)):
                exchange = protocol.exchange(question, address)
                if pack.wants(exchange.request):
                    bursts = pack.answer(exchange.request, meant, Random(1))
                    store.truth(0.0, address, exchange.request, bursts)
                    assert exchange.feed(b"".join(burst.data for burst in bursts)) or exchange.feed(b"")
                    identity = protocol.decode(address, question, exchange.answer, row, identity)
                    break
    row[Column.STATUS_TIME] = row[Column.SETTINGS_TIME] = current
    return row


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_of_every_family_are_judged(family: str) -> None:
    addresses = BusPlan(family, packs_of(family)).addresses
    store, first = CheckedStore(Truth(family), addresses), addresses[0]
    rows = [heard(family, first, current, store) for current in (7.0, 8.0, 9.0)]
    for row in rows:
        store.put(0, row, Identity())
    assert store.wrong == 0
    for column in (Column.VOLTAGE, Column.CURRENT, Column.SOC, Column.CELL_COUNT, 0, 15):
        wrong = rows[-1].copy()
        if np.isfinite(wrong[column]):
            wrong[column] += 0.5
            before = store.wrong
            store.put(0, wrong, Identity())
            assert store.wrong == before + 1, column
    assert store.wrong >= 5
    if len(addresses) > 1:
        other = heard(family, addresses[1], 11.0, store)
        before = store.wrong
        store.put(0, other, Identity())
        assert store.wrong == before + 1
