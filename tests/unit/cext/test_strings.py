"""The compiled resistance of cells against the same rules written with arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packbank.cext.strings import judge, learn

ENOUGH, WORTH, MEMORY, PRIOR, LOWEST, HIGHEST = 0.03, 0.01, 30.0, 0.1, 0.03, 0.5
DRAWN = {"seed": st.integers(0, 10_000), "packs": st.integers(1, 30)}


@given(**DRAWN)
@settings(max_examples=200, deadline=None)
def test_steps_of_the_current_add_to_the_evidence(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    size = np.where(random.random(packs) < 0.1, np.nan, random.uniform(50.0, 300.0, packs))
    current, voltage = random.normal(0.0, random.choice([1.0, 10.0]), packs), random.normal(0.0, 0.2, packs)
    cells = np.where(random.random(packs) < 0.1, np.nan, 16.0)
    evidence = np.array([random.uniform(0.0, 0.03, packs), random.choice([0.0, 0.01, 0.3], packs)])
    counts = np.abs(current) > ENOUGH * size
    part = np.where(counts, current / size, 0.0)
    more = np.array([part * np.nan_to_num(voltage / cells), part * part])
    kept = np.minimum(1.0, MEMORY * WORTH / np.maximum((evidence + more)[1], WORTH))
    expected = np.where(counts, (evidence + more) * kept, evidence)
    assert learn(current, voltage, size, cells, ENOUGH, WORTH, MEMORY, evidence) == counts.any()
    np.testing.assert_allclose(evidence, expected, rtol=1e-13)


@given(**DRAWN)
@settings(max_examples=100, deadline=None)
def test_little_evidence_is_filled_up_with_that_of_all_packs(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    squares = random.choice([0.0, 0.01, 0.3], packs)
    products, ohms = squares * random.choice([0.01, 0.1, 0.9], packs), np.empty(packs)
    pooled = (PRIOR * WORTH + products.sum()) / (WORTH + squares.sum())
    judge(np.array([products, squares]), PRIOR, WORTH, LOWEST, HIGHEST, ohms)
    expected = np.clip((pooled * WORTH + products) / (WORTH + squares), LOWEST, HIGHEST)
    np.testing.assert_allclose(ohms, expected, rtol=1e-13)


def test_arrays_of_another_shape_are_refused() -> None:
    row: Any = np.ones(3)
    with pytest.raises(ValueError, match="one element a pack"):
        learn(row, row, row, row, ENOUGH, WORTH, MEMORY, np.ones((2, 2)))
    with pytest.raises(ValueError, match="one element a pack"):
        judge(np.ones((2, 2)), PRIOR, WORTH, LOWEST, HIGHEST, row)
