"""The ASCII envelope against a plain reading of its rules, for any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packbank.cext.envelope import HEADER, frame_size, open_frame, seal

byte = st.integers(0, 255)
FRAME = b"~20024642E00202FD33\r"  # of the document


def plain_seal(head: bytes, info: bytes) -> bytes:
    length = f"{2 * len(info):03X}"
    check = -sum(int(digit, 16) for digit in length) % 16
    body = f"{head.hex()}{check:X}{length}{info.hex()}".upper()
    return f"~{body}{-sum(body.encode()) % 65536:04X}\r".encode()


def test_the_worked_example() -> None:
    assert seal(0x20, 2, 0x46, 0x42, b"\2") == FRAME
    assert open_frame(FRAME) == bytes((0x20, 2, 0x46, 0x42, 2))
    assert frame_size(FRAME) == len(FRAME)
    assert HEADER == 4


@given(byte, byte, byte, byte, st.binary(max_size=2047))
def test_sealed_frames_follow_the_rules_and_open_again(ver: int, adr: int, cid: int, code: int, info: bytes) -> None:
    head = bytes((ver, adr, cid, code))
    frame = seal(ver, adr, cid, code, info)
    assert frame == plain_seal(head, info)
    assert open_frame(frame) == head + info
    assert frame_size(frame) == frame_size(frame[:13]) == len(frame)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_frame_only_by_its_rules(data: bytes) -> None:
    assert frame_size(data) in (-1, 0)
    with pytest.raises(ValueError, match=r"frame|digits|length|checksum"):
        open_frame(data)


@given(st.binary(min_size=1, max_size=60), st.integers(0, 200), byte)
def test_one_changed_character_never_opens(info: bytes, at: int, wrong: int) -> None:
    frame = bytearray(seal(0x25, 1, 0x46, 0, info))
    at %= len(frame)
    if frame[at] == wrong or bytes((frame[at], wrong)).upper()[:1] == bytes((wrong,)).upper():
        return
    frame[at] = wrong
    with pytest.raises(ValueError, match=r"frame|digits|length|checksum"):
        open_frame(bytes(frame))


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"", 0),
        (b"~", 0),
        (b"~2002", 0),
        (b"~20024642E00", 0),
        (b"~20024642E002", 20),
        (b"~20024642E0zz", -1),
        (b"~2x", -1),
        (b"20024642E002", -1),
        (b"~~20024642E002", -1),
    ],
)
def test_a_size_is_reported_as_soon_as_it_is_known(data: bytes, size: int) -> None:
    assert frame_size(data) == size


def test_longer_than_asked_for_is_none() -> None:
    assert frame_size(seal(0x25, 1, 0x46, 0, bytes(100)), 199) == -1
    assert frame_size(seal(0x25, 1, 0x46, 0, bytes(100)), 200) == 218
