"""Packs beside each other: which of them are set otherwise than their peers. Pure arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def differing(values: Floats, kinds: NDArray[np.int64], tolerance: Floats) -> Bools:
    """Which of ``values``, shape ``(packs, quantities)``, are not what most peers have; of the same shape.

    Peers are the packs with the same number in ``kinds``, shape ``(packs,)``. ``NaN`` is not known: it neither differs
    nor counts. Values are alike when they are at most ``tolerance``, shape ``(quantities,)``, of each other apart; with
    0 when they are the same number, so the caller rounds them. What most have needs a majority: one odd pack of three
    stands out, and of two that differ both do, since nobody can say which one is right.
    """
    differs = np.zeros(values.shape, dtype=np.bool_)
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        for quantity, apart in enumerate(tolerance.tolist()):
            differs[members, quantity] = _odd(values[members, quantity], apart)
    return differs


def _odd(values: Floats, tolerance: float) -> Bools:
    """Which of the ``values`` of one quantity are not like most of them."""
    known = ~np.isnan(values)
    found, counts = np.unique(values[known], return_counts=True)
    if len(found) < 2:
        return np.zeros(values.shape, dtype=np.bool_)
    alike = np.abs(found - found[:, None]) <= tolerance * np.abs(found[:, None])
    supporters = (alike * counts).sum(axis=1)
    most = supporters.argmax()
    if 2 * supporters[most] <= counts.sum():
        return known
    odd: Bools = known & (np.abs(values - found[most]) > tolerance * np.abs(found[most]))
    return odd
