"""What eight bits of sum cannot see: of 256 garbled frames one has a right sum, and then the values must show it.

Every garbled answer goes through the frame's checks and the trust in values, as a bus does it. The random numbers
are seeded, so the counts are exact and docs/reliability.md quotes them.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest

from packbank.bms.jkpb import JkPb
from packbank.bms.protocol import Row, Topic
from packbank.errors import FrameError
from packbank.model.columns import CELL_VOLTAGES, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.fault_answers import ANSWER_FAULTS
from packbank.sim.responder import Burst
from packbank.sim.responder_jkpb import JkPbResponder, request

ADDRESS = 3
GARBLED = 30_000
VITAL = [*range(CELL_VOLTAGES.start, CELL_VOLTAGES.stop), Column.VOLTAGE, Column.CURRENT, Column.SOC]
VITAL += [Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET]


@pytest.fixture(scope="module")
def said() -> Row:
    bank = PhysicalBank(BankSpec(packs=3))
    bank.step(1.0, 100.0)
    row: Row = bank.answers()[1]
    return row


def answer(topic: Topic, said: Row, ticks: float) -> list[Burst]:
    said[Column.TICKS] = said[Column.RUNTIME] = ticks
    return JkPbResponder(ADDRESS).answer(request(topic, ADDRESS), said, Random(1))


def take(topic: Topic, bursts: list[Burst], previous: Row) -> Row | None:
    """The row that an answer makes, ``None`` when its frame is refused; FrameError when its values are."""
    protocol = JkPb()
    exchange = protocol.exchange(topic, ADDRESS)
    if not exchange.feed(b"".join(burst.data for burst in bursts)):
        return None
    row: Row = previous.copy()
    protocol.decode(ADDRESS, topic.value, exchange.answer, row, Identity())
    protocol.check(row, previous)
    return row


def taken(topic: Topic, bursts: list[Burst], previous: Row) -> Row:
    row = take(topic, bursts, previous)
    assert row is not None
    return row


def judge(said: Row, fault: str, count: int) -> tuple[Counter[str], set[int]]:
    """How many answers were refused by which check, or let through; and the columns that were then wrong."""
    settled = taken(Topic.SETTINGS, answer(Topic.SETTINGS, said, 100.0), empty_matrix(1)[0])
    previous = taken(Topic.STATUS, answer(Topic.STATUS, said, 100.0), settled)
    good = answer(Topic.STATUS, said, 101.0)
    true = taken(Topic.STATUS, good, previous)
    counts, wrong = Counter[str](), set[int]()
    random = Random(1)
    for _ in range(count):
        try:
            row = take(Topic.STATUS, ANSWER_FAULTS[fault](good, random), previous)
        except FrameError:
            counts["values"] += 1
            continue
        changed = [] if row is None else np.flatnonzero(~((row == true) | (np.isnan(row) & np.isnan(true)))).tolist()
        counts["frame" if row is None else "wrong" if changed else "right"] += 1
        wrong.update(changed)
    return counts, wrong


def test_garbled_answers_never_change_what_limits_depend_on(said: Row) -> None:
    counts, wrong = judge(said, "garble", GARBLED)
    assert counts["frame"] > 0.99 * GARBLED
    assert counts["values"] > 0, "some have a right sum, and only their values give them away"
    assert counts["wrong"] < 0.002 * GARBLED
    assert wrong.isdisjoint(VITAL)


@pytest.mark.parametrize("fault", ["bit-flip", "truncation"])
def test_a_single_error_or_missing_bytes_never_pass(said: Row, fault: str) -> None:
    counts, _ = judge(said, fault, 3000)
    assert counts["wrong"] == 0
    assert counts["values"] == 0


@pytest.mark.parametrize("fault", ["noise", "glitch", "slow"])
def test_what_leaves_the_frame_whole_costs_nothing(said: Row, fault: str) -> None:
    counts, _ = judge(said, fault, 3000)
    assert counts == {"right": 3000}
