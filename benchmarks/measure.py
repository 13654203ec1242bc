"""One command for a benchmark run: ``scripts/bench [NAME ...]`` runs benchmarks and prints one table."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from figures import FIGURES, GROUPS
from quick import LEFT_OUT
from table import Row, results, rows, text

from packbank.cli.bench import this_machine

FOLDER = Path(__file__).parent
SCHEMA = 1  # of --json
BUSY = 0.5  # processes a core: above it, other work disturbs what is measured
QUICK = ("-p", "quick", "--benchmark-max-time=0.1")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Run the benchmarks beside their rivals and print one table.",
        epilog="'times' is what the rival takes for one of ours. The floor is what no program can be below: the time "
        "of the bytes on the wire with the pauses of the packs, or the least that a C program spends. Arithmetic is "
        "timed in the machine's quietest moment. Exit codes: 0, or 1 when a benchmark failed; a missed budget is "
        "marked and no failure.",
    )
    made.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(GROUPS)}")
    made.add_argument("--quick", action="store_true", help="all in under two minutes; the figures are rougher")
    made.add_argument("--json", metavar="FILE", help="also write the rows to FILE; '-': to standard output, no table")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    made = parser()
    args = made.parse_args(argv)
    if unknown := set(args.names) - set(GROUPS):
        made.error(f"there is no {', '.join(sorted(unknown))}; choose from {', '.join(GROUPS)}")
    names = [group for group in GROUPS if group in args.names or not args.names]
    machine = this_machine()
    code, report = run_pytest(names, quick=args.quick)
    left_out = LEFT_OUT if args.quick else frozenset()
    figures = [figure for figure in FIGURES if figure.group in names and figure.ours.test not in left_out]
    shown = rows(figures, results(report))
    load = os.getloadavg()[0]
    busy = machine.load > BUSY * (machine.cores or 1)
    if args.json:
        head = {"schema": SCHEMA, "quick": args.quick, "busy": busy, "load_after": load, "machine": asdict(machine)}
        write(args.json, head | {"rows": [asdict(row) for row in shown]})
    if args.json != "-":
        print(f"{machine.processor}, {machine.cores} cores; Python {machine.python}, numpy {machine.numpy}")
        print(f"load {machine.load:.2f} before, {load:.2f} after (with the benchmarks' own)")
        if busy:
            print("The machine was busy with other work: do not judge by these figures.")
        if args.quick:
            print("Quick form: runs of seconds, begun while the packs are still learnt; some figures are left out.")
        print("\n".join(["", *text(shown, excuse(quick=args.quick, busy=busy))]))
    return 1 if code or missing(shown) else 0


def run_pytest(names: Sequence[str], *, quick: bool) -> tuple[int, dict[str, Any]]:
    """Exit code and report of a pytest run; what it says goes to standard error."""
    with tempfile.TemporaryDirectory(prefix="packbank-bench-") as folder:
        file = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "-v", "-o", "addopts=", "--benchmark-quiet"]
        command += [f"--benchmark-json={file}", *(QUICK if quick else ())]
        command += [str(FOLDER / f"bench_{name}.py") for name in names]
        environment = os.environ | {"PYTHONPATH": str(FOLDER)}  # for -p
        code = subprocess.run(command, stdout=sys.stderr, cwd=FOLDER.parent, env=environment, check=False).returncode
        written = file.read_text(encoding="utf-8") if file.exists() else ""
    return code, json.loads(written) if written else {"benchmarks": []}


def excuse(*, quick: bool, busy: bool) -> str:
    reasons = [word for word, holds in (("quick form", quick), ("machine busy", busy)) if holds]
    return f"({', '.join(reasons)})" if reasons else ""


def missing(shown: Sequence[Row]) -> bool:
    return any(row.ours is None for row in shown)


def write(target: str, what: dict[str, object]) -> None:
    written = json.dumps(what, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(written)
    else:
        Path(target).write_text(written, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
