"""Sums, means and extremes over some of the packs; what is not known (``NaN``) is left out unless said otherwise.

Values are C-contiguous float64 of one element a pack, ``chosen`` is as many bools; ValueError for others. Sums are
taken in the order of the packs.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

def total(values: Floats, chosen: Bools, /) -> float:
    """Sum over the chosen packs that report; ``NaN`` if none does."""

def mean(values: Floats, chosen: Bools, /) -> float:
    """Mean over the chosen packs that report; ``values`` may have a row for each of several sensors."""

def weighted_mean(values: Floats, chosen: Bools, weight: Floats, /) -> float:
    """The same by ``weight``; not weighted if a chosen pack has none. ``NaN`` if the weights come to 0."""

def lowest(values: Floats, chosen: Bools, /) -> tuple[float, int]:
    """The lowest value and its pack, the first of equal ones; ``NaN`` and -1 if none is known."""

def highest(values: Floats, chosen: Bools, /) -> tuple[float, int]:
    """The highest value and its pack, the first of equal ones; ``NaN`` and -1 if none is known."""

def any_above(values: Floats, bounds: Floats, /) -> bool:
    """Whether a pack's value is above its bound; where either is not known it is not."""

def highest_of_each(table: Floats, chosen: Bools, out: Floats, /) -> None:
    """Write the highest of each column of ``table`` over the chosen packs, which are its rows."""

def only_within(values: Floats, chosen: Bools, bound: float, /) -> bool:
    """Whether the chosen packs' values are known and at most ``bound``, and those of no other are known."""

def span(values: Floats, chosen: Bools, /) -> float:
    """From the lowest to the highest value of the chosen packs; ``NaN`` where one is not known, or none is chosen."""
