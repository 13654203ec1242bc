"""The compiled walker against a plain one, on lists it wrote itself and on bytes that mean nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from packbank.cext.tlv import Tag, TagList, find_a5

TABLE = [Tag(0x79, 96, 1), Tag(0x80, 2), Tag(0x84, 2), Tag(0x01, 64, 2), Tag(0x0B, 4, 4), Tag(0xBA, 24), Tag(0, 1)]
LIST = TagList(TABLE)


def plain_walk(data: bytes) -> tuple[dict[int, bytes], int] | None:
    """Each id's last value with its count byte, and where the walk stopped; ``None`` for an impossible list."""
    table = {tag: (size, unit) for tag, size, unit in TABLE}
    values: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] in table:
        size, unit = table[data[at]]
        counted = data[at + 1 : at + 2]
        length = 1 + counted[0] * unit if unit and counted else size
        if (unit and (not counted or length > size + 1)) or at + 1 + length > len(data):
            return None
        values[data[at]] = data[at + 1 : at + 1 + length]
        at += 1 + length
    return values, at


@st.composite
def lists(draw: st.DrawFn) -> dict[int, bytes]:
    values = {}
    for tag, size, unit in draw(st.lists(st.sampled_from(TABLE), unique=True)):
        count = draw(st.integers(0, size // unit)) if unit else 0
        length = count * unit if unit else size
        body = draw(st.binary(min_size=length, max_size=length))
        values[tag] = bytes([count]) + body if unit else body
    return values


@given(lists())
def test_what_is_unrolled_rolls_up_to_the_same_list(values: dict[int, bytes]) -> None:
    data = b"".join(bytes([tag]) + value for tag, value in values.items())
    record, missing, stop = LIST.unroll(data)
    assert stop == len(data)
    assert set(missing) == set(LIST.tags) - set(values)
    assert LIST.roll(record, values) == data


@given(st.lists(st.sampled_from([tag for tag, _, _ in TABLE] + [1, 2, 3, 7]), max_size=60).map(bytes) | st.binary())
def test_any_bytes_are_walked_as_a_plain_walk_does(data: bytes) -> None:
    expected = plain_walk(data)
    try:
        record, missing, stop = LIST.unroll(data)
    except ValueError:
        assert expected is None
        return
    assert expected is not None
    values, reached = expected
    assert stop == reached
    assert set(missing) == set(LIST.tags) - set(values)
    assert len(record) == LIST.size
    for tag, size, unit in TABLE:
        room = size + bool(unit)
        value = values.get(tag, bytes(room))
        assert record[LIST.place(tag) :][: len(value)] == value


@given(
    st.lists(st.sampled_from([0xA5, 0x01, 0x90, 0x08, 0x00, 0xD3, 0x3E]), max_size=40).map(bytes), st.integers(-3, 45)
)
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
