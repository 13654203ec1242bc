"""CPU of the whole daemon, a thread at a time: ``pytest -s -o addopts= benchmarks/bench_daemon.py``.

``packbank run`` as its users run it (serial, decode, merge, D-Bus), over simulated buses at the pace of real packs, in
processes of their own; the D-Bus is a private dbus-daemon. The rival is the least that any program can spend which
asks as many packs as often: written in C, it writes a request, sleeps, reads, and knows nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from packbank.cext.framing import request
from packbank.cli.private_bus import PrivateBus
from packbank.cli.simulate import add_bank_arguments, plans_of, stanza
from packbank.cli.simulator import Simulator

PACKS = 15
SETTLE = 25.0  # s: the start is over, the silence learnt in part
SECONDS = 60.0
FLOOR = """
#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
int main(int argc, char **argv) {
  unsigned char requests[15 * 11], answer[4096];
  struct termios line;
  int file = open(argv[3], O_RDONLY);
  if (read(file, requests, sizeof requests) != sizeof requests) return 1;
  int port = open(argv[1], O_RDWR | O_NOCTTY | O_NONBLOCK);
  tcgetattr(port, &line);
  cfmakeraw(&line);
  tcsetattr(port, TCSANOW, &line);
  for (unsigned turn = 0;; turn++) {
    struct timespec pause = {0, atol(argv[2]) * 1000};
    if (write(port, requests + turn % 15 * 11, 11) < 0) return 1;
    nanosleep(&pause, 0);
    if (read(port, answer, sizeof answer) == 0) return 1;
  }
}
"""


def cpu(pid: int) -> dict[str, float]:
    """Seconds of CPU that each thread of a process has used, by its name and number."""
    used = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        used[f"{name} {task.name}"] = int((task / "schedstat").read_text().split()[0]) / 1e9
    return used


def spent(pid: int) -> dict[str, float]:
    """Seconds of CPU a minute of each thread, measured over :data:`SECONDS`."""
    before = cpu(pid)
    time.sleep(SECONDS)
    return {name: (used - before.get(name, 0.0)) * 60.0 / SECONDS for name, used in cpu(pid).items()}


@contextmanager
def running(command: list[str]) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("buses", [1, 2, 8])
def test_the_daemon(benchmark: BenchmarkFixture, tmp_path: Path, buses: int) -> None:
    parser = ArgumentParser()
    add_bank_arguments(parser)
    arguments = parser.parse_args([f"--packs={PACKS}", f"--buses={buses}"])
    config = tmp_path / "config.ini"
    with Simulator(arguments) as simulator, PrivateBus(tmp_path):
        config.write_text(stanza(simulator.ports, plans_of(arguments)))
        with running([sys.executable, "-m", "packbank", "run", "--config", str(config)]) as pid:
            time.sleep(SETTLE)
            threads = benchmark.pedantic(spent, args=(pid,), rounds=1)  # type: ignore[no-untyped-call]
            status = Path(f"/proc/{pid}/status").read_text()
    memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
    benchmark.extra_info |= {"cpu_s_a_minute": sum(threads.values()), "memory_mb": memory}
    print(f"\n{buses} x {PACKS} packs: {sum(threads.values()):.3f} s of CPU a minute, {memory:.1f} MB; by thread:")
    print("\n".join(f"  {name:24} {used:.3f}" for name, used in sorted(threads.items()) if used > 0.0005))


def test_the_floor(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    source, program = tmp_path / "floor.c", tmp_path / "floor"
    source.write_text(FLOOR)
    subprocess.run(["gcc", "-O2", "-o", program, source], check=True)
    requests = tmp_path / "requests"
    requests.write_bytes(b"".join(request(address, 0x1620) for address in range(1, PACKS + 1)))
    parser = ArgumentParser()
    add_bank_arguments(parser)
    with Simulator(parser.parse_args([f"--packs={PACKS}"])) as simulator:
        share = round(1.07 / PACKS * 1e6)  # us
        with running([os.fspath(program), simulator.ports[0], str(share), os.fspath(requests)]) as pid:
            threads = benchmark.pedantic(spent, args=(pid,), rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["cpu_s_a_minute"] = sum(threads.values())
    print(f"\nthe floor: {sum(threads.values()):.3f} s of CPU a minute")
