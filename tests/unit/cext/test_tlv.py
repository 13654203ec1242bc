from __future__ import annotations

import pytest

from packbank.cext.tlv import Tag, TagList

LIST = TagList([Tag(0x79, 3, 2, 3), Tag(0x80, 2), Tag(0x84, 2), Tag(0x01, 2, 4)])


def present(record: bytes) -> set[int]:
    return {tag for tag in range(256) if record[tag >> 3] >> (tag & 7) & 1}


def test_places_follow_the_presence_bits_in_the_order_of_the_table() -> None:
    assert (LIST.count(0x79), LIST.units(0x79), LIST.value(0x79)) == (32, 33, 34)
    assert (LIST.value(0x80), LIST.value(0x84)) == (40, 42)
    assert (LIST.count(0x01), LIST.units(0x01), LIST.value(0x01)) == (44, 45, 46)
    assert LIST.size == 54


def test_a_list_is_unrolled_to_its_places() -> None:
    record, stop = LIST.unroll(bytes.fromhex("7903 010EED 80001D 8480D0"))
    assert stop == 11
    assert present(record) == {0x79, 0x80, 0x84}
    assert record[32:] == bytes.fromhex("01 01 010EED 000000 001D 80D0") + bytes(10)


def test_a_value_that_holds_an_id_is_not_taken_for_one() -> None:
    record, _ = LIST.unroll(bytes.fromhex("808484 840001"))
    assert record[LIST.value(0x84) :][:2] == b"\x00\x01"
    assert present(record) == {0x80, 0x84}


def test_units_are_counted_as_the_list_counts_them() -> None:
    record, stop = LIST.unroll(bytes.fromhex("0103 0CF30CF40CF3 7906 010EED020EEE"))
    assert stop == 16
    assert record[LIST.count(0x01) :] == bytes.fromhex("03 07 0CF30CF40CF3 0000")
    assert record[LIST.count(0x79) :][:8] == bytes.fromhex("02 03 010EED020EEE")


def test_a_list_may_have_no_units_and_the_last_of_two_equal_ids_counts() -> None:
    record, _ = LIST.unroll(bytes.fromhex("0102 00110022 0101 0033"))
    assert record[LIST.count(0x01) :][:4] == bytes.fromhex("01 01 0033")
    record, _ = LIST.unroll(bytes.fromhex("0100"))
    assert present(record) == {0x01}
    assert not any(record[32:])


def test_an_unknown_id_ends_the_walk_where_it_stands() -> None:
    record, stop = LIST.unroll(bytes.fromhex("800011 C1 840001"))
    assert stop == 3
    assert present(record) == {0x80}


def test_only_the_part_between_start_and_end_is_walked() -> None:
    assert LIST.unroll(bytes.fromhex("FFFF 800011 FF"), 2, 5)[1] == 5
    assert LIST.unroll(b"", 0, 0) == (bytes(LIST.size), 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("80", "past the end"),
        ("8000", "past the end"),
        ("79", "past the end"),
        ("7903 010E", "past the end"),
        ("7902 010E", "more than there can be"),
        ("7909 010EED010EED010EED", "more than there can be"),
        ("0105 00000000000000000000", "more than there can be"),
    ],
)
def test_a_list_that_cannot_be_is_refused(data: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LIST.unroll(bytes.fromhex(data))


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (0, 4), (3, 2), (4, None)])
def test_a_part_outside_the_data_is_refused(start: int, end: int | None) -> None:
    with pytest.raises(ValueError, match="is no part of 3 bytes"):
        LIST.unroll(b"\x80\0\0", start, end)


def test_a_record_is_rolled_up_in_the_order_of_the_table() -> None:
    record, _ = LIST.unroll(bytes.fromhex("0101 0CF3 80001D 7903 010EED"))
    assert LIST.roll(record) == bytes.fromhex("7903 010EED 80001D 0101 0CF3")
    assert LIST.roll(bytearray(LIST.size)) == b""


def test_rolling_refuses_what_is_no_record() -> None:
    with pytest.raises(ValueError, match="54 bytes, not 53"):
        LIST.roll(bytes(53))
    record = bytearray(LIST.unroll(bytes.fromhex("0101 0CF3"))[0])
    record[LIST.count(0x01)] = 5
    with pytest.raises(ValueError, match="5 units are more"):
        LIST.roll(record)


@pytest.mark.parametrize("stranger", [0x02, 256, -1])
def test_an_unknown_id_has_no_place(stranger: int) -> None:
    for place in (LIST.value, LIST.units, LIST.count):
        with pytest.raises(KeyError):
            place(stranger)


def test_a_value_without_a_count_has_none() -> None:
    with pytest.raises(KeyError, match="no count"):
        LIST.count(0x80)


@pytest.mark.parametrize(
    "tags",
    [
        [Tag(1, 2), Tag(1, 2)],
        [Tag(256, 2)],
        [Tag(-1, 2)],
        [Tag(1, 0)],
        [Tag(1, 257)],
        [Tag(1, 2, -1)],
        [Tag(1, 2, 256)],
        [Tag(1, 3, 86, 3)],
        [Tag(1, 2, 4, 0)],
    ],
)
def test_a_table_with_an_impossible_id_is_refused(tags: list[Tag]) -> None:
    with pytest.raises(ValueError, match="id"):
        TagList(tags)
