"""Columns of a matrix, and each pack's extremes, against numpy's, and their contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packbank.cext.columns import Columns, count_known, extremes, find_zeros, first_positive, flows, means


@given(seed=st.integers(0, 10_000), packs=st.integers(1, 30), width=st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_columns_become_rows_and_a_change_of_one_bit_is_seen(seed: int, packs: int, width: int) -> None:
    random = np.random.default_rng(seed)
    matrix = np.where(random.random((packs, width)) < 0.2, np.nan, random.normal(0.0, 9.0, (packs, width)))
    wanted = random.integers(0, width, int(random.integers(1, 50))).tolist()
    columns, block = Columns(wanted, width), np.full((len(wanted), packs), np.inf)
    assert columns.take(matrix, block)
    np.testing.assert_array_equal(block, matrix[:, wanted].T)
    assert not columns.take(matrix, block), "NaN is NaN again"
    pack, place = int(random.integers(packs)), int(random.integers(width))
    matrix[pack, place] = np.nextafter(np.nan_to_num(matrix[pack, place]), 99.0)
    assert columns.take(matrix, block) == (place in wanted)
    np.testing.assert_array_equal(block, matrix[:, wanted].T)


def test_minus_zero_is_a_change() -> None:
    columns, block = Columns([0], 1), np.zeros((1, 1))
    assert not columns.take(np.zeros((1, 1)), block)
    assert columns.take(np.array([[-0.0]]), block)


@given(seed=st.integers(0, 10_000), packs=st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_extremes_are_numpys(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    values = random.choice(
        [np.nan, -np.inf, np.inf, -1.0, 0.0, 3.2], (packs, 14), p=[0.5, 0.02, 0.02, 0.16, 0.15, 0.15]
    )
    first, stop = sorted(random.integers(0, 11, 2).tolist())
    sensors, out = np.ascontiguousarray(values[:, 10:].T), np.full((5, packs), 7.0)
    voltage, count = random.choice([np.nan, 48.0, 53.0], packs), random.choice([np.nan, 15.0, 16.0], packs)
    extremes(values, 14, first, stop, sensors, voltage, count, out)
    cells = values[:, first:stop]
    lowest, highest = (find.reduce(cells, axis=1, initial=np.nan) for find in (np.fmin, np.fmax))
    expected = [np.where(np.isnan(end), voltage / count, end) for end in (lowest, highest)]
    expected += [np.fmin.reduce(sensors, axis=0), np.fmax.reduce(sensors, axis=0), np.full(packs, 7.0)]
    np.testing.assert_array_equal(out, expected)


@given(seed=st.integers(0, 10_000), packs=st.integers(1, 30))
@settings(max_examples=50, deadline=None)
def test_means_are_those_of_the_known_columns(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    matrix = np.where(random.random((packs, 12)) < random.choice([0.0, 0.5, 0.9]), np.nan, random.normal(3.3, 0.1))
    first, stop = sorted(random.integers(0, 13, 2).tolist())
    mean, error = np.empty((2, packs))
    means(matrix, 12, first, stop, 0.001, mean, error)
    known = [row[~np.isnan(row)] for row in matrix[:, first:stop]]
    np.testing.assert_allclose(mean, [row.mean() if len(row) else np.nan for row in known], rtol=1e-14)
    np.testing.assert_allclose(error, [0.001 / max(len(row), 1) ** 0.5 for row in known], rtol=1e-14)


@given(seed=st.integers(0, 10_000), packs=st.integers(1, 30))
@settings(max_examples=50, deadline=None)
def test_what_is_not_reported_is_counted_or_taken_from_elsewhere(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    matrix = np.where(random.random((packs, 6)) < random.choice([0.1, 0.9]), np.nan, 3.3)
    reported, other, last = random.choice([np.nan, 0.0, 16.0, 8.0], (3, packs))
    count, found = np.empty((2, packs))
    count_known(matrix, 6, 1, 5, reported, count)
    known = np.count_nonzero(~np.isnan(matrix[:, 1:5]), axis=1)
    expected = np.where(reported > 0.0, reported, np.where(known, known, np.nan))
    np.testing.assert_array_equal(count, expected)
    all_known = first_positive(reported, other, last, found)
    np.testing.assert_array_equal(found, np.where(reported > 0.0, reported, np.where(other > 0.0, other, last)))
    assert all_known == bool((found > 0.0).all())


@given(seed=st.integers(0, 10_000), packs=st.integers(1, 30))
@settings(max_examples=50, deadline=None)
def test_zeros_are_found_and_what_is_none_is_marked(seed: int, packs: int) -> None:
    random = np.random.default_rng(seed)
    sensors = random.choice([0.0, -0.0, 19.5, np.nan], (4, packs), p=random.choice([[0.0, 0.0, 0.9, 0.1], [0.25] * 4]))
    before = random.random((4, packs)) < 0.2
    moved = before.copy()
    assert find_zeros(sensors, moved) == (sensors == 0.0).any()
    np.testing.assert_array_equal(moved, before | (np.abs(sensors) > 0.0))


def test_a_current_flows_in_one_direction_and_one_that_is_not_known_in_none() -> None:
    out = np.full((2, 5), np.nan)
    flows(np.array([40.0, -30.0, 0.0, -0.0, np.nan]), out)
    assert out.tolist() == [[40.0, 0.0, 0.0, 0.0, 0.0], [0.0, 30.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize("columns", [[], [3], [-1], [0, 9]])
def test_columns_that_the_matrix_has_not_are_refused(columns: list[int]) -> None:
    with pytest.raises(ValueError, match="of a matrix of 3"):
        Columns(columns, 3)


@pytest.mark.parametrize(
    ("matrix", "block"),
    [
        (np.ones((2, 3)), np.ones((1, 2))),
        (np.ones((2, 4)), np.ones((2, 2))),
        (np.ones((3, 2)).T, np.ones((2, 2))),
        (np.ones((2, 3), dtype=np.float32), np.ones((2, 2))),
        (np.ones((0, 3)), np.ones((2, 0))),
    ],
    ids=["a smaller block", "a wider matrix", "a matrix of columns", "float32", "no pack"],
)
def test_matrices_of_another_shape_are_refused(matrix: Any, block: Any) -> None:
    with pytest.raises(ValueError, match=r"float64|one element a pack|contiguous"):
        Columns([0, 2], 3).take(matrix, block)


def test_a_range_of_columns_that_the_matrix_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no columns from 2 to before 4"):
        extremes(np.ones((2, 3)), 3, 2, 4, np.ones((4, 2)), np.ones(2), np.ones(2), np.ones((5, 2)))
    with pytest.raises(ValueError, match="no columns from 2 to before 4"):
        count_known(np.ones((2, 3)), 3, 2, 4, np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="no columns from 2 to before 4"):
        means(np.ones((2, 3)), 3, 2, 4, 0.1, np.ones(2), np.ones(2))
