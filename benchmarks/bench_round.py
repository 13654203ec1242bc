"""Rounds, lost answers and the start, in real time: ``pytest -s -o addopts= benchmarks/bench_round.py``.

What ``packbank bench --here`` says of the whole daemon over 15 simulated packs at the pace of real ones. The floor of
a round is 15 times what a pack takes: the usual transaction and the shortest silence in which the next is not deaf.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

PACKS = 15
SECONDS = 60.0
PACK_S = 0.070  # 39.6 ms of transaction and about 30 ms in which the next slave is deaf


def here() -> dict[str, Any]:
    """The figures of the daemon."""
    command = [sys.executable, "-m", "packbank", "bench", "--here", "--json"]
    command += [f"--packs={PACKS}", f"--seconds={SECONDS}"]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, Any] = json.loads(said)["daemon"]
    return figures


def test_round(benchmark: BenchmarkFixture) -> None:
    figures = benchmark.pedantic(here, rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info |= {key: value for key, value in figures.items() if isinstance(value, int | float)}
    benchmark.extra_info |= {key: figures[key]["bus1"] for key in ("round_s", "round_mean_s")}
    benchmark.extra_info["floor_s"] = PACKS * PACK_S
    print(f"\n{figures}")
