"""Listening between a Seplos V3 master and its packs: what an answer is, the request says, else it is nobody's."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from ascii_bms import real
from other_bms import blank, pack_row
from packbank.bms.modbus import seal
from packbank.bms.protocol import Answer, Request, Topic
from packbank.bms.seplos_v3 import SeplosV3
from packbank.bms.seplos_v3_frames import BLOCKS, REGISTERS, Read, request
from packbank.bms.seplos_v3_overhear import ANSWER_WITHIN, SeplosV3Overhearing
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.model.identity import Identity
from packbank.sim.responder_seplos_v3 import SeplosV3Responder
from shared import needs_shared

STATUS = ("pack", "cells", "bits")
VOLTAGE, CURRENT, CELL = 53.24, -1.37, 3.327  # V and A of the real frames
ASKED = {name: request(BLOCKS[name], 1) for name in BLOCKS}


def says(name: str, address: int = 1, soc: float = 61.0) -> bytes:
    """What a pack answers to one of our questions."""
    return SeplosV3Responder(address).frame(name, pack_row(soc=soc))


def turn(address: int = 1, soc: float = 61.0) -> list[bytes]:
    """What is heard while a master asks one pack for its status: request, answer, request ..."""
    return [part for name in STATUS for part in (request(BLOCKS[name], address), says(name, address=address, soc=soc))]


def ear() -> SeplosV3Overhearing:
    return SeplosV3().overhear()


def listen(*parts: bytes, step: float = 0.05, into: SeplosV3Overhearing | None = None) -> list[Answer]:
    """The answers that are heard in ``parts``, which come ``step`` seconds after each other, then silence."""
    hears = into or ear()
    heard = [one for number, part in enumerate(parts) for one in hears.feed(part, 10.0 + number * step)]
    heard += hears.feed(b"", 20.0)
    return [one for one in heard if isinstance(one, Answer)]


def row_of(answer: Answer) -> np.ndarray:
    row, identity = blank(), Identity()
    for question, data in answer.data.items():
        SeplosV3().decode(answer.address, question, data, row, identity)
    return row


def test_a_status_is_the_blocks_of_one_turn_and_as_old_as_the_first() -> None:
    (answer,) = listen(*turn(3))
    assert (answer.address, answer.topic, tuple(answer.data), answer.arrived) == (3, Topic.STATUS, STATUS, 10.05)
    row = row_of(answer)
    assert (row[Column.SOC], row[Column.CURRENT]) == (61, -12.3)
    assert np.isfinite(row[CELL_VOLTAGES]).sum() == 16


def test_turns_of_several_packs_are_kept_apart() -> None:
    first, second = turn(1), turn(2, soc=40)
    mixed = [part for pair in zip(first[::2], first[1::2], second[::2], second[1::2], strict=True) for part in pair]
    assert [(one.address, row_of(one)[Column.SOC]) for one in listen(*mixed)] == [(1, 61), (2, 40)]


@needs_shared
def test_real_frames_behind_the_requests_that_owners_saw() -> None:
    seen = Read(REGISTERS, 0x1000, 0x12)  # more-bms.md 4; the answer has one word more than ours
    assert request(seen, 0) == real("seplosv3-001")
    pack = real("seplosv3-025")
    longer = seal(pack[:2] + bytes((0x24,)) + pack[3:-2] + b"\0\0")
    for first, answer in ((ASKED["pack"], pack), (request(seen, 1), longer)):
        (status,) = listen(
            first, answer, ASKED["cells"], real("seplosv3-022"), ASKED["bits"], real("seplosv3-028"),
        )  # fmt: skip
        row = row_of(status)
        SeplosV3().check(row, blank())
        assert status.data["pack"] == pack
        assert (row[Column.VOLTAGE], row[Column.CURRENT], row[CELL_VOLTAGES][0]) == (VOLTAGE, CURRENT, CELL)
        assert (row[Column.CHARGE_MOSFET], row[Column.DISCHARGE_MOSFET]) == (1, 1)


@needs_shared
def test_a_master_that_reads_two_sensors_only() -> None:
    asked = b"\x01" + real("seplosv3-003")[1:-2]  # 04 1100 0012
    data = real("seplosv3-022")
    shorter = seal(data[:2] + bytes((0x24,)) + data[3 : 3 + 0x24])
    parts = turn()
    parts[2:4] = [seal(asked), shorter]
    row = row_of(listen(*parts)[0])
    assert row[CELL_VOLTAGES][0] == pytest.approx(int.from_bytes(data[3:5]) / 1000)
    assert np.isfinite(row[[Column.TEMPERATURE_1, Column.TEMPERATURE_2]]).all()
    assert np.isnan(row[[Column.TEMPERATURE_4, Column.TEMPERATURE_5, Column.TEMPERATURE_MOS]]).all()


@pytest.mark.parametrize("missed", [0, 2, 4])
def test_nothing_is_claimed_when_a_request_was_missed(missed: int) -> None:
    parts = turn()
    del parts[missed]
    assert listen(*parts) == []
    for bit in range(64):
        damaged = bytearray(turn()[missed])
        damaged[bit // 8] ^= 1 << bit % 8
        assert listen(*turn()[:missed], bytes(damaged), *turn()[missed + 1 :]) == []


def test_incumbent_knows_a_block_by_its_length_alone() -> None:
    other = Read(REGISTERS, 0x2000, 0x1A)  # a bank's values, as long as the cells'
    lost = request(other, 1)
    for between in (b"\0" * 5, lost[:-1] + b"\0"):
        assert listen(*turn()[:2], ASKED["cells"] + between, says("cells"), *turn()[4:]) == []
    assert listen(*turn()[:2], ASKED["cells"], lost, says("cells"), *turn()[4:]) == []
    parts = turn()
    assert listen(*parts[:3], step=ANSWER_WITHIN / 2) == []
    assert len(listen(*parts, step=ANSWER_WITHIN * 0.9)) == 1
    assert listen(*parts, step=ANSWER_WITHIN * 1.1) == []


@pytest.mark.parametrize("stray", [b"", b"\0", b"\xff\x00\x01\x04"])
def test_what_a_driver_leaves_on_the_line_does_no_harm(stray: bytes) -> None:
    heard = listen(*(stray + part for part in turn()))
    assert len(heard) == 1


def test_any_chunks_and_all_at_once() -> None:
    stream = b"".join([*turn(1), *turn(2), *turn(1, soc=50)])
    random = Random(5)
    for _ in range(50):
        hears, heard, at = ear(), [], 0
        while at < len(stream):
            size = random.choice((1, 2, 7, 30, len(stream)))
            heard += hears.feed(stream[at : at + size], 1.0 + at / 1920)
            at += size
        answers = [one for one in heard if isinstance(one, Answer)]
        assert [(one.address, row_of(one)[Column.SOC]) for one in answers] == [(1, 61), (2, 61), (1, 50)]
        assert hears.rejected == []


def test_damaged_and_broken_off_answers_are_refused_and_hide_no_other() -> None:
    hears = ear()
    parts = turn(2)
    broken = [ASKED["pack"], says("pack")[:20], *parts]
    assert [one.address for one in listen(*broken, into=hears)] == [2]
    damaged = says("pack")[:-1] + b"\0"
    assert [one.address for one in listen(ASKED["pack"], damaged, *parts, into=hears)] == [2]
    assert [one.address for one in listen(*parts, ASKED["pack"], says("pack")[:20], into=hears)] == [2]
    assert [error.reason for error in hears.rejected] == ["sum16", "sum16", "truncated"]


def test_a_pack_that_refuses_or_is_silent_is_passed_over() -> None:
    hears = ear()
    parts = [ASKED["pack"], seal(b"\x01\x84\x02"), ASKED["bits"], *turn(2)]
    assert [one.address for one in listen(*parts, into=hears)] == [2]
    assert hears.rejected == []


def test_a_block_that_is_missed_leaves_out_that_turn_only() -> None:
    parts = [*turn()[:4], *turn(soc=50)]
    assert [row_of(one)[Column.SOC] for one in listen(*parts)] == [50]
    assert [row_of(one)[Column.SOC] for one in listen(*turn()[2:], *turn(soc=50))] == [50]


def test_answers_of_two_turns_are_no_status() -> None:
    first, second = turn(), turn(soc=50)
    assert listen(*first[:4], *second[2:]) == [], "the bits of one turn and the pack of the next were missed"
    late = [*first[:2], *[b""] * 11, *second[2:]]
    assert listen(*late, step=0.5) == []
    assert [row_of(one)[Column.SOC] for one in listen(*first[:4], *second[2:], *second)] == [50]


def test_settings_are_heard_whole_or_by_halves() -> None:
    halves = [part for name in ("protections", "wishes") for part in (ASKED[name], says(name))]
    whole = Read(REGISTERS, 0x1300, 0x6A)
    body = b"".join(says(name)[3:-2] for name in ("protections", "wishes"))
    at_once = [request(whole, 1), seal(bytes((1, REGISTERS, whole.size)) + body)]
    for parts in (halves, at_once):
        heard = listen(*parts)
        assert [(one.topic, *one.data) for one in heard] == [
            (Topic.SETTINGS, "protections"),
            (Topic.SETTINGS, "wishes"),
        ]
        assert [one.data[name] for one, name in zip(heard, ("protections", "wishes"), strict=True)] == [
            says("protections"),
            says("wishes"),
        ]


def test_all_reads_show_that_somebody_asks() -> None:
    hears = ear()
    reads = [ASKED["pack"], request(Read(REGISTERS, 0x1700, 0x33), 2), request(Read(1, 0x1400, 0x50), 15)]
    heard = hears.feed(b"".join(reads), 1.0)
    assert heard == [Request(1, Topic.STATUS), Request(2, Topic.SETTINGS), Request(15, Topic.SETTINGS)]
    endless = request(Read(REGISTERS, 0x1000, 0xFFFF), 1)
    assert hears.feed(endless + bytes(8), 2.0) == []


def test_an_answer_whose_values_cannot_be_is_refused() -> None:
    hears = ear()
    cells = says("cells")
    empty = seal(cells[:3] + bytes(len(cells) - 5))
    assert listen(*turn()[:3], empty, *turn()[4:], into=hears) == []
    assert [error.reason for error in hears.rejected] == ["empty"]
