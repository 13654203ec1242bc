from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packbank.model.audit import differing

NAN = float("nan")


def odd(values: list[float], kinds: list[int] | None = None, tolerance: float = 0.0) -> list[int]:
    """The indices of the packs that differ in one quantity."""
    found = differing(np.array([values]).T, np.array(kinds or [0] * len(values)), np.array([tolerance]))
    return np.flatnonzero(found[:, 0]).tolist()


@pytest.mark.parametrize(
    ("values", "differ"),
    [
        ([3.65], []),
        ([3.65, 3.65], []),
        ([3.65, 3.60], [0, 1]),  # nobody can say which one is right
        ([3.65, NAN], []),
        ([3.65, NAN, 3.60], [0, 2]),
        ([3.65, 3.60, 3.65], [1]),
        ([3.65, 3.60, 3.55], [0, 1, 2]),
        ([3.65, 3.65, 3.60, 3.60], [0, 1, 2, 3]),
        ([3.65] * 14 + [3.60], [14]),
        ([3.65] * 8 + [3.60] * 7, [*range(8, 15)]),
        ([3.65] * 298 + [3.60, 3.55], [298, 299]),
        ([3.65] * 150 + [3.60] * 150, [*range(300)]),
        ([NAN] * 15, []),
        ([0.0] * 14 + [1.0], [14]),  # switches
    ],
)
def test_whoever_has_not_what_most_have_differs(values: list[float], differ: list[int]) -> None:
    assert odd(values) == differ


@pytest.mark.parametrize(
    ("values", "differ"),
    [
        ([280.0, 286.0], []),
        ([280.0, 230.0], [0, 1]),
        ([272.0, 278.0, 280.0, 286.0, 230.0], [4]),
        ([280.0 + n / 100 for n in range(299)] + [100.0], [299]),
    ],
)
def test_values_that_are_near_are_alike_where_that_is_wanted(values: list[float], differ: list[int]) -> None:
    assert odd(values, tolerance=0.05) == differ


def test_only_packs_of_one_model_are_compared() -> None:
    assert odd([100.0, 100.0, 50.0, 50.0], [0, 0, 1, 1]) == []
    assert odd([100.0, 100.0, 90.0, 50.0, 50.0], [0, 0, 0, 1, 1]) == [2]
    assert odd([100.0, 50.0], [0, 1]) == []


@given(st.lists(st.sampled_from([NAN, 1.0, 2.0, 3.0]), min_size=1, max_size=40), st.randoms())
def test_the_order_of_packs_does_not_matter_and_the_unknown_never_differs(values: list[float], random: object) -> None:
    found = odd(values)
    assert not [index for index in found if np.isnan(values[index])]
    order = sorted(range(len(values)), key=lambda index: (values[index] != values[index], -values[index]))
    assert sorted(order[index] for index in odd([values[index] for index in order])) == found
    left = {value for index, value in enumerate(values) if index not in found and not np.isnan(value)}
    assert len(left) <= 1  # those that do not differ are alike
