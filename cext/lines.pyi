"""How packs share a current, and what that allows: the kernels behind aggregator/share.py and aggregator/predict.py.

All arrays are C-contiguous float64 (masks: bool) of one element a pack, ``block`` has the shape ``(5, packs)``;
ValueError for others. ``lines`` are the arrays exchange, weight, xx, xw and ww.
"""

from collections.abc import Iterable
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

@final
class LineFilter:
    """Follows lines, with the constants of share.py."""

    def __init__(
        self,
        *,
        drift: float,
        drift_current: float,
        drift_exchange: float,
        drift_weight: float,
        weight_error: float,
        noise_amperes: float,
        noise_fraction: float,
        still: float,
        surprise: float,
        least_weight: float,
    ) -> None: ...
    def wander(
        self, lines: Iterable[Floats], prior: Floats, size: Floats, flow: Floats, dt: float, block: Floats, /
    ) -> None:
        """Write into ``block`` the lines with the uncertainty that ``dt`` s have added.

        ``size`` are capacities (Ah), ``flow`` of shape ``(2, packs)`` currents in each direction (A).
        """

    def learn(
        self, block: Floats, prior: Floats, chosen: Bools, current: Floats, error: Floats, drive: float, level: float, /
    ) -> tuple[float, float]:
        """One step of the filters of the ``chosen`` packs whose ``current`` is known, in place; new drive and level.

        ``error`` A is that of each current beside the noise of its sensor.
        """

def centre(
    block: Floats, prior: Floats, chosen: Bools, moved: Bools, drive: float, level: float, /
) -> tuple[float, float]:
    """Let exchange sum up to 0 over the ``chosen`` packs and weights to their priors, by another drive.

    The lines of the ``moved`` packs are rewritten in place; drive and level as these lines have them.
    """

def shares(weight: Floats, chosen: Bools, out: Floats, /) -> None:
    """Write each chosen pack's part of their weights, and 0 for others; ``chosen`` and ``out`` are ``(2, packs)``."""

def one_side(lines: Iterable[Floats], sign: float, drive: float, chosen: Bools, block: Floats, /) -> float:
    """Write into ``block`` the lines as one direction sees them; what the ``chosen`` packs carry at its ``drive``.

    Its rows: exchange, the part of a step of the bank's current that others carry, and xx, xw and ww of what is left of
    each pack's own error when the ``chosen`` share. ``NaN`` is returned where no pack is chosen.
    """

def highest_drives(
    side: Iterable[Floats], limits: Floats, drive: float, sigmas: float, step_error: float, drives: Floats, /
) -> None:
    """Write into ``drives`` where each pack reaches its limit; ``side`` is exchange, weight, xx, xw, ww and others."""

def lowest_drive(
    exchange: Floats, weight: Floats, drives: Floats, own: Floats, sure: Bools, maybe: Bools, one_way: Bools, /
) -> tuple[int, float, int, float, float, bool]:
    """Where the first of the ``sure`` packs is at its highest drive.

    The pack (-1: none), what the bank then carries at least, the pack with the lowest own limit for its weight and
    that limit for its weight, the weight of all sure packs, and whether a ``maybe`` pack reaches its own sooner.
    """
