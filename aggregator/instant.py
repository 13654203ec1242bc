"""Everything that is known of the packs at one step, gathered once for the parts that decide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.limits import OwnLimits
from packbank.aggregator.lines import Lines
from packbank.aggregator.presence import Sets
from packbank.aggregator.sensors import Verdict
from packbank.aggregator.telemetry import Telemetry
from packbank.model.record import record


@record
class Instant:
    """One step: what the packs say, who counts, what each allows and how the current divides."""

    tele: Telemetry
    sets: Sets
    own: OwnLimits
    lines: Lines  # how the current divides
    cell_ohms: NDArray[np.float64]  # resistance of one cell of each pack, NaN where the capacity is not known
    sensors: Verdict  # which readings of current are believed
    reported: NDArray[np.float64]  # A, currents as the packs reported them, where ``tele`` has those that are believed
    estimated: NDArray[np.bool_]  # (2, packs): its own limit is not known and rests on other packs
    any_estimated: bool
    returning: NDArray[np.bool_]  # (2, packs): blocked, and about to conduct again
    any_returning: bool
    now: float  # monotonic s
    wall: float  # epoch s
    dt: float  # s since the last step, 0 at the first
    ready: bool
