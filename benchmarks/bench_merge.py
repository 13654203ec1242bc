"""One step of the whole aggregator against a plain loop: ``pytest -s -o addopts= benchmarks/bench_merge.py``.

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

from bank_rows import WALL, healthy
from packbank.aggregator.bank import Bank
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.columns import ALARMS, CELLS, Column

SIZES = (15, 64, 1024, 4096)
WIRE_SECONDS_A_PACK = 0.070  # 39.6 ms of transaction and about 30 ms in which the next slave is deaf
PACKS_A_BUS = 15


def live_rows(packs: int) -> NDArray[np.float64]:
    """Packs that differ as real ones do, under a current that the shares can learn from."""
    random = np.random.default_rng(1)
    rows: NDArray[np.float64] = healthy(packs)
    rows[:, :16] += random.normal(0.0, 0.004, (packs, 16))
    rows[:, Column.VOLTAGE] = np.nansum(rows[:, :CELLS], axis=1)
    rows[:, Column.CURRENT] = random.normal(40.0, 4.0, packs)
    rows[:, Column.POWER] = rows[:, Column.CURRENT] * rows[:, Column.VOLTAGE]
    return rows


def loop_merge(rows: NDArray[np.float64]) -> dict[str, float]:
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


@pytest.mark.parametrize("packs", SIZES)
def test_packbank_step(benchmark: BenchmarkFixture, packs: int) -> None:
    rows, names = live_rows(packs), [f"pack {i}" for i in range(packs)]
    subject = Bank(names, [PackSettings()] * packs, BankSettings())
    clock = [1000.0]

    def step() -> float:
        clock[0] += 1.0
        rows[:, Column.STATUS_TIME] = clock[0]
        return subject.step(rows, clock[0], WALL).current

    benchmark.group = group(packs)
    benchmark.extra_info["wire_s"] = wire_s(packs)
    assert benchmark(step) == pytest.approx(loop_merge(rows)["current"])


@pytest.mark.parametrize("packs", SIZES)
def test_plain_loop(benchmark: BenchmarkFixture, packs: int) -> None:
    rows = live_rows(packs)
    benchmark.group = group(packs)
    assert benchmark(loop_merge, rows)["soc"] == 50.0
