"""Every fault on its own: what it does to an answer, how often, to whom; and how it is spelled."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from packbank.bms.protocol import Row, Topic
from packbank.cext.checksum import crc16_modbus, sum8
from packbank.errors import ConfigError
from packbank.model.columns import COLUMNS, empty_matrix
from packbank.sim.fault_answers import ANSWER_FAULTS
from packbank.sim.faults import (
    FAULTS,
    AnswerFault,
    Echoing,
    Fault,
    Unplug,
    afflict,
    heal,
    parse_fault,
    parse_schedule,
)
from packbank.sim.responder import Burst
from packbank.sim.responder_jkpb import JkPbResponder, request
from packbank.sim.wire import Question, Wire, WirePack

RUNS = 300
STATUS = Question(3, Topic.STATUS)


@pytest.fixture
def answer() -> list[Burst]:
    row: Row = empty_matrix(1)[0]
    return JkPbResponder(3).answer(request(Topic.STATUS, 3), row, Random(1))


def distorted(name: str, answer: list[Burst]) -> list[list[Burst]]:
    random = Random(7)
    return [ANSWER_FAULTS[name](answer, random) for _ in range(RUNS)]


def bytes_of(bursts: list[Burst]) -> bytes:
    return b"".join(burst.data for burst in bursts)


def duration(bursts: list[Burst]) -> float:
    return sum(burst.delay for burst in bursts)


@pytest.mark.parametrize("name", ANSWER_FAULTS)
def test_every_fault_changes_the_answer_and_leaves_the_original_alone(name: str, answer: list[Burst]) -> None:
    before = [Burst(burst.delay, bytes(burst.data)) for burst in answer]
    changed = [bursts != before for bursts in distorted(name, answer)]
    assert sum(changed) > 0.95 * RUNS
    assert answer == before


def test_bit_flip_is_one_bit(answer: list[Burst]) -> None:
    for bursts in distorted("bit-flip", answer):
        flipped = int.from_bytes(bytes_of(bursts)) ^ int.from_bytes(bytes_of(answer))
        assert flipped.bit_count() == 1


def test_garble_is_short_and_in_one_place(answer: list[Burst]) -> None:
    for bursts in distorted("garble", answer):
        places = [n for n, (a, b) in enumerate(zip(bytes_of(bursts), bytes_of(answer), strict=True)) if a != b]
        assert not places or places[-1] - places[0] < 16


def test_truncation_loses_bytes(answer: list[Burst]) -> None:
    assert all(len(bytes_of(bursts)) < len(bytes_of(answer)) for bursts in distorted("truncation", answer))


def test_noise_leaves_frame_and_acknowledgement_whole(answer: list[Burst]) -> None:
    for bursts in distorted("noise", answer):
        assert [burst.data for burst in bursts][1::2] == [burst.data for burst in answer]
        assert duration(bursts) == pytest.approx(duration(answer))


def test_glitch_stands_behind_frame_and_acknowledgement(answer: list[Burst]) -> None:
    for bursts in distorted("glitch", answer):
        assert [burst.data for burst in bursts] == [answer[0].data, b"\0", answer[1].data, b"\0"]
        assert bursts[1].delay + bursts[2].delay == pytest.approx(answer[1].delay)


def test_wrong_type_has_a_right_sum(answer: list[Burst]) -> None:
    for bursts in distorted("wrong-type", answer):
        frame = bursts[0].data
        assert frame[4] in (1, 3)
        assert sum8(frame[:-1]) == frame[-1]
        assert bursts[1] == answer[1]


def test_foreign_acknowledgement_has_a_right_checksum(answer: list[Burst]) -> None:
    for bursts in distorted("foreign-ack", answer):
        acknowledgement = bursts[1].data
        assert acknowledgement[0] != 3
        assert crc16_modbus(acknowledgement[:-2]) == int.from_bytes(acknowledgement[-2:], "little")
        assert bursts[0] == answer[0]


def test_late_is_later_than_slow(answer: list[Burst]) -> None:
    late = [bursts[0].delay for bursts in distorted("late", answer)]
    slow = [bursts[0].delay for bursts in distorted("slow", answer)]
    assert min(late) >= 0.12
    assert max(late) <= 0.5
    assert min(slow) >= 0.03
    assert max(slow) <= 0.08


def test_silence_is_nothing(answer: list[Burst]) -> None:
    assert distorted("silence", answer)[0] == []


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_rate_is_kept(rate: float, answer: list[Burst]) -> None:
    fault = AnswerFault(Fault("silence", rate), Random(3))
    hit = sum(fault(STATUS, answer) == [] for _ in range(4000))
    assert hit == pytest.approx(4000 * rate, abs=100)


def test_fault_of_one_pack_spares_the_others(answer: list[Burst]) -> None:
    fault = AnswerFault(Fault("silence", 1.0, address=3), Random(3))
    assert fault(Question(4, Topic.STATUS), answer) == answer
    assert fault(STATUS, answer) == []


def test_fault_of_a_topic_spares_the_others(answer: list[Burst]) -> None:
    fault = AnswerFault(Fault("silence", 1.0, topic=Topic.SETTINGS), Random(3))
    assert fault(STATUS, answer) == answer
    assert fault(Question(3, Topic.SETTINGS), answer) == []


def test_counted_fault_ends_with_its_count(answer: list[Burst]) -> None:
    fault = AnswerFault(Fault("silence", 1.0, topic=Topic.SETTINGS, count=2), Random(3))
    topics = (Topic.SETTINGS, Topic.STATUS, Topic.SETTINGS, Topic.SETTINGS)
    assert [bool(fault(Question(3, topic), answer)) for topic in topics] == [False, True, False, True]


def test_exception_has_the_address_and_a_right_checksum(answer: list[Burst]) -> None:
    for (burst,) in distorted("exception", answer):
        assert burst.data[:3] == bytes((3, 0x90, 1))
        assert crc16_modbus(burst.data[:3]) == int.from_bytes(burst.data[3:], "little")
        assert burst.delay == answer[0].delay


def test_echo_is_the_request_or_its_end() -> None:
    echoing = Echoing(1.0, Random(1))
    heard = [echoing(b"request") for _ in range(100)]
    assert all(b"request".endswith(part) and part for part in heard)
    assert {len(part) for part in heard} == set(range(1, 8))


def test_unplugged_for_its_part_of_the_time() -> None:
    wire, unplug, absent = Wire([], Random(1)), Unplug(0.25, 0.0), 0
    for tick in range(4000):
        now = tick / 100
        if unplug.due <= now:
            unplug.speak(now, wire)
        absent += not wire.connected
    assert absent == pytest.approx(1000, abs=10)


def test_faults_of_another_bus_are_not_ours_and_heal_ends_all() -> None:
    row: Row = empty_matrix(1)[0]
    wire = Wire([WirePack(JkPbResponder(1), lambda now: row)], Random(1))
    faults = [Fault("silence", 1.0, bus=2), Fault("second-master", 1.0), Fault("unplug", 1.0), Fault("echo", 1.0)]
    afflict(wire, 1, faults, 0.0, Random(1))
    assert len(wire.talkers) == 2
    wire.hear(1.0, request(Topic.STATUS, 1))
    assert wire.tally.answers == 1
    wire.connected = False
    heal(wire)
    assert wire.connected
    assert not wire.talkers
    assert not wire.changes
    assert not wire.distortions
    assert not wire.echoes


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("late", Fault("late")),
        ("late=0.5", Fault("late", 0.5)),
        ("late=0.5@3", Fault("late", 0.5, None, 3)),
        ("late=0.5@2/0x0F", Fault("late", 0.5, 2, 15)),
        ("unplug@1/", Fault("unplug", bus=1)),
        ("30: swap@3", Fault("swap", 0.5, address=3, begin=30.0)),
        ("30-42.5: silence=1@0x3", Fault("silence", 1.0, address=3, begin=30.0, end=42.5)),
        ("garble=1@3,of=settings,count=1", Fault("garble", 1.0, address=3, topic=Topic.SETTINGS, count=1)),
        ("cells=14@1/2", Fault("cells", 14.0, 1, 2)),
        ("frozen", Fault("frozen", 0.0)),
    ],
)
def test_spelling(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lte", "there is no 'lte'; faults are bit-flip, "),
        ("late=often", "could not convert"),
        ("late=2", "2 is not between 0 and 1"),
        ("cells=33", "33 is not between 1 and 32"),
        ("frozen=1@3", "frozen takes no number"),
        ("late,of=weather", "'weather' is not a valid Topic"),
        ("late,until=3", "'until' is neither of=TOPIC nor count=N"),
        ("late,count=0", "write 1 or more"),
        ("swap,count=1", "are for faults that damage answers"),
        ("30-20: late", "ends at 20 s and begins at 30 s"),
        ("late@x", "write [FROM[-TO]:]NAME[=NUMBER]"),
        ("echo@3", "befalls a whole bus"),
    ],
)
def test_misspelling_says_what_to_write(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match="fault") as caught:
        parse_fault(text)
    assert complaint in str(caught.value)


def test_every_fault_says_what_it_is() -> None:
    assert all(kind.meaning.endswith(".") for kind in FAULTS.values())


def test_schedule_is_one_fault_a_line() -> None:
    text = "# a pack is exchanged\n\n 30-42: silence=1@3  # taken out\n36: swap@3\n"
    assert parse_schedule(text) == [parse_fault("30-42: silence=1@3"), parse_fault("36: swap@3")]
    with pytest.raises(ConfigError, match="there is no 'swop'"):
        parse_schedule("36: swop@3")


@pytest.mark.parametrize("name", FAULTS)
def test_fault_begins_and_ends_at_its_times(name: str) -> None:
    row: Row = np.zeros(COLUMNS)
    wire = Wire([WirePack(JkPbResponder(1), lambda now: row)], Random(1))
    afflict(wire, 1, [parse_fault(f"5-8: {name}")], 100.0, Random(1))

    def active(until: float) -> int:
        while wire.deadline <= until:
            wire.deliver(wire.deadline)
        return len(wire.changes) + len(wire.distortions) + len(wire.echoes) + len(wire.talkers) - 1

    assert [active(until) for until in (104.9, 105.0, 107.9, 108.0, 200.0)] == [0, 1, 1, 0, 0]
    assert wire.connected
