from __future__ import annotations

from packbank.bms.search import MOST_REFUSED, FrameSearch
from packbank.errors import FrameError

SUM = "the last byte is not the sum"


def size(data: bytes) -> int:
    """``# length data sum``: 4 bytes of data at most."""
    if len(data) < 2:
        return 0
    return data[1] + 3 if data[1] <= 4 else -1


def fault(frame: bytes) -> FrameError | None:
    return None if sum(frame[:-1]) & 0xFF == frame[-1] else FrameError("sum", SUM)


def sealed(body: bytes) -> bytes:
    frame = b"#" + bytes((len(body),)) + body
    return frame + bytes((sum(frame) & 0xFF,))


def search() -> FrameSearch:
    return FrameSearch([b"#"], size, fault)


def test_a_frame_is_found_in_any_chunks() -> None:
    frame = sealed(b"abcd")
    for step in range(1, 8):
        found = search()
        chunks = [frame[at : at + step] for at in range(0, len(frame), step)]
        assert [found.feed(chunk) for chunk in chunks] == [b""] * (len(chunks) - 1) + [frame]


def test_a_frame_inside_a_damaged_one_is_found_and_the_damage_reported_once() -> None:
    found = search()
    assert found.feed(b"#\x04" + sealed(b"a") + b"zz") == sealed(b"a")
    assert [error.reason for error in found.refused] == ["sum"]


def test_a_frame_behind_an_open_one_is_found_at_once() -> None:
    found = search()
    assert found.feed(b"#\x04" + sealed(b"")) == sealed(b"")
    assert found.refused == []


def test_the_search_goes_on_behind_a_found_frame() -> None:
    found = search()
    assert found.feed(sealed(b"a") + sealed(b"b")) == sealed(b"a")
    assert found.feed(b"") == sealed(b"b")


def test_silence_gives_up_what_is_open() -> None:
    found = search()
    assert found.feed(b"#\x04abc") == b""
    assert found.flush() == b""
    assert [str(error) for error in found.refused] == ["truncated: a frame broken off after 5 bytes"]
    assert found.flush() == b""
    assert len(found.refused) == 1


def test_impossible_lengths_are_passed_over() -> None:
    found = search()
    assert found.feed(b"#\x05" + b"#\xff" + sealed(b"x")) == sealed(b"x")
    assert found.refused == []


def test_refusals_are_bounded() -> None:
    found = search()
    for _ in range(3 * MOST_REFUSED):
        assert found.feed(b"#\x01a\x00") == b""
    assert len(found.refused) == MOST_REFUSED
