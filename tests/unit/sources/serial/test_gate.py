"""The gate to the matrix: what gets in, what stays out, and what is forgotten."""

from __future__ import annotations

from struct import pack, unpack

import numpy as np
import pytest

from packbank.bms.jkpb import JkPb
from packbank.bms.protocol import Answer, Row, Topic
from packbank.errors import FrameError
from packbank.model.bus_stats import BusStats
from packbank.model.columns import Column
from packbank.model.identity import Identity
from packbank.sources.serial.gate import FORGET_AFTER, Gate, Member
from packbank.sources.serial.statistics import Statistics
from packbank.sources.store import Store


class Spoken(JkPb):
    """Packs whose answers are spoken: ``ticks, voltage`` as two floats, ``settings`` as the protection of a cell."""

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        if question == Topic.SETTINGS:
            row[Column.CELL_OVP] = 3.65
            return identity
        row[[Column.TICKS, Column.VOLTAGE]] = unpack("<dd", data[:16].ljust(16, b"\0"))
        if len(data) < 16:
            raise FrameError("group", "cut short")
        return identity


class Bench:
    def __init__(self) -> None:
        self.store = Store(2)
        self.statistics = Statistics("rack", "port")
        members = [Member(0, 1, "one"), Member(1, 2, "two")]
        self.gate = Gate("rack", Spoken(), members, self.store, self.statistics)

    @property
    def stats(self) -> BusStats:
        return self.statistics.snapshot(1.0, 115200)

    def take(self, now: float, data: bytes, address: int = 1) -> bool:
        return self.gate.take(Answer(address, Topic.STATUS, {"status": data}, now)).accepted

    def status(self, now: float, ticks: float, voltage: float = 52.0) -> bool:
        return self.take(now, pack("<dd", ticks, voltage))

    def settings(self, now: float) -> bool:
        return self.gate.take(Answer(1, Topic.SETTINGS, {"settings": b"3650"}, now)).accepted

    def value(self, column: Column) -> float:
        return float(self.store.snapshot()[0][0, column])


@pytest.fixture
def gate() -> Bench:
    return Bench()


def test_answers_add_up_in_a_row_and_are_stamped(gate: Bench) -> None:
    assert gate.status(5.0, 100.0)
    assert gate.settings(6.0)
    assert gate.value(Column.VOLTAGE) == 52.0
    assert gate.value(Column.CELL_OVP) == 3.65
    assert (gate.value(Column.STATUS_TIME), gate.value(Column.SETTINGS_TIME)) == (5.0, 6.0)
    assert np.isnan(gate.store.snapshot()[0][1]).all()


def test_a_refused_answer_changes_nothing_but_a_counter(gate: Bench) -> None:
    gate.status(5.0, 100.0)
    before = gate.store.snapshot()[0]
    assert not gate.status(6.0, 101.0, voltage=9999.0)
    np.testing.assert_array_equal(gate.store.snapshot()[0], before)
    assert gate.stats.refused == {"voltage": 1}
    assert gate.status(7.0, 102.0)


def test_an_answer_from_an_address_that_is_not_ours_is_refused(gate: Bench) -> None:
    assert not gate.take(5.0, pack("<dd", 1.0, 52.0), address=9)
    assert gate.stats.refused == {"unlisted": 1}


def test_after_a_long_silence_nothing_of_the_pack_is_taken_for_granted(gate: Bench) -> None:
    gate.status(5.0, 5000.0)
    gate.settings(5.1)
    later = 5.2 + FORGET_AFTER
    assert gate.status(later, 77.0), "it may be another pack, so its clock may be any"
    assert np.isnan(gate.value(Column.CELL_OVP))


def test_bytes_that_raise_while_they_are_decoded_are_refused(gate: Bench) -> None:
    assert not gate.take(5.0, b"\x01\x02")
    assert np.isnan(gate.value(Column.VOLTAGE))
    assert gate.stats.recent[0].data == bytes(2), "it may hold anything"


def test_a_pack_that_no_member_is_is_named_as_long_as_it_answers(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.gate.note_stranger(7, 1.0, answers=True)
    (trouble,) = bench.stats.troubles
    assert trouble.address == 7
    assert "BATTERY_ADDRESSES" in trouble.remedy
    assert "rack: 0x07: a pack answers that the configuration does not have" in caplog.text
    bench.gate.note_stranger(7, 2.0, answers=False)
    assert bench.stats.troubles == ()
