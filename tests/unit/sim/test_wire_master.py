"""A JK pack at DIP 0 as the master of its bus: order and slots as measured on firmware 15.41."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from packbank.bms.jkpb_frames import REGISTERS
from packbank.bms.protocol import Row, Topic
from packbank.cext.framing import ACK_SIZE, FRAME_SIZE, REQUEST_SIZE, Scanner, Unit
from packbank.model.columns import Column, empty_matrix
from packbank.sim.responder_jkpb import JkPbResponder, request
from packbank.sim.wire import Wire, WirePack
from packbank.sim.wire_master import SLOT, JkPbMaster, SecondMaster

PRESENT = (1, 2, 4)


def row() -> Row:
    values: Row = empty_matrix(1)[0]
    values[Column.VOLTAGE] = 53.0
    return values


@pytest.fixture
def wire() -> Wire:
    return Wire([WirePack(JkPbResponder(address), lambda now: row()) for address in PRESENT], Random(1))


def listen(wire: Wire, until: float) -> list[tuple[float, Unit]]:
    scanner, units = Scanner(), []
    while (now := wire.deadline) <= until:
        units += [(now, unit) for unit in scanner.feed(wire.deliver(now))]
    return units


def with_master(wire: Wire) -> Wire:
    wire.talkers.append(JkPbMaster(WirePack(JkPbResponder(0), lambda now: row()), 0.0))
    return wire


def test_order_of_a_cycle(wire: Wire) -> None:
    cycle = (17 + len(PRESENT)) * SLOT
    units = [unit for _, unit in listen(with_master(wire), cycle - 0.01)]
    asked = [unit.data for unit in units if unit.kind == "request"]
    expected = []
    for address in range(1, 16):
        expected.append(request(Topic.STATUS, address))
        if address in PRESENT:
            expected.append(request(Topic.SETTINGS, address))
    assert asked == expected
    frames = [unit.data[4] for unit in units if unit.kind == "frame"]
    assert frames == [2, 1] * len(PRESENT) + [2, 1]
    acknowledged = [unit.data[0] for unit in units if unit.kind == "ack"]
    assert acknowledged == [address for address in (*PRESENT, 0) for _ in range(2)]


def test_slots_are_220_ms(wire: Wire) -> None:
    times = [time for time, unit in listen(with_master(wire), 3.0) if unit.kind == "request"]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) == 13
    assert gaps == pytest.approx([0.220] * 13)


def test_own_broadcast_has_no_gap(wire: Wire) -> None:
    units = [unit for _, unit in listen(with_master(wire), (17 + len(PRESENT)) * SLOT - 0.01)]
    *_, status, status_ack, settings, settings_ack = units
    assert (status.kind, status_ack.kind, settings.kind, settings_ack.kind) == ("frame", "ack", "frame", "ack")
    assert status_ack.start == status.start + FRAME_SIZE
    assert settings.start == status_ack.start + ACK_SIZE
    assert settings_ack.data[:4] == bytes([0, 0x10]) + REGISTERS[Topic.SETTINGS].to_bytes(2)


def test_packs_are_not_deaf_to_the_master(wire: Wire) -> None:
    listen(with_master(wire), 9.0)
    assert wire.tally.deaf == 0
    assert wire.tally.collisions == 0


def test_cycle_starts_again(wire: Wire) -> None:
    cycle = (17 + len(PRESENT)) * SLOT
    asked = [unit.data for _, unit in listen(with_master(wire), cycle + 0.1) if unit.kind == "request"]
    assert asked[-1] == asked[0]


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 0), (0.5, 500), (1.0, 1000)])
def test_second_master_asks_in_its_share_of_slots(wire: Wire, rate: float, expected: int) -> None:
    wire.talkers.append(SecondMaster([request(Topic.STATUS, address) for address in PRESENT], rate, 0.0, Random(3)))
    units = [unit for _, unit in listen(wire, 999.5 * SLOT)]
    asked = [unit.data for unit in units if unit.kind == "request"]
    assert len(asked) == pytest.approx(expected, abs=50)
    assert all(len(data) == REQUEST_SIZE for data in asked)
    assert wire.tally.answers == len(asked)
