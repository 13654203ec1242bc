"""What the log says of a pack whose answers are no answers."""

from __future__ import annotations

import logging

import pytest

from packbank.bms.daly import Daly
from packbank.errors import FrameError
from packbank.sources.serial.intake import SAY_SILENT_AFTER, Intake, Member
from packbank.sources.serial.stats import Counters
from packbank.sources.store import Store


@pytest.fixture
def counters() -> Counters:
    return Counters("shed", "/dev/ttyUSB0")


@pytest.fixture
def intake(counters: Counters) -> Intake:
    members = [Member(0, 1, "left"), Member(1, 2, "right"), Member(2, 3, "maybe", expected=False)]
    return Intake("shed", Daly(), members, Store(3), counters)


def sleeping() -> FrameError:
    exchange = Daly().exchange("pack", 1)
    exchange.feed(exchange.request)
    return exchange.rejected[0]


def test_a_sleeping_pack_is_named_with_the_cure_once(
    intake: Intake, counters: Counters, caplog: pytest.LogCaptureFixture
) -> None:
    counters.refuse(1, sleeping(), b"")
    with caplog.at_level(logging.WARNING):
        intake.silent(1, SAY_SILENT_AFTER / 2)
        assert caplog.messages == []
        intake.silent(1, SAY_SILENT_AFTER)
        intake.silent(1, 2 * SAY_SILENT_AFTER)
    assert len(caplog.messages) == 1
    for word in ("shed: left (0x01)", "asleep", "'Sleep time(S)' to 65535", "'Battery code'"):
        assert word in caplog.messages[0]


def test_a_pack_that_never_said_anything_is_not_the_buses_to_report(
    intake: Intake, counters: Counters, caplog: pytest.LogCaptureFixture
) -> None:
    counters.refuse(1, sleeping(), b"")
    counters.refuse(3, sleeping(), b"")
    with caplog.at_level(logging.WARNING):
        intake.silent(2, SAY_SILENT_AFTER)
        intake.silent(3, SAY_SILENT_AFTER)
    assert caplog.messages == []


def test_a_refusal_of_long_ago_explains_no_silence(counters: Counters) -> None:
    counters.refuse(1, sleeping(), b"")
    assert counters.last_refusal(1, 10.0).startswith("asleep")
    assert counters.last_refusal(1, -10.0) == ""
    assert counters.last_refusal(2, 10.0) == ""
