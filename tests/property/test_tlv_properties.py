"""The compiled walker against a plain one, on lists it wrote itself and on bytes that mean nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from packbank.cext.a5 import find_a5
from packbank.cext.tlv import Tag, TagList

TABLE = [Tag(0x79, 3, 32, 3), Tag(0x80, 2), Tag(0x84, 2), Tag(0x01, 2, 32), Tag(0x0B, 4, 1), Tag(0xBA, 24), Tag(0, 1)]
ROWS = {row.tag: row for row in TABLE}
LIST = TagList(TABLE)


def plain_walk(data: bytes) -> tuple[dict[int, bytes], int] | None:
    """Each id's last value with its count byte, and where the walk stopped; ``None`` for an impossible list."""
    values: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] in ROWS:
        tag, width, most, step = ROWS[data[at]]
        length = width
        if most:
            if at + 1 == len(data) or data[at + 1] % step or data[at + 1] > most * step:
                return None
            length = 1 + data[at + 1] // step * width
        if at + 1 + length > len(data):
            return None
        values[tag] = data[at + 1 : at + 1 + length]
        at += 1 + length
    return values, at


def value_of(record: bytes, tag: int) -> bytes | None:
    """The value of ``tag`` in a record as it stands in a list, ``None`` when its presence bit is clear."""
    if not record[tag >> 3] >> (tag & 7) & 1:
        return None
    _, width, most, step = ROWS[tag]
    at = LIST.value(tag)
    if not most:
        return record[at : at + width]
    units = record[LIST.count(tag)]
    bits = int.from_bytes(record[LIST.units(tag) : at], "little")
    assert bits == (1 << units) - 1
    return bytes([units * step]) + record[at : at + units * width]


@st.composite
def lists(draw: st.DrawFn) -> dict[int, bytes]:
    values = {}
    for tag, width, most, step in draw(st.lists(st.sampled_from(TABLE), unique=True)):
        units = draw(st.integers(0, most)) if most else 1
        body = draw(st.binary(min_size=units * width, max_size=units * width))
        values[tag] = bytes([units * step]) + body if most else body
    return values


@given(lists())
def test_what_is_unrolled_rolls_up_to_the_same_list(values: dict[int, bytes]) -> None:
    data = b"".join(bytes([tag]) + value for tag, value in values.items())
    record, stop = LIST.unroll(data)
    assert stop == len(data)
    assert LIST.roll(record) == b"".join(bytes([tag]) + values[tag] for tag in ROWS if tag in values)


@given(st.lists(st.sampled_from([*ROWS, 2, 3, 6, 7]), max_size=60).map(bytes) | st.binary())
def test_any_bytes_are_walked_as_a_plain_walk_does(data: bytes) -> None:
    expected = plain_walk(data)
    try:
        record, stop = LIST.unroll(data)
    except ValueError:
        assert expected is None
        return
    assert expected is not None
    values, reached = expected
    assert stop == reached
    assert len(record) == LIST.size
    for tag in ROWS:
        assert value_of(record, tag) == values.get(tag)


@given(st.lists(st.sampled_from([0xA5, 0x01, 0x90, 0x08, 0x00, 0xD3]), max_size=40).map(bytes), st.integers(-3, 45))
def test_a_frame_is_found_where_a_plain_search_finds_it(data: bytes, start: int) -> None:
    frames = (
        at
        for at in range(max(start, 0), len(data) - 12)
        if data[at] == 0xA5 and data[at + 3] == 8 and sum(data[at : at + 12]) & 0xFF == data[at + 12]
    )
    assert find_a5(data, start) == next(frames, -1)


@given(st.binary(max_size=30), st.binary(min_size=2, max_size=2), st.binary(min_size=8, max_size=8), st.binary())
def test_a_sealed_frame_is_found_behind_anything(before: bytes, head: bytes, body: bytes, after: bytes) -> None:
    frame = b"\xa5" + head + b"\x08" + body
    frame += bytes([sum(frame) & 0xFF])
    assert 0 <= find_a5(before + frame + after) <= len(before)
