"""Cutting JK PB's units out of a stream: one test for each way in which a stream can be wrong."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from packbank.cext.checksum import crc16_modbus
from packbank.cext.framing import (
    ACK_REACH,
    ACK_SIZE,
    FRAME_SIZE,
    REQUEST_SIZE,
    Scanner,
    Unit,
    acknowledgement,
    find_answer,
    request,
    seal,
)

STATUS, SETTINGS = 0x1620, 0x161E


def frame(kind: int = 2, fill: int = 0) -> bytes:
    data = bytearray([0x55, 0xAA, 0xEB, 0x90, kind] + [fill] * (FRAME_SIZE - 5))
    seal(data)
    return bytes(data)


FRAME, ACK, REQUEST = frame(), acknowledgement(3, STATUS), request(3, STATUS)


def scan(*chunks: bytes) -> list[Unit]:
    scanner = Scanner()
    return [unit for chunk in chunks for unit in scanner.feed(chunk)]


def kinds(units: list[Unit]) -> list[tuple[str, int]]:
    return [(unit.kind, unit.start) for unit in units]


# address: (about, settings, status) with the CRC in the order of the wire, as read off real buses and documents
REQUEST_CRCS = {
    0x00: "de5d dfbf db61", 0x01: "d3cd d22f d6f1", 0x02: "c73d c6df c201", 0x03: "caad cb4f cf91",
    0x04: "ec9d ed7f e9a1", 0x05: "e10d e0ef e431", 0x06: "f5fd f41f f0c1", 0x07: "f86d f98f fd51",
    0x08: "b99d b87f bca1", 0x09: "b40d b5ef b131", 0x0A: "a0fd a11f a5c1", 0x0B: "ad6d ac8f a851",
    0x0C: "8b5d 8abf 8e61", 0x0D: "86cd 872f 83f1", 0x0E: "923d 93df 9701", 0x0F: "9fad 9e4f 9a91",
}  # fmt: skip
ACK_CRCS = {
    0x00: "c596 6456 059a", 0x01: "c447 6587 044b", 0x02: "c474 65b4 0478", 0x03: "c5a5 6465 05a9",
    0x04: "c412 65d2 041e", 0x05: "c5c3 6403 05cf", 0x06: "c5f0 6430 05fc", 0x07: "c421 65e1 042d",
    0x08: "c4de 651e 04d2", 0x09: "c50f 64cf 0503", 0x0A: "c53c 64fc 0530", 0x0B: "c4ed 652d 04e1",
    0x0C: "c55a 649a 0556", 0x0D: "c48b 654b 0487", 0x0E: "c4b8 6578 04b4", 0x0F: "c569 64a9 0565",
}  # fmt: skip


@pytest.mark.parametrize("address", range(16))
def test_the_crcs_of_every_request_and_acknowledgement(address: int) -> None:
    for register, asked, sum_ in zip(
        (0x161C, 0x161E, 0x1620), REQUEST_CRCS[address].split(), ACK_CRCS[address].split(), strict=True
    ):
        assert request(address, register).hex() == f"{address:02x}10{register:04x}0001020000{asked}"
        assert acknowledgement(address, register).hex() == f"{address:02x}10{register:04x}0001{sum_}"


@pytest.mark.parametrize(("address", "register"), [(-1, STATUS), (16, STATUS), (1, -1), (1, 0x10000)])
def test_requests_to_nobody_are_not_made(address: int, register: int) -> None:
    for make in (request, acknowledgement):
        with pytest.raises(ValueError, match="JK PB"):
            make(address, register)


def test_sizes() -> None:
    assert (len(FRAME), len(REQUEST), len(ACK)) == (FRAME_SIZE, REQUEST_SIZE, ACK_SIZE) == (300, 11, 8)


def test_seal_takes_a_whole_frame_only() -> None:
    with pytest.raises(ValueError, match="300 bytes"):
        seal(bytearray(299))
    with pytest.raises(TypeError):
        seal(b"\0" * 300)  # type: ignore[arg-type]


def test_answer_behind_echo_and_glitch_bytes() -> None:
    found = scan(REQUEST + FRAME + b"\0" + ACK + b"\0")
    assert kinds(found) == [("request", 0), ("frame", 11), ("ack", 312)]
    assert [unit.data for unit in found] == [REQUEST, FRAME, ACK]


def test_bytes_one_by_one_give_the_same() -> None:
    stream = b"\x12\x55" + REQUEST + b"\0\0" + FRAME + b"\x01\x02" + ACK + b"\x55\xaa" + FRAME + ACK
    assert scan(*(bytes([byte]) for byte in stream)) == scan(stream)
    assert len(scan(stream)) == 5


def test_every_buffer_gives_the_same() -> None:
    stream = REQUEST + FRAME + ACK
    buffers: list[Any] = [bytearray(stream), memoryview(stream), np.frombuffer(stream, dtype=np.uint8)]
    for buffer in buffers:
        assert Scanner().feed(buffer) == scan(stream)
        assert find_answer(buffer, 3, STATUS, 2) == 11


def test_a_frame_with_a_wrong_sum_is_bad() -> None:
    broken = bytearray(FRAME)
    broken[100] ^= 1
    found = scan(bytes(broken) + ACK)
    assert kinds(found) == [("bad", 0), ("ack", 300)]
    assert found[0].data == broken


def test_resynchronises_inside_a_truncated_frame() -> None:
    for cut in (4, 5, 200, 299):
        assert kinds(scan(FRAME[:cut] + frame(1) + ACK)) == [("bad", 0), ("frame", cut), ("ack", cut + 300)]


def test_units_hidden_in_a_truncated_frame_come_out() -> None:
    assert kinds(scan(FRAME[:50] + ACK + REQUEST + FRAME + ACK)) == [
        ("bad", 0),
        ("ack", 50),
        ("request", 58),
        ("frame", 69),
        ("ack", 369),
    ]


def test_half_a_mark_before_the_mark() -> None:
    for junk in (b"\x55", b"\x55\xaa", b"\x55\xaa\xeb", b"\x55\xaa\x55", b"\x55\x55\xaa\xaa"):
        assert kinds(scan(junk + FRAME)) == [("frame", len(junk))]


def test_the_other_vendor_mark_is_noise() -> None:
    assert scan(b"AT\r\n\xaa\x55\x90\xeb\xc8" + bytes(300)) == []


def test_flush_gives_up_what_is_incomplete() -> None:
    scanner = Scanner()
    assert scanner.feed(FRAME[:100] + ACK) == []
    assert scanner.held == 108
    assert kinds(scanner.flush()) == [("bad", 0), ("ack", 100)]
    assert scanner.held == 0
    assert kinds(scanner.feed(FRAME)) == [("frame", 108)]


def test_flush_of_half_a_request_is_nothing() -> None:
    scanner = Scanner()
    scanner.feed(FRAME + REQUEST[:7])
    assert scanner.held == 7
    assert scanner.flush() == []
    assert scanner.held == 0


def test_bits_of_a_request_or_acknowledgement_flipped() -> None:
    for unit in (REQUEST, ACK):
        for bit in range(8 * len(unit)):
            broken = bytearray(unit)
            broken[bit // 8] ^= 1 << bit % 8
            assert scan(bytes(broken) + bytes([0xFF] * 13)) == []


def test_writes_to_the_settings_are_requests_too() -> None:
    write = bytes.fromhex("0110107000020400000001f88b")
    answer = bytes.fromhex("01101070000244d3")
    assert kinds(scan(write + answer)) == [("request", 0), ("ack", 13)]


def test_addresses_that_no_switches_make_are_noise() -> None:
    body = bytes.fromhex("101016200001")
    stranger = body + crc16_modbus(body).to_bytes(2, "little")
    assert scan(stranger) == []


def test_bad_frames_do_not_multiply() -> None:
    stream = b"\x55\xaa\xeb\x90" * 25_000
    scanner = Scanner()
    bad = scanner.feed(stream)
    assert len(bad) <= len(stream) / FRAME_SIZE
    assert scanner.held < FRAME_SIZE


def test_a_long_stream_in_one_piece() -> None:
    noise = Random(5)
    stream = b""
    for _ in range(300):
        stream += noise.randbytes(noise.randrange(40)) + FRAME + noise.randbytes(noise.randrange(3)) + ACK
    found = scan(stream)
    assert [unit.kind for unit in found if unit.kind in ("frame", "ack")] == ["frame", "ack"] * 300
    assert all(stream[unit.start :].startswith(unit.data) for unit in found)


@pytest.mark.parametrize("before", [2**31 - 150, 2**31, 2**32 - 150, 2**40, 2**62])
def test_positions_go_on_where_32_bits_end(before: int) -> None:
    """Two to five days beside a master, on a processor whose indices have 32 bits."""
    scanner = Scanner(before)
    bad = FRAME[:-1] + b"\0"
    units = [*scanner.feed(REQUEST + FRAME + ACK), *scanner.feed(bad), *scanner.feed(FRAME)]
    starts = [0, 11, 311, 319, 619]
    assert kinds(units) == list(
        zip(["request", "frame", "ack", "bad", "frame"], [before + start for start in starts], strict=True)
    )
    assert scanner.position == before + 919


def test_find_answer() -> None:
    assert find_answer(FRAME + ACK, 3, STATUS, 2) == 0
    assert find_answer(REQUEST + FRAME + b"\0" + ACK, 3, STATUS, 2) == 11
    assert find_answer(FRAME + bytes(ACK_REACH) + ACK, 3, STATUS, 2) == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        FRAME,
        ACK,
        FRAME[:-1] + ACK,
        FRAME + ACK[:-1],
        FRAME + acknowledgement(4, STATUS),
        FRAME + acknowledgement(3, SETTINGS),
        frame(1) + ACK,
        FRAME + acknowledgement(4, STATUS) + ACK,
        FRAME + frame(1) + ACK,
        FRAME + bytes(ACK_REACH + 1) + ACK,
        FRAME + FRAME[:30] + ACK,
        bytes([*FRAME[:-1], FRAME[-1] ^ 1]) + ACK,
    ],
)
def test_find_answer_refuses(data: bytes) -> None:
    assert find_answer(data, 3, STATUS, 2) == -1
