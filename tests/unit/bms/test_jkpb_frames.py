"""About frames: identity, firmware that is not ours, and secrets that stay inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from jkpb_samples import IDENTITY, sample_answer, sample_frame

from packbank.bms.jkpb_frames import conceal, decode_about, refusal
from packbank.bms.protocol import Topic
from packbank.cext.checksum import crc16_modbus, sum8
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


SEALED = SECRET[:299] + bytes((sum8(SECRET[:299]),))
CODES = (b"1234", b"4711")


def flips() -> Iterator[bytes]:
    for bit in range(8 * 6):
        yield SEALED[: bit // 8] + bytes((SEALED[bit // 8] ^ 1 << bit % 8,)) + SEALED[bit // 8 + 1 :]


def lost_beginnings() -> Iterator[bytes]:
    yield from (SEALED[cut:] for cut in range(1, 119))


def broken_off() -> Iterator[bytes]:
    yield from (SEALED[:cut] for cut in range(63, 300))


def inserted() -> Iterator[bytes]:
    """Bytes that somebody else's start bit makes, at every place, with every sum that they can bring about."""
    for at in range(0, 118, 3):
        for byte in range(0, 256, 5):
            yield SEALED[:at] + bytes((byte,)) * (1 + byte % 17) + SEALED[at:]


def lost_inside() -> Iterator[bytes]:
    yield from (SEALED[:at] + SEALED[at + lost :] for at in range(6, 118) for lost in range(1, 17))


def right_by_chance() -> Iterator[bytes]:
    """Bytes inserted so that the sum of the first 300 is right again."""
    for at, count in ((6, 1), (20, 16), (46, 9), (60, 16), (70, 20), (80, 7), (90, 12), (101, 3)):
        frame = bytearray(SEALED[:at] + bytes(count) + SEALED[at:])
        frame[at] = (frame[299] - sum8(frame[:299])) & 0xFF
        assert sum8(frame[:299]) == frame[299]
        yield bytes(frame)


@pytest.mark.parametrize("damage", [flips, lost_beginnings, broken_off, inserted, lost_inside, right_by_chance])
@pytest.mark.parametrize("beside", [b"", sample_answer(Topic.STATUS)])
def test_no_damage_of_an_about_frame_brings_a_passcode_to_light(
    damage: Callable[[], Iterator[bytes]], beside: bytes
) -> None:
    for data in damage():
        shown = conceal(beside + data + beside)
        assert len(shown) == len(data) + 2 * len(beside)
        for code in CODES:
            assert code not in shown
            assert code[1:] not in shown


def test_conceal_the_residue_of_a_passcode_behind_the_serial() -> None:
    assert b"987" not in conceal(patched(86, b"3092572134\x00987\0\0"))
    assert b"3092572134" in conceal(patched(86, b"3092572134\x00987\0\0"))


def test_conceal_shows_a_packs_word_that_it_speaks_another_protocol() -> None:
    no_function_16 = b"\x03\x90\x01"
    exception = no_function_16 + crc16_modbus(no_function_16).to_bytes(2, "little")
    assert conceal(b"\xff" + exception + b"1234") == b"\0" + exception + bytes(4)


def test_conceal_leaves_other_frames_alone() -> None:
    for topic in (Topic.STATUS, Topic.SETTINGS):
        assert conceal(sample_answer(topic)) == sample_answer(topic)


def test_refusal_separates_truncated_from_wrong() -> None:
    assert refusal(ABOUT[:200]).reason == "truncated"
    assert refusal(ABOUT[:200] + ABOUT[:100]).reason == "truncated"
    assert refusal(patched(100, b"x")[:299] + b"\0").reason == "sum8"
