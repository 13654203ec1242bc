"""The table of ``scripts/bench``: from pytest-benchmark's JSON to rows, and from rows to text."""

from __future__ import annotations

from typing import Any

import pytest
from figures import FIGURES, At, Figure
from table import Row, quantity, results, rows, text, unit

FIGURE = Figure(
    "decode", "an answer", At("test_d[kernel]", "net_ns"), "struct", At("test_d[struct]", "net_ns"),
    At("test_d[kernel]", "wire_ms"), 0.3e-6,
)  # fmt: skip


def bench(name: str, stats: dict[str, Any], **extra: float | str | None) -> dict[str, Any]:
    return {"fullname": f"benchmarks/bench_decode.py::{name}", "stats": stats, "extra_info": extra}


REPORT = {
    "benchmarks": [
        bench("test_d[kernel]", {"min": 4e-7, "rounds": 5}, net_ns=250, wire_ms=26.7, remark="none", unknown=None),
        bench("test_d[struct]", {"min": 2e-5}, net_ns=16_000),
    ]
}


def test_results_are_numbers_in_seconds() -> None:
    found = results(REPORT)
    assert found["bench_decode.py::test_d[kernel]"] == {
        "min": 4e-7, "rounds": 5, "net_ns": pytest.approx(250e-9), "wire_ms": pytest.approx(26.7e-3)
    }  # fmt: skip


def test_a_row_has_its_rival_of_the_same_run_its_floor_and_its_budget() -> None:
    (row,) = rows([FIGURE], results(REPORT))
    assert (row.group, row.what, row.unit, row.against, row.within) == ("decode", "an answer", "s", "struct", True)
    assert row.ours == pytest.approx(250e-9)
    assert row.ratio == pytest.approx(64.0)
    assert row.floor == pytest.approx(26.7e-3)


def test_a_budget_may_be_the_rival() -> None:
    report = {"benchmarks": [bench("test_d[kernel]", {}, net_ns=90), bench("test_d[struct]", {}, net_ns=80)]}
    (row,) = rows([FIGURE._replace(budget=FIGURE.rival)], results(report))
    assert row.budget == pytest.approx(80e-9)
    assert row.within is False


def test_a_benchmark_that_failed_is_shown_without_a_figure() -> None:
    (row,) = rows([FIGURE], results({"benchmarks": []}))
    assert (row.ours, row.rival, row.ratio, row.within) == (None, None, None, None)
    line = text([row])[1]
    assert "no figure" in line
    assert "struct no figure" in line
    assert "kept" not in line


def test_none_lost_has_no_ratio_and_is_within_none() -> None:
    figure = Figure("decode", "lost", At("test_d[kernel]", "lost"), budget=0.0)
    (row,) = rows([figure], results({"benchmarks": [bench("test_d[kernel]", {}, lost=0)]}))
    assert (row.ours, row.budget, row.within, row.ratio, row.unit) == (0, 0, True, None, "")
    assert text([row])[1].split() == ["decode", "lost", "0", "0", "kept"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [("net_ns", "s"), ("cpu_s_a_minute", "s"), ("listener_us_a_second", "s"), ("min", "s"), ("memory_mb", "MB"),
     ("signals_a_second", ""), ("lost", ""), ("context_switches", "")],
)  # fmt: skip
def test_a_key_says_its_unit(key: str, expected: str) -> None:
    assert unit(key) == expected


@pytest.mark.parametrize(
    ("value", "of", "expected"),
    [(None, "s", ""), (0.0, "s", "0 s"), (2.8e-7, "s", "280 ns"), (1.234e-6, "s", "1.23 us"), (0.0267, "s", "26.7 ms"),
     (1.15, "s", "1.15 s"), (125.4, "s", "125 s"), (1e-12, "s", "0.001 ns"), (41.25, "MB", "41.2 MB"), (798, "", "798"),
     (0.0009996, "s", "1 ms"), (2.236, "", "2.24")],
)  # fmt: skip
def test_quantities_have_three_digits_and_a_prefix_that_suits(value: float | None, of: str, expected: str) -> None:
    assert quantity(value, of) == expected


def test_columns_are_aligned_and_a_missed_budget_stands_out() -> None:
    kept = Row("a", "one", "s", 1e-3, 2e-3, "plain", 2.0, None, 1e-3, True)
    missed = Row("bb", "two", "s", 2.0, None, "", None, 1.0, 1.0, False)
    head, first, second = text([kept, missed], "(machine busy)")
    assert head.split() == ["group", "what", "ours", "rival", "times", "floor", "budget"]
    assert first.endswith("1 ms  kept")
    assert second.endswith("1 s  MISSED (machine busy)")
    assert first.index("1 ms") + len("1 ms") == second.index("2 s") + len("2 s") == head.index("ours") + len("ours")


def test_every_rival_has_a_name_and_every_name_a_rival() -> None:
    assert all(bool(figure.against) == (figure.rival is not None) for figure in FIGURES)
    assert len({(figure.group, figure.what) for figure in FIGURES}) == len(FIGURES)
