"""Figures about a row that every answer is judged by: what is out of its range, and the spread of the cells."""

from collections.abc import Iterable
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

class Spread(NamedTuple):
    """Of several values: how many are known, of those the extremes (infinite if there are none) and the sum."""

    known: int
    lowest: float
    highest: float
    total: float

@final
class Ranges:
    """What values can be, as ``(column, low, high)``, both ends allowed. ValueError for a column that cannot be."""

    def __init__(self, ranges: Iterable[tuple[int, float, float]], /) -> None: ...
    def first_outside(self, row: NDArray[np.float64], /) -> int:
        """The first of the ranges that ``row`` is out of, by its place in the table, or -1; ``NaN`` is in every range.

        Raises ValueError for a row that is no vector of float64 or has too few columns.
        """

def spread(row: NDArray[np.float64], start: int, stop: int, /) -> Spread:
    """The spread of the finite values in the columns from ``start`` to before ``stop``; ValueError as above."""
