"""The compiled limits of single packs against the same rules written with arrays, step by step, and their contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from packbank.aggregator.curves import STEPPED, Curve
from packbank.cext.curves import CurveSet
from packbank.cext.limits import PackLimits

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Curves = list[Curve | None]
Protection = tuple[int, int, int, float, float]

NOISE, SMOOTH, TOP_BALANCE = 0.002, 0.15, 0.05
ROWS, SOC_ROW = 6, 5  # rows of the block: five settings to keep from, and SoC
PROTECTIONS = (  # direction, row, watched, gap, slope
    (0, 0, 1, 0.010, 25.0),
    (0, 1, 3, 1.0, 0.25),
    (0, 2, 4, 2.0, 0.125),
    (1, 3, 0, -0.010, -25.0),
    (1, 4, 2, -1.0, -0.25),
)
FALLING, RISING = ((3.5, 3.45, 3.4, 3.375), (0.0, 0.05, 0.25, 1.0)), ((2.8, 3.0, 3.19), (0.0, 0.05, 1.0))
WARMTH = ((0.0, 5.0, 10.0, 40.0, 45.0, 55.0), (0.0, 0.5, 1.0, 1.0, 0.5, 0.0))
KINDS = (  # cell, temperature, MOSFET, SoC; each for charge and discharge
    (FALLING, RISING),
    (WARMTH, WARMTH),
    (((70.0, 90.0), (1.0, 0.0)),) * 2,
    (((85.0, 98.0), (1.0, 0.1)), ((5.0, 20.0), (0.1, 1.0))),
)


class Seen(NamedTuple):
    """One step as the kernel takes it."""

    block: Floats
    ceiling: Floats
    extremes: Floats
    flow: Floats
    ohms: Floats
    lost: Bools
    sensors: Floats
    reported: Floats
    raised: Floats | None
    held: Bools | None


class Reference:
    """The same limits, an array for all packs at once."""

    def __init__(self, curves: list[list[Curves]], left: Floats) -> None:
        packs = len(left)
        self.curves, self.left = curves, left
        self.rest, self.last = np.full((2, packs), np.nan), np.full((2, packs), np.inf)
        self.before = np.ones((2, 5, packs))
        self.before[:, 0] = 0.0
        self.had = np.zeros((4, packs), dtype=np.bool_)
        self.by_temperature = np.array(
            [[curve is not None and len(curve.x) > 1 for curve in side] for side in curves[1]]
        )

    def step(self, seen: Seen) -> tuple[Floats, Floats]:
        """Limits, ``(2, packs)``, and the fractions that they rest on, ``(2, 5, packs)``."""
        slopes = self.load(seen)
        fractions = np.ones((2, 5, len(seen.ohms)))
        for side in (0, 1):
            out, extreme = fractions[side], 1 - side
            out[0] = along(self.curves[0][side], self.rest[extreme] + slopes[side])
            if (out[0] != 1.0).any():
                met = meeting(self.curves[0][side], self.rest[extreme], slopes[side])
                out[0] = np.where(along(self.curves[0][side], seen.extremes[extreme]) == 0.0, 0.0, met)
            warmth = [along(self.curves[1][side], seen.extremes[row]) for row in (2, 3)]
            out[1] = np.minimum(*warmth)
            out[2] = along(self.curves[2][side], seen.extremes[4])
            out[3] = along(self.curves[3][side], seen.block[SOC_ROW])
            kept = [
                (seen.block[row] - seen.extremes[of] - gap) * by for d, row, of, gap, by in PROTECTIONS if d == side
            ]
            out[4] = np.maximum(np.fmin.reduce(kept, initial=1.0), 0.0)
        if seen.raised is not None:
            higher = meeting(self.curves[0][0], self.rest[1] - seen.raised, slopes[0])
            fractions[0, 0] = np.maximum(fractions[0, 0], np.minimum(higher, TOP_BALANCE))
        fractions = self.filled(seen, fractions)
        value = np.fmax(seen.ceiling, 0.0) * fractions.min(axis=1)
        if seen.held is not None:
            value = np.where(seen.held, np.minimum(value, self.last), value)
        self.last = value
        return value, fractions

    def load(self, seen: Seen) -> Floats:
        unknown = np.isnan(seen.ohms)
        most = 0.0 if unknown.all() else max(float(np.nanmax(seen.ohms)), 0.0)
        ohms = np.where(seen.lost, 0.0, np.where(unknown, most, seen.ohms))
        cells = seen.extremes[:2] - ohms * (seen.flow[0] - seen.flow[1])
        moved = cells - self.rest
        beyond = moved - np.clip(moved, -NOISE, NOISE)
        self.rest = np.where(np.isnan(moved), cells, self.rest + beyond + SMOOTH * (moved - beyond))
        return np.asarray(ohms * np.fmax(seen.ceiling, 0.0) * [[1.0], [-1.0]])

    def filled(self, seen: Seen, fractions: Floats) -> Floats:
        reported = np.isfinite(seen.reported)
        self.had = (self.had | reported) & ~(reported & np.isnan(seen.sensors))
        missing = np.isnan(fractions)
        missing[:, 1] |= (self.had & ~reported).any(axis=0) & self.by_temperature
        most = self.before[:, 1:4]
        np.minimum(fractions[:, 1:4], self.left, out=most, where=~missing[:, 1:4])
        return np.where(missing, np.fmin(fractions, self.before), fractions)


def along(curves: Curves, values: Floats) -> Floats:
    return np.array([1.0 if c is None else np.interp(v, c.x, c.y) for c, v in zip(curves, values, strict=True)])


def meeting(curves: Curves, values: Floats, slopes: Floats) -> Floats:
    """Tested against arrays of its own in test_curve_set.py."""
    fractions = np.empty(len(values))
    CurveSet(curves).meet(values, slopes, fractions)
    return fractions


def curves_of(random: np.random.Generator, packs: int) -> list[list[Curves]]:
    """Of each kind and direction: most packs have the usual curve, others steps, one point or none."""

    def one(x: tuple[float, ...], y: tuple[float, ...]) -> Curve | None:
        other = [Curve.of(x, y, STEPPED), Curve.of(x[:1], (0.4,)), None]
        return Curve.of(x, y) if random.random() < 0.6 else other[int(random.integers(3))]

    return [[[one(*points) for _ in range(packs)] for points in pair] for pair in KINDS]


def steps_of(random: np.random.Generator, packs: int, count: int) -> list[Seen]:
    """Cells near the ends of their curves, with values that come and go."""

    def gaps(values: Floats, part: float = 0.05) -> Floats:
        return np.where(random.random(values.shape) < part, np.nan, values)

    sensors = random.choice([-3.0, 0.0, 4.0, 25.0, 43.0, 52.0], (4, packs))
    absent = random.random((4, packs)) < 0.1
    level, steps = float(random.choice([2.9, 3.3, 3.42])), []
    for _ in range(count):
        cells = np.sort(level + random.normal(0.0, random.choice([0.001, 0.03]), (2, packs)), axis=0)
        reported = gaps(sensors, 0.1)
        fitted = np.where(absent, np.nan, reported)
        extremes = np.array(
            [*gaps(cells), np.fmin.reduce(fitted), np.fmax.reduce(fitted), random.uniform(20, 95, packs)]
        )
        block = random.uniform([3.6, 60.0, 90.0, 2.5, -10.0, 0.0], [3.7, 70.0, 100.0, 2.9, 0.0, 100.0], (packs, ROWS)).T
        current = random.normal(0.0, 60.0, packs)
        steps.append(
            Seen(
                block=gaps(block),
                ceiling=gaps(random.uniform(-5.0, 200.0, (2, packs))),
                extremes=gaps(extremes, 0.01),
                flow=np.array([np.maximum(current, 0.0), np.maximum(-current, 0.0)]),
                ohms=gaps(random.uniform(0.0003, 0.004, packs), 0.2),
                lost=random.random(packs) < 0.1,
                sensors=fitted,
                reported=reported,
                raised=random.uniform(0.0, 0.2, packs) if random.random() < 0.3 else None,
                held=random.random(packs) < 0.3 if random.random() < 0.3 else None,
            )
        )
    return steps


def compiled(curves: list[list[Curves]], left: Floats, protections: Sequence[Protection] = PROTECTIONS) -> PackLimits:
    pairs = [(CurveSet(charge), CurveSet(discharge)) for charge, discharge in curves]
    return PackLimits(
        pairs, protections, left, rows=ROWS, soc_row=SOC_ROW, noise=NOISE, smooth=SMOOTH, top_balance=TOP_BALANCE
    )


@given(seed=st.integers(0, 10_000), packs=st.integers(1, 20), count=st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_limits_are_those_of_the_rules_written_with_arrays(seed: int, packs: int, count: int) -> None:
    random = np.random.default_rng(seed)
    curves, left = curves_of(random, packs), random.uniform(0.0, 1.0, packs)
    kernel, reference = compiled(curves, left), Reference(curves, left)
    limits, smallest = np.empty((2, packs)), np.empty((2, packs), dtype=np.int8)
    for seen in steps_of(random, packs, count):
        kernel.step(*seen, limits, smallest)
        expected, fractions = reference.step(seen)
        np.testing.assert_allclose(limits, expected, rtol=1e-12, atol=1e-10)
        least = fractions.min(axis=1)
        whole = (least >= 1.0) | np.isnan(seen.ceiling)
        np.testing.assert_array_equal(smallest == 5, whole)
        named = np.take_along_axis(fractions, np.minimum(smallest, 4)[:, None].astype(np.intp), axis=1)[:, 0]
        np.testing.assert_allclose(named[~whole], least[~whole], rtol=0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("which", "wrong", "message"),
    [
        (4, np.ones(3), "one element a pack"),
        (5, np.ones(2), "masks are bool"),
        (11, np.empty((2, 2)), "codes are int8"),
    ],
    ids=["another number of packs", "a mask of numbers", "codes of numbers"],
)
def test_arrays_of_another_kind_are_refused(which: int, wrong: Any, message: str) -> None:
    seen = steps_of(np.random.default_rng(0), 2, 1)[0]
    arrays: list[Any] = [*seen, np.empty((2, 2)), np.empty((2, 2), dtype=np.int8)]
    arrays[which] = wrong
    with pytest.raises(ValueError, match=message):
        compiled([[[None, None]] * 2] * 4, np.ones(2)).step(*arrays)


def test_what_does_not_fit_the_packs_is_refused() -> None:
    curves: list[list[Curves]] = [[[None, None]] * 2] * 4
    three = steps_of(np.random.default_rng(0), 3, 1)[0]
    with pytest.raises(ValueError, match="3 packs for the limits of 2"):
        compiled(curves, np.ones(2)).step(*three, np.empty((2, 3)), np.empty((2, 3), dtype=np.int8))
    with pytest.raises(ValueError, match="curves of 2 packs for 3"):
        compiled(curves, np.ones(3))
    with pytest.raises(ValueError, match="no row 6"):
        compiled(curves, np.ones(2), [(0, 6, 0, 0.0, 1.0)])
