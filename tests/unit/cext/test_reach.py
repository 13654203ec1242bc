"""How near packs are to a charge voltage, compiled and with arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packbank.cext.chosen import highest, lowest
from packbank.cext.reach import levels


@given(seed=st.integers(0, 10_000), packs=st.integers(1, 30))
@settings(max_examples=50, deadline=None)
def test_how_near_packs_are_to_a_charge_voltage(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    voltage, current, chosen = (
        random.normal(53.0, 0.5, packs),
        random.normal(0.0, 40.0, packs),
        random.random(packs) < 0.7,
    )
    voltage[random.random(packs) < 0.2] = current[random.random(packs) < 0.2] = np.nan
    cells, capacity = random.choice([8.0, 16.0, np.nan], packs), random.choice([100.0, 280.0, np.nan], packs)
    by_cell, part = voltage / cells, np.abs(current) / capacity
    expected = [highest(by_cell, chosen)[0], highest(part, chosen)[0], lowest(55.2 / cells - by_cell, chosen)[0]]
    np.testing.assert_allclose(levels(voltage, current, cells, capacity, 55.2, chosen), expected, rtol=1e-14)


def test_arrays_of_another_shape_are_refused() -> None:
    row = np.ones(3)
    with pytest.raises(ValueError, match="one element a pack"):
        levels(row, row, np.ones(4), row, 55.2, row > 0.0)
