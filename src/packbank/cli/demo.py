"""``packbank demo``: simulated packs, the real daemon over them, a live table, and at the end what it all came to."""

from __future__ import annotations

import argparse
import errno
import logging
import resource
import select
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf, isnan
from pathlib import Path
from typing import TextIO

from packbank.cli.private_bus import PrivateBus, missing
from packbank.cli.signals import ended_by_signals, import_whole
from packbank.cli.simulate import add_bank_arguments, check_bank_arguments, plans_of, stanza
from packbank.cli.simulator import Simulator
from packbank.config.loader import load
from packbank.daemon import Daemon, wait_loop
from packbank.model.bus_stats import BusStats
from packbank.model.snapshot import Snapshot
from packbank.outputs.journal import Journal
from packbank.outputs.local_socket import LocalSocket
from packbank.outputs.terminal import Display, limit_texts, number, open_display
from packbank.sim.wire_bank import PLATEAU

STEADY = 5.0  # s after a change of load, when every row is newer than the change, even of a bus that is only heard
SIGNAL = "ItemsChanged"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_bank_arguments(parser)
    parser.add_argument("--no-dbus", action="store_true", help="leave the D-Bus out")
    parser.epilog = (
        "The packs are simulated in a process of their own, at the pace of real RS485. The daemon is the real one;\n"
        "its battery is published on a D-Bus of the demo's own. The demo ends with a summary: exit 0, or 1 when no\n"
        "battery appeared, or when answers were lost although no --fault was asked for."
    )


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C, SIGTERM or the end of ``--seconds``, then sum up."""
    check_bank_arguments(args)
    watcher = _play(args)
    if watcher.last is None:
        print("no battery appeared", file=sys.stderr)
        return 1
    print("\n".join(watcher.summary()))
    lost = sum(stats.lost for stats in watcher.last.buses)
    return 1 if lost and not args.fault else 0


def _play(args: argparse.Namespace) -> Watcher:
    """The demo itself; whatever it started has ended when it returns."""
    with ended_by_signals(), ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="packbank-demo-")))
        bus = _private_bus(args, stack, folder)
        simulator = stack.enter_context(Simulator(args))
        display = stack.enter_context(open_display())
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr, force=True)
        plans = plans_of(args)
        packs = sum(len(plan.addresses) for plan in plans)
        print(f"packs: {packs}, buses: {len(plans)}; the battery appears when all have told their settings", flush=True)
        config = folder / "config.ini"
        config.write_text(stanza(simulator.ports, plans), encoding="utf-8")
        daemon = Daemon(load(config))
        watcher = Watcher(display, simulator, bus)
        daemon.outputs.add(Journal([None] * packs))
        daemon.outputs.add(watcher)
        daemon.outputs.add(LocalSocket(config), may_block=True)
        _serve(daemon, watcher, args.seconds or inf)
        return watcher


def _private_bus(args: argparse.Namespace, stack: ExitStack, folder: Path) -> PrivateBus | None:
    if args.no_dbus:
        return None
    if lacking := missing():
        print(f"packbank demo: without a D-Bus, because {lacking} is not installed", file=sys.stderr)
        return None
    return stack.enter_context(PrivateBus(folder))


def _serve(daemon: Daemon, watcher: Watcher, seconds: float) -> None:
    until = time.monotonic() + seconds

    def tick() -> bool:
        if _unread(sys.stdout):
            raise BrokenPipeError(errno.EPIPE, "nobody reads the demo any more")
        goes_on = daemon.tick()
        watcher.look()
        return goes_on and time.monotonic() < until

    with daemon:
        if watcher.bus is None:
            wait_loop(tick)
        else:
            import_whole("packbank.cli.on_dbus").serve(daemon, tick)
        watcher.finish()


def _unread(stream: TextIO) -> bool:
    """Whether the reader of a pipe, or the terminal, has gone; nothing need be written to know."""
    look = select.poll()
    look.register(stream, 0)
    return bool(look.poll(0))


@dataclass(slots=True)
class Mark:
    """A moment from which or to which something is counted."""

    time: float
    cpu: float  # s of this process without the display
    signals: int


class Watcher:
    """Takes each snapshot (an output of the daemon), shows it and keeps account."""

    name = "demo"

    def __init__(self, display: Display, simulator: Simulator, bus: PrivateBus | None) -> None:
        self.bus = bus
        self.last: Snapshot | None = None  # the newest with a battery that is ready
        self._display = display
        self._simulator = simulator
        self._began = time.monotonic()
        self._own_cpu = 0.0  # s, of showing and comparing
        self._appeared: Mark | None = None
        self._end: Mark | None = None
        self._off = 0.0  # A, the largest difference from the truth
        self._compared = 0

    def show(self, snapshot: Snapshot) -> None:
        """Take the snapshot."""
        if snapshot.battery.ready:
            self.last = snapshot

    def close(self) -> None:
        """Nothing to leave."""

    def look(self) -> None:
        """Show the newest snapshot, once there is one, and compare it with the truth."""
        before = time.thread_time()
        self._simulator.read()
        if self.last is not None:
            self._display.show(self.last)
            self._compare(self.last.battery.current)
        self._own_cpu += time.thread_time() - before
        if self.last is not None and self._appeared is None:
            self._appeared = self._mark()

    def finish(self) -> None:
        """Take the last figures, while the buses still run."""
        self._end = self._mark()

    def summary(self) -> list[str]:
        """What it all came to, in lines."""
        if self.last is None or self._appeared is None or self._end is None:
            return []
        first, end = self._appeared, self._end
        seconds = max(end.time - first.time, 1e-9)
        battery = self.last.battery
        lines = [f"battery after {first.time - self._began:.1f} s: {battery.online} of {len(battery.packs)} packs"]
        lines += [_bus_line(stats) for stats in self.last.buses]
        off = f"{self._off:.2f} A at most, compared {self._compared} times" if self._compared else "never compared"
        lines.append(f"bank current against the simulator's truth: off by {off}, while the load is steady")
        lines += [f"{name} {text}" for name, text in limit_texts(battery)]
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        cpu = 60 * (end.cpu - first.cpu) / seconds
        lines.append(f"daemon: {cpu:.2f} s of CPU a minute without this display, {megabytes:.0f} MB with it")
        if self.bus is not None:
            signals = end.signals - first.signals
            lines.append(f"D-Bus: {signals} {SIGNAL} in {seconds:.0f} s ({signals / seconds:.2f} a second)")
        return lines

    def _compare(self, current: float) -> None:
        truth = self._simulator.truth
        if truth is not None and STEADY <= truth.steady <= PLATEAU - 1 and not isnan(current):
            self._off = max(self._off, abs(current - truth.current))
            self._compared += 1

    def _mark(self) -> Mark:
        signals = self.bus.signals(SIGNAL) if self.bus else 0
        return Mark(time.monotonic(), time.process_time() - self._own_cpu, signals)


def _bus_line(stats: BusStats) -> str:
    refused = ", ".join(f"{count} {reason}" for reason, count in stats.refused.items())
    return (
        f"{stats.name}: round {number(stats.round_time, '.2f')} s (mean {number(stats.round_time_mean, '.2f')} s), "
        f"guard {number(1000 * stats.guard, '.0f')} ms, {stats.answers} answers, {stats.missed} missed, "
        f"{stats.lost} lost, {refused or '0'} refused"
    )
