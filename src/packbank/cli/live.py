"""The real daemon over simulated buses for a while, and an account of it: what ``demo`` and ``bench`` run.

The packs are simulated in a process of their own, at the pace of real RS485; the D-Bus is a private one.
"""

from __future__ import annotations

import argparse
import logging
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf, isnan
from pathlib import Path

from packbank.cli.private_bus import PrivateBus, missing
from packbank.cli.signals import check_read, ended_by_signals, import_whole
from packbank.cli.simulate import plans_of, stanza
from packbank.cli.simulator import Simulator
from packbank.config.loader import load
from packbank.daemon import Daemon, wait_loop
from packbank.model.snapshot import Snapshot
from packbank.outputs.journal import Journal
from packbank.outputs.local_socket import LocalSocket
from packbank.outputs.terminal import Display
from packbank.sim.wire_bank import PLATEAU

STEADY = 5.0  # s after a change of load, when every row is newer than the change, even of a bus that is only heard
SIGNAL = "ItemsChanged"


@dataclass(frozen=True, slots=True)
class Account:
    """What a run came to, from the first battery to the end."""

    last: Snapshot  # the newest with a battery that is ready
    start: float  # s from the start of the daemon to the first battery
    seconds: float  # from there to the end
    cpu: float  # s a minute, of this process without what it shows and compares
    memory: float  # MB, the most that was resident
    off: float  # A, the largest difference from the simulator's truth while the load is steady
    compared: int  # how often that was looked at
    signals: int | None  # D-Bus messages of the daemon; None without a D-Bus

    @property
    def lost(self) -> int:
        """Questions that even the retry left without an answer."""
        return sum(stats.lost for stats in self.last.buses)


def play(args: argparse.Namespace, open_display: Callable[[], Display]) -> Account | None:
    """Run the daemon over the bank of ``args`` (:func:`packbank.cli.simulate.add_bank_arguments`, and ``no_dbus``).

    It ends with Ctrl-C, SIGTERM or after ``args.seconds``; whatever it started has ended then. ``None``: no battery
    appeared.
    """
    with ended_by_signals(), ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"packbank-{args.command}-")))
        bus = _private_bus(args, stack, folder)
        simulator = stack.enter_context(Simulator(args))
        display = stack.enter_context(open_display())
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr, force=True)
        plans = plans_of(args)
        config = folder / "config.ini"
        config.write_text(stanza(simulator.ports, plans), encoding="utf-8")
        daemon = Daemon(load(config))
        watcher = Watcher(display, simulator, bus)
        daemon.outputs.add(Journal([None] * len(daemon.config.packs)))
        daemon.outputs.add(watcher)
        daemon.outputs.add(LocalSocket(config), may_block=True)
        _serve(daemon, watcher, args.seconds or inf)
        return watcher.account()


def _private_bus(args: argparse.Namespace, stack: ExitStack, folder: Path) -> PrivateBus | None:
    if args.no_dbus:
        return None
    if lacking := missing():
        print(f"packbank {args.command}: without a D-Bus, because {lacking} is not installed", file=sys.stderr)
        return None
    return stack.enter_context(PrivateBus(folder))


def _serve(daemon: Daemon, watcher: Watcher, seconds: float) -> None:
    until = time.monotonic() + seconds

    def tick() -> bool:
        check_read(sys.stdout)
        goes_on = daemon.tick()
        watcher.look()
        return goes_on and time.monotonic() < until

    with daemon:
        if watcher.bus is None:
            wait_loop(tick)
        else:
            import_whole("packbank.cli.on_dbus").serve(daemon, tick)
        watcher.finish()


@dataclass(slots=True)
class Mark:
    """A moment from which or to which something is counted."""

    time: float
    cpu: float  # s of this process without the display
    signals: int


class Watcher:
    """Takes each snapshot (an output of the daemon), shows it and keeps account."""

    name = "watcher"

    def __init__(self, display: Display, simulator: Simulator, bus: PrivateBus | None) -> None:
        self.bus = bus
        self._last: Snapshot | None = None  # the newest with a battery that is ready
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
            self._last = snapshot

    def close(self) -> None:
        """Nothing to leave."""

    def look(self) -> None:
        """Show the newest snapshot, once there is one, and compare it with the truth."""
        before = time.thread_time()
        self._simulator.read()
        if self._last is not None:
            self._display.show(self._last)
            self._compare(self._last.battery.current)
        self._own_cpu += time.thread_time() - before
        if self._last is not None and self._appeared is None:
            self._appeared = self._mark()

    def finish(self) -> None:
        """Take the last figures, while the buses still run."""
        self._end = self._mark()

    def account(self) -> Account | None:
        """What it all came to; ``None`` when no battery appeared."""
        if self._last is None or self._appeared is None or self._end is None:
            return None
        first, end = self._appeared, self._end
        seconds = max(end.time - first.time, 1e-9)
        return Account(
            last=self._last,
            start=first.time - self._began,
            seconds=seconds,
            cpu=60 * (end.cpu - first.cpu) / seconds,
            memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            off=self._off,
            compared=self._compared,
            signals=end.signals - first.signals if self.bus else None,
        )

    def _compare(self, current: float) -> None:
        truth = self._simulator.truth
        if truth is not None and STEADY <= truth.steady <= PLATEAU - 1 and not isnan(current):
            self._off = max(self._off, abs(current - truth.current))
            self._compared += 1

    def _mark(self) -> Mark:
        signals = self.bus.signals(SIGNAL) if self.bus else 0
        return Mark(time.monotonic(), time.process_time() - self._own_cpu, signals)
