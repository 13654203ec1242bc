"""What the log says of a pack whose answers are no answers."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from packbank.bms import jkpb
from packbank.bms.daly import Daly
from packbank.bms.daly_frames import seal
from packbank.bms.protocol import Answer, Topic
from packbank.bms.remedies import REMEDIES
from packbank.bms.trust import RANGES
from packbank.errors import FrameError
from packbank.sources.serial.gate import SAY_REFUSED_AFTER, SAY_SILENT_AFTER, Gate, Member
from packbank.sources.serial.statistics import Statistics
from packbank.sources.store import Store

STATE = seal(bytes.fromhex("A5 01 93 08 00 01 01 2B 00 00 3A 02"))  # at rest, 14.85 Ah


@pytest.fixture
def statistics() -> Statistics:
    return Statistics("shed", "/dev/ttyUSB0")


@pytest.fixture
def gate(statistics: Statistics) -> Gate:
    members = [Member(0, 1, "left"), Member(1, 2, "right"), Member(2, 3, "maybe", expected=False)]
    return Gate("shed", Daly(), members, Store(3), statistics)


def sleeping() -> FrameError:
    exchange = Daly().exchange("pack", 1)
    exchange.feed(exchange.request)
    return exchange.rejected[0]


def test_a_pack_that_is_heard_but_refused_is_named_with_the_cure_once(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for second in range(40):
            gate.refuse(1, sleeping(), b"", float(second))
            gate.silent(1, float(second), float(second))
    assert len(caplog.messages) == 1
    for word in ("shed: left (0x01) answers, but is refused", "asleep", "'Sleep time(S)' to 65535", "'Battery code'"):
        assert word in caplog.messages[0]
    assert "does not answer" not in caplog.messages[0]


def test_the_trouble_of_a_pack_is_shown_until_it_is_over(gate: Gate, statistics: Statistics) -> None:
    for second in range(40):
        gate.refuse(2, sleeping(), b"", float(second))
        assert bool(statistics.snapshot(1.0, 9600).troubles) is (second >= SAY_REFUSED_AFTER)
    (trouble,) = statistics.snapshot(1.0, 9600).troubles
    assert trouble.address == 2
    assert "asleep" in trouble.text
    assert trouble.remedy == REMEDIES["asleep"]
    assert gate.take(Answer(2, Topic.STATUS, {"state": STATE}, 41.0)).accepted
    assert statistics.snapshot(1.0, 9600).troubles == ()


def test_one_refused_answer_is_no_trouble(gate: Gate, statistics: Statistics) -> None:
    gate.refuse(1, sleeping(), b"", 0.0)
    gate.refuse(1, sleeping(), b"", 20.0)
    assert statistics.snapshot(1.0, 9600).troubles == ()


def test_a_pack_that_never_said_anything_is_not_the_buses_to_report(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        gate.silent(2, SAY_SILENT_AFTER, SAY_SILENT_AFTER)
        gate.silent(3, SAY_SILENT_AFTER, SAY_SILENT_AFTER)
    assert caplog.messages == []


def test_a_pack_that_falls_silent_and_returns_is_logged_once_each(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    gate.take(Answer(1, Topic.STATUS, {"state": STATE}, 0.0))
    for second in range(1, 30):
        gate.silent(1, float(second), float(second))
    gate.take(Answer(1, Topic.STATUS, {"state": STATE}, 31.0))
    assert caplog.messages == [
        "shed: left (0x01) does not answer; asked again now and then",
        "shed: left (0x01) answers again",
    ]


def test_every_reason_for_a_refusal_has_its_remedy() -> None:
    """Whatever word a FrameError of the protocols begins with, a user reads what to do."""
    source = Path(jkpb.__file__).parent
    reasons = {
        reason
        for file in source.glob("*.py")
        for reason in re.findall(r'(?:FrameError|_reject)\("(\w+)"', file.read_text())
    }
    values = {"cell", "voltage", "delta", "average"} | {column.key for column, _, _ in RANGES}
    assert len(reasons) > 15
    assert reasons - values <= set(REMEDIES)
