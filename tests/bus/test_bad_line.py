"""Packs of several families on a bad line: late, damaged and lost answers never become a wrong value.

Answers with the ASCII envelope name neither their question nor, some of them, their pack; Seplos V3 names no question.
So what a late answer is taken for matters here: it comes while another question, or another pack, waits.
"""

from __future__ import annotations

import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import pytest

from other_bms import blank
from packbank.bms import registry
from packbank.bms.protocol import Row, Topic
from packbank.config.model import BusConfig
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.model.identity import Identity
from packbank.sim.fault_answers import ANSWER_FAULTS
from packbank.sim.responder import Burst, responder
from packbank.sim.wire import Question, Wire, WirePack
from packbank.sim.wire_bank import LiveBank, demo_spec
from packbank.sim.wire_pty import Buses
from packbank.sources.serial.bus import start_bus
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store

pytestmark = pytest.mark.slow
FAMILIES = ("pace", "pylontech", "seplos", "daren", "jbd-up", "jbd", "seplos-v3")
PACKS = 3
RATE = 0.08  # of each fault
SECONDS = 10.0
RECOVERY = 15.0  # s at most, on a busy machine
LATE = (0.52, 0.9)  # s: when nobody waits any more
# What a pack means to say with a status; cells and voltage distinguish the packs at any moment.
COMPARED = [*range(CELL_VOLTAGES.start, 16), Column.VOLTAGE, Column.CURRENT, Column.REMAINING_CAPACITY]


class Truth:
    """What each pack of one bus meant to say, as its protocol reads it without a line between."""

    def __init__(self, family: str) -> None:
        self.protocol = registry.protocol(family)
        self.said: dict[tuple[int, str], list[Row]] = defaultdict(list)  # by address and question

    def __call__(self, _now: float, address: int, request: bytes, bursts: list[Burst]) -> None:
        protocol = registry.protocol(self.protocol.name)
        for question in protocol.questions[Topic.STATUS]:
            for _ in range(protocol.ways_to_ask(address)):
                exchange = protocol.exchange(question, address)
                if exchange.request == request and exchange.feed(bursts[0].data):
                    row = blank()
                    protocol.decode(address, question, exchange.answer, row, Identity())
                    self.said[address, question].append(row[COMPARED])

    def has_sent(self, address: int, row: Row) -> bool:
        """Whether every question has had an answer with the values of ``row`` that it fills."""
        asked = [self.said[address, question] for question in self.protocol.questions[Topic.STATUS]]
        return all(any(agrees(said, row[COMPARED]) for said in tuple(rows)) for rows in asked if rows)


def agrees(said: Row, row: Row) -> bool:
    known = np.isfinite(said)
    return np.array_equal(said[known], row[known])


class Checked(Store):
    def __init__(self, truth: Truth, addresses: range) -> None:
        super().__init__(len(addresses))
        self.truth, self.addresses = truth, addresses
        self.wrong: list[tuple[int, list[float]]] = []
        self.taken = 0

    def put(self, index: int, row: Row, identity: Identity) -> None:
        self.taken += 1
        if not self.truth.has_sent(self.addresses[index], row):
            self.wrong.append((index, list(row[COMPARED])))
        super().put(index, row, identity)


def spoil(random: Random, active: list[bool], _question: Question, bursts: list[Burst]) -> list[Burst]:
    """Each fault now and then."""
    if not active[0]:
        return bursts
    for name in ("bit-flip", "garble", "truncation", "noise", "glitch", "silence"):
        if bursts and random.random() < RATE:
            bursts = ANSWER_FAULTS[name](bursts, random)
    if bursts and random.random() < 2 * RATE:
        bursts = [bursts[0]._replace(delay=random.uniform(*LATE)), *bursts[1:]]
    return bursts


def test_a_bad_line_makes_no_wrong_value_and_every_pack_is_back_when_it_is_good(tmp_path: Path) -> None:
    start, random, active = time.monotonic(), Random(1), [True]
    bank = LiveBank(demo_spec(PACKS * len(FAMILIES), 16, 1), start)
    wires, stores = [], []
    for number, family in enumerate(FAMILIES):
        truth, addresses = Truth(family), registry.protocol(family).addresses
        addresses = addresses[1 : 1 + PACKS] or addresses
        packs = [
            WirePack(
                responder(family, address, Identity(serial=f"A{address}")), partial(bank.row, PACKS * number + place)
            )
            for place, address in enumerate(addresses)
        ]
        rate = registry.protocol(family).line.baudrate
        wires.append(Wire(packs, Random(number), rate, observers=[truth], distortions=[partial(spoil, random, active)]))
        stores.append(Checked(truth, addresses))
    with Buses(wires, tmp_path) as buses:
        running = []
        for family, store, port in zip(FAMILIES, stores, buses.paths, strict=True):
            members = [Member(index, address, f"pack {address}") for index, address in enumerate(store.addresses)]
            config = BusConfig(name=family, port=port)
            running.append(start_bus(config, registry.protocol(family), members, store))
        time.sleep(SECONDS)
        active[0] = False
        healed, end = time.monotonic(), time.monotonic() + RECOVERY
        while any(store.snapshot()[0][:, Column.STATUS_TIME].min() < healed for store in stores):
            assert time.monotonic() < end, [bus.stats() for bus in running]
            time.sleep(0.1)
        refused = {bus.name: set(bus.stats().refused) for bus in running}
        for bus in running:
            bus.stop()
        for bus in running:
            assert bus.join(5.0)
    assert [store.wrong for store in stores] == [[]] * len(FAMILIES)
    assert sum(store.taken for store in stores) > 3 * PACKS * len(FAMILIES)
    assert {"check", "sum16", "truncated"} <= set().union(*refused.values()), refused
