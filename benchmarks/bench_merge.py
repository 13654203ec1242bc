"""One step of the whole aggregator against a plain loop: ``pytest -s -o addopts= benchmarks/bench_merge.py``.

The bank is a simulated one in operation: loads and sun move, so each pack's current and cells change every second, its
sensors have noise, and packs are read one after the other. Where nothing moves a step costs less, as there is nothing
to learn. The rows are made before the time is taken.

The rival is what the merging programs in the field do once a second: sums, means, extremes and the smallest limit,
pack by pack and cell by cell. Ours does that and presence, curves, predictions, reserves, charge stages, alarms and
history. Each group names what reading as many JK PB packs takes on the wire, 15 on a bus and all buses at once:
the arithmetic is never what an owner waits for.
"""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from packbank.aggregator.bank import Bank
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.columns import ALARMS, CELLS, COLUMNS, Column
from packbank.sim.bank import BankSpec, PhysicalBank

Floats = NDArray[np.float64]

SIZES = (15, 64, 1024, 4096)
WIRE_SECONDS_A_PACK = 0.070  # 39.6 ms of transaction and about 30 ms in which the next slave is deaf
PACKS_A_BUS = 15
WALL = 1_700_000_000.0
SECONDS = 24  # that are taken again and again: 20 rounds of a simulated bus, so that each pack's turns go on evenly
LEARNING = 5  # times that they pass before the time is taken
TIMES = {15: 200, 64: 200, 1024: 100, 4096: 50}  # that they are timed


class Recording:
    """A bank's rows second by second, over and over; while it is ``still`` those of one second, only heard anew."""

    def __init__(self, packs: int, *, still: bool = False) -> None:
        bank, random = PhysicalBank(BankSpec(packs=packs, seed=1, soc_spread=2.0, oldest=1.4)), np.random.default_rng(1)
        self.rows = np.empty((packs, COLUMNS))  # of the newest second, as a store hands them out
        self._seconds: list[Floats] = []
        for second in range(-SECONDS, SECONDS):
            each = 0.0 if still else 25.0 + 20.0 * np.sin(2.0 * np.pi * second / SECONDS) + random.normal(0.0, 4.0)
            bank.step(1.0, each * packs)
            if second >= 0:
                self._seconds.append(bank.rows())
        self._stamps = [rows[:, Column.STATUS_TIME].copy() for rows in self._seconds]
        if still:
            self._seconds = [self._seconds[0]] * SECONDS
        self.now = self._begin = bank.time - SECONDS

    def go_on(self) -> None:
        """Bring the rows to the next second."""
        round_, second = divmod(round(self.now - self._begin), SECONDS)
        self.now += 1.0
        self.rows[:] = self._seconds[second]
        self.rows[:, Column.STATUS_TIME] = self._stamps[second] + round_ * SECONDS
        self.rows[:, Column.SETTINGS_TIME] = 0.0  # settings are read seldom


def loop_merge(rows: Floats) -> dict[str, float]:
    """The rival: the same matrix, one value after the other."""
    current = power = capacity = charge = voltage = 0.0
    lowest, highest, ccl, dcl = 9.0, 0.0, 1e9, 1e9
    alarms = [0.0] * (ALARMS.stop - ALARMS.start)
    for row in rows.tolist():
        voltage += row[Column.VOLTAGE]
        current += row[Column.CURRENT]
        power += row[Column.POWER]
        capacity += row[Column.FULL_CAPACITY]
        charge += row[Column.SOC] * row[Column.FULL_CAPACITY]
        for cell in row[:CELLS]:
            if not isnan(cell):
                lowest, highest = min(lowest, cell), max(highest, cell)
        ccl = min(ccl, row[Column.CHARGE_CURRENT_LIMIT])
        dcl = min(dcl, row[Column.DISCHARGE_CURRENT_LIMIT])
        for number, level in enumerate(row[ALARMS]):
            alarms[number] = max(alarms[number], level)
    packs = len(rows)
    return {
        "voltage": voltage / packs,
        "current": current,
        "power": power,
        "soc": charge / capacity,
        "ccl": ccl * packs,
        "dcl": dcl * packs,
        "lowest": lowest,
        "highest": highest,
        "alarm": max(alarms),
    }


def group(packs: int) -> str:
    return f"{packs} packs, {wire_s(packs):.2f} s on the wire"


def wire_s(packs: int) -> float:
    return min(packs, PACKS_A_BUS) * WIRE_SECONDS_A_PACK


def time_step(benchmark: BenchmarkFixture, packs: int, recording: Recording) -> None:
    """Take the time of a step: the mean of a recording's seconds, each one at its quickest."""
    subject = Bank([f"pack {i}" for i in range(packs)], [PackSettings()] * packs, BankSettings())

    def step() -> float:
        return subject.step(recording.rows, recording.now, WALL).current

    benchmark.group = group(packs)
    rounds, warmup = TIMES[packs] * SECONDS, LEARNING * SECONDS
    current = benchmark.pedantic(  # type: ignore[no-untyped-call]
        step, setup=recording.go_on, rounds=rounds, warmup_rounds=warmup
    )
    assert benchmark.stats is not None
    seconds = np.reshape(benchmark.stats.stats.data, (TIMES[packs], SECONDS))
    benchmark.extra_info |= {"step_s": float(seconds.min(axis=0).mean()), "wire_s": wire_s(packs)}
    assert current == pytest.approx(loop_merge(recording.rows)["current"])


@pytest.mark.parametrize("packs", SIZES)
def test_packbank_step(benchmark: BenchmarkFixture, packs: int) -> None:
    time_step(benchmark, packs, Recording(packs))


@pytest.mark.parametrize("packs", [64])
def test_still_bank(benchmark: BenchmarkFixture, packs: int) -> None:
    time_step(benchmark, packs, Recording(packs, still=True))


@pytest.mark.parametrize("packs", SIZES)
def test_plain_loop(benchmark: BenchmarkFixture, packs: int) -> None:
    recording = Recording(packs)
    recording.go_on()
    benchmark.group = group(packs)
    assert 40.0 < benchmark(loop_merge, recording.rows)["soc"] < 60.0
