"""About frames: identity, firmware that is not ours, and secrets that stay inside."""

from __future__ import annotations

import pytest
from jkpb_samples import IDENTITY, sample_answer, sample_frame

from packbank.bms.jkpb_frames import conceal, decode_about, refusal
from packbank.bms.protocol import Topic
from packbank.cext.checksum import sum8
from packbank.errors import FrameError

ABOUT = sample_frame(Topic.ABOUT)


def patched(offset: int, data: bytes) -> bytes:
    frame = bytearray(ABOUT)
    frame[offset : offset + len(data)] = data
    frame[299] = sum8(frame[:299])
    return bytes(frame)


def test_identity() -> None:
    assert decode_about(ABOUT) == IDENTITY


def test_a_text_ends_at_its_nul_and_hides_what_follows() -> None:
    identity = decode_about(patched(86, b"3092572134\x00000\0\0"))
    assert identity.serial == "3092572134"
    assert decode_about(patched(86, b"51020BO494220001")).serial == "51020BO494220001"
    assert decode_about(patched(46, b"\xff\x01a\0P\0")).name == "??a"


@pytest.mark.parametrize("date", [b"", b"24091", b"24x914", b"\xff\xff\xff\xff\xff\xff\xff\xff"])
def test_a_date_that_is_none(date: bytes) -> None:
    assert decode_about(patched(78, date.ljust(8, b"\0"))).manufactured == ""


@pytest.mark.parametrize("software", [b"10.07", b"3.3.0", b"8.0.3M"])
def test_firmware_of_the_24_cell_family_is_refused(software: bytes) -> None:
    with pytest.raises(FrameError, match="24-cell") as caught:
        decode_about(patched(30, software.ljust(8, b"\0")))
    assert caught.value.reason == "layout"


@pytest.mark.parametrize("software", [b"11.288H", b"14.20", b"15.41", b"19.27", b"V20", b""])
def test_other_firmware_is_taken(software: bytes) -> None:
    assert decode_about(patched(30, software.ljust(8, b"\0"))).software == software.decode()


SECRET = patched(62, b"1234")[:118] + b"4711" + ABOUT[122:]


@pytest.mark.parametrize("prefix", [b"", b"\x55\xaa", b"\x03\x10\x16\x1c\x00"])
def test_conceal_keeps_length_and_sum_but_no_passcode(prefix: bytes) -> None:
    frame = bytearray(SECRET)
    frame[299] = sum8(frame[:299])
    shown = conceal(prefix + bytes(frame) + b"tail")
    assert len(shown) == len(prefix) + 304
    assert b"1234" not in shown
    assert b"4711" not in shown
    inner = shown[len(prefix) : len(prefix) + 300]
    assert sum8(inner[:299]) == inner[299]
    assert decode_about(inner) == IDENTITY


def test_conceal_keeps_a_wrong_sum_wrong() -> None:
    frame = bytearray(SECRET)
    frame[299] = (sum8(frame[:299]) + 1) & 0xFF
    shown = conceal(bytes(frame))
    assert sum8(shown[:299]) != shown[299]


def test_conceal_the_residue_of_a_passcode_behind_the_serial() -> None:
    assert b"987" not in conceal(patched(86, b"3092572134\x00987\0\0"))
    assert b"3092572134" in conceal(patched(86, b"3092572134\x00987\0\0"))


def test_conceal_half_a_frame() -> None:
    assert b"12" not in conceal(SECRET[:64])
    assert conceal(SECRET[:62]) == SECRET[:62]


def test_conceal_leaves_other_frames_alone() -> None:
    for topic in (Topic.STATUS, Topic.SETTINGS):
        assert conceal(sample_answer(topic)) == sample_answer(topic)


def test_refusal_tells_truncated_from_wrong() -> None:
    assert refusal(ABOUT[:200]).reason == "truncated"
    assert refusal(ABOUT[:200] + ABOUT[:100]).reason == "truncated"
    assert refusal(patched(100, b"x")[:299] + b"\0").reason == "sum8"
