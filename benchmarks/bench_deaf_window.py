"""Requests inside the packs' deaf window, rounds and CPU: ``pytest -s -o addopts= benchmarks/bench_deaf_window.py``.

``packbank run`` in a process of its own over simulated buses in this one, which counts each request that a pack could
not hear because it overheard another's answer less than 30 ms before. The floor for a round is 15 times the usual
answer and the shortest silence that packs bear: 1.05 s.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from packbank.cli.private_bus import PrivateBus
from packbank.cli.simulate import stanza
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_pty import Buses

PACKS = 15
SETTLE = 10.0  # s
SECONDS = 60.0


@pytest.mark.parametrize("capture", [False, True], ids=["", "capture"])
@pytest.mark.parametrize("buses", [1, 2])
def test_deaf_window(benchmark: BenchmarkFixture, tmp_path: Path, buses: int, capture: bool) -> None:
    plans = [BusPlan(packs=PACKS)] * buses
    start = time.monotonic()
    bank = LiveBank(demo_spec(PACKS * buses, 16, 1), start)
    wires = wire_up(bank, plans, [], 1, start)
    config = tmp_path / "config.ini"
    with tempfile.TemporaryDirectory() as folder, Buses(wires, Path(folder)) as served, PrivateBus(tmp_path):
        config.write_text(stanza(served.paths, plans))
        command = [sys.executable, "-m", "packbank", "run", "--config", str(config)]
        command += ["--capture", str(tmp_path / "capture.jsonl")] if capture else []
        daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(SETTLE)

            def measure() -> tuple[int, int, float]:
                deaf, requests = (sum(getattr(wire.tally, name) for wire in wires) for name in ("deaf", "requests"))
                tasks = [task / "schedstat" for task in Path(f"/proc/{daemon.pid}/task").iterdir()]
                return deaf, requests, sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

            before = measure()
            benchmark.pedantic(time.sleep, args=(SECONDS,), rounds=1)  # type: ignore[no-untyped-call]
            after = measure()
        finally:
            daemon.terminate()
            daemon.wait()
    deaf, requests, cpu = (later - earlier for earlier, later in zip(before, after, strict=True))
    round_time = PACKS * buses * SECONDS / requests
    benchmark.extra_info |= {"deaf": deaf, "round_s": round_time, "cpu_s_a_minute": cpu * 60.0 / SECONDS}
    print(
        f"\n{buses} x {PACKS} packs: {deaf} requests in the deaf window, rounds of {round_time:.3f} s, "
        f"{cpu * 60.0 / SECONDS:.3f} s of CPU a minute{' with a capture' if capture else ''}"
    )
