"""The rounds of every family, in real time: ``pytest -s -o addopts= benchmarks/bench_family_rounds.py``.

Four simulated packs of each family (of JKBMS one) at the pace of real ones, each family on its own bus. Counted is the
last round, in which settings are not read. The floor is the time of the bytes on the wire alone.
"""

from __future__ import annotations

import time
from pathlib import Path

from bench_other_bms import BITS_A_BYTE, conversation
from pytest_benchmark.fixture import BenchmarkFixture

from packbank.bms import registry
from packbank.bms.protocol import Topic
from packbank.config.model import BusConfig
from packbank.model.bus_stats import BusStats
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_pty import Buses
from packbank.sources.serial.bus import start_bus
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store

PACKS = 4
SECONDS = 30.0


def plan_of(family: str) -> BusPlan:
    return BusPlan(family, min(PACKS, len(registry.protocol(family).addresses)))


def floor_s(family: str) -> float:
    """The bytes of a status of each pack, s."""
    protocol, said = registry.protocol(family), conversation(family)
    size = sum(sum(map(len, said[question])) for question in protocol.questions[Topic.STATUS])
    return plan_of(family).packs * size * BITS_A_BYTE / protocol.line.baudrate


def measured(folder: Path) -> dict[str, BusStats]:
    """What each family's bus has done in the time."""
    plans, start = [plan_of(family) for family in registry.NAMES], time.monotonic()
    bank = LiveBank(demo_spec(sum(plan.packs for plan in plans), 16, 1), start)
    with Buses(wire_up(bank, plans, [], 1, start), folder) as buses:
        running = []
        for plan, port in zip(plans, buses.paths, strict=True):
            store = Store(plan.packs)
            members = [Member(index, address, f"pack {address}") for index, address in enumerate(plan.addresses)]
            config = BusConfig(name=plan.protocol, port=port)
            running.append(start_bus(config, registry.protocol(plan.protocol), members, store))
        time.sleep(SECONDS)
        stats = {bus.name: bus.stats() for bus in running}
        for bus in running:
            bus.stop()
        for bus in running:
            bus.join(5.0)
    return stats


def test_rounds(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    stats = benchmark.pedantic(measured, (tmp_path,), rounds=1)  # type: ignore[no-untyped-call]
    for family, one in stats.items():
        benchmark.extra_info |= {f"{family}_round_s": one.round_time, f"{family}_floor_s": floor_s(family)}
        print(f"\n{family}: {one.round_time:.2f} s, {floor_s(family):.2f} s of wire, {one.lost} lost, {one.refused}")
    benchmark.extra_info["lost"] = sum(one.lost for one in stats.values())
