"""``packbank trial``: what limits do to the packs of a simulated bank, ours beside other projects' rules."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from packbank.sim.plot import Trace, draw
from packbank.sim.policy import POLICIES
from packbank.sim.scenarios import SCENARIOS
from packbank.sim.trial import Result, Run, best_possible, broken, trial

EPILOG = """Policies: 'share' is packbank's own; 'n-min' is the smallest limit of a pack times the number of packs,
'sum' is all limits added up. All see the same packs and give each pack the same limit of its own.

Exit code 1: our own policy let a pack go over its limit for too long, let a BMS trip, or wasted too much current.

Example: packbank trial --scenario mixed --packs 64 --plot mixed.png
"""
COLUMNS = (
    ("scenario", "scenario", 14),
    ("policy", "policy", 7),
    ("worst_overshoot", "worst over", 11),
    ("overshoot_seconds", "over 5 %, s", 12),
    ("bms_trips", "trips", 6),
    ("current_utilisation", "current", 8),
    ("energy_utilisation", "energy", 8),
    ("limit_changes_per_minute", "changes/min", 12),
    ("all_full_hours", "all full, h", 12),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    scenarios = "\n".join(f"  {s.name:14} {s.summary} ({s.hours:g} h)" for s in SCENARIOS.values())
    parser.epilog = f"Scenarios:\n{scenarios}\n\n{EPILOG}"
    parser.add_argument("--scenario", choices=[*SCENARIOS, "all"], default="mixed", metavar="NAME", help="or 'all'")
    parser.add_argument("--packs", type=_at_least(2), default=16, metavar="N", help="default 16")
    parser.add_argument("--hours", type=float, metavar="H", help="simulated; default: the scenario's own")
    parser.add_argument("--seed", type=int, default=0, metavar="K", help="another bank and other weather")
    parser.add_argument("--policy", choices=POLICIES, help="default: all, side by side")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the run of the (first) policy")


def _at_least(lowest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if (value := int(text)) < lowest:
            raise argparse.ArgumentTypeError(f"at least {lowest}")
        return value

    return number


def run(args: argparse.Namespace) -> int:
    """Run the trial."""
    scenarios = list(SCENARIOS.values()) if args.scenario == "all" else [SCENARIOS[args.scenario]]
    policies: Sequence[str] = [args.policy] if args.policy else POLICIES
    if not args.json:
        print("".join(f"{title:>{width}}" for _, title, width in COLUMNS))
    faults: list[str] = []
    for scenario in scenarios:
        hours = args.hours or scenario.hours
        best = best_possible(scenario, args.packs, hours, args.seed)
        for name in policies:
            trace = Trace(every=hours * 3.6)
            plotted = bool(args.plot) and name == policies[0]
            result, score = trial(
                Run(scenario, name, args.packs, args.seed), hours, best, _tell(name, hours, trace if plotted else None)
            )
            print(json.dumps(result.json()) if args.json else _line(result), flush=True)
            if name == "share":
                faults += [f"{scenario.name}: {fault}" for fault in broken(scenario, result, score)]
            if plotted:
                draw(trace, f"{scenario.name}: {scenario.summary}; {args.packs} packs, policy {name}", args.plot)
    for fault in faults:
        print(f"broken: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _tell(name: str, hours: float, trace: Trace | None) -> Callable[[Run], None] | None:
    """What to call after every step: the trace of a plot, and progress for somebody who watches."""
    watched = sys.stderr.isatty()
    if trace is None and not watched:
        return None

    def tell(run: Run) -> None:
        if trace is not None:
            trace(run)
        second = int(run.bank.time)
        if watched and second % 600 == 0:
            end = "\r" if second < hours * 3600 else "\r\033[K"
            print(f"{run.scenario.name}, {name}: {second / 36 / hours:.0f} %", end=end, file=sys.stderr, flush=True)

    return tell


def _line(result: Result) -> str:
    return "".join(f"{_cell(key, getattr(result, key)):>{width}}" for key, _, width in COLUMNS)


def _cell(key: str, value: object) -> str:
    if not isinstance(value, float):
        return "-" if value is None else str(value)
    if key in {"worst_overshoot", "current_utilisation", "energy_utilisation"}:
        return f"{value:.1%}"
    return f"{value:.0f}" if key == "overshoot_seconds" else f"{value:.2f}"
