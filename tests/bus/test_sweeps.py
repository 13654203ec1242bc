"""Packs asked in sweeps: nothing that can go wrong between two of them may harm a third."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from plain_protocol import BriefProtocol, Rig, Script, answer, request
from sweep_watch import Spoiler, Sweeps, Values, watch_sweeps

from packbank.bms.jkpb import JkPb
from packbank.config.model import BusConfig
from packbank.model.bus_stats import BusState
from packbank.model.columns import Column
from packbank.sim.responder import Burst
from packbank.sim.wire import Question
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_pty import Buses
from packbank.sources.serial import master
from packbank.sources.serial.bus import Bus
from packbank.sources.serial.gate import Member
from packbank.sources.serial.master import TOGETHER
from packbank.sources.store import Store

PACKS = 9
READ_PERIOD = 1.0  # s
WRONG = 7


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweeps]:
    made = watch_sweeps(monkeypatch)
    yield made
    assert all(len(set(sweep.addresses)) == len(sweep.addresses) for sweep in made), "a pack twice in a sweep"


def rig(folder: Path, script: Script, packs: int = PACKS) -> Rig:
    return Rig(folder, script, packs, protocol=BriefProtocol())


def owners(bench: Rig) -> list[int]:
    """Whose values the rows hold; 0 for none."""
    return [0 if isnan(value) else int(value // 1000) for value in bench.voltages]


def run(bench: Rig, sweeps: Sweeps, wanted: int, seconds: float = 8.0) -> None:
    """Go on until ``wanted`` more sweeps were made; all the time no row may hold what is not its own."""
    until = len(sweeps) + wanted

    def enough() -> bool:
        whose = owners(bench)
        assert all(owner in (0, place) for place, owner in enumerate(whose, start=1)), whose
        return len(sweeps) >= until

    bench.wait(enough, seconds)


def test_packs_are_asked_in_sweeps_until_the_bus_is_stopped(tmp_path: Path, sweeps: Sweeps) -> None:
    with rig(tmp_path, Values()) as bench:
        run(bench, sweeps, 1)
        first, before = len(bench.wire.requests), bench.bus.stats()
        begun = len(sweeps)
        run(bench, sweeps, 5)
        after = bench.bus.stats()
        times = [when for when, _, _ in bench.wire.requests[first:]]
        stopped = time.monotonic()
        bench.bus.stop()
        assert bench.bus.join(2.0)
        assert time.monotonic() - stopped < TOGETHER + 0.5, "a sweep is short, and then the thread ends"
    asked = after.requests - before.requests
    assert sum(len(sweep.addresses) for sweep in sweeps[begun : begun + 5]) >= 0.6 * asked
    assert (after.wakeups - before.wakeups) / (after.answers - before.answers) < 4.0
    assert after.missed == after.retries == after.lost == after.foreign == 0
    assert after.refused == {}
    assert asked == after.answers - before.answers
    assert min(np.diff(times)) >= 0.003 + BriefProtocol.line.silence_min, "from the end of an answer as they give it"


@pytest.mark.usefixtures("sweeps")
def test_buses_of_every_size_are_read_whole(tmp_path: Path) -> None:
    sizes = (1, 2, 4, 15)
    with ExitStack() as stack:
        for size in sizes:
            (tmp_path / str(size)).mkdir()
        benches = [stack.enter_context(rig(tmp_path / str(size), Values(), size)) for size in sizes]
        benches[0].wait(lambda: all(bench.bus.stats().rounds >= 3 for bench in benches), 6.0)
        for bench, size in zip(benches, sizes, strict=True):
            assert owners(bench) == list(range(1, size + 1))
            stats = bench.bus.stats()
            assert stats.refused == {}
            assert stats.wakeups / stats.answers < 5.0, "neither a sleepless loop nor a restless one"


def test_what_an_adapter_adds_is_taken_in_stride(tmp_path: Path, sweeps: Sweeps) -> None:
    good = Values()

    def script(address: int, question: str) -> list[tuple[float, bytes]]:
        return [(0.0, request(address, question)), *good(address, question), (0.001, b"\0")]

    with rig(tmp_path, script) as bench:
        run(bench, sweeps, 2)
        bench.wait(lambda: owners(bench) == list(range(1, PACKS + 1)))
        stats = bench.bus.stats()
    assert stats.foreign == 0
    assert stats.refused == {}
    assert max(len(sweep.addresses) for sweep in sweeps) > PACKS / 2


def broken(address: int, question: str) -> list[tuple[float, bytes]]:
    whole = bytearray(answer(address, question, WRONG))
    whole[3] ^= 0x10
    return [(0.003, bytes(whole))]


def foreign(address: int, question: str) -> list[tuple[float, bytes]]:
    return [(0.003, answer(address % PACKS + 1, question, WRONG))]


def half(address: int, question: str) -> list[tuple[float, bytes]]:
    return [(0.003, answer(address, question, WRONG)[:-1])]


def silent(_address: int, _question: str) -> list[tuple[float, bytes]]:
    return []


def late(address: int, question: str) -> list[tuple[float, bytes]]:
    """So late that it would come in the next pack's turn, and with the usual length."""
    return [(0.040, answer(address, question, address * 1000))]


def too_late(address: int, question: str) -> list[tuple[float, bytes]]:
    """So late that it is given up before it comes."""
    return [(BriefProtocol.line.first_byte_timeout + 0.015, answer(address, question, address * 1000))]


def wordy(address: int, question: str) -> list[tuple[float, bytes]]:
    """Longer than usual, as by noise behind it."""
    return [(0.003, answer(address, question, address * 1000) + b"\xa5\x00\xff" * 4)]


def test_a_bad_answer_in_a_sweep_costs_at_most_a_retry_and_never_a_value(tmp_path: Path, sweeps: Sweeps) -> None:
    spoiler = Spoiler(sweeps, broken, foreign, half, silent, late, wordy, too_late)
    with rig(tmp_path, spoiler) as bench:
        while spoiler.left:
            run(bench, sweeps, 1)
        run(bench, sweeps, 1)
        assert owners(bench) == list(range(1, PACKS + 1))
        stats = bench.bus.stats()
    assert stats.lost == 0
    assert stats.retries == len([broken, foreign, half, silent, too_late]), "late is not too late"
    assert stats.missed == len([silent, too_late])
    assert stats.refused == {"sum": 1, "address": 1}, "broken and foreign"
    ended_early = sum(len(sweep.addresses) < sweep.planned for sweep in sweeps)
    assert ended_early >= len([half, silent, late, wordy, too_late]), "it ends where the length is not as usual"


def test_a_pack_that_falls_silent_in_a_sweep_harms_no_other_and_is_found_again(tmp_path: Path, sweeps: Sweeps) -> None:
    away: set[int] = set()
    values = Values()

    def script(address: int, question: str) -> list[tuple[float, bytes]]:
        return [] if address in away else values(address, question)

    with rig(tmp_path, script) as bench:
        run(bench, sweeps, 1)
        away.add(5)
        bench.wait(lambda: bench.age(5) > 0.6)
        assert max(bench.age(address) for address in range(1, PACKS + 1) if address != 5) < 1.5
        run(bench, sweeps, 1)
        assert bench.bus.stats().lost == 1, "once it is known to be silent nothing more is lost"
        away.clear()
        bench.wait(lambda: bench.age(5) < 0.5, 6.0)
        assert owners(bench) == list(range(1, PACKS + 1))


def test_settings_that_are_due_are_read_between_sweeps(
    tmp_path: Path, sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(master, "SETTINGS_PERIOD", 1.0)
    with rig(tmp_path, Values()) as bench:
        run(bench, sweeps, 1)
        start = time.monotonic()
        bench.wait(lambda: bool((bench.store.snapshot()[0][:, Column.SETTINGS_TIME] > start).all()))
        run(bench, sweeps, 1)
        matrix, _ = bench.store.snapshot()
    assert [value // 1000 for value in matrix[:, Column.CELL_OVP]] == list(range(1, PACKS + 1))


def test_another_master_that_begins_within_a_sweep_is_given_way(tmp_path: Path, sweeps: Sweeps) -> None:
    with rig(tmp_path, Values()) as bench:
        run(bench, sweeps, 1)

        def standing_back() -> bool:
            bench.wire.say(request(2, "v") + answer(2, "v", 2999))
            return bench.bus.stats().state is BusState.STANDING_BACK

        bench.wait(standing_back)
        assert all(owner in (0, place) for place, owner in enumerate(owners(bench), start=1))
        bench.wait(lambda: bench.bus.stats().state is BusState.POLLING)
        run(bench, sweeps, 1)


def test_a_port_that_is_unplugged_in_a_sweep_is_read_again_when_it_is_back(tmp_path: Path, sweeps: Sweeps) -> None:
    with rig(tmp_path, Values()) as bench:
        run(bench, sweeps, 1)
        bench.wire.unplug()
        bench.wait(lambda: bench.bus.stats().state is BusState.OPENING)
        back = time.monotonic()
        bench.wire.replug()
        bench.wait(lambda: bool((bench.store.snapshot()[0][:, Column.STATUS_TIME] > back).all()))
        run(bench, sweeps, 1)
        assert owners(bench) == list(range(1, PACKS + 1))
        assert bench.bus.stats().reopened == 1


def test_a_capture_sees_every_byte_of_a_sweep_at_its_time(tmp_path: Path, sweeps: Sweeps) -> None:
    seen: list[tuple[str, bytes, float]] = []

    def tap(direction: str, data: bytes, when: float) -> None:
        seen.append((direction, data, when))

    with Rig(tmp_path, Values(), PACKS, protocol=BriefProtocol(), tap=tap) as bench:
        run(bench, sweeps, 3)
    sent = [(data, when) for direction, data, when in seen if direction == "tx"]
    asked = bench.wire.requests
    assert [data for data, _ in sent] == [request(address, question) for _, address, question in asked]
    assert np.abs(np.subtract([when for _, when in sent], [when for when, _, _ in asked])).max() < 0.05
    assert len(b"".join(data for direction, data, _ in seen if direction == "rx")) == len(sent) * len(answer(1, "v", 1))
    assert [when for _, _, when in seen] == sorted(when for _, _, when in seen)


def test_what_a_sweep_found_is_in_the_store_when_its_reader_said_it_would_read(tmp_path: Path, sweeps: Sweeps) -> None:
    ages = []
    with rig(tmp_path, Values()) as bench:
        bench.wait(lambda: len(sweeps) > 0)
        read = time.monotonic()
        for _ in range(4):
            time.sleep(max(read - time.monotonic(), 0.0))
            read += READ_PERIOD
            times = bench.store.snapshot(read)[0][:, Column.STATUS_TIME]
            ages.append(time.monotonic() - times)
    assert max(len(sweep.addresses) for sweep in sweeps) == PACKS
    assert np.median(np.max(ages[1:], axis=1)) < READ_PERIOD, "no older than when it would be put at once"
    assert np.median(np.min(ages[1:], axis=1)) < 0.15


def test_simulated_packs_are_neither_deaf_nor_talked_over_in_a_sweep(tmp_path: Path, sweeps: Sweeps) -> None:
    """JK PB, which is deaf for 30 ms behind another's answer; and one answer that is damaged on its way."""
    packs, start = 6, time.monotonic()
    damaged: list[int] = []

    def damage(question: Question, bursts: list[Burst]) -> list[Burst]:
        if len(sweeps) < 2 or damaged or question.address != 4:
            return bursts
        damaged.append(question.address)
        return [burst._replace(data=burst.data[:100] + b"\xff\xff" + burst.data[102:]) for burst in bursts]

    bank = LiveBank(demo_spec(packs, 16, 1), start)
    wire = wire_up(bank, [BusPlan("jkpb", packs)], [], 1, start)[0]
    wire.distortions.append(damage)
    store = Store(packs)
    members = [Member(index, index + 1, f"pack {index + 1}") for index in range(packs)]
    with Buses([wire], tmp_path) as buses:
        bus = Bus(BusConfig(name="rack", port=buses.paths[0]), JkPb(), members, store)
        bus.start()
        while len(sweeps) < 4 and time.monotonic() < start + 12.0:
            time.sleep(0.02)
        bus.stop()
        assert bus.join(2.0)
    matrix, stats = store.snapshot()[0], bus.stats()
    truth = np.array([bank.row(index, time.monotonic()) for index in range(packs)])
    assert max(len(sweep.addresses) for sweep in sweeps) > 1
    assert wire.tally.deaf == wire.tally.collisions == 0
    assert (stats.refused, stats.retries) == ({"sum8": 1}, 1)
    assert stats.missed == stats.lost == stats.foreign == 0
    np.testing.assert_allclose(matrix[:, Column.VOLTAGE], truth[:, Column.VOLTAGE], atol=0.1)
    np.testing.assert_array_equal(matrix[:, Column.DEVICE_ADDRESS], range(1, packs + 1))
