"""The checksums against independent libraries, and over every kind of buffer."""

from __future__ import annotations

from collections.abc import Callable

import crccheck.crc
import fastcrc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packbank.cext.checksum import crc16_modbus, sum8, sum16, sum_xor8

ALL = [crc16_modbus, sum8, sum16, sum_xor8]


@given(st.binary(max_size=700))
def test_crc16_modbus_agrees_with_two_libraries(data: bytes) -> None:
    assert crc16_modbus(data) == fastcrc.crc16.modbus(data) == crccheck.crc.CrcModbus.calc(data)


@pytest.mark.parametrize("length", [*range(40), 300, 308, 1023, 1024, 1025, 65_537])
def test_every_length_of_the_unrolled_loops(length: int) -> None:
    data = bytes(k * 37 + (k >> 8) & 0xFF for k in range(length))
    assert crc16_modbus(data) == fastcrc.crc16.modbus(data)
    assert sum16(data) == sum(data) & 0xFFFF


@given(st.binary(max_size=3000))
def test_sums_agree_with_pythons(data: bytes) -> None:
    folded = 0
    for byte in data:
        folded ^= byte
    assert sum8(data) == sum(data) & 0xFF
    assert sum16(data) == sum(data) & 0xFFFF
    assert sum_xor8(data) == (sum(data) ^ folded) & 0xFF


def test_the_lanes_of_the_sum_do_not_overflow() -> None:
    assert sum16(b"\xff" * 100_000) == 255 * 100_000 & 0xFFFF


@pytest.mark.parametrize(
    ("request_", "check"),
    [("7e050100", 0xFE), ("7e060100", 0xFC), ("7e040100", 0xF8), ("7c010100", 0x02), ("7c014200", 0x80)],
)
def test_sum_xor8_of_published_requests(request_: str, check: int) -> None:
    assert sum_xor8(bytes.fromhex(request_)) == check


@pytest.mark.parametrize("function", ALL)
def test_every_buffer_gives_the_same(function: Callable[[object], int]) -> None:
    data = bytes(range(200))
    array = np.arange(200, dtype=np.uint8)
    assert function(data) == function(bytearray(data)) == function(memoryview(data)) == function(array)
    assert function(memoryview(data)[7:40]) == function(data[7:40])
    assert function(b"") == function(bytearray()) == function(np.empty(0, dtype=np.uint8))


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize("wrong", ["text", 5, None, [1, 2], memoryview(bytes(10))[::2]])
def test_what_is_no_contiguous_buffer_is_refused(function: Callable[[object], int], wrong: object) -> None:
    with pytest.raises((TypeError, BufferError)):
        function(wrong)
