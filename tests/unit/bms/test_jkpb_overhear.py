"""Whose frame is it: by acknowledgement, by request, by the address in it, or nobody's."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from jkpb_samples import empty, sample_answer, sample_frame

from packbank.bms import jkpb_overhear
from packbank.bms.jkpb import JkPb
from packbank.bms.jkpb_overhear import JkPbOverhearing
from packbank.bms.protocol import Answer, Request, Topic
from packbank.cext.framing import Scanner, acknowledgement, request
from packbank.model.columns import Column
from packbank.model.identity import Identity

STATUS, SETTINGS = 0x1620, 0x161E
BYTE = 10 / 115_200
FRAME = sample_frame()


def summaries(heard: list[Answer | Request]) -> list[tuple[str, int, str]]:
    return [("request" if isinstance(one, Request) else "answer", one.address, one.topic.value) for one in heard]


def listen(*timed: tuple[float, bytes]) -> tuple[list[tuple[str, int, str]], list[str]]:
    """Play chunks, each with the time at which its first byte starts, then a long silence."""
    ear = JkPbOverhearing()
    heard: list[Answer | Request] = []
    end = 0.0
    for start, data in timed:
        end = start + len(data) * BYTE
        heard += ear.feed(data, end)
    heard += ear.feed(b"", end + 1.0)
    return summaries(heard), [error.reason for error in ear.rejected]


def test_a_slot_of_the_master_and_its_own_broadcast() -> None:
    heard, rejected = listen(
        (0.000, request(5, STATUS)),
        (0.006, sample_frame(address=5)),
        (0.039, acknowledgement(5, STATUS)),
        (0.220, request(15, STATUS)),
        (0.440, sample_answer(Topic.STATUS, 0)),
        (0.660, sample_answer(Topic.SETTINGS, 0)),
    )
    assert heard == [
        ("request", 5, "status"),
        ("answer", 5, "status"),
        ("request", 15, "status"),
        ("answer", 0, "status"),
        ("answer", 0, "settings"),
    ]
    assert rejected == []


def test_the_acknowledgement_counts_more_than_the_request() -> None:
    heard, _ = listen((0, request(5, STATUS)), (0.006, FRAME), (0.039, acknowledgement(6, STATUS)))
    assert heard[1:] == [("answer", 6, "status")]


def test_the_acknowledgement_must_fit_the_type() -> None:
    heard, rejected = listen((0, FRAME + acknowledgement(6, SETTINGS)))
    assert heard == []
    assert rejected == ["ack"]


@pytest.mark.parametrize(("begins", "address"), [(0.0051, 5), (0.0147, 5), (0.030, 5), (0.060, None), (0.220, None)])
def test_without_acknowledgement_the_request_counts_when_the_frame_begins_in_time(
    begins: float, address: int | None
) -> None:
    heard, rejected = listen((0, request(5, STATUS)), (begins, FRAME))
    assert heard[1:] == ([] if address is None else [("answer", address, "status")])
    assert rejected == ([] if address is not None else ["unattributed"])


def test_the_request_must_ask_for_what_the_frame_holds() -> None:
    heard, rejected = listen((0, request(5, SETTINGS)), (0.006, FRAME))
    assert heard[1:] == []
    assert rejected == ["unattributed"]


def test_a_request_answers_for_one_frame_only() -> None:
    heard, rejected = listen((0, request(5, STATUS)), (0.006, FRAME), (0.034, FRAME))
    assert heard[1:] == [("answer", 5, "status")]
    assert rejected == ["unattributed"]


def test_without_times_a_request_does_not_count() -> None:
    ear = JkPbOverhearing()
    heard = ear.feed(request(5, STATUS) + FRAME) + ear.feed(b"")
    assert summaries(heard) == [("request", 5, "status")]
    assert [error.reason for error in ear.rejected] == ["unattributed"]


def test_request_and_frame_in_one_late_chunk() -> None:
    assert listen((0, request(5, STATUS) + FRAME))[0][1:] == [("answer", 5, "status")]


def test_a_settings_frame_alone_has_its_address() -> None:
    assert listen((0, sample_frame(Topic.SETTINGS, 7)))[0] == [("answer", 7, "settings")]


def test_a_settings_frame_with_an_address_that_cannot_be() -> None:
    data = bytearray(sample_frame(Topic.SETTINGS, 7))
    data[270], data[299] = 0x10, (data[299] + 9) & 0xFF
    assert listen((0, bytes(data))) == ([], ["unattributed"])


def test_a_frame_waits_for_its_acknowledgement_and_no_longer() -> None:
    ear = JkPbOverhearing()
    assert ear.feed(sample_frame(Topic.SETTINGS, 7), 1.000) == []
    assert ear.feed(b"", 1.010) == []
    assert summaries(ear.feed(b"", 1.100)) == [("answer", 7, "settings")]


def test_truncated_and_broken_frames_are_dropped_and_counted() -> None:
    broken = FRAME[:50] + bytes([FRAME[50] ^ 1]) + FRAME[51:]
    heard, rejected = listen(
        (0, FRAME[:200]),
        (0.5, sample_answer()),
        (1.0, broken + acknowledgement(3, STATUS)),
        (1.5, FRAME[:120]),
    )
    assert heard == [("answer", 3, "status")]
    assert rejected == ["truncated", "sum8", "truncated"]


def test_the_log_book_is_refused_by_its_type() -> None:
    data = bytearray(FRAME)
    data[4], data[299] = 5, (data[299] + 3) & 0xFF
    assert listen((0, bytes(data) + acknowledgement(3, STATUS))) == ([], ["type"])


def test_requests_for_actions_are_not_reported_as_questions() -> None:
    assert listen((0, request(5, 0x160C))) == ([], [])


def test_an_answer_fills_a_row() -> None:
    ear = JkPbOverhearing()
    (one,) = ear.feed(sample_answer(), 1.0)
    assert isinstance(one, Answer)
    assert one.arrived == 1.0
    row, (question, data) = empty(), *one.data.items()
    assert JkPb().decode(one.address, question, data, row, Identity(model="kept")) == Identity(model="kept")
    assert row[Column.VOLTAGE] == 52.92
    assert np.isfinite(row[:16]).all()


def test_any_chunks_give_the_same() -> None:
    slots = [request(5, STATUS) + b"\0\0" + sample_answer(address=5, between=b"\x01") + b"\xff" * 9, FRAME[:111]]
    stream = b"".join(slots * 3) + sample_answer(Topic.ABOUT, 2)
    whole, bytewise = JkPbOverhearing(), JkPbOverhearing()
    one = whole.feed(stream, 1.0)
    each = [heard for k in range(len(stream)) for heard in bytewise.feed(stream[k : k + 1], k * BYTE)]
    assert summaries(one) == summaries(each)
    assert len(one) == 7


def test_the_memory_is_bounded() -> None:
    ear = JkPbOverhearing()
    for k in range(3000):
        ear.feed(b"\x55\xaa\xeb\x90" + bytes(97), k * 0.1)
    assert len(ear.rejected) <= 64
    assert len(ear._chunks) < 300


@pytest.mark.parametrize("before", [2**31 - 150, 2**32 - 150])
def test_frames_are_attributed_where_32_bits_of_positions_end(monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    monkeypatch.setattr(jkpb_overhear, "Scanner", partial(Scanner, before))
    ear = JkPbOverhearing()
    asked = ear.feed(request(3, STATUS), 1.0)
    assert summaries(asked + ear.feed(FRAME, 1.032) + ear.feed(b"", 1.2)) == [
        ("request", 3, "status"),
        ("answer", 3, "status"),
    ]
    assert ear.feed(FRAME, 5.0) + ear.feed(b"", 6.0) == [], "nobody asked and nobody acknowledged"
    assert [error.reason for error in ear.take_rejected()] == ["unattributed"]
