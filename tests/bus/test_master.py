"""The poller on a pseudo-terminal, against packs that answer as real ones do on a bad day."""

from __future__ import annotations

import logging
import subprocess
import sys
from itertools import count, pairwise
from math import isnan
from pathlib import Path

import pytest
from plain_protocol import LINE, PlainProtocol, Rig, Script, all_answer, answer, request

from packbank.bms.protocol import Row
from packbank.config.model import BusConfig, Mode
from packbank.errors import ConfigError
from packbank.model.bus_stats import BusState
from packbank.model.columns import Column
from packbank.sources import thread
from packbank.sources.serial.bus import Bus
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store
from patience import PATIENCE


def right(rig: Rig) -> bool:
    return rig.voltages == [100.0, 200.0, 300.0]


def test_all_topics_of_all_packs_arrive_with_their_times(tmp_path: Path) -> None:
    with Rig(tmp_path, all_answer) as rig:
        rig.wait(lambda: rig.bus.stats().rounds >= 2)
        matrix, identities = rig.store.snapshot()
    assert list(matrix[:, Column.VOLTAGE]) == list(matrix[:, Column.CURRENT]) == [100.0, 200.0, 300.0]
    assert list(matrix[:, Column.CELL_OVP]) == [100.0, 200.0, 300.0]
    assert all(matrix[:, Column.STATUS_TIME] > 0)
    assert all(matrix[:, Column.SETTINGS_TIME] > 0)
    assert [identity.serial for identity in identities] == ["SN100", "SN200", "SN300"]
    stats = rig.bus.stats()
    assert stats.missed == stats.lost == stats.retries == 0
    assert stats.refused == {}
    assert stats.state is BusState.STOPPED


def test_the_silence_is_kept_between_packs_and_not_within_one(tmp_path: Path) -> None:
    with Rig(tmp_path, all_answer) as rig:
        rig.wait(lambda: rig.bus.stats().rounds >= 2)
    times = rig.wire.requests
    for (before, first, _), (after, second, _) in pairwise(times):
        if first != second:
            assert after - before >= 0.003 + LINE.silence_min


def glitched(address: int, question: str) -> list[tuple[float, bytes]]:
    return [(0.003, b"\0" + answer(address, question, address * 100)), (0.002, b"\0")]


def echoed(address: int, question: str) -> list[tuple[float, bytes]]:
    return [(0.0, request(address, question)), (0.003, answer(address, question, address * 100))]


def in_pieces(address: int, question: str) -> list[tuple[float, bytes]]:
    whole = answer(address, question, address * 100)
    return [(0.003, whole[:1]), (0.004, whole[1:4]), (0.004, whole[4:])]


def noisy(address: int, question: str) -> list[tuple[float, bytes]]:
    return [(0.001, b"\xff\x13!\x07\x00" * 3), (0.002, answer(address, question, address * 100)), (0.003, b"\xa5" * 7)]


def slow(address: int, question: str) -> list[tuple[float, bytes]]:
    return [(0.040, answer(address, question, address * 100))]


def with_a_neighbour(address: int, question: str) -> list[tuple[float, bytes]]:
    """Two frames at once; the first is another pack's, with a value that would be wrong here."""
    return [(0.003, answer(address % 3 + 1, question, 7) + answer(address, question, address * 100))]


@pytest.mark.parametrize("script", [glitched, echoed, in_pieces, noisy, slow, with_a_neighbour])
def test_what_a_real_line_adds_is_taken_in_stride(tmp_path: Path, script: Script) -> None:
    with Rig(tmp_path, script) as rig:
        rig.wait(lambda: rig.bus.stats().rounds >= 2)
        assert right(rig)
        assert rig.bus.stats().lost == 0


def after(first: int, bad: Script) -> Script:
    """Packs that are sound for ``first`` requests and then alternate with ``bad``."""
    number = count()

    def script(address: int, question: str) -> list[tuple[float, bytes]]:
        turn = next(number)
        return bad(address, question) if turn >= first and turn % 2 else all_answer(address, question)

    return script


def broken(address: int, question: str) -> list[tuple[float, bytes]]:
    whole = bytearray(answer(address, question, 7))
    whole[3] ^= 0x10
    return [(0.003, bytes(whole))]


def foreign(address: int, question: str) -> list[tuple[float, bytes]]:
    return [(0.003, answer(address % 3 + 1, question, 7))]


def half(address: int, question: str) -> list[tuple[float, bytes]]:
    return [(0.003, answer(address, question, 7)[:3])]


def silent(_address: int, _question: str) -> list[tuple[float, bytes]]:
    return []


def late(address: int, question: str) -> list[tuple[float, bytes]]:
    """So late that it arrives in the next transaction."""
    return [(LINE.first_byte_timeout + 0.015, answer(address, question, address * 100))]


@pytest.mark.parametrize("bad", [broken, foreign, half, silent, late])
def test_a_bad_answer_costs_a_retry_and_never_a_value(tmp_path: Path, bad: Script) -> None:
    seen: set[tuple[float, ...]] = set()
    with Rig(tmp_path, after(15, bad)) as rig:

        def enough() -> bool:
            seen.add(tuple(value for value in rig.voltages if not isnan(value)))
            return rig.bus.stats().requests >= 50

        rig.wait(enough, 10.0)
        stats = rig.bus.stats()
    assert all(value in (100.0, 200.0, 300.0) for values in seen for value in values)
    assert stats.retries > 0
    assert stats.answers > 15


def test_a_refused_answer_is_counted_by_reason_and_kept_without_its_secret(tmp_path: Path) -> None:
    def script(address: int, question: str) -> list[tuple[float, bytes]]:
        return (
            [(0.003, answer(address, question, 0xABCD)[:-1] + b"\0")] if address == 2 else all_answer(address, question)
        )

    with Rig(tmp_path, script) as rig:
        rig.wait(lambda: rig.bus.stats().refused.get("sum", 0) >= 2)
        kept = rig.bus.stats().recent[0]
        assert isnan(rig.voltages[1])
    assert (kept.address, kept.reason) == (2, "sum")
    assert kept.data == b"!\x02v\0\0\0"


def test_values_that_cannot_be_true_change_nothing(tmp_path: Path) -> None:
    value = count(59990, 3)

    def script(address: int, question: str) -> list[tuple[float, bytes]]:
        number = next(value) if (address, question) == (2, "v") else address * 100
        return [(0.003, answer(address, question, min(number, 60010)))]

    with Rig(tmp_path, script) as rig:
        rig.wait(lambda: rig.bus.stats().refused.get("voltage", 0) >= 2)
        assert rig.voltages[1] <= 60000


def test_a_half_answered_status_changes_nothing(tmp_path: Path) -> None:
    """A status of several exchanges is taken whole or not at all."""

    def script(address: int, question: str) -> list[tuple[float, bytes]]:
        return [] if (address, question) == (2, "c") else all_answer(address, question)

    with Rig(tmp_path, script) as rig:
        rig.wait(lambda: rig.bus.stats().missed >= 3)
        assert isnan(rig.voltages[1])
        assert rig.voltages[0] == 100.0


def test_a_pack_that_goes_and_comes_back_is_found_within_seconds(tmp_path: Path) -> None:
    away: set[int] = set()

    def script(address: int, question: str) -> list[tuple[float, bytes]]:
        return [] if address in away else all_answer(address, question)

    with Rig(tmp_path, script) as rig:
        rig.wait(lambda: right(rig))
        away.add(2)
        rig.wait(lambda: rig.age(2) > 1.5)
        assert rig.age(1) < 0.6
        assert rig.age(3) < 0.6
        away.clear()
        rig.wait(lambda: rig.age(2) < 0.2, 2.0)


def test_a_line_that_is_never_quiet_is_still_read(tmp_path: Path) -> None:
    def script(address: int, question: str) -> list[tuple[float, bytes]]:
        babble = [(0.002, b"\x5a\x00\xc3\x99\x17")] * 5
        return [*babble[:1], (0.001, answer(address, question, address * 100)), *babble]

    with Rig(tmp_path, script) as rig:
        rig.wait(lambda: rig.bus.stats().rounds >= 2, 5.0)
        assert right(rig)


def test_another_master_makes_us_stand_back_and_listen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Rig(tmp_path, all_answer) as rig:
        rig.wait(lambda: right(rig))
        foreign_value = 0

        def other_master_speaks() -> None:
            nonlocal foreign_value
            foreign_value += 1
            rig.wire.say(request(2, "v") + answer(2, "v", 1000 + foreign_value))

        def standing_back() -> bool:
            other_master_speaks()
            return rig.bus.stats().state is BusState.STANDING_BACK

        rig.wait(standing_back, 5.0)
        asked = len(rig.wire.requests)
        for _ in range(5):
            other_master_speaks()
            rig.wait(lambda: rig.voltages[1] == 1000 + foreign_value)
        assert len(rig.wire.requests) - asked <= 1, "it must not speak beside another master"
        assert rig.bus.stats().foreign > 4
        rig.wait(lambda: rig.bus.stats().state is BusState.POLLING, 3.0)
        rig.wait(lambda: right(rig))
    assert sum("somebody else asks" in record.message for record in caplog.records) == 1


def test_a_stale_answer_that_waits_in_the_buffer_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """One pack, asked four times a second: what arrives in the long pause between must be read away."""

    def script(address: int, question: str) -> list[tuple[float, bytes]]:
        stale = [(0.02, answer(address, "v", 7))] if question == "c" else []
        return [(0.003, answer(address, question, 100)), *stale]

    seen: set[float] = set()
    with Rig(tmp_path, script, packs=1) as rig:

        def enough() -> bool:
            seen.update(rig.voltages)
            return rig.bus.stats().rounds >= 6

        rig.wait(enough, 5.0)
    assert 100.0 in seen
    assert 7.0 not in seen


def test_a_fault_of_the_program_restarts_the_bus_and_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(thread, "RESTART_PAUSE", 0.05)
    sound, faults = PlainProtocol.check, count()

    def check(protocol: PlainProtocol, row: Row, previous: Row) -> None:
        if next(faults) < 10:
            raise RuntimeError("a fault of our own")
        sound(protocol, row, previous)

    monkeypatch.setattr(PlainProtocol, "check", check)
    with Rig(tmp_path, all_answer) as rig:
        rig.wait(lambda: "a fault of our own" in rig.bus.stats().error)
        rig.wait(lambda: right(rig) and rig.bus.stats().rounds >= 1, 10.0)
        assert rig.bus.stats().error == ""
    assert next(faults) > 10
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [line.getMessage().split(";")[0] for line in lines] == [
        "rack: stopped by a fault of packbank (RuntimeError: a fault of our own)"
    ]
    assert lines[0].exc_info, "with its traceback"


def test_the_thread_of_a_bus_keeps_no_process_alive(tmp_path: Path) -> None:
    """Not even one that is never stopped."""
    with Rig(tmp_path, all_answer) as rig:
        text = (
            "import sys; sys.path.insert(0, sys.argv[2])\n"
            "from plain_protocol import *\n"
            "from packbank.sources.serial.bus import start_bus\n"
            "start_bus(BusConfig(name='b', port=sys.argv[1]), PlainProtocol(), [Member(0, 1, 'p')], Store(1))"
        )
        ended = subprocess.run(
            [sys.executable, "-c", text, rig.wire.port, str(Path(__file__).parent)], timeout=PATIENCE, check=False
        )
    assert ended.returncode == 0


def test_a_protocol_that_cannot_be_overheard_cannot_be_listened_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlainProtocol, "overhear", lambda _: None)
    with pytest.raises(ConfigError, match="cannot be listened to"):
        Bus(
            BusConfig(name="rack", port=str(tmp_path), mode=Mode.LISTEN),
            PlainProtocol(),
            [Member(0, 1, "pack")],
            Store(1),
        )
