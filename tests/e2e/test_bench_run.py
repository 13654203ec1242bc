"""``scripts/bench`` as its users start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from packbank.cli.private_bus import missing

pytest.importorskip("serial")

ROOT = Path(__file__).parents[2]
MEASURE = [sys.executable, "benchmarks/measure.py"]  # scripts/bench is this behind scripts/setup


def measure(*arguments: str) -> subprocess.CompletedProcess[str]:
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    return subprocess.run(
        [*MEASURE, *arguments], cwd=ROOT, env=alone, capture_output=True, text=True, timeout=250, check=False
    )


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
def test_the_quick_form_of_some_fills_their_rows(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    result = measure("--quick", "--json", str(file), "decode", "checksum", "publish")
    assert result.returncode == 0, result.stderr
    said = json.loads(file.read_text())
    assert said["quick"] is True
    assert {row["group"] for row in said["rows"]} == {"checksum", "decode", "publish"}
    assert all(row["ours"] > 0 for row in said["rows"])
    assert all(row["rival"] > 0 and row["ratio"] > 0 for row in said["rows"] if row["group"] != "publish")
    assert all(row["floor"] > 0 for row in said["rows"] if row["group"] != "publish")
    lines = result.stdout.splitlines()
    assert any(line.startswith("Quick form") for line in lines)
    assert sum("fastcrc" in line for line in lines) == 3


@pytest.mark.slow
def test_json_to_standard_output_is_all_there_is() -> None:
    result = measure("--quick", "--json", "-", "checksum")
    assert result.returncode == 0, result.stderr
    assert {row["group"] for row in json.loads(result.stdout)["rows"]} == {"checksum"}


def test_a_name_that_is_none_is_refused_with_those_there_are() -> None:
    result = measure("decode", "steam")
    assert result.returncode == 2
    assert "there is no steam; choose from checksum, decode" in result.stderr
