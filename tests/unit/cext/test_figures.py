"""Ranges and spread against numpy as the oracle, and what they refuse."""

from __future__ import annotations

from math import inf, isinf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packbank.cext.figures import Ranges, spread

VALUES = st.one_of(st.floats(-10.0, 10.0), st.sampled_from([nan, inf, -inf]))
ROWS = st.lists(VALUES, min_size=4, max_size=12).map(np.array)


@given(ROWS, st.lists(st.tuples(st.integers(0, 3), st.floats(-9.0, 0.0), st.floats(0.0, 9.0)), max_size=6))
def test_the_first_range_that_a_value_is_out_of_is_reported(
    row: np.ndarray[tuple[int], np.dtype[np.float64]], table: list[tuple[int, float, float]]
) -> None:
    outside = [row[column] < low or row[column] > high for column, low, high in table]
    assert Ranges(table).first_outside(row) == (outside.index(True) if any(outside) else -1)


def test_both_ends_and_the_unknown_are_in_the_range() -> None:
    ranges = Ranges([(0, 1.0, 2.0)])
    assert [ranges.first_outside(np.array([value])) for value in (1.0, 2.0, nan)] == [-1, -1, -1]
    assert [ranges.first_outside(np.array([value])) for value in (0.99, 2.01, inf, -inf)] == [0, 0, 0, 0]


@given(ROWS, st.integers(0, 4), st.integers(0, 4))
def test_the_spread_of_what_is_known(row: np.ndarray[tuple[int], np.dtype[np.float64]], start: int, stop: int) -> None:
    known = row[start:stop][np.isfinite(row[start:stop])]
    found = spread(row, start, stop)
    assert found.known == len(known)
    assert found.total == pytest.approx(known.sum())
    if len(known):
        assert (found.lowest, found.highest) == (known.min(), known.max())
    else:
        assert isinf(found.lowest)
        assert isinf(found.highest)


@pytest.mark.parametrize(
    "row", [np.zeros(3), np.zeros(8, dtype=np.float32), np.zeros((2, 8)), np.zeros(16)[::2]], ids=str
)
def test_what_is_no_row_is_refused(row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    with pytest.raises(ValueError, match=r"row|contiguous"):
        Ranges([(5, 0.0, 1.0)]).first_outside(row)
    with pytest.raises(ValueError, match=r"row|contiguous"):
        spread(row, 0, 6)


def test_columns_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="no column -1"):
        Ranges([(-1, 0.0, 1.0)])
    with pytest.raises(ValueError, match="no column -2"):
        spread(np.zeros(4), -2, 3)
