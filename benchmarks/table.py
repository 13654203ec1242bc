"""From pytest-benchmark's JSON to the rows of one table, and from these to text. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from figures import At, Figure

SCALES = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 1.0, "median": 1.0}  # keys' last words that are times
PREFIXES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
HEAD = ("group", "what", "ours", "rival", "times", "floor", "budget", "")
NUMERIC = (False, False, True, True, True, True, True, False)

Results = Mapping[str, Mapping[str, float]]  # "bench_x.py::test_y[z]" -> key -> number, times in s


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table, with the keys of the JSON. Unknown and not applicable are ``None``."""

    group: str
    what: str
    unit: str  # s, MB or "" for what is counted
    ours: float | None
    rival: float | None
    against: str  # the rival's name
    ratio: float | None  # rival / ours: how many times as much the rival takes
    floor: float | None
    budget: float | None
    within: bool | None  # whether the budget is kept


def results(report: Mapping[str, Any]) -> Results:
    """The numbers of a report that ``--benchmark-json`` wrote: ``extra_info`` and statistics of each test."""
    return {
        bench["fullname"].rpartition("/")[2]: {
            key: value * scale(key)
            for key, value in (bench["stats"] | bench["extra_info"]).items()
            if isinstance(value, int | float)
        }
        for bench in report["benchmarks"]
    }


def unit(key: str) -> str:
    """``"s"``, ``"MB"`` or ``""``, as the key's last word before ``_a_`` says."""
    word = _last_word(key)
    return "s" if word in SCALES else "MB" if word == "mb" else ""


def scale(key: str) -> float:
    """What a number under ``key`` is to be multiplied by."""
    return SCALES.get(_last_word(key), 1.0)


def _last_word(key: str) -> str:
    return key.partition("_a_")[0].rpartition("_")[2]


def rows(figures: Iterable[Figure], numbers: Results) -> list[Row]:
    """A row for each figure; one without a number of ours stays, so that nobody overlooks it."""
    return [_row(figure, numbers) for figure in figures]


def _row(figure: Figure, numbers: Results) -> Row:
    def look_up(place: At | float | None) -> float | None:
        if isinstance(place, At):
            return numbers.get(f"bench_{figure.group}.py::{place.test}", {}).get(place.key)
        return place

    ours, rival, budget = look_up(figure.ours), look_up(figure.rival), look_up(figure.budget)
    return Row(
        group=figure.group,
        what=figure.what,
        unit=unit(figure.ours.key),
        ours=ours,
        rival=rival,
        against=figure.against,
        ratio=rival / ours if rival is not None and ours else None,
        floor=look_up(figure.floor),
        budget=budget,
        within=None if ours is None or budget is None else ours <= budget,
    )


def text(shown: Sequence[Row], excuse: str = "") -> list[str]:
    """The table in lines. ``excuse`` stands behind a missed budget, when this run is not one to judge by."""
    cells = [HEAD, *(_cells(row, excuse) for row in shown)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    aligned = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, NUMERIC, strict=True)
        )
        for line in cells
    ]
    return [line.rstrip() for line in aligned]


def _cells(row: Row, excuse: str) -> tuple[str, ...]:
    rival = quantity(row.rival, row.unit)
    verdict = "" if row.within is None else "kept" if row.within else f"MISSED {excuse}".rstrip()
    return (
        row.group,
        row.what,
        quantity(row.ours, row.unit) or "no figure",
        f"{row.against} {rival or 'no figure'}" if row.against else "",
        "" if row.ratio is None else f"{row.ratio:.2g}" if row.ratio < 10 else f"{row.ratio:.0f}",
        quantity(row.floor, "s" if row.unit else ""),
        quantity(row.budget, row.unit),
        verdict,
    )


def quantity(value: float | None, unit: str) -> str:
    """Three digits with the unit, a time with the prefix that suits it; ``""`` for None."""
    if value is None:
        return ""
    if unit == "s" and value > 0:
        rounded = float(f"{value:.3g}")
        size, unit = next((prefix for prefix in PREFIXES if rounded >= prefix[0]), PREFIXES[-1])
        value = rounded / size
    return f"{_three(value)} {unit}".rstrip()


def _three(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
