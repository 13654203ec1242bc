"""The compiled arithmetic of samples against the same rules written with arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from packbank.cext.samples import follow_rhythm, steps, take, together

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEVER, APART, OLDEST, MOVING = -1e9, 1.5, 30.0, 0.5
DRAWN = {"seed": st.integers(0, 10_000), "packs": st.integers(1, 30)}


def samples_of(random: np.random.Generator, packs: int) -> tuple[Floats, Floats, Floats]:
    """Times, currents and voltages: read in turn, some packs late, some with one sample or none."""
    newest = 100.0 + random.integers(0, 8, packs) * 0.25 - np.where(random.random(packs) < 0.2, 40.0, 0.0)
    before = newest - random.choice([0.25, 1.0, 29.0, 31.0, 0.0], packs)
    seldom = random.random(packs)
    time = np.array([np.where(seldom < 0.05, NEVER, newest), np.where(seldom < 0.2, NEVER, before)])
    current, voltage = random.normal(0.0, 40.0, (2, packs)), random.normal(53.0, 0.5, (2, packs))
    return time, np.where(random.random((2, packs)) < 0.1, np.nan, current), voltage


@given(**DRAWN)
@settings(max_examples=100, deadline=None)
def test_later_samples_take_the_place_of_the_newest(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    kept, fresh = samples_of(random, packs), np.empty(packs, dtype=np.bool_)
    status = np.where(random.random(packs) < 0.2, np.nan, kept[0][0] + random.choice([-1.0, 0.0, 1.0], packs))
    new = (status, random.normal(0.0, 40.0, packs), random.normal(53.0, 0.5, packs))
    expected = [np.where(status > kept[0][0], [now, rows[0]], rows) for rows, now in zip(kept, new, strict=True)]
    later = status > kept[0][0]
    take(*kept, *new, fresh)
    np.testing.assert_array_equal(fresh, later)
    for rows, wanted in zip(kept, expected, strict=True):
        np.testing.assert_array_equal(rows, wanted)


def joined(time: Floats, current: Floats, chosen: Bools, after: float) -> tuple[float, Floats, Floats] | None:
    """The instant, currents and errors; ``None`` if the instant is not later than ``after``."""
    newest, before = time
    latest = newest >= newest[chosen].max(initial=NEVER) - APART
    if 2 * np.count_nonzero(latest & chosen) > np.count_nonzero(chosen):
        chosen = latest & chosen
    instant = float(newest[chosen].min(initial=np.inf))
    if not after < instant < np.inf:
        return None
    near = newest - before <= OLDEST
    span = np.where(near & (newest > before), newest - before, np.inf)
    back = np.minimum((newest - instant) / span, 1.0)
    change = np.where(back > 0.0, current[0] - current[1], 0.0)
    known = np.where(near | (newest == instant), current[0] - back * change, np.nan)
    return instant, np.where(chosen, known, np.nan), MOVING * np.abs(change)


@given(**DRAWN, after=st.sampled_from([NEVER, 60.0, 100.5, 200.0]))
@settings(max_examples=200, deadline=None)
def test_currents_are_brought_to_the_newest_instant_that_most_packs_know(seed: int, packs: int, after: float) -> None:
    random = np.random.default_rng(seed)
    time, current, _ = samples_of(random, packs)
    chosen, found, error = random.random(packs) < 0.8, np.full(packs, 7.0), np.full(packs, 7.0)
    expected = joined(time, current, chosen, after)
    instant = together(time, current, chosen, after, APART, OLDEST, MOVING, found, error)
    if expected is None:
        assert np.isnan(instant)
        assert (found == 7.0).all()
        return
    assert instant == expected[0]
    np.testing.assert_allclose(found, expected[1], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(error, expected[2], rtol=1e-13, atol=1e-13)


@given(**DRAWN)
@settings(max_examples=100, deadline=None)
def test_steps_are_those_of_new_samples(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    time, current, voltage = samples_of(random, packs)
    fresh, moved = random.random(packs) < 0.7, np.empty((2, packs))
    steps(time, current, voltage, fresh, OLDEST, *moved)
    both = np.array([current[0] - current[1], voltage[0] - voltage[1]])
    counts = fresh & (time[0] - time[1] <= OLDEST) & ~np.isnan(both.sum(axis=0))
    np.testing.assert_array_equal(moved, np.where(counts, both, 0.0))


@given(**DRAWN)
@settings(max_examples=100, deadline=None)
def test_a_rhythm_follows_the_newest_interval(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    seen, usual = np.where(random.random(packs) < 0.2, np.nan, 100.0), random.uniform(0.0, 9.0, packs)
    status = np.where(random.random(packs) < 0.2, np.nan, 100.0 + random.choice([-1.0, 0.0, 1.0, 40.0], packs))
    interval = np.minimum(status - seen, 10.0)
    expected = usual + np.where(interval > 0.0, 0.5 * (interval - usual), 0.0)
    follow_rhythm(status, 10.0, 0.5, seen, usual)
    np.testing.assert_allclose(usual, expected, rtol=1e-14)
    np.testing.assert_array_equal(seen, status)


def test_arrays_of_another_shape_are_refused() -> None:
    row: Any = np.ones(3)
    for kernel, arguments in (
        (take, [np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)), row, row, row, np.ones(2, dtype=np.bool_)]),
        (together, [np.ones((2, 3)), np.ones((2, 3)), row > 0.0, 0.0, APART, OLDEST, MOVING, row, np.ones(4)]),
        (steps, [np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 4)), row > 0.0, OLDEST, row, row]),
        (follow_rhythm, [row, 10.0, 0.5, row, np.ones(2)]),
    ):
        with pytest.raises(ValueError, match="one element a pack"):
            kernel(*arguments)
