"""Packs that are not what they were, as a client of the bus reads them: decoded from the wire by the real protocol."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

import numpy as np
import pytest

from packbank.bms import registry
from packbank.bms.jkpb import JkPb
from packbank.bms.protocol import Row, Topic
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.sim.fault_packs import PACK_FAULTS, TWIN_SOC
from packbank.sim.faults import heal, parse_fault, parse_schedule
from packbank.sim.wire import Wire
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, mix, wire_up

START = 700.0
VICTIM, NEIGHBOUR = 2, 3


class Said(NamedTuple):
    """What a pack answers when it is asked about everything."""

    row: Row
    identity: Identity


class Bench:
    """Three packs on a wire, and a client that asks with the real protocol."""

    def __init__(self, schedule: str) -> None:
        bank = LiveBank(demo_spec(3, 16, 1), START)
        self.wire: Wire = wire_up(bank, [BusPlan(packs=3)], parse_schedule(schedule), 1, START)[0]
        self._seconds = count(1)

    def ask(self, address: int, topic: Topic) -> Said | None:
        """One question, a second after the one before; nothing when no answer passes its checks."""
        exchange = JkPb().exchange(topic.value, address)
        now = START + next(self._seconds)
        while self.wire.deadline < now:
            self.wire.deliver(self.wire.deadline)
        self.wire.hear(now, exchange.request)
        while (due := self.wire.deadline) < now + 0.5:
            if exchange.feed(self.wire.deliver(due)):
                row: Row = empty_matrix(1)[0]
                identity = JkPb().decode(exchange.address, exchange.question, exchange.answer, row, Identity())
                return Said(row, identity)
        return None

    def everything(self, address: int = VICTIM) -> Said:
        """Status, settings and about, in one row."""
        row, identity = empty_matrix(1)[0], Identity()
        for topic in Topic:
            said = self.ask(address, topic)
            assert said is not None
            row = np.where(np.isnan(said.row), row, said.row)
            identity = said.identity if topic is Topic.ABOUT else identity
        return Said(row, identity)


@pytest.mark.parametrize("name", PACK_FAULTS)
def test_neighbours_are_as_before_and_healing_ends_it(name: str) -> None:
    plain, bench = Bench(""), Bench(f"{name}@{VICTIM}")
    assert np.array_equal(bench.everything(NEIGHBOUR).row, plain.everything(NEIGHBOUR).row, equal_nan=True)
    heal(bench.wire)
    assert np.array_equal(bench.everything().row, plain.everything().row, equal_nan=True)


@pytest.mark.parametrize("cells", [15, 17])
def test_changed_cell_count_is_in_the_settings_and_the_status(cells: int) -> None:
    row = Bench(f"cells={cells}@{VICTIM}").everything().row
    assert row[Column.CELL_COUNT] == np.isfinite(row[CELL_VOLTAGES]).sum() == cells
    assert row[Column.VOLTAGE] == pytest.approx(np.nansum(row[CELL_VOLTAGES]), abs=0.02)


def test_cell_count_changes_during_silence() -> None:
    bench = Bench(f"2.5-5.5: silence=1@{VICTIM}\n4: cells=15@{VICTIM}")
    said = [bench.ask(VICTIM, Topic.STATUS) for _ in range(6)]
    counts = [one and int(np.isfinite(one.row[CELL_VOLTAGES]).sum()) for one in said]
    assert counts == [16, 16, None, None, None, 15]


def test_clock_stands_at_0_while_values_change() -> None:
    bench = Bench(f"ticks@{VICTIM}")
    rows = [said.row for _ in range(20) if (said := bench.ask(VICTIM, Topic.STATUS))]
    assert {row[Column.TICKS] for row in rows} == {0.0}
    assert len({row[Column.CURRENT] for row in rows}) > 2


def test_frozen_pack_repeats_every_byte() -> None:
    bench = Bench(f"3.5: frozen@{VICTIM}")
    rows = [said.row for _ in range(20) if (said := bench.ask(VICTIM, Topic.STATUS))]
    assert [row[Column.TICKS] for row in rows[:3]] == sorted({row[Column.TICKS] for row in rows[:3]})
    assert {row.tobytes() for row in rows[3:]} == {rows[3].tobytes()}


@pytest.mark.parametrize("slot", [1, 2, 4, 5])
def test_sensor_slot_reads_0(slot: int) -> None:
    row = Bench(f"zero-sensor={slot}@{VICTIM}").everything().row
    assert sum(row[list(BATTERY_TEMPERATURES)] == 0.0) == 1
    assert row[Column[f"TEMPERATURE_{slot}"]] == 0.0


@pytest.mark.parametrize(
    ("name", "column"),
    [("charge-limit", Column.CHARGE_CURRENT_LIMIT), ("discharge-limit", Column.DISCHARGE_CURRENT_LIMIT)],
)
def test_limit_is_lowered_at_its_time(name: str, column: Column) -> None:
    bench = Bench(f"1.5: {name}=35@{VICTIM}")
    before, after = (bench.ask(VICTIM, Topic.SETTINGS) for _ in range(2))
    assert before is not None
    assert after is not None
    assert before.row[column] >= 100.0
    assert after.row[column] == 35.0


def test_swapped_pack_is_another_one() -> None:
    bench = Bench(f"3.5: swap=0.5@{VICTIM}")
    before, after = bench.everything(), bench.everything()
    assert before.identity.serial
    assert after.identity.serial not in ("", before.identity.serial)
    for column in (Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT, Column.NOMINAL_CAPACITY):
        assert after.row[column] == pytest.approx(before.row[column] / 2, abs=0.01)
    assert before.row[Column.TICKS] > after.row[Column.TICKS] == pytest.approx(0.5, abs=0.11)


def test_each_swap_brings_another_serial() -> None:
    bench = Bench("".join(f"{3 * n + 0.5}-{3 * n + 3.5}: swap@{VICTIM}\n" for n in range(5)))
    assert len({bench.everything().identity.serial for _ in range(6)}) == 6


def test_two_packs_answer_in_turn() -> None:
    bench = Bench(f"two-in-turn@{VICTIM}")
    said = [bench.ask(VICTIM, Topic.ABOUT) for _ in range(4)]
    serials = [one.identity.serial for one in said if one]
    assert serials == [serials[0], serials[1]] * 2
    assert serials[0] != serials[1]
    charges = [one.row[Column.SOC] for _ in range(4) if (one := bench.ask(VICTIM, Topic.STATUS))]
    assert charges[0] - charges[1] == pytest.approx(TWIN_SOC, abs=1)


def test_two_packs_at_once_garble_each_other() -> None:
    bench = Bench(f"two-at-once@{VICTIM}")
    assert [bench.ask(VICTIM, Topic.STATUS) for _ in range(20)] == [None] * 20
    assert bench.wire.tally.collisions >= 20
    assert bench.ask(NEIGHBOUR, Topic.STATUS) is not None


def test_settings_answer_is_lost_once() -> None:
    bench = Bench(f"silence=1@{VICTIM},of=settings,count=1")
    topics = (Topic.SETTINGS, Topic.STATUS, Topic.SETTINGS)
    assert [bench.ask(VICTIM, topic) is not None for topic in topics] == [False, True, True]


@pytest.mark.parametrize("name", PACK_FAULTS)
@pytest.mark.parametrize("plan", mix(), ids=lambda plan: plan.protocol)
def test_packs_of_every_make_can_have_every_fault(plan: BusPlan, name: str) -> None:
    protocol, bank = registry.protocol(plan.protocol), LiveBank(demo_spec(plan.packs, 16, 1), START)
    (wire,) = wire_up(bank, [plan], [parse_fault(name)], 1, START)
    (pack, *_) = wire.packs
    address, questions = pack.responder.address, [name for names in protocol.questions.values() for name in names]
    asked = [protocol.exchange(question, address).request for question in questions for _ in range(2)]
    requests = [request for request in asked if pack.responder.wants(request)]  # EG4 is asked in two ways in turn
    assert len(requests) >= len(questions)
    for request in requests:
        answers = list(wire.answers(START + 9.0, pack, request))
        assert len(answers) == (2 if name == "two-at-once" else 1)
        assert all(burst.data for bursts in answers for burst in bursts)
