"""The compiled judgement of current sensors against the same rules written with arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from packbank.aggregator import evidence
from packbank.aggregator.evidence import (
    ALIKE,
    DEAF,
    FOLLOWS,
    JUMP,
    LEAST,
    MOVED,
    OTHERS_ERROR,
    SEEN,
    STILL,
    STILL_FROM,
    SURE,
    UNLIKE,
    Evidence,
)
from packbank.aggregator.strings import HIGHEST, LOWEST, PRIOR
from packbank.cext.evidence import differences

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Step(NamedTuple):
    """A step by its rows."""

    reported: Floats
    cells: Floats
    error: Floats
    drift: Floats
    deaf: Bools
    shunt: float


class Known(NamedTuple):
    among: Bools
    heard: Bools
    size: Floats
    ratio: Floats
    ohms: float
    worked: Bools
    wrong: Bools


def judge(step: Step, known: Known) -> Evidence:
    """Hold each sensor against what the cells show."""
    reported = np.where(known.among & ~np.isnan(step.reported), step.reported, 0.0)
    size = known.size
    movers = _movers(reported, step, size) & known.among
    right = movers & ~known.wrong
    right = right if np.count_nonzero(right) else movers
    ohms, level, moved = known.ohms, 0.0, 0.0
    if np.count_nonzero(right):
        level = float(np.median(reported[right] / size[right]))
        moved = float(np.median(step.cells[right]))
        ohms = _ohms(reported[right], step.cells[right], size[right] / known.ratio[right], moved, step, known)
    elif not np.isnan(step.shunt):
        level = step.shunt / float(np.add.reduce(size, where=known.among, initial=1e-9))
    shown, error = _shown(step, reported, known, ohms, level)
    by_cells = known.ratio * ohms / size  # V by one A
    common, drift = _common(step.cells - reported * by_cells, known.among) / by_cells, step.drift / by_cells
    least = np.maximum(np.where(step.deaf & ~known.worked, LEAST[1], LEAST[0]), SURE * error)
    moves = np.abs(shown)
    apart = known.among & (reported * np.sign(shown) < FOLLOWS * moves)
    hints = apart & (level != 0.0) & (moves - UNLIKE * common >= least)
    lying = hints & (moves - common - np.nan_to_num(drift) >= least)
    jumps = known.among & _jumps(reported, shown, error, size, 3.0 * common + drift)
    if 3 * np.count_nonzero(jumps) > np.count_nonzero(known.among) > 2:
        jumps[:] = False  # cells that show nothing of anybody are no witness: they are reported late, or made up
    fits = movers & (np.abs(shown) >= SEEN * error) & ~lying
    ratio = reported / np.where(fits, shown, 1.0)
    fits &= (ratio >= ALIKE[0]) & (ratio <= ALIKE[1])
    idle = known.heard & ~lying & ~fits & _idle(reported, shown, error, level * size)
    hints, jumping = hints & ~fits, jumps & ~lying & ~fits
    return Evidence(
        fits=fits,
        lies=(lying | jumps) & ~fits,
        jumps=jumping,
        hints=hints,
        open=apart & (level != 0.0) & (moves - common >= SEEN * error) & ~lying & ~fits,
        idle=idle,
        doubts=(hints | jumping) & ~idle,
        shown=shown,
        ohms=ohms,
        level=level,
        cells=moved,
    )


def _movers(reported: Floats, step: Step, size: Floats) -> Bools:
    """Packs whose sensor and cells moved the same way."""
    enough = np.abs(reported) >= np.maximum(MOVED[0], MOVED[1] * size)
    movers: Bools = enough & (step.cells * reported > 0.0) & (np.abs(step.cells) >= SEEN * step.error)
    return movers


def _shown(step: Step, reported: Floats, known: Known, ohms: float, level: float) -> tuple[Floats, Floats]:
    """A by which each pack's current moved as its cells show it, and its standard deviation; with a shunt, both."""
    by_cells = known.ratio * ohms / known.size
    shown, error = step.cells / by_cells, step.error / by_cells
    if np.isnan(step.shunt) or not level:
        return shown, error
    expected = level * known.size
    deaf = known.among & (reported * np.sign(level) < FOLLOWS * np.abs(expected))
    if np.count_nonzero(deaf) != 1:
        return shown, error
    pack = int(deaf.argmax())
    others = np.where(deaf, 0.0, reported)
    left = step.shunt - float(np.add.reduce(others))
    if not abs(left) <= 4.0 * abs(expected[pack]):
        return shown, error  # the shunt measures something else, too
    left_error = float(np.hypot(OTHERS_ERROR[0], OTHERS_ERROR[1] * np.sqrt(np.add.reduce(others * others))))
    shown, error = shown.copy(), error.copy()
    if np.isnan(shown[pack]):
        shown[pack], error[pack] = left, left_error
        return shown, error
    weights = 1.0 / np.array([error[pack] ** 2, left_error**2])
    shown[pack] = float(weights @ [shown[pack], left]) / float(weights.sum())
    error[pack] = float(weights.sum()) ** -0.5
    return shown, error


def _ohms(reported: Floats, cells: Floats, size: Floats, moved: float, step: Step, known: Known) -> float:
    """Ohm times Ah of a cell as the movers show it, the nearer to what was known the more their drift may have done."""
    seen = min(max(float(np.median(cells * size / reported)), LOWEST * PRIOR), HIGHEST * PRIOR)
    around = (step.drift + step.error)[known.among]
    around = around[~np.isnan(around)]
    if not len(around):
        return known.ohms
    doubt = 2.0 * float(np.median(around))
    return known.ohms + (seen - known.ohms) * moved * moved / (moved * moved + doubt * doubt)


def _common(off: Floats, among: Bools) -> float:
    """V by which the cells of half of the packs moved otherwise than their sensors say: what all cells drift alike."""
    known = np.abs(off[among & ~np.isnan(off)])
    if len(known) < 2:
        return 0.0
    middle = (len(known) - 1) // 2
    return float(np.partition(known, middle)[middle])


def _jumps(reported: Floats, shown: Floats, error: Floats, size: Floats, drift: Floats) -> Bools:
    """Sensors that moved while the cells did not, although these would have shown it whatever they drift."""
    moved = np.abs(reported)
    jump: Bools = (
        (moved >= np.maximum(JUMP[0], JUMP[1] * size))
        & (np.abs(shown) <= FOLLOWS * moved)
        & (SURE * error + np.nan_to_num(drift) <= (0.5 - FOLLOWS) * moved)
    )
    return jump


def _idle(reported: Floats, shown: Floats, error: Floats, expected: Floats) -> Bools:
    """Packs that carry nothing: their cells stand still where they would have moved."""
    would = np.abs(expected)
    idle: Bools = (
        (np.abs(reported) <= DEAF)
        & (np.abs(shown) <= STILL * would)
        & (would >= np.maximum(STILL_FROM, (SURE + SEEN / 2) * error))
    )
    return idle


DRAWN = {"seed": st.integers(0, 100_000), "packs": st.integers(1, 30)}


def drawn(seed: int, packs: int, *, shunt: bool) -> tuple[Step, Known, Floats]:
    """A step of a bank of which some sensors lie and some packs carry nothing; when each was heard."""
    random = np.random.default_rng(seed)
    size, ratio = random.uniform(50.0, 300.0, packs), random.uniform(0.5, 2.0, packs)
    each = random.choice([0.02, 0.05, 0.3, 0.6]) * random.choice([-1.0, 1.0])
    true = each * size * random.uniform(0.7, 1.3, packs) * (random.random(packs) < 0.9)
    kind = random.random(packs)
    shown = np.select(
        [kind < 0.08, kind < 0.16, kind < 0.24, kind < 0.3], [0.0, -true, true + 60.0, np.nan], true
    ) + random.normal(0.0, 0.2, packs)
    error = 0.001 * np.sqrt(2.0 / random.choice([4, 8, 16], packs))
    cells = true * ratio * PRIOR / size + random.normal(0.0, 1.0, packs) * error + random.choice([0.0, 0.002])
    cells[random.random(packs) < 0.05] = np.nan
    drift = random.uniform(0.0, random.choice([0.0005, 0.004]), packs)
    drift[random.random(packs) < 0.05] = np.nan
    status = random.choice([95.0, 101.0, 103.0], packs, p=[0.1, 0.2, 0.7])
    closed = random.random(packs) < 0.95
    whole = float(true.sum() + random.normal(0.0, 2.0)) if shunt else np.nan
    step = Step(shown, cells, error, drift, np.abs(np.nan_to_num(shown)) <= DEAF, whole)
    known = Known(
        closed & (status > 100.0),
        closed & (status > 102.0),
        size,
        ratio,
        PRIOR * random.uniform(0.5, 2.0),
        random.random(packs) < 0.5,
        random.random(packs) < 0.1,
    )
    return step, known, np.where(closed, status, 99.0)


@given(**DRAWN, shunt=st.booleans())
@settings(max_examples=500, deadline=None)
def test_each_sensor_is_held_against_its_cells(seed: int, packs: int, *, shunt: bool) -> None:
    step, known, status = drawn(seed, packs, shunt=shunt)
    compiled = evidence.judge(
        evidence.Step(np.array(step[:4]), step.deaf, step.shunt),
        evidence.Known(
            np.ones(packs, dtype=np.bool_), status, 100.0, 102.0, known.size, known.ratio, known.ohms, known.worked,
            known.wrong,
        ),
    )  # fmt: skip
    compared: Any = zip(Evidence._fields, compiled, judge(step, known), strict=True)
    for name, ours, theirs in compared:
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12, err_msg=name)


@given(**DRAWN, base=st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_step_is_the_difference_of_two_moments(seed: int, packs: int, *, base: bool) -> None:
    random = np.random.default_rng(seed)
    current, old = np.where(random.random((2, packs)) < 0.1, np.nan, random.choice([0.0, 1.0, 30.0], (2, packs)))
    cells = np.where(random.random((3, packs)) < 0.1, np.nan, 3.3 + random.normal(0.0, 0.002, (3, packs)))
    errors, stepped = random.uniform(0.0002, 0.001, (2, packs)), random.uniform(0.0, 0.02, packs)
    mirrored = random.random(packs) < 0.2
    rows, deaf = np.empty((4, packs)), np.empty(packs, dtype=np.bool_)
    known = cells[2] if base else None
    differences(
        current,
        cells[0],
        errors[0],
        old,
        cells[1],
        errors[1],
        known,
        stepped,
        mirrored,
        DEAF,
        0.5,
        0.004,
        0.3,
        rows,
        deaf,
    )
    error = np.hypot(*errors)
    drift = np.maximum(0.004, 0.3 * stepped)
    if base:
        drift = 0.5 * np.maximum(np.abs(cells[1] - cells[2]) - error, 0.0)
        there = drift[~np.isnan(drift)]
        drift = np.maximum(drift, np.median(there)) if len(there) else drift
    wanted = [(current - old) * np.where(mirrored, -1.0, 1.0), cells[0] - cells[1], error, drift]
    np.testing.assert_allclose(rows, wanted, rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(deaf, ~(np.abs(current) > DEAF) & ~(np.abs(old) > DEAF))


def test_arrays_of_another_shape_are_refused() -> None:
    row: Any = np.ones(3)
    yes = row > 0.0
    with pytest.raises(ValueError, match="one element a pack"):
        differences(row, row, row, row, row, row, None, np.ones(2), yes, DEAF, 0.5, 0.1, 0.3, np.ones((4, 3)), yes)
    known = evidence.Known(yes, row, 0.0, 0.0, row, np.ones(4), 0.1, yes, yes)
    with pytest.raises(ValueError, match="one element a pack"):
        evidence.judge(evidence.Step(np.ones((4, 3)), yes, np.nan), known)
