"""Everything that is known of the packs at one step, gathered once for the parts that decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.limits import OwnLimits
from packbank.aggregator.presence import Sets
from packbank.aggregator.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Instant:
    """One step: what the packs say, who counts, what each allows and how the current divides."""

    tele: Telemetry
    sets: Sets
    own: OwnLimits
    weights: NDArray[np.float64]  # (2, packs): shares of the bank's current
    prior: NDArray[np.float64]  # (packs,): shares of a change of it
    now: float  # monotonic s
    wall: float  # epoch s
    dt: float  # s since the last step, 0 at the first
    ready: bool
