"""The ASCII envelope: what is an answer, what is refused, and what is passed over."""

from __future__ import annotations

from random import Random

import pytest

from ascii_bms import reasons, resealed
from other_bms import pack_row
from packbank.bms.ascii_frames import RETURN_CODES, frames_in
from packbank.bms.memory import FORGET_AFTER, PATIENCE, RARELY, Memory
from packbank.bms.pace import Pace
from packbank.bms.protocol import Topic
from packbank.cext.envelope import seal
from packbank.sim.responder_pace import PaceResponder


def answer(question: str, address: int = 2) -> bytes:
    request = Pace().exchange(question, address).request
    return PaceResponder(address).answer(request, pack_row(), Random(1))[0].data


ANALOG, WARNING = answer("analog"), answer("warning")


def test_the_request_is_the_one_of_the_document() -> None:
    assert Pace().exchange("analog", 0).request == b"~25004642E00201FD31\r"
    assert Pace().exchange("analog", 2).request == b"~25024642E00202FD2E\r"
    assert Pace().exchange("version", 1).request == b"~250146C10000FD9A\r"


@pytest.mark.parametrize("at", range(len(ANALOG)))
def test_one_wrong_character_anywhere_is_no_answer(at: int) -> None:
    for wrong in (ANALOG[:at] + bytes((ANALOG[at] ^ 1,)) + ANALOG[at + 1 :], ANALOG[:at] + ANALOG[at + 1 :]):
        exchange = Pace().exchange("analog", 2)
        assert not exchange.feed(wrong)
        assert not exchange.feed(b"")
        if at > 12:  # else it does not say that it is meant, or is of no length that an answer can have
            assert exchange.rejected
        assert {error.reason for error in exchange.rejected} <= {"check", "truncated"}


def test_lower_case_digits_are_digits() -> None:
    body = ANALOG[1:-5].lower()
    frame = b"~" + body + b"%04x\r" % (-sum(body) & 0xFFFF)
    exchange = Pace().exchange("analog", 2)
    assert exchange.feed(frame)


def test_a_frame_that_was_cut_hides_none_behind_it() -> None:
    for cut in (1, 5, 13, 40, len(ANALOG) - 1):
        exchange = Pace().exchange("analog", 2)
        assert exchange.feed(ANALOG[:cut] + ANALOG), cut


def test_incumbent_takes_two_frames_in_one_read_for_one() -> None:
    """Gobel's reader reads up to a line feed, which no frame ends with."""
    other = answer("analog", 3)
    for data in (other + ANALOG, ANALOG + other):
        exchange = Pace().exchange("analog", 2)
        assert exchange.feed(data)
        assert exchange.answer[1] == 2


def test_a_late_answer_to_another_question_is_passed_over() -> None:
    exchange = Pace().exchange("analog", 2)
    assert not exchange.feed(WARNING)
    assert exchange.rejected == []
    assert exchange.feed(ANALOG)


def test_when_nothing_better_comes_its_form_is_the_reason() -> None:
    assert reasons(Pace(), "analog", 2, WARNING) == ["layout"]


def test_what_others_say_is_passed_over() -> None:
    request = Pace().exchange("analog", 2).request
    for data in (answer("analog", 3), request, request + request, seal(0x22, 2, 0x4A, 0, b"\0" * 60)):
        assert reasons(Pace(), "analog", 2, data) == []


@pytest.mark.parametrize("code", sorted(code for code in RETURN_CODES if code < 0x90))
def test_a_return_code_is_named(code: int) -> None:
    exchange = Pace().exchange("analog", 2)
    assert not exchange.feed(seal(0x25, 2, 0x46, code, b""))
    assert [error.reason for error in exchange.rejected] == ["refused"]
    assert RETURN_CODES[code] in str(exchange.rejected[0])


@pytest.mark.parametrize("size", [0, 1, 8, 15, 16, 23, 24, 60, 120, 1023, 2047])
def test_length_and_checksum_hold_for_every_length(size: int) -> None:
    """Some drivers make five digits of a length whose digits add up to 16, and others a checksum wrong by one."""
    frame = seal(0x20, 2, 0x46, 0, (bytes(range(256)) * 8)[:size])
    assert len(frame) == 18 + 2 * size
    assert sum(int(digit, 16) for digit in frame[9:13].decode()) % 16 == 0
    assert (sum(frame[1:-5]) + int(frame[-5:-1], 16)) & 0xFFFF == 0
    opened, faults = frames_in(b"\r" + frame + b"~")
    assert [one[4:] for one in opened] == [(bytes(range(256)) * 8)[:size]]
    assert [error.reason for error in faults] == ["truncated"]


def test_what_does_not_fit_is_no_frame() -> None:
    with pytest.raises(ValueError, match="2048 bytes"):
        seal(0x20, 2, 0x46, 0, bytes(2048))
    with pytest.raises(ValueError, match="256"):
        seal(0x20, 256, 0x46, 0, b"")


def test_a_resealed_frame_is_itself() -> None:
    assert resealed(ANALOG, bytes.fromhex(ANALOG[13:-5].decode())) == ANALOG


def test_each_way_to_ask_is_tried_until_one_is_answered() -> None:
    pace = Pace()
    versions = [pace.exchange("analog", 5).request[1:3] for _ in range(4)]
    assert versions == [b"25", b"20", b"25", b"20"]
    assert pace.ways_to_ask(5) == 2
    exchange = pace.exchange("analog", 5)
    old = PaceResponder(5, tail=4, version=0x20).answer(pace.exchange("analog", 5).request, pack_row(), Random(1))
    while exchange.request[1:3] != b"20":
        exchange = pace.exchange("analog", 5)
    assert exchange.feed(old[0].data)
    assert pace.ways_to_ask(5) == 1
    assert pace.exchange("warning", 5).request[1:3] == b"20"
    for _ in range(FORGET_AFTER + 1):
        pace.exchange("analog", 5)
    assert pace.ways_to_ask(5) == 2


def test_what_is_never_answered_is_asked_rarely_and_forgiven() -> None:
    pace, exchange = Pace(), Pace().exchange("analog", 2)
    assert exchange.feed(ANALOG)
    asked = []
    for _ in range(2 * RARELY):
        for question in pace.questions_to(2, Topic.STATUS):
            asked.append(question)
            if question == "analog":
                assert pace.exchange(question, 2).feed(ANALOG)
            else:
                pace.exchange(question, 2).feed(b"")
                assert pace.may_lack(2, question)
    assert asked.count("analog") == 2 * RARELY
    assert PATIENCE < asked.count("warning") < PATIENCE + 4
    assert not pace.may_lack(2, "analog")


def test_a_pack_that_ignores_the_first_setting_is_asked_no_other() -> None:
    pace = Pace()
    assert list(pace.questions_to(2, Topic.SETTINGS)) == ["cell high"]
    asked = []
    for question in pace.questions_to(2, Topic.SETTINGS):
        asked.append(question)
        assert pace.exchange(question, 2).feed(answer(question))
    assert asked == list(pace.questions[Topic.SETTINGS])


def test_the_usual_size_of_an_answer_is_learnt() -> None:
    memory = Memory(["a"])
    memory.answer("analog", memory.ask("analog"), 142)
    assert memory.sizes == {"analog": 142}
