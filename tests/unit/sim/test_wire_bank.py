"""A live bank on simulated wires: who is where, what is true when, and that the same seed is the same bank."""

from __future__ import annotations

import numpy as np
import pytest

from packbank.bms import registry
from packbank.bms.jkpb import JkPb
from packbank.model.columns import CELL_VOLTAGES, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.sim.faults import Fault
from packbank.sim.wire_bank import LOADS, PLATEAU, STEP, BusPlan, LiveBank, demo_spec, mix, wire_up

START = 500.0
PLANS = [BusPlan(packs=3), BusPlan(packs=2)]


def live(packs: int, seed: int = 1) -> LiveBank:
    return LiveBank(demo_spec(packs, 16, seed), START)


def test_every_pack_answers_with_its_own_row() -> None:
    bank = live(5)
    wires = wire_up(bank, PLANS, [], 1, START)
    assert [[pack.responder.address for pack in wire.packs] for wire in wires] == [[1, 2, 3], [1, 2]]
    exchange = JkPb().exchange("status", 2)
    wires[1].hear(START, exchange.request)
    heard = b""
    while wires[1].deadline < START + 1:
        heard += wires[1].deliver(wires[1].deadline)
    assert exchange.feed(heard)
    row = empty_matrix(1)[0]
    JkPb().decode(exchange.address, exchange.question, exchange.answer, row, Identity())
    assert np.array_equal(row[CELL_VOLTAGES], bank.row(4, START)[CELL_VOLTAGES], equal_nan=True)


def test_bank_follows_the_clock_in_plateaus() -> None:
    bank = live(4)
    for number, amperes in enumerate(LOADS):
        truth = bank.truth(START + PLATEAU * (number + 0.9))
        assert truth.current == pytest.approx(4 * amperes, abs=1e-6)
        assert truth.steady == pytest.approx(0.9 * PLATEAU)


def test_packs_measure_what_is_true() -> None:
    bank = live(6)
    now = START + 1.9 * PLATEAU
    measured = sum(bank.row(index, now)[Column.CURRENT] for index in range(6))
    assert measured == pytest.approx(bank.truth(now).current, abs=0.2)


def test_ticks_go_on() -> None:
    bank = live(1)
    ticks = [bank.row(0, START + seconds)[Column.TICKS] for seconds in (1.0, 1.0 + 1.1 * STEP, 2.0)]
    assert ticks == sorted(set(ticks))


def test_same_seed_same_bank() -> None:
    rows = [live(3, seed).row(1, START + 5.0) for seed in (7, 7, 8)]
    assert np.array_equal(rows[0], rows[1], equal_nan=True)
    assert not np.array_equal(rows[0], rows[2], equal_nan=True)


def test_fault_befalls_its_bus_only() -> None:
    wires = wire_up(live(5), PLANS, [Fault("echo", 1.0, bus=2)], 1, START)
    assert [len(wire.echoes) for wire in wires] == [0, 1]


def test_mix_has_each_make_at_its_own_pace() -> None:
    plans = mix()
    wires = wire_up(live(sum(plan.packs for plan in plans)), plans, [], 1, START)
    assert [plan.protocol for plan in plans] == list(registry.NAMES)
    assert [len(wire.packs) for wire in wires] == [1 if plan.protocol in ("jkbms", "jbd") else 2 for plan in plans]
    assert [wire.baudrate for wire in wires] == [registry.protocol(plan.protocol).line.baudrate for plan in plans]


def test_master_is_a_pack_of_the_bank_but_not_of_the_wire() -> None:
    (wire,) = wire_up(live(3), [BusPlan(packs=2, master=True)], [], 1, START)
    assert [pack.responder.address for pack in wire.packs] == [1, 2]
    assert len(wire.talkers) == 1
    assert wire.deadline == START
