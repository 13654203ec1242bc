"""Field tables: what each property of a row does in both directions, and what the edges refuse."""

from __future__ import annotations

import sys
from struct import pack, unpack_from
from typing import Any, Literal

import numpy as np
import pytest

from packbank.bms.fields import Bit, Field, Flag
from packbank.cext.layout import Layout

NAN = float("nan")
FAR = sys.maxsize // 2 + 1  # the greatest power of two that an index holds, on 32 bits as on 64


def decode(fields: list[Field], data: bytes, flags: list[Flag] | None = None, **options: Any) -> list[float]:
    layout = Layout(fields, flags or [], size=len(data), **options)
    row = np.full(layout.columns, -7.0)
    layout.decode_into(data, row)
    return [float(value) for value in row]


def encode(fields: list[Field], values: list[float], size: int, flags: list[Flag] | None = None) -> bytes:
    return bytes(Layout(fields, flags or [], size=size).encode_from(np.array(values, dtype=float)))


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(
    ("kind", "code", "value"),
    [
        ("u8", "B", 200),
        ("i8", "b", -100),
        ("u16", "H", 65_000),
        ("i16", "h", -2000),
        ("u32", "I", 4_000_000_000),
        ("i32", "i", -2_000_000_000),
    ],
)
def test_every_kind_in_both_orders(order: Literal["little", "big"], kind: Any, code: str, value: int) -> None:
    data = b"\xee" + pack(("<" if order == "little" else ">") + code, value)
    layout = Layout([Field(0, 1, kind)], size=len(data), order=order)
    row = np.full(1, NAN)
    layout.decode_into(data, row)
    assert row[0] == value
    assert layout.encode_from(row) == b"\0" + data[1:]


def test_a_scale_divides_exactly() -> None:
    assert decode([Field(0, 0, "u32", 0.001)], pack("<I", 52_695)) == [52.695]
    assert decode([Field(0, 0, "i16", 0.1)], pack("<h", -203)) == [-20.3]
    assert decode([Field(0, 0, "u32", 1e-6)], pack("<I", 1500)) == [0.0015]


def test_shift_before_scale() -> None:
    assert decode([Field(0, 0, "u16", -0.1, shift=-30_000)], pack("<H", 30_500)) == [-50.0]
    assert decode([Field(0, 0, "u8", shift=-40)], b"\x3c") == [20.0]
    assert encode([Field(0, 0, "u16", -0.1, shift=-30_000)], [-50.0], 2) == pack("<H", 30_500)


def test_absent_raw_is_nan_and_back() -> None:
    field = Field(0, 0, "i16", 0.1, absent=-2000)
    assert np.isnan(decode([field], pack("<h", -2000))[0])
    assert encode([field], [NAN], 2) == pack("<h", -2000)


def test_presence_bits_advance_over_bytes() -> None:
    field = Field(0, 2, "u8", present=Bit(0, 6), count=4)
    got = decode([field], bytes([0b0100_0000, 0b0000_0010, 11, 12, 13, 14]))
    assert got[0] == 11
    assert np.isnan(got[1:3]).all()
    assert got[3] == 14
    assert encode([field], got, 6) == bytes([0b0100_0000, 0b0000_0010, 11, 0, 0, 14])


def test_a_mask_of_two_fields_is_set_by_either() -> None:
    fields = [Field(0, 1, "u8", present=Bit(0, 0), count=2), Field(2, 3, "u8", present=Bit(0, 0), count=2)]
    assert encode(fields, [7, NAN, NAN, NAN], 5) == b"\x01\x07\0\0\0"
    template = bytearray(b"\xff\x08\x09\x0a\x0b")
    Layout(fields, size=5).encode_into(template, np.array([7, NAN, NAN, NAN]))
    assert template == b"\xfd\x07\x09\x0a\x0b"


def test_one_byte_with_two_meanings() -> None:
    old, new = Field(0, 0, "i8", present=Bit(1, 7, when=0)), Field(1, 0, "i8", present=Bit(1, 7))
    assert decode([new, old], b"\x05\x80")[1] == 5
    assert decode([new, old], b"\x05\x00")[0] == 5
    assert encode([new, old], [NAN, 5], 2) == b"\x05\x80"
    assert encode([new, old], [5, NAN], 2) == b"\x05\x00"


def test_mask_moves_down_and_keeps_its_neighbours() -> None:
    high, low = Field(0, 0, "u16", 0.001, mask=0x3FFF), Field(1, 0, "u16", mask=0x8000)
    assert decode([high, low], pack("<H", 0x8000 | 3300)) == [3.3, 1]
    assert encode([high, low], [3.3, 1], 2) == pack("<H", 0x8000 | 3300)


def test_stride() -> None:
    assert decode([Field(0, 1, "u8", count=3, stride=2)], bytes([0, 1, 0, 2, 0, 3])) == [1, 2, 3]


def test_sign_of_another_column() -> None:
    fields = [Field(0, 0, "i16"), Field(1, 2, "u16", sign=0)]
    assert decode(fields, pack("<hH", -5, 300)) == [-5, -300]
    assert decode(fields, pack("<hH", 5, 300)) == [5, 300]
    assert encode(fields, [-5, -300], 4) == pack("<hH", -5, 300)


@pytest.mark.parametrize(("value", "raw"), [(1e300, 0xFFFF), (-5.0, 0), (float("inf"), 0xFFFF), (70.0, 0xFFFF)])
def test_encoding_clamps(value: float, raw: int) -> None:
    assert unpack_from("<H", encode([Field(0, 0, "u16", 0.001)], [value], 2))[0] == raw


def test_encoding_rounds_to_the_nearest() -> None:
    assert encode([Field(0, 0, "i16", 0.1)], [-20.26], 2) == pack("<h", -203)


FLAGS = [Flag(0, 0, "u16", 0x0001, 1), Flag(0, 0, "u16", 0x0010, 2), Flag(1, 0, "u16", 0x0100, 2)]


@pytest.mark.parametrize(
    ("raw", "levels"), [(0, [0, 0]), (1, [1, 0]), (0x11, [2, 0]), (0x10, [2, 0]), (0x101, [1, 2]), (0xEEEE, [0, 0])]
)
def test_flags_give_the_highest_level(raw: int, levels: list[float]) -> None:
    assert decode([], pack("<H", raw), FLAGS) == levels


def test_flags_are_encoded_unless_the_word_has_reported_them() -> None:
    word = Field(2, 0, "u16")
    assert encode([word], [2, 2, NAN], 2, FLAGS) == pack("<H", 0x110)
    assert encode([word], [1, NAN, 0], 2, FLAGS) == pack("<H", 1)
    twin = [*FLAGS, Flag(1, 0, "u16", 0x0200, 2)]
    assert encode([word], [0, 2, 0x0200], 2, twin) == pack("<H", 0x0200)


def test_what_the_table_does_not_know_stays() -> None:
    layout = Layout([Field(1, 1, "u8")], size=3)
    row = np.array([5.0, NAN, 6.0])
    layout.decode_into(b"\x01\x02\x03", row)
    assert row.tolist() == [5.0, 2.0, 6.0]
    message = bytearray(b"\xaa\xbb\xcc")
    layout.encode_into(message, row)
    assert message == b"\xaa\x02\xcc"


def test_a_message_inside_other_bytes_and_in_other_buffers() -> None:
    layout = Layout([Field(0, 0, "u16")], size=2)
    row = np.empty(1)
    data = b"\xff\xff\x01\x00\xff"
    buffers: list[Any] = [data, bytearray(data), memoryview(data), np.frombuffer(data, dtype=np.uint8)]
    for buffer in buffers:
        row[:] = NAN
        layout.decode_into(buffer, row, 2)
        assert row[0] == 1


@pytest.mark.parametrize(("length", "at"), [(9, 0), (10, 1), (10, -1), (0, 0), (12, 3), (10, FAR), (10, -FAR)])
def test_messages_out_of_reach_are_refused(length: int, at: int) -> None:
    layout = Layout([Field(0, 8, "u16")], size=10)
    with pytest.raises(ValueError, match="no message of 10 bytes"):
        layout.decode_into(bytes(length), np.empty(1), at)
    with pytest.raises(ValueError, match="no message of 10 bytes"):
        layout.encode_into(bytearray(length), np.empty(1), at)


@pytest.mark.parametrize(
    "row",
    [np.empty(1), np.empty((2, 2)), np.empty(2, dtype=np.float32), np.empty(2, dtype=np.int64), np.empty(4)[::2]],
    ids=["short", "matrix", "float32", "int64", "strided"],
)
def test_rows_that_are_none_are_refused(row: np.ndarray[Any, Any]) -> None:
    layout = Layout([Field(1, 0, "u8")], size=1)
    with pytest.raises((ValueError, BufferError)):
        layout.decode_into(b"\1", row)
    with pytest.raises((ValueError, BufferError)):
        layout.encode_from(row)


def test_read_only_buffers_are_not_written() -> None:
    layout = Layout([Field(0, 0, "u8")], size=1)
    row = np.array([1.0])
    row.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        layout.decode_into(b"\1", row)
    with pytest.raises(BufferError):
        layout.encode_into(b"\1", row)  # type: ignore[arg-type]


def test_a_row_of_the_matrix_is_a_row() -> None:
    matrix = np.full((3, 2), NAN)
    Layout([Field(1, 0, "u8")], size=1).decode_into(b"\7", matrix[1])
    assert matrix[1, 1] == 7
    assert np.isnan(matrix).sum() == 5


@pytest.mark.parametrize(
    "field",
    [
        Field(0, 9, "u16"),
        Field(0, -1, "u8"),
        Field(-1, 0, "u8"),
        Field(0, 0, "u8", count=11),
        Field(0, 0, "u8", count=0),
        Field(0, 0, "u16", count=2, stride=1),
        Field(0, 0, "u8", stride=2**40, count=2**40),
        Field(0, 0, "u8", count=2, present=Bit(9, 7)),
        Field(0, 0, "u8", present=Bit(0, -1)),
        Field(0, 0, "u8", mask=0x100),
        Field(0, 0, "u8", mask=0),
        Field(0, 0, "u8", scale=0),
        Field(0, 0, "u8", scale=NAN),
        Field(0, 0, "u8", scale=float("inf")),
        Field(0, 0, "u8", shift=float("-inf")),
        Field(0, 0, "u8", sign=-1),
        Field(0, 0, "u8", count=10, present=Bit(0, -1)),
        Field(0, 0, "u8", sign=-5),
        Field(0, 0, "u64"),  # type: ignore[arg-type]
        Flag(0, 9, "u16", 1, 1),
        Flag(0, 0, "u8", 0x100, 1),
        Flag(-1, 0, "u8", 1, 1),
    ],
    ids=str,
)
def test_tables_that_cannot_be_are_refused(field: Field | Flag) -> None:
    with pytest.raises((ValueError, OverflowError)):
        Layout([field], size=10) if isinstance(field, Field) else Layout([], [field], size=10)


def test_size_and_order_are_checked() -> None:
    with pytest.raises(ValueError, match="positive size"):
        Layout([], size=0)
    with pytest.raises(ValueError, match="positive size"):
        Layout([], size=1, order="middle")  # type: ignore[arg-type]
