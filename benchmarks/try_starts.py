"""Starts of the real daemon on simulated packs of which some answers are damaged: ``scripts/try-starts``.

How long until the battery appears, and is a current limit ever 0 then? The packs are half charged, warm and healthy,
so there is no right reason for 0. Every start begins without stored settings. Exit code 1: a battery took longer than
6 s, or a limit was 0.
"""

from __future__ import annotations

import argparse
import sys
import time
from math import inf
from pathlib import Path
from typing import NamedTuple

from running import daemon, scratch, simulator, times_text

from packbank.cli.signals import ended_by_signals
from packbank.cli.simulator import Simulator
from packbank.errors import PackbankError

WITHIN = 6.0  # s from the start of the process to the battery, design.md 5
WATCHED = 10.0  # s after the battery has appeared
PATIENCE = 90.0  # s at most for a battery to appear, and then for its limits to rise above 0


class Start(NamedTuple):
    """One start: seconds to the battery, then seconds with a limit at 0, and why it was 0 at first."""

    battery: float
    zero: int
    reason: str

    def __str__(self) -> str:
        limits = f"at 0 for {self.zero} s, at first {self.reason}" if self.zero else "never 0"
        return f"battery after {self.battery:.1f} s, limits {limits}"

    @property
    def well(self) -> bool:
        """Whether it was as it should be."""
        return self.battery <= WITHIN and not self.zero


def try_start(folder: Path, bank: Simulator, packs: int) -> Start:
    """Start the daemon and watch it."""
    begin, appeared, zero, reason = time.monotonic(), inf, 0, ""
    with daemon(folder, bank, packs) as battery:
        for now in battery:
            if now.ready:
                appeared = min(appeared, now.time)
                zero += bool(now.zeros)
                reason = reason or ", ".join(now.zeros)
            until = min(appeared, begin + PATIENCE) + (PATIENCE if now.zeros else WATCHED)
            if now.time > until:
                break
        else:
            raise PackbankError("the daemon has ended; the reason stands above")
    return Start(appeared - begin, zero, reason)


def main() -> int:
    """Try, and print what came of it."""
    parser = argparse.ArgumentParser(prog="scripts/try-starts", description=__doc__)
    parser.add_argument("--starts", type=int, default=50, metavar="N", help="how often (%(default)s)")
    parser.add_argument("--packs", type=int, default=15, metavar="N", help="packs on the bus (%(default)s)")
    parser.add_argument("--damaged", type=float, default=0.05, metavar="P", help="part of the answers (%(default)s)")
    parser.add_argument("--short", action="store_true", help="four starts")
    args = parser.parse_args()
    starts = []
    with ended_by_signals(), scratch() as folder, simulator(args.packs, 1, [f"garble={args.damaged}"]) as bank:
        for _ in range(4 if args.short else args.starts):
            starts.append(try_start(folder, bank, args.packs))
            print(starts[-1], flush=True)
    late = sum(start.battery > WITHIN for start in starts)
    zero = [start.zero for start in starts if start.zero]
    print(f"{len(starts)} starts of {args.packs} packs, {args.damaged:.0%} of their answers damaged")
    print(f"battery after: {times_text([start.battery for start in starts])}; later than {WITHIN:.0f} s: {late}")
    print(f"CCL or DCL 0 A after that: in {len(zero)} starts" + (f", for {times_text(zero)}" if zero else ""))
    return 0 if all(start.well for start in starts) else 1


if __name__ == "__main__":
    sys.exit(main())
