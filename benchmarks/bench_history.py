"""What the history costs: ``scripts/bench history``.

A day of a simulated bank goes to a folder, at the clock's own pace of a snapshot a second for the CPU, faster for the
size. The rival keeps the same rows in sqlite, committed once an hour. The daemon is measured with its history and
without, side by side over the same simulated buses: that has the thread's waking up in it.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from bench_daemon import cpu, running
from bench_mqtt import memory
from pytest_benchmark.fixture import BenchmarkFixture

from packbank.cli.simulate import add_bank_arguments, plans_of, stanza
from packbank.cli.simulator import Simulator
from packbank.config.model import HistoryConfig
from past import Past

PACKS = 15  # of a bus
HOURS = 24.0  # of the day whose bytes are counted
MINUTES = 60  # of which the CPU is measured
SETTLE = 25.0  # s
SECONDS = 60.0


def written(past: Past) -> float:
    """MB in the folder, for a whole day."""
    return past.on_flash() * 24.0 / HOURS / 1e6


@pytest.mark.parametrize("packs", [15, 120])
@pytest.mark.parametrize("period", [5, 1])
def test_day(benchmark: BenchmarkFixture, tmp_path: Path, packs: int, period: int) -> None:
    past = Past(tmp_path, packs, HistoryConfig(period=period))
    past.live(HOURS * 3600.0, 20.0)
    past.output.close()
    size = written(past)
    benchmark(past.history().read, "pack 7", 0.0, 4e9)
    benchmark.extra_info["written_mb"] = size
    print(f"\n{packs} packs, rows of {period} min: {size:.3f} MB a day")


@pytest.mark.parametrize("packs", [15, 120])
def test_cpu(benchmark: BenchmarkFixture, tmp_path: Path, packs: int) -> None:
    past = Past(tmp_path, packs)
    past.live(120.0, 2.0)

    def live() -> float:
        used = 0.0
        for _ in range(MINUTES * 60):
            past.clock += 1.0
            shown = past.snapshot()
            begun = time.thread_time()
            past.output.show(shown)
            used += time.thread_time() - begun
        return used / MINUTES

    used = benchmark.pedantic(live, rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["cpu_s_a_minute"] = used
    print(f"\n{packs} packs: {used * 1e3:.2f} ms of CPU a minute, the writes of an hour and the rows among it")


@pytest.mark.parametrize("packs", [15])
def test_sqlite(benchmark: BenchmarkFixture, tmp_path: Path, packs: int) -> None:
    """The same rows of five minutes in sqlite, as whole numbers, one a pack, in order."""
    past = Past(tmp_path, packs)
    past.live(HOURS * 3600.0, 20.0)
    past.output.close()
    series = [past.history().read(f"pack {number}", 0.0, 4e9) for number in range(1, packs + 1)]
    base = sqlite3.connect(tmp_path / "rival.db")
    columns = ", ".join(f"c{number}" for number in range(3 * len(series[0].values)))
    base.execute(f"create table rows (time, pack, {columns}, primary key (pack, time)) without rowid")
    marks = ", ".join("?" * (2 + 3 * len(series[0].values)))
    for index, when in enumerate(series[0].times.tolist()):
        for pack, one in enumerate(series):
            values = np.concatenate([value[index] for value in one.values.values()]) * 1000.0
            whole = [None if isnan(value) else round(value) for value in values.tolist()]
            base.execute(f"insert into rows values ({marks})", (round(when), pack, *whole))
        if index % 12 == 11:
            base.commit()
    base.commit()
    benchmark(lambda: base.execute("select * from rows where pack = 6").fetchall())
    size = (tmp_path / "rival.db").stat().st_size * 24.0 / HOURS / 1e6
    base.close()
    benchmark.extra_info["written_mb"] = size
    print(f"\nsqlite, {packs} packs, rows of 5 min: {size:.3f} MB a day in the file, journals apart")


@pytest.mark.parametrize("buses", [1, 8])
def test_history(benchmark: BenchmarkFixture, tmp_path: Path, buses: int) -> None:
    parser = ArgumentParser()
    add_bank_arguments(parser)
    arguments = parser.parse_args([f"--packs={PACKS}", f"--buses={buses}"])
    with ExitStack() as stack:
        pids: dict[str, int] = {}
        for kind in ("without", "with"):
            simulator = stack.enter_context(Simulator(arguments))
            config = tmp_path / kind / "config.ini"
            config.parent.mkdir()
            section = "" if kind == "with" else "\n[history]\nENABLED = False\n"
            config.write_text(stanza(simulator.ports, plans_of(arguments)) + section)
            command = [sys.executable, "-m", "packbank", "run", "--no-dbus", "--config", str(config)]
            pids[kind] = stack.enter_context(running(command))
        time.sleep(SETTLE)
        before = {kind: sum(cpu(pid).values()) for kind, pid in pids.items()}
        benchmark.pedantic(time.sleep, args=(SECONDS,), rounds=1)  # type: ignore[no-untyped-call]
        used = {kind: (sum(cpu(pid).values()) - before[kind]) * 60.0 / SECONDS for kind, pid in pids.items()}
        resident = {kind: memory(pid) for kind, pid in pids.items()}
    more = {kind: figures["with"] - figures["without"] for kind, figures in (("cpu", used), ("memory", resident))}
    benchmark.extra_info |= {"cpu_s_a_minute": more["cpu"], "memory_mb": more["memory"]}
    print(f"\n{buses} x {PACKS} packs: {more['cpu']:+.3f} s of CPU a minute, {more['memory']:+.1f} MB", end="")
    print(f" (with: {used['with']:.3f} s, {resident['with']:.1f} MB)")
