"""The declared figures against the benchmarks that there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from figures import FIGURES, GROUPS, At

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "benchmarks").glob("bench_*.py"))


def test_every_benchmark_has_figures() -> None:
    assert sorted(GROUPS) == [file.stem.removeprefix("bench_") for file in FILES]


def test_every_figure_has_a_benchmark() -> None:
    for module in ("dbus", "gi", "serial"):
        pytest.importorskip(module)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=", *map(str, FILES)]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    collected = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=alone, timeout=300, check=False)
    assert collected.returncode == 0, collected.stdout + collected.stderr
    tests = {line.rpartition("/")[2] for line in collected.stdout.splitlines()}
    places = [
        f"bench_{figure.group}.py::{at.test}"
        for figure in FIGURES
        for at in (figure.ours, figure.rival, figure.floor, figure.budget)
        if isinstance(at, At)
    ]
    assert [place for place in places if place not in tests] == []
