"""Sums, means and extremes over some of the packs against numpy's, and their contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from packbank.cext.chosen import (
    any_above,
    highest,
    highest_of_each,
    lowest,
    mean,
    only_within,
    span,
    total,
    weighted_mean,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DRAWN = {"seed": st.integers(0, 10_000), "packs": st.integers(1, 200)}


def values_of(random: np.random.Generator, *shape: int) -> Floats:
    """Few different ones, so that some are equal; some, or all, not known."""
    values = random.integers(-4, 5, shape) * 0.7
    return np.where(random.random(shape) < random.choice([0.0, 0.2, 1.0], p=[0.4, 0.5, 0.1]), np.nan, values)


def chosen_of(random: np.random.Generator, packs: int) -> Bools:
    chosen: Bools = random.random(packs) < random.choice([0.0, 0.5, 1.0])
    return chosen


@given(**DRAWN)
@settings(max_examples=100, deadline=None)
def test_sums_and_means_leave_out_what_is_not_known(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    values, chosen, weight = values_of(random, packs), chosen_of(random, packs), random.uniform(1.0, 300.0, packs)
    known = chosen & ~np.isnan(values)
    if not known.any():
        assert np.isnan([total(values, chosen), mean(values, chosen), weighted_mean(values, chosen, weight)]).all()
        return
    assert total(values, chosen) == pytest.approx(values[known].sum(), abs=1e-11)
    assert mean(values, chosen) == pytest.approx(values[known].mean(), abs=1e-12)
    assert weighted_mean(values, chosen, weight) == pytest.approx(np.average(values[known], weights=weight[known]))
    weight[chosen.argmax()] = np.nan
    assert weighted_mean(values, chosen, weight) == mean(values, chosen), "one chosen pack has no weight"
    assert np.isnan(weighted_mean(values, chosen, np.zeros(packs)))


@given(**DRAWN)
@settings(max_examples=50, deadline=None)
def test_a_mean_may_be_over_several_sensors_of_each_pack(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    sensors, chosen = values_of(random, 4, packs), chosen_of(random, packs)
    known = sensors[:, chosen][~np.isnan(sensors[:, chosen])]
    expected = known.mean() if len(known) else np.nan
    assert mean(sensors, chosen) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(**DRAWN)
@settings(max_examples=100, deadline=None)
def test_extremes_are_of_the_first_pack_that_has_them(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    values, chosen = values_of(random, packs), chosen_of(random, packs)
    known = np.flatnonzero(chosen & ~np.isnan(values))
    for find, place in ((lowest, np.argmin), (highest, np.argmax)):
        value, pack = find(values, chosen)
        if not len(known):
            assert (np.isnan(value), pack) == (True, -1)
        else:
            expected = int(known[place(values[known])])
            assert (value, pack) == (values[expected], expected)


def test_a_value_without_bound_is_a_value() -> None:
    everyone = np.ones(2, dtype=np.bool_)
    assert lowest(np.array([np.nan, np.inf]), everyone) == (np.inf, 1)
    assert highest(np.array([np.nan, -np.inf]), everyone) == (-np.inf, 1)


@given(**DRAWN)
@settings(max_examples=50, deadline=None)
def test_whether_a_value_is_above_its_bound(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    values, bounds = values_of(random, packs), values_of(random, packs) + random.choice([0.0, 5.0])
    assert any_above(values, bounds) == bool((values > bounds).any())


@given(**DRAWN)
@settings(max_examples=50, deadline=None)
def test_how_far_all_values_go(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    values, chosen = values_of(random, packs), chosen_of(random, packs)
    bound = float(random.integers(-4, 6) * 0.7)
    for case in (values, np.where(chosen, values, np.nan)):
        expected = bool((case[chosen] <= bound).all() and np.isnan(case[~chosen]).all())
        assert only_within(case, chosen, bound) == expected
    some = values[chosen]
    assert span(values, chosen) == pytest.approx(some.max() - some.min() if len(some) else np.nan, nan_ok=True)


@given(**DRAWN, columns=st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_the_highest_of_each_column(seed: int, packs: int, columns: int) -> None:
    random = np.random.default_rng(seed)
    table, chosen, out = values_of(random, packs, columns), chosen_of(random, packs), np.empty(columns)
    highest_of_each(table, chosen, out)
    np.testing.assert_array_equal(out, np.fmax.reduce(table[chosen], axis=0, initial=np.nan))


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        (np.ones(3, dtype=np.float32), np.ones(3, dtype=np.bool_)),
        (np.ones(3), np.ones(3)),
        (np.ones(3), np.ones(2, dtype=np.bool_)),
        (np.ones(6)[::2], np.ones(3, dtype=np.bool_)),
        (np.empty(0), np.empty(0, dtype=np.bool_)),
    ],
    ids=["float32", "a mask of numbers", "shorter", "with gaps", "empty"],
)
def test_arrays_of_another_kind_are_refused(values: Any, chosen: Any) -> None:
    for kernel in (total, mean, lowest, highest):
        with pytest.raises(ValueError, match=r"float64|one element a pack|contiguous"):
            kernel(values, chosen)
    with pytest.raises(ValueError, match=r"float64|one element a pack|contiguous"):
        weighted_mean(np.ones(3), np.ones(3, dtype=np.bool_), np.ones(4))
    with pytest.raises(ValueError, match="one element a pack"):
        any_above(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="one element a pack"):
        span(np.ones(3), np.ones(4, dtype=np.bool_))
    with pytest.raises(ValueError, match="one element a pack"):
        only_within(np.ones(3), np.ones(4, dtype=np.bool_), 1.0)
