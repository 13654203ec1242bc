"""Packs that join loaded banks while some answers are damaged: ``scripts/try-joins``.

Several banks run side by side in real time, each with a daemon of its own. In each, one pack after the other is silent
for longer than LOST_AFTER (10 s here) and then answers again; every second time another pack has taken its place
meanwhile, with a serial number and limits that the daemon does not know. The first one has never been seen before.
The load changes every 10 s. How long until the pack counts in full, and is a current limit of the bank ever 0? The
packs are half charged, warm and healthy, so there is no right reason for 0. Exit code 1: a pack had not joined after
35 s, or a limit was 0.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from math import inf
from queue import SimpleQueue
from threading import Thread

from running import Seen, daemon, scratch, simulator, times_text

from packbank.cli.signals import ended_by_signals
from packbank.errors import PackbankError

PACKS = 6
FIRST = 20.0  # s from the simulation's start: the first pack answers for the first time
SILENT = 20.0  # s
PERIOD = 60.0  # s from join to join
PATIENCE = 35.0  # s that a join may take before it counts as failed
SWAP = 0.9  # limits and capacity of the pack that comes, in those of the one that goes
SETTINGS = "LOST_AFTER = 10\nSTART_TIMEOUT = 5\n"


def joins(count: int) -> list[tuple[int, float]]:
    """The address that joins and when, in seconds of the simulation."""
    return [(1 + number % PACKS, FIRST + number * PERIOD) for number in range(count)]


def schedule(count: int, damaged: float) -> Iterator[str]:
    """The faults of one bank."""
    yield f"garble={damaged}"
    for number, (address, answers) in enumerate(joins(count)):
        yield f"{max(answers - SILENT, 0)}-{answers}: silence=1@{address}"
        if number % 2:
            yield f"{answers - SILENT / 2}: swap={SWAP}@{address}"


class Watch:
    """What one bank's daemon says of the joins."""

    def __init__(self, name: str, start: float, count: int) -> None:
        self.times = [inf] * count  # s from the first answer to full membership
        self.zeros: Counter[str] = Counter()  # seconds, by reason
        self._name = name
        self._due = [(f"pack {address}", start + answers) for address, answers in joins(count)]
        self._loaded = False
        self._now = start

    @property
    def done(self) -> bool:
        """Whether the last join has been seen, or is not to be expected any more."""
        return self.times[-1] < inf or self._now > self._due[-1][1] + PATIENCE

    def take(self, now: Seen) -> None:
        """Look at the bank at a moment."""
        self._now = now.time
        self._loaded = self._loaded or (now.ready and not now.zeros)
        if self._loaded:
            self.zeros.update(now.zeros)
        for number, (pack, answers) in enumerate(self._due):
            took = now.time - answers
            if 0.0 < took <= PATIENCE and self.times[number] == inf and pack in now.members:
                self.times[number] = took
                print(f"{self._name}: {pack} joined after {took:.1f} s", flush=True)


def main() -> int:
    """Try, and print what came of it."""
    parser = argparse.ArgumentParser(prog="scripts/try-joins", description=__doc__)
    parser.add_argument("--joins", type=int, default=200, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--banks", type=int, default=20, metavar="N", help="side by side (%(default)s)")
    parser.add_argument("--damaged", type=float, default=0.05, metavar="P", help="part of the answers (%(default)s)")
    parser.add_argument("--short", action="store_true", help="six joins in three banks")
    args = parser.parse_args()
    if args.short:
        args.joins, args.banks = 6, 3
    watches = watch(args.banks, -(-args.joins // args.banks), args.damaged)
    times = [took for one in watches for took in one.times]
    zeros = sum((one.zeros for one in watches), Counter[str]())
    failed = times.count(inf)
    print(f"{len(times)} joins to {args.banks} banks of {PACKS} packs, {args.damaged:.0%} of their answers damaged")
    print(f"full membership after: {times_text(times)}; not within {PATIENCE:.0f} s: {failed}")
    print(f"CCL or DCL 0 A: {'; '.join(f'{why} ({seconds} s)' for why, seconds in zeros.most_common()) or 'never'}")
    return 1 if failed or zeros else 0


def watch(banks: int, count: int, damaged: float) -> list[Watch]:
    """Run the banks until each has seen its joins."""
    said: SimpleQueue[tuple[int, Seen | None]] = SimpleQueue()
    watches = []
    with ended_by_signals(), ExitStack() as stack:
        for number in range(banks):
            folder = stack.enter_context(scratch())
            bank = stack.enter_context(simulator(PACKS, number, list(schedule(count, damaged))))
            battery = stack.enter_context(daemon(folder, bank, PACKS, SETTINGS))
            watches.append(Watch(f"bank {number + 1}", bank.start, count))
            Thread(target=pass_on, args=(number, battery, said), daemon=True).start()
        while not all(one.done for one in watches):
            number, now = said.get()
            if now is None:
                raise PackbankError(f"the daemon of bank {number + 1} has ended; the reason stands above")
            watches[number].take(now)
    return watches


def pass_on(number: int, battery: Iterator[Seen], said: SimpleQueue[tuple[int, Seen | None]]) -> None:
    """Put what a daemon says into the queue, with the bank's number; ``None`` when it has ended."""
    for now in battery:
        said.put((number, now))
    said.put((number, None))


if __name__ == "__main__":
    sys.exit(main())
