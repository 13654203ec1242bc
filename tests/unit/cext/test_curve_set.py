"""Compiled curves against ``numpy.interp`` and the same meeting with a line written with arrays, and their contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from packbank.aggregator.curves import Curve
from packbank.cext.curves import CurveSet

Floats = NDArray[np.float64]

X = st.integers(-20, 20).map(lambda tenth: tenth / 4.0)
STEEP = 1e-5  # more than a curve falls within 1e-6: no two of its points are nearer than a quarter
VALUE = st.one_of(X, st.floats(-8.0, 8.0), st.just(np.nan))


@st.composite
def curves(draw: st.DrawFn, order: int = 0) -> Curve:
    """One to six points; ``order`` 1: fractions rise, -1: they fall."""
    x = sorted(draw(st.lists(X, min_size=1, max_size=6)))
    y = draw(st.lists(st.floats(0.0, 1.0), min_size=len(x), max_size=len(x)))
    return Curve(tuple(x), tuple(sorted(y, reverse=order < 0) if order else y))


def meeting(curve: Curve, value: float, slope: float) -> float:
    """Where the curve, sheared by the line, is at the value."""
    x, y = np.array(curve.x), np.array(curve.y)
    sheared = np.maximum.accumulate(x - slope * y)
    place = min(max(int(np.count_nonzero(sheared <= value)), 1), len(x) - 1)
    low, high = sheared[place - 1], sheared[place]
    part = np.clip((value - low) / max(high - low, 1e-12), 0.0, 1.0)
    return float(y[place - 1] + part * (y[place] - y[place - 1]))


@given(st.lists(st.tuples(st.none() | curves(), VALUE), min_size=1, max_size=9))
@settings(max_examples=100, deadline=None)
def test_each_pack_has_the_fraction_of_its_own_curve(packs: list[tuple[Curve | None, float]]) -> None:
    fractions = np.empty(len(packs))
    CurveSet([curve for curve, _ in packs]).at(np.array([value for _, value in packs]), fractions)
    expected = [1.0 if curve is None else np.interp(value, curve.x, curve.y) for curve, value in packs]
    np.testing.assert_allclose(fractions, expected, rtol=0.0, atol=1e-14)


@given(st.lists(st.tuples(curves(1) | curves(-1), VALUE, st.floats(0.0, 4.0)), min_size=1, max_size=9))
@settings(max_examples=100, deadline=None)
def test_a_line_meets_the_curve_where_the_sheared_curve_is(packs: list[tuple[Curve, float, float]]) -> None:
    slopes = [-slope if curve.y[0] < curve.y[-1] else slope for curve, _, slope in packs]
    fractions, values = np.empty(len(packs)), np.array([value for _, value, _ in packs])
    CurveSet([curve for curve, _, _ in packs]).meet(values, np.array(slopes), fractions)
    expected = [meeting(curve, value, slope) for (curve, value, _), slope in zip(packs, slopes, strict=True)]
    np.testing.assert_allclose(fractions, expected, rtol=0.0, atol=1e-14)


@given(curves(-1), st.floats(-8.0, 8.0), st.floats(0.01, 4.0))
@settings(max_examples=100, deadline=None)
def test_what_meets_is_on_the_curve(curve: Curve, value: float, slope: float) -> None:
    met, on_curve = np.empty(1), np.empty(2)
    CurveSet([curve]).meet(np.array([value]), np.array([slope]), met)
    place = value + slope * float(met[0])
    CurveSet([curve, curve]).at(np.array([place - 1e-6, place + 1e-6]), on_curve)
    assert on_curve[1] - STEEP <= met[0] <= on_curve[0] + STEEP


def test_a_pack_without_a_curve_has_no_limit_even_where_its_value_is_not_known() -> None:
    fractions = np.empty(2)
    CurveSet([None, None]).at(np.array([np.nan, 3.0]), fractions)
    assert fractions.tolist() == [1.0, 1.0]
    CurveSet([None, None]).meet(np.array([np.nan, 3.0]), np.ones(2), fractions)
    assert fractions.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "points", [((), ()), ((1.0, 2.0), (1.0,)), ((2.0, 1.0), (0.0, 1.0))], ids=["none", "unequal", "descending"]
)
def test_points_that_make_no_curve_are_refused(points: Any) -> None:
    with pytest.raises(ValueError, match="two lists of one length, ascending"):
        CurveSet([points])


def test_values_of_another_number_of_packs_are_refused() -> None:
    curve = Curve((0.0, 1.0), (0.0, 1.0))
    with pytest.raises(ValueError, match="2 values for the curves of 3 packs"):
        CurveSet([curve] * 3).at(np.ones(2), np.empty(2))
