"""What MQTT costs the whole daemon: ``scripts/bench mqtt``.

``packbank run`` over the same simulated buses twice at the same time, without and with [mqtt], so that both see the
same machine; without a D-Bus, whose cost is in bench_daemon.py. The broker is a Mosquitto of its own.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path

import pytest
from bench_daemon import cpu, running
from pytest_benchmark.fixture import BenchmarkFixture

from brokers import Mosquitto
from packbank.cli.simulate import add_bank_arguments, plans_of, stanza
from packbank.cli.simulator import Simulator

PACKS = 15
SETTLE = 25.0  # s: the start is over, and everything is announced
SECONDS = 60.0
KINDS = ("without", "with")


def memory(pid: int) -> float:
    """Resident memory, MB."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def spent(pids: dict[str, int], seconds: float) -> dict[str, float]:
    """Seconds of CPU a minute of each process, over the same ``seconds``."""
    before = {kind: sum(cpu(pid).values()) for kind, pid in pids.items()}
    time.sleep(seconds)
    return {kind: (sum(cpu(pid).values()) - before[kind]) * 60.0 / seconds for kind, pid in pids.items()}


@pytest.mark.parametrize("buses", [1, 8])
def test_mqtt(benchmark: BenchmarkFixture, tmp_path: Path, buses: int) -> None:
    parser = ArgumentParser()
    add_bank_arguments(parser)
    arguments = parser.parse_args([f"--packs={PACKS}", f"--buses={buses}"])
    broker = Mosquitto(tmp_path)
    with ExitStack() as stack:
        broker.start()
        stack.callback(broker.stop)
        pids = {}
        for kind in KINDS:
            simulator = stack.enter_context(Simulator(arguments))
            config = tmp_path / f"{kind}.ini"
            section = f"\n[mqtt]\nBROKER = {broker.url}\n" if kind == "with" else ""
            config.write_text(stanza(simulator.ports, plans_of(arguments)) + section)
            command = [sys.executable, "-m", "packbank", "run", "--no-dbus", "--config", str(config)]
            pids[kind] = stack.enter_context(running(command))
        time.sleep(SETTLE)
        used = benchmark.pedantic(spent, args=(pids, SECONDS), rounds=1)  # type: ignore[no-untyped-call]
        resident = {kind: memory(pid) for kind, pid in pids.items()}
        threads = cpu(pids["with"])
    more = [figures["with"] - figures["without"] for figures in (used, resident)]
    benchmark.extra_info |= {"cpu_s_a_minute": more[0], "memory_mb": more[1]}
    for kind in KINDS:
        print(f"\n{buses} x {PACKS} packs, {kind}: {used[kind]:.3f} s of CPU a minute, {resident[kind]:.1f} MB", end="")
    print(f"\n  MQTT: {more[0]:+.3f} s a minute, {more[1]:+.1f} MB")
    print("\n".join(f"  {name:24} {seconds:.3f} s since the start" for name, seconds in sorted(threads.items())))
