"""Attacks on the web page of the real daemon: ``scripts/attack-web``.

The daemon reads simulated packs and publishes them on a D-Bus of its own, as on a GX. Each attack of
``tests/web_attacks.py`` runs for a while in a process of its own, the attacker's own cost not being ours. What
counts: the snapshots keep their second, memory and processor time stay bounded. Exit code 1: a snapshot came 0.5 s
late or more, memory grew by more than 16 MB, or an attack took more of the processor than the server's share allows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from bench_daemon import cpu
from bench_mqtt import memory
from running import simulator

from brokers import free_port
from packbank.cli.private_bus import PrivateBus
from packbank.cli.simulate import stanza
from packbank.outputs.web.server import SHARE
from packbank.sim.wire_bank import BusPlan
from web_attacks import ATTACKS

LATE = 0.5  # s
GROWN = 16.0  # MB
MAY_USE = SHARE + 0.1  # of a core: the server's share, and what the daemon needs anyway


class Cost(NamedTuple):
    """Of one attack: worst lateness (s), memory at the end (MB), part of a core that the daemon used."""

    late: float
    memory: float
    cpu: float


class Watched:
    """The lines of a daemon, with the times of its snapshots."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.times: list[float] = []
        self._process = process
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.times.append(json.loads(line)["time"])

    def worst(self, since: int) -> float:
        """How late the latest of the snapshots after number ``since`` came."""
        gaps = [after - before for before, after in zip(self.times[since:], self.times[since + 1 :], strict=False)]
        return max(gaps, default=float("inf")) - 1.0


def _attack(attack: Callable[[int, Event], None], port: int, seconds: float) -> None:
    over = Event()
    workers = [Thread(target=attack, args=(port, over)) for _ in range(4)]
    for worker in workers:
        worker.start()
    time.sleep(seconds)
    over.set()
    for worker in workers:
        worker.join()


def suffer(watched: Watched, pid: int, attack: Callable[[int, Event], None] | None, port: int, seconds: float) -> Cost:
    """What ``attack`` costs the daemon; None: nobody attacks."""
    since, begun, before = len(watched.times) - 1, time.monotonic(), sum(cpu(pid).values())
    if attack is None:
        time.sleep(seconds)
    else:
        attacker = get_context("fork").Process(target=_attack, args=(attack, port, seconds))
        attacker.start()
        attacker.join()
    used = (sum(cpu(pid).values()) - before) / (time.monotonic() - begun)
    return Cost(watched.worst(since), memory(pid), used)


def main() -> int:
    """Attack, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each attack (%(default)g)")
    parser.add_argument("--packs", type=int, default=15, help="1 to 15 (%(default)s)")
    args = parser.parse_args()
    bad = False
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="packbank-attack-")))
        stack.enter_context(PrivateBus(folder))
        bank, port, config = stack.enter_context(simulator(args.packs, 1, ())), free_port(), folder / "config.ini"
        web = f"\n[web]\nLISTEN = 127.0.0.1:{port}\n"
        buses = stanza(bank.ports, [BusPlan(packs=args.packs)])
        config.write_text(f"[DEFAULT]\nLOGGING = ERROR\n{buses}{web}", encoding="utf-8")
        command = [sys.executable, "-m", "packbank", "run", "--json", f"--config={config}"]
        daemon = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(daemon.terminate)
        watched = Watched(daemon)
        time.sleep(15.0)
        first = memory(daemon.pid)
        print(f"{'attack':16} {'late ms':>8} {'MB':>6} {'CPU %':>6}")
        for attack in (None, *ATTACKS):
            cost = suffer(watched, daemon.pid, attack, port, args.seconds)
            name = attack.__name__ if attack else "none"
            print(f"{name:16} {1000 * cost.late:8.0f} {cost.memory:6.1f} {100 * cost.cpu:6.1f}")
            bad |= cost.late > LATE or cost.memory - first > GROWN or cost.cpu > MAY_USE
        bad |= daemon.poll() is not None
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
