"""The exchange: what it takes for an answer, and what it calls everything else."""

from __future__ import annotations

import numpy as np
import pytest
from jkpb_samples import IDENTITY, empty, sample_answer, sample_frame, sample_row

from packbank.bms.jkpb import JkPb, JkPbExchange
from packbank.bms.jkpb_frames import REGISTERS
from packbank.bms.protocol import Topic
from packbank.cext.checksum import crc16_modbus
from packbank.cext.framing import ACK_REACH, acknowledgement, request
from packbank.model.identity import Identity

ANSWER = sample_answer()
FRAME, ACK = ANSWER[:300], ANSWER[300:]


def ask(*chunks: bytes, topic: Topic = Topic.STATUS) -> tuple[JkPbExchange, list[str]]:
    exchange = JkPb().exchange(topic.value, 3)
    assert isinstance(exchange, JkPbExchange)
    for chunk in chunks:
        exchange.feed(chunk)
    return exchange, [error.reason for error in exchange.rejected]


def accepted(exchange: JkPbExchange) -> bool:
    return exchange.feed(b"\xff")


@pytest.mark.parametrize("topic", list(Topic))
@pytest.mark.parametrize("address", JkPb.addresses)
def test_request_and_answer_of_every_topic_and_address(topic: Topic, address: int) -> None:
    exchange = JkPb().exchange(topic.value, address)
    assert exchange.request == request(address, REGISTERS[topic])
    assert exchange.address == address
    assert exchange.feed(sample_answer(topic, address))
    assert exchange.rejected == []


def test_values_reach_the_row_and_the_identity() -> None:
    row, identity = empty(), Identity()
    for topic in Topic:
        exchange = JkPb().exchange(topic.value, 3)
        assert exchange.feed(sample_answer(topic))
        identity = JkPb().decode(3, exchange.question, exchange.answer, row, identity)
    np.testing.assert_array_equal(row, sample_row())
    assert identity == IDENTITY


@pytest.mark.parametrize(
    "stream",
    [
        ANSWER,
        request(3, 0x1620) + ANSWER,
        request(3, 0x1620)[4:] + ANSWER,
        FRAME + b"\0" + ACK + b"\0",
        FRAME + bytes(ACK_REACH) + ACK,
        b"\x55\xaa\x00" + ANSWER,
        FRAME[:200] + ANSWER,
        sample_answer(address=5) + ANSWER,
        sample_answer(Topic.SETTINGS) + ANSWER,
    ],
    ids=["plain", "echo", "part of an echo", "glitches", "noise", "half a mark", "truncated", "foreign", "late"],
)
def test_the_answer_is_found_in_any_chunks(stream: bytes) -> None:
    whole, reasons = ask(stream)
    bytewise, reasons_bytewise = ask(*(bytes([byte]) for byte in stream))
    assert accepted(whole)
    assert accepted(bytewise)
    assert reasons == reasons_bytewise
    row = empty()
    JkPb().decode(bytewise.address, bytewise.question, bytewise.answer, row, Identity())
    assert np.isfinite(row[:16]).all()


@pytest.mark.parametrize(
    ("stream", "reasons"),
    [
        (b"", []),
        (b"\x12\x34" * 50, []),
        (FRAME, ["ack"]),
        (FRAME + acknowledgement(4, 0x1620), ["foreign"]),
        (FRAME + acknowledgement(3, 0x161E), ["foreign"]),
        (FRAME + bytes(ACK_REACH + 1) + ACK, ["ack"]),
        (FRAME + ACK[:7] + b"\xff", ["ack"]),
        (FRAME + FRAME, ["ack", "ack"]),
        (FRAME + FRAME[:30] + ACK, ["ack", "truncated"]),
        (ACK, ["payload"]),
        (FRAME[:150], ["truncated"]),
        (FRAME[:150] + ACK, ["truncated"]),
        (FRAME[:100] + b"\x01" + FRAME[101:] + ACK, ["sum8"]),
        (sample_answer(Topic.SETTINGS), ["type"]),
        (sample_frame(Topic.SETTINGS) + ACK, ["type"]),
        (sample_answer(address=9), ["foreign"]),
        (request(9, 0x1620), ["master"]),
        (request(9, 0x1620) + sample_answer(address=9), ["master", "foreign"]),
    ],
)
def test_what_is_not_the_answer_is_refused_with_its_reason(stream: bytes, reasons: list[str]) -> None:
    for chunks in ([stream], [bytes([byte]) for byte in stream]):
        exchange, got = ask(*chunks, b"")
        assert got == reasons
        assert not accepted(exchange)


def test_a_late_frame_and_the_acknowledgement_of_another_are_not_put_together() -> None:
    late = sample_frame(address=5)
    exchange, reasons = ask(late, FRAME[:-1], ACK, b"")
    assert not accepted(exchange)
    assert reasons[0] == "ack"


def test_nothing_after_the_answer_changes_it() -> None:
    exchange, _ = ask(ANSWER)
    assert exchange.feed(sample_answer(address=9))
    assert exchange.rejected == []


def test_noise_does_not_fill_the_memory() -> None:
    exchange, reasons = ask((b"\x55\xaa\xeb\x90" + bytes(296)) * 1000)
    assert len(reasons) < 100
    assert accepted(exchange) is False


def test_byte_five_means_nothing() -> None:
    older = bytearray(FRAME)
    older[5], older[299] = 5, (older[299] + 5) & 0xFF
    assert accepted(ask(bytes(older) + ACK)[0])


def test_addresses_are_explained() -> None:
    protocol = JkPb()
    assert all(protocol.explain_address(address) == "" for address in range(1, 16))
    assert "DIP" in protocol.explain_address(0)
    assert "master" in protocol.explain_address(0)
    for address in (0x10, 0xFF, -1):
        assert "0x01 to 0x0F" in protocol.explain_address(address)
    for address in (0, 0x10):
        with pytest.raises(ValueError, match="DIP"):
            protocol.exchange("status", address)


def test_line_figures_leave_room_for_the_slowest_pack() -> None:
    line = JkPb.line
    assert line.silence_min <= line.silence <= line.silence_max
    assert line.first_byte_timeout > 0.0137
    assert line.idle_timeout > 0.0080
    assert JkPbExchange.answer_time == pytest.approx(0.0386, abs=0.001)


@pytest.mark.parametrize("before", [b"", b"\x00", request(3, 0x1620)], ids=["plain", "glitch", "echo"])
def test_a_modbus_exception_is_an_answer_in_another_protocol(before: bytes) -> None:
    refusal = bytes((3, 0x90, 1))
    refusal += crc16_modbus(refusal).to_bytes(2, "little")
    _, reasons = ask(before + refusal, b"")
    assert reasons == ["modbus"]
    exchange = JkPb().exchange("status", 3)
    exchange.feed(before + refusal)
    exchange.feed(b"")
    assert "UART2" in str(exchange.rejected[0])


@pytest.mark.parametrize("data", ["049001", "039002ffff", "0390", "031001c0f0"])
def test_what_is_no_exception_of_this_pack_is_noise(data: str) -> None:
    assert ask(bytes.fromhex(data), b"")[1] == []
