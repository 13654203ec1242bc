"""What the log says of a pack whose answers are no answers."""

from __future__ import annotations

import logging

import pytest

from packbank.bms.daly import Daly
from packbank.errors import FrameError
from packbank.sources.serial.gate import SAY_SILENT_AFTER, Gate, Member
from packbank.sources.serial.statistics import Statistics
from packbank.sources.store import Store


@pytest.fixture
def gate() -> Gate:
    members = [Member(0, 1, "left"), Member(1, 2, "right"), Member(2, 3, "maybe", expected=False)]
    return Gate("shed", Daly(), members, Store(3), Statistics("shed", "/dev/ttyUSB0"))


def sleeping() -> FrameError:
    exchange = Daly().exchange("pack", 1)
    exchange.feed(exchange.request)
    return exchange.rejected[0]


def test_a_sleeping_pack_is_named_with_the_cure_once(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    gate.refuse(1, sleeping(), b"")
    with caplog.at_level(logging.WARNING):
        gate.silent(1, SAY_SILENT_AFTER / 2)
        assert caplog.messages == []
        gate.silent(1, SAY_SILENT_AFTER)
        gate.silent(1, 2 * SAY_SILENT_AFTER)
    assert len(caplog.messages) == 1
    for word in ("shed: left (0x01)", "asleep", "'Sleep time(S)' to 65535", "'Battery code'"):
        assert word in caplog.messages[0]


def test_a_pack_that_never_said_anything_is_not_the_buses_to_report(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    gate.refuse(1, sleeping(), b"")
    gate.refuse(3, sleeping(), b"")
    with caplog.at_level(logging.WARNING):
        gate.silent(2, SAY_SILENT_AFTER)
        gate.silent(3, SAY_SILENT_AFTER)
    assert caplog.messages == []
