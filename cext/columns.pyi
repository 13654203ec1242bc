"""Columns of the matrix of packs as contiguous rows, and each pack's extremes.

A matrix is C-contiguous float64 of shape ``(packs, width)``; ValueError for others.
"""

from collections.abc import Iterable
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

@final
class Columns:
    """Which columns, of a matrix of ``width``. Raises ValueError if it has no such columns."""

    def __new__(cls, columns: Iterable[int], width: int, /) -> Columns: ...
    def take(self, matrix: Floats, block: Floats, /) -> bool:
        """Write the columns as the rows of ``block``, ``(columns, packs)``; whether that changed a bit of it."""

def flows(current: Floats, out: Floats, /) -> None:
    """Write each pack's current in each direction, ``(2, packs)``: charge, then discharge; 0 where it is not known."""

def extremes(
    matrix: Floats,
    width: int,
    first: int,
    stop: int,
    sensors: Floats,
    voltage: Floats,
    count: Floats,
    out: Floats,
    /,
) -> None:
    """Write each pack's lowest and highest of the columns from ``first`` to before ``stop``, and of its ``sensors``.

    ``sensors`` has the shape ``(4, packs)``, ``out`` ``(5, packs)``, of which the last row stays as it is. Where none
    of the columns is known, ``voltage`` by ``count`` stands for both ends. ``NaN`` where nothing is known.
    """

def count_known(matrix: Floats, width: int, first: int, stop: int, reported: Floats, out: Floats, /) -> None:
    """Write what each pack ``reported``, or where that is not above 0, how many of the columns are known.

    They are those from ``first`` to before ``stop``; ``NaN`` where none is known.
    """

def first_positive(first: Floats, second: Floats, last: Floats, out: Floats, /) -> bool:
    """Write of each pack the first of two values that is above 0, else the ``last`` one; whether all are above 0."""

def means(matrix: Floats, width: int, first: int, stop: int, error: float, mean: Floats, mean_error: Floats, /) -> None:
    """Write the mean of each pack's columns from ``first`` to before ``stop``, ``NaN`` where none is known.

    ``mean_error`` is its standard deviation where that of one column is ``error``; the latter where none is known.
    """

def find_zeros(sensors: Floats, moved: Bools, /) -> bool:
    """Whether a sensor reads exactly 0; those that read something else are marked in ``moved``, of the same shape."""
