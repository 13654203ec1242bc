from __future__ import annotations

import pytest

from packbank.cext.tlv import Tag, TagList, find_a5

LIST = TagList([Tag(0x79, 6, 1), Tag(0x80, 2), Tag(0x84, 2), Tag(0x01, 8, 2)])
FRAME = bytes.fromhex("A501900800720000753001EF45")


def test_places_follow_each_other_with_room_for_the_count_byte() -> None:
    assert [LIST.place(tag) for tag in LIST.tags] == [0, 7, 9, 11]
    assert LIST.size == 20


def test_a_list_is_unrolled_to_its_places() -> None:
    record, missing, stop = LIST.unroll(bytes.fromhex("790301 0EED 8000 1D 84 80D0"))
    assert record == bytes.fromhex("0301 0EED 000000 001D 80D0") + bytes(9)
    assert missing == (0x01,)
    assert stop == 11


def test_a_value_that_holds_an_id_is_not_taken_for_one() -> None:
    record, missing, _ = LIST.unroll(bytes.fromhex("80 8484 84 0001"))
    assert record[LIST.place(0x84) :][:2] == b"\x00\x01"
    assert missing == (0x79, 0x01)


def test_a_count_of_units_is_walked_by_their_width() -> None:
    record, missing, stop = LIST.unroll(bytes.fromhex("01 03 0CF3 0CF4 0CF3 80 0000"))
    assert record[LIST.place(1) :] == bytes.fromhex("03 0CF3 0CF4 0CF3 0000")
    assert missing == (0x79, 0x84)
    assert stop == 11


def test_an_unknown_id_ends_the_walk_where_it_stands() -> None:
    record, missing, stop = LIST.unroll(bytes.fromhex("80 0011 C1 84 0001"))
    assert stop == 3
    assert 0x84 in missing
    assert record[LIST.place(0x84) :][:2] == b"\0\0"


def test_only_the_part_between_start_and_end_is_walked() -> None:
    assert LIST.unroll(bytes.fromhex("FFFF 80 0011 FF"), 2, 5)[2] == 5
    assert LIST.unroll(b"", 0, 0) == (bytes(20), LIST.tags, 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("80", "past the end"),
        ("8000", "past the end"),
        ("79", "past the end"),
        ("7903 0102", "past the end"),
        ("7907 01020304050607", "longer than it can be"),
        ("01FF 0000", "longer than it can be"),
    ],
)
def test_a_list_that_cannot_be_is_refused(data: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LIST.unroll(bytes.fromhex(data))


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (0, 4), (3, 2), (4, None)])
def test_a_part_outside_the_data_is_refused(start: int, end: int | None) -> None:
    with pytest.raises(ValueError, match="is no part of 3 bytes"):
        LIST.unroll(b"\x80\0\0", start, end)


def test_a_record_is_rolled_up_in_the_order_asked_for() -> None:
    data = bytes.fromhex("0101 0CF3 80 001D 79 03 010EED")
    record, _, _ = LIST.unroll(data)
    assert LIST.roll(record, (0x01, 0x80, 0x79)) == data
    assert LIST.roll(record, ()) == b""


def test_rolling_refuses_what_is_no_record() -> None:
    with pytest.raises(ValueError, match="20 bytes, not 19"):
        LIST.roll(bytes(19))
    with pytest.raises(ValueError, match="too many values"):
        LIST.roll(b"\x07" + bytes(19))
    for stranger in (0x02, 256, -1):
        with pytest.raises(KeyError):
            LIST.roll(bytes(20), (stranger,))
        with pytest.raises(KeyError):
            LIST.place(stranger)


@pytest.mark.parametrize(
    "tags",
    [
        [Tag(1, 2), Tag(1, 2)],
        [Tag(256, 2)],
        [Tag(-1, 2)],
        [Tag(1, -1)],
        [Tag(1, 2, 3)],
        [Tag(1, 2, -1)],
        [Tag(1, 70000)],
    ],
)
def test_a_table_with_an_impossible_id_is_refused(tags: list[Tag]) -> None:
    with pytest.raises(ValueError, match="id"):
        TagList(tags)


def test_a_frame_is_found_anywhere_and_only_whole() -> None:
    assert find_a5(FRAME) == 0
    assert find_a5(b"\0\0" + FRAME) == 2
    assert find_a5(FRAME + FRAME, 1) == 13
    assert find_a5(FRAME[:-1]) == -1
    assert find_a5(b"") == -1
    assert find_a5(FRAME, 100) == -1
    assert find_a5(FRAME, -5) == 0


def test_a_start_byte_that_begins_no_frame_hides_none() -> None:
    assert find_a5(b"\xa5" + FRAME) == 1
    assert find_a5(b"\xa5\x01\x90\x08" + FRAME) == 4
    assert find_a5(FRAME[:9] + FRAME) == 9


@pytest.mark.parametrize("at", [0, 3, *range(4, 13)])
def test_a_frame_with_one_byte_wrong_is_none(at: int) -> None:
    wrong = bytearray(FRAME)
    wrong[at] ^= 0x10
    assert find_a5(bytes(wrong)) == -1
