"""The compiled comparison of sensors with their neighbours against the same rules written with arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from packbank.cext.neighbours import Watch

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]

UNSEEN, GOOD, SILENT = 0, 1, 4
WATCH = Watch(
    follows=0.15, exchanged=0.4, at_rest=0.01, evens_out=0.5, notable=(4.0, 0.015), unseen=0, good=1, silent=4
)


def level_of(current: Floats, size: Floats, among: Bools, good: Bools) -> float:
    reported = among & ~np.isnan(current)
    if (reported & good).any():
        return float(current[reported & good].sum() / size[reported & good].sum())
    flows = current[reported]
    if abs(flows.sum()) <= 0.4 * np.abs(flows).sum():
        return 0.0
    return float(np.median(flows / size[reported]))


def watch(
    current: Floats, heard: Bools, size: Floats, among: Bools, kept: list[Any], *, calm: bool, begins: bool
) -> None:
    state, since, missed_before, _ = kept
    unknown = np.isnan(current)
    state[(state == SILENT) & ~unknown & among] = UNSEEN
    watched = among & (state == UNSEEN)
    level = level_of(current, size, among, state == GOOD)
    if calm and abs(level) < 0.01:
        since[:, watched] = np.stack([current, np.full(len(current), level)])[:, watched]
    start, before = since
    if begins:
        new = np.isnan(before)
        before[new] = level
        start[new] = current[new]
    expected = (level - before) * size
    upwards = np.sign(expected)
    faded = np.maximum(0.5 * (start - before * size) * upwards, 0.0)
    follows = ((current - start) * upwards + faded) / np.maximum(np.abs(expected), 1e-9)
    missed = watched & (np.abs(expected) >= np.maximum(4.0, 0.015 * size)) & ~(follows >= 0.15)
    missed = np.where(heard, missed, missed_before & watched) | (among & unknown & (state != SILENT))
    kept[2], kept[3] = missed, missed & (follows <= -0.3)


@given(seed=st.integers(0, 100_000), packs=st.integers(1, 30), calm=st.booleans(), begins=st.booleans())
@settings(max_examples=500, deadline=None)
def test_sensors_are_compared_with_what_their_neighbours_carry(
    seed: int, packs: int, *, calm: bool, begins: bool
) -> None:
    random = np.random.default_rng(seed)
    size = random.uniform(50.0, 300.0, packs)
    each = random.choice([0.0, 0.005, 0.02, 0.3]) * random.choice([-1.0, 1.0])
    current = size * each * random.choice([1.0, 1.0, 0.0, -1.0], packs) + random.normal(0.0, 0.5, packs)
    since = np.array([current + random.normal(0.0, 10.0, packs), each + random.normal(0.0, 0.1, packs)])
    since[:, random.random(packs) < 0.2] = np.nan
    current[random.random(packs) < 0.1] = np.nan
    state = random.choice(np.arange(8, dtype=np.int8), packs, p=[0.5, 0.2, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05])
    status, among = random.choice([99.0, 101.0], packs, p=[0.3, 0.7]), random.random(packs) < 0.9
    missed, opposed = random.random((2, packs)) < 0.3
    kept = [state.copy(), since.copy(), missed.copy(), opposed.copy()]
    watch(current, status > 100.0, size, among, kept, calm=calm, begins=begins)
    WATCH.step(current, status, size, among, state, since, missed, opposed, calm, begins, 100.0)
    for ours, theirs in zip((state, since, missed, opposed), kept, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_arrays_of_another_shape_are_refused() -> None:
    row, state = np.ones(3), np.zeros(3, dtype=np.int8)
    yes: Any = row > 0.0
    with pytest.raises(ValueError, match="one element a pack"):
        WATCH.step(row, row, row, yes, state, np.ones((2, 2)), yes, yes, True, True, 0.0)
    with pytest.raises(ValueError, match="codes are int8"):
        WATCH.step(row, row, row, yes, yes, np.ones((2, 3)), yes, yes, True, True, 0.0)
