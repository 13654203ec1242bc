"""``packbank trial``: what limits do to the packs of a simulated bank, ours beside other rules and an ideal one."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packbank.cli.progress import open_countdown
from packbank.config.keys import bank_keys
from packbank.errors import ConfigError, PackbankError
from packbank.sim.oracle import ORACLE
from packbank.sim.plot import Trace, draw
from packbank.sim.policy import PACKBANK, RIVALS
from packbank.sim.scenario import Scenario
from packbank.sim.scenarios import SCENARIOS
from packbank.sim.trial import Result, Run
from packbank.sim.verdict import Summary, broken, in_all, naming

POLICIES = (PACKBANK, *RIVALS, ORACLE)
EPILOG = """Policies: 'packbank' is ours; 'n-min' is the smallest limit of a pack times the number of packs, 'sum' is
all limits added up; 'oracle' knows the true network. The first three see the same packs with the same own limits.

What the columns mean:
  trips     what BMSes switched off by themselves, all seeds together; 're': of these, packs that had tripped before
  over 5    seconds in which some pack's true current was more than 5 % over its own limit, in the worst seed
  over 20   the same for 20 %
  worst     the largest excess over a pack's own limit
  use       utilisation: the bank's current against the best possible one, where more was wanted; mean of the seeds
  least     the lowest use of a seed
  turns     how often a minute a limit turns from falling to rising or back
  recovery  seconds from the first full load or sun until the limit stays above 95 % of the best possible

The line below has what else the scenario is about: wrong sensors that are named (seconds from the first step of the
current), false alarms, charge at a CCL of 0, what was exported, turns of CVL, charge stages.

Exit code 1: packbank broke what is asked of it in a scenario, and the oracle did not.

Example: packbank trial --scenario ladder clouds --seeds 5 --jobs 2
         packbank trial --scenario 'zero-*' 'inverted-*' --seeds 16     # 16 seeds: each place of 16 packs
"""


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


COLUMNS: tuple[tuple[str, int, Callable[[Summary], str]], ...] = (
    ("packs", 6, lambda all_: str(all_.first.packs)),
    ("trips", 6, lambda all_: str(all_.trips)),
    ("re", 5, lambda all_: str(sum(run.repeated_trips for run in all_.runs))),
    ("over 5", 8, lambda all_: f"{all_.worst(lambda run: run.over_5):.0f} s"),
    ("over 20", 8, lambda all_: f"{all_.worst(lambda run: run.over_20):.0f} s"),
    ("worst", 7, lambda all_: _percent(all_.worst(lambda run: run.worst))),
    ("use", 6, lambda all_: _percent(all_.use)),
    ("least", 6, lambda all_: _percent(all_.least_use)),
    ("turns", 6, lambda all_: f"{all_.worst(lambda run: run.turns):.2f}"),
    ("recovery", 9, lambda all_: "-" if all_.recovery is None else f"{all_.recovery:.0f} s"),
)
WORDS = """
use: the bank's current against the best possible; recovery: seconds until the limit stays near the best;
trips: BMSes that switched off, re: of these, once more; over 5, over 20: seconds more than that per cent over a pack's
own limit; least: the lowest seed's use; turns: of a limit, a minute. More in: packbank trial --help"""


@dataclass(frozen=True, slots=True)
class Task:
    """One run, as a worker gets it."""

    scenario: Scenario
    policy: str
    packs: int
    seed: int

    @property
    def weight(self) -> float:
        """About what it costs."""
        return self.scenario.seconds / self.scenario.step * (100 + self.packs)

    def run(self, each_second: Callable[[Run], None] | None = None) -> Result:
        """Simulate."""
        return Run(self.scenario, self.policy, self.packs, self.seed).play(self.scenario.seconds, each_second)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    scenarios = "\n".join(
        f"  {s.name:23}{s.summary} ({s.seconds / 60:g} min{', not in all' if s.apart else ''})"
        for s in SCENARIOS.values()
    )
    parser.epilog = f"Scenarios:\n{scenarios}\n\n{EPILOG}"
    parser.add_argument(
        "--scenario", type=_known, nargs="+", default=["all"], metavar="NAME", help="default: all; may have * in it"
    )
    parser.add_argument("--packs", type=_at_least(2), metavar="N", help="default: the scenario's own")
    parser.add_argument("--hours", type=float, metavar="H", help="simulated; default: the scenario's own")
    parser.add_argument("--seed", type=int, default=0, metavar="K", help="the first seed: another bank and weather")
    parser.add_argument("--seeds", type=_at_least(1), default=1, metavar="N", help="how many seeds; default 1")
    parser.add_argument(
        "--policy", choices=POLICIES, nargs="+", default=[PACKBANK, ORACLE], help="default: packbank and the oracle"
    )
    parser.add_argument(
        "--delay", type=float, metavar="S", help="the BMSes' delay of the charge over-current protection; default 3 s"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a key of config.ini for the bank as a whole"
    )
    parser.add_argument("--jobs", type=_at_least(1), metavar="N", help="processes; default: one a core")
    parser.add_argument("--json", action="store_true", help="one object a line, a run each")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the first run; needs matplotlib")


def _known(pattern: str) -> str:
    """A name or pattern that some scenario has."""
    if pattern != "all" and not any(fnmatchcase(name, pattern) for name in SCENARIOS):
        raise argparse.ArgumentTypeError(f"there is no scenario {pattern}; packbank trial --help lists them")
    return pattern


def _at_least(lowest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if (value := int(text)) < lowest:
            raise argparse.ArgumentTypeError(f"at least {lowest}")
        return value

    return number


def run(args: argparse.Namespace) -> int:
    """Run the trial."""
    if args.plot:
        _check_plot(args.plot)
    tasks = _tasks(args)
    show = _show_json if args.json else _show_table
    waiting = list(dict.fromkeys(task.scenario.name for task in tasks))
    results: dict[Task, Result] = {}
    if not args.json:
        print(f"{'scenario':23}{'policy':9}" + "".join(f"{title:>{width}}" for title, width, _ in COLUMNS))
    for task, result in _results(tasks, args.jobs or len(os.sched_getaffinity(0)), args.plot):
        results[task] = result
        while waiting and all(one in results for one in tasks if one.scenario.name == waiting[0]):
            name = waiting.pop(0)
            show({one: results[one] for one in tasks if one.scenario.name == name})
    if not args.json:
        _print_end(tasks, results)
    faults = [f"{task.scenario.name}, seed {task.seed}: {fault}" for task in tasks for fault in _faults(task, results)]
    faults += _unnamed(results)
    for fault in faults:
        print(f"broken: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _check_plot(path: Path) -> None:
    """Say now, not after the simulation, why there can be no picture."""
    if find_spec("matplotlib") is None:
        raise PackbankError(f"--plot needs matplotlib; install it with: {sys.executable} -m pip install matplotlib")
    if not path.absolute().parent.is_dir():
        raise PackbankError(f"--plot {path}: there is no folder {path.absolute().parent}; make it first")


def _tasks(args: argparse.Namespace) -> list[Task]:
    everything = "all" in args.scenario
    chosen = [
        row
        for row in SCENARIOS.values()
        if (everything and not row.apart) or any(fnmatchcase(row.name, pattern) for pattern in args.scenario)
    ]
    changed = _settings(args.set)
    tasks = []
    for scenario in chosen:
        delay = scenario.bank.charge_delay if args.delay is None else args.delay
        scenario = replace(  # noqa: PLW2901
            scenario,
            bank=replace(scenario.bank, charge_delay=delay),
            settings=replace(scenario.settings, **changed),
            seconds=args.hours * 3600 if args.hours else scenario.seconds,
        )
        packs = args.packs or scenario.packs
        seeds = range(args.seed, args.seed + args.seeds)
        tasks += [Task(scenario, policy, packs, seed) for policy in args.policy for seed in seeds]
    return tasks


def _settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Values of keys by field name."""
    known, values = bank_keys(), {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        if name not in known:
            raise ConfigError(f"--set {pair}: {name} is no key of the bank as a whole; docs/config.md lists them")
        try:
            values[known[name].field] = known[name].parse(text)
        except ValueError as error:
            raise ConfigError(f"--set {pair}: {error}") from error
    return values


def _results(tasks: Sequence[Task], jobs: int, plot: Path | None) -> Iterator[tuple[Task, Result]]:
    """Every task with its result, as they come."""
    with open_countdown(f"{len(tasks)} runs", sum(task.weight for task in tasks)) as done:
        if plot:
            first, *tasks = tasks
            trace = Trace(every=first.scenario.seconds / 1000)
            yield first, first.run(trace)
            draw(trace, f"{first.scenario.name}: {first.scenario.summary}; {first.packs} packs, {first.policy}", plot)
            done(first.weight)
        if jobs == 1 or len(tasks) < 2:
            for task in tasks:
                yield task, task.run(_share_of(task, done))
            return
        with ProcessPoolExecutor(min(jobs, len(tasks))) as pool:
            running = {pool.submit(Task.run, task): task for task in tasks}
            for future in as_completed(running):
                yield running[future], future.result()
                done(running[future].weight)


def _share_of(task: Task, done: Callable[[float], None]) -> Callable[[Run], None]:
    """Reports the progress of a run to ``done``, in hundredths."""
    reported = 0

    def each_second(run: Run) -> None:
        nonlocal reported
        percent = int(100 * run.bank.time / task.scenario.seconds)
        if percent > reported:
            done((percent - reported) / 100 * task.weight)
            reported = percent

    return each_second


def _show_json(results: dict[Task, Result]) -> None:
    for result in results.values():
        print(json.dumps(result.json()), flush=True)


def _show_table(results: dict[Task, Result]) -> None:
    """The lines of one scenario."""
    for policy, summary in _summaries(results).items():
        name = summary.first.scenario
        print(f"{name:23}{policy:9}" + "".join(f"{text(summary):>{width}}" for _, width, text in COLUMNS))
        if policy != ORACLE:
            print(f"    {summary.words()}", flush=True)


def _summaries(results: dict[Task, Result]) -> dict[str, Summary]:
    """The runs of one scenario by policy."""
    return {
        policy: Summary([result for task, result in results.items() if task.policy == policy])
        for policy in dict.fromkeys(task.policy for task in results)
    }


def _print_end(tasks: Sequence[Task], results: dict[Task, Result]) -> None:
    ours = []
    for scenario in dict.fromkeys(task.scenario for task in tasks if task.policy == PACKBANK):
        runs = [results[task] for task in tasks if (task.scenario, task.policy) == (scenario, PACKBANK)]
        ours.append((scenario.ask, Summary(runs)))
    if len(ours) > 1:
        print(f"\npackbank {in_all(ours)}")
    print(WORDS)


def _faults(task: Task, results: dict[Task, Result]) -> list[str]:
    if task.policy != PACKBANK:
        return []
    return broken(task.scenario.ask, results[task], results.get(replace(task, policy=ORACLE)))


def _unnamed(results: dict[Task, Result]) -> list[str]:
    """What is broken over all runs together."""
    ours = [(task.scenario.ask.named, result) for task, result in results.items() if task.policy == PACKBANK]
    faults = (naming([run for most, run in ours if most == within], within) for within in {most for most, _ in ours})
    return [fault for fault in faults if fault]
