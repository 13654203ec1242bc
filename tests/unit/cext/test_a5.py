from __future__ import annotations

import pytest

from packbank.cext.a5 import find_a5

FRAME = bytes.fromhex("A501900800720000753001EF45")


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


@pytest.mark.parametrize("at", range(13))
def test_a_frame_with_one_byte_wrong_is_none(at: int) -> None:
    wrong = bytearray(FRAME)
    wrong[at] ^= 0x10
    assert find_a5(bytes(wrong)) == -1
