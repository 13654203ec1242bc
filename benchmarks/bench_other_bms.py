"""One status of each family into a row: ``pytest -s -o addopts= benchmarks/bench_other_bms.py``.

Measured is all that a bus does with the answers of one status: new exchanges, feed, apply, check. The rival decodes the
same answers in plain Python and checks only their sums: it cannot find an answer in a stream, and does not ask whether
its values are plausible. JK PB's rival is in ``bench_decode.py``. The wire time is that of requests and answers alone,
without the pauses that the packs need.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from plain_bms import PLAIN
from pytest_benchmark.fixture import BenchmarkFixture

from packbank.bms import registry
from packbank.bms.ascii_protocol import AsciiProtocol
from packbank.bms.protocol import Row, Topic
from packbank.model.columns import ALARMS, CELL_VOLTAGES, COLUMNS, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.sim.responder import responder

BITS_A_BYTE = 10

Answers = dict[str, tuple[bytes, bytes]]  # question -> request, answer


def row(*, four_sensors: bool = False) -> Row:
    made: Row = empty_matrix(1)[0]
    made[CELL_VOLTAGES][:16] = 3.3
    made[ALARMS] = 0.0
    made[Column.VOLTAGE], made[Column.CURRENT], made[Column.SOC], made[Column.CYCLES] = 52.8, 10.0, 60.0, 5.0
    made[[Column.TEMPERATURE_1, Column.TEMPERATURE_2, Column.TEMPERATURE_MOS]] = 25.0
    made[[Column.REMAINING_CAPACITY, Column.FULL_CAPACITY, Column.NOMINAL_CAPACITY]] = 168.0, 280.0, 280.0
    made[[Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET]] = 1.0
    if four_sensors:
        made[[Column.TEMPERATURE_4, Column.TEMPERATURE_5]] = 25.0
    made[[Column.CELL_AVERAGE, Column.CELL_DELTA, Column.CELL_COUNT]] = 3.3, 0.0, 16.0
    return made


def address_of(family: str) -> int:
    """Where a pack of the family can be that is not alone."""
    return max(registry.protocol(family).addresses[0], 1)


def conversation(family: str) -> Answers:
    """What is said for one status, and before it what must be known for that."""
    address = address_of(family)
    protocol, pack = registry.protocol(family), responder(family, address, Identity(serial="SIM1"))
    values = row(four_sensors=isinstance(protocol, AsciiProtocol))
    said: Answers = {}
    questions = list(protocol.questions_to(address, Topic.STATUS))
    for question in questions:
        ways = (protocol.exchange(question, address).request for _ in range(protocol.ways_to_ask(address)))
        request = next(way for way in ways if pack.wants(way))
        bursts = pack.answer(request, values, Random(1))
        said[question] = request, b"".join(burst.data for burst in bursts)
    return said


def status(family: str, said: Answers) -> Callable[[Row], None]:
    protocol, previous, address = registry.protocol(family), np.full(COLUMNS, np.nan), address_of(family)

    def run(target: Row) -> None:
        identity = Identity()
        for question in protocol.questions_to(address, Topic.STATUS):
            exchange = protocol.exchange(question, address)
            exchange.feed(said[question][1])
            identity = protocol.decode(address, question, exchange.answer, target, identity)
        protocol.check(target, previous)

    return run


@pytest.mark.parametrize("family", PLAIN)
def test_plain(benchmark: BenchmarkFixture, family: str) -> None:
    said = conversation(family)
    target, ours = empty_matrix(2)
    benchmark(PLAIN[family], {question: answer for question, (_, answer) in said.items()}, target)
    run = status(family, said)
    for _ in range(2):  # the first time the cell count is not known
        run(ours)
    both = ~np.isnan(target) & ~np.isnan(ours)
    other = np.isnan(target) != np.isnan(ours)  # a current's direction, and an alarm of the SoH that no BMS has
    assert np.count_nonzero(other) <= 2
    np.testing.assert_allclose(target[both], ours[both], rtol=1e-12)


@pytest.mark.parametrize("family", registry.NAMES)
def test_status(benchmark: BenchmarkFixture, family: str) -> None:
    said = conversation(family)
    run, target = status(family, said), empty_matrix(1)[0]
    run(target)  # from here on the cell count is known
    assert target[Column.VOLTAGE] == 52.8
    benchmark(run, target)
    asked = [said[question] for question in registry.protocol(family).questions[Topic.STATUS]]
    size = sum(len(request) + len(answer) for request, answer in asked)
    wire = size * BITS_A_BYTE / registry.protocol(family).line.baudrate * 1e3
    benchmark.extra_info["wire_ms"] = wire
    stats: Any = benchmark.stats
    best = stats["min"] * 1e6
    print(
        f"\n{family}: {best:.1f} us of CPU, {len(asked)} questions and answers of {size} bytes, {wire:.0f} ms of wire"
    )
