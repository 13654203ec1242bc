"""The rounds of every family, in real time: ``pytest -s -o addopts= benchmarks/bench_family_rounds.py``.

Four simulated packs of each family (of JKBMS one) at the pace of real ones, each family on its own bus, and fifteen of
PACE, whose settings are not read, with the silence that a bus has learnt after some minutes. Counted is the last round,
in which settings are not read. The floor is the time of the bytes on the wire alone; the least has also the time in
which the packs think, and the pauses that they need.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from bench_other_bms import BITS_A_BYTE, conversation
from pytest_benchmark.fixture import BenchmarkFixture

from packbank.bms import registry
from packbank.bms.protocol import Topic
from packbank.config.model import BusConfig
from packbank.model.bus_stats import BusStats
from packbank.model.identity import Identity
from packbank.sim.ascii_pack import AsciiResponder
from packbank.sim.responder import responder
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_pty import Buses
from packbank.sources.serial.bus import start_bus
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store

PACKS = 4
FULL = "pace"  # of which a bus is full
FULL_PACKS = 15
SECONDS = 30.0


def plan_of(family: str, packs: int = PACKS) -> BusPlan:
    return BusPlan(family, min(packs, len(registry.protocol(family).addresses)))


def floor_s(family: str, packs: int = PACKS) -> float:
    """The bytes of a status of each pack, s."""
    protocol, said = registry.protocol(family), conversation(family)
    size = sum(sum(map(len, said[question])) for question in protocol.questions[Topic.STATUS])
    return plan_of(family, packs).packs * size * BITS_A_BYTE / protocol.line.baudrate


def least_s(family: str, packs: int) -> float:
    """With what the simulated packs take to answer, and the least pauses before their questions, s."""
    line, questions = registry.protocol(family).line, len(conversation(family))
    pack = responder(family, plan_of(family).addresses[0], Identity())
    assert isinstance(pack, AsciiResponder)
    thinking = questions * sum(pack.times) / len(pack.times)
    pauses = line.silence_min + (questions - 1) * line.same_pack_gap
    return floor_s(family, packs) + packs * (thinking + pauses)


def measured(folder: Path) -> dict[str, BusStats]:
    """What each family's bus has done in the time."""
    plans, start = [*map(plan_of, registry.NAMES), plan_of(FULL, FULL_PACKS)], time.monotonic()
    bank = LiveBank(demo_spec(sum(plan.packs for plan in plans), 16, 1), start)
    with Buses(wire_up(bank, plans, [], 1, start), folder) as buses:
        running = []
        for plan, port in zip(plans, buses.paths, strict=True):
            store = Store(plan.packs)
            members = [Member(index, address, f"pack {address}") for index, address in enumerate(plan.addresses)]
            full = plan.packs == FULL_PACKS
            config, protocol = (
                BusConfig(name="full" if full else plan.protocol, port=port),
                registry.protocol(plan.protocol),
            )
            if full:
                protocol.questions = {Topic.STATUS: protocol.questions[Topic.STATUS]}
                protocol.line = replace(protocol.line, silence=protocol.line.silence_min)
            running.append(start_bus(config, protocol, members, store))
        time.sleep(SECONDS)
        stats = {bus.name: bus.stats() for bus in running}
        for bus in running:
            bus.stop()
        for bus in running:
            bus.join(5.0)
    return stats


def test_rounds(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    stats = benchmark.pedantic(measured, (tmp_path,), rounds=1)  # type: ignore[no-untyped-call]
    full = stats.pop("full")
    figures = {"full_round_s": full.round_time, "full_floor_s": floor_s(FULL, FULL_PACKS)}
    benchmark.extra_info |= {**figures, "full_least_s": least_s(FULL, FULL_PACKS)}
    print(f"\n{FULL_PACKS} packs of {FULL}: {figures}, {full.lost} lost, {full.refused}")
    for family, one in stats.items():
        benchmark.extra_info |= {f"{family}_round_s": one.round_time, f"{family}_floor_s": floor_s(family)}
        print(f"\n{family}: {one.round_time:.2f} s, {floor_s(family):.2f} s of wire, {one.lost} lost, {one.refused}")
    benchmark.extra_info["lost"] = sum(one.lost for one in (*stats.values(), full))
