"""What one step of the bank's current says about each pack's current sensor: the kernels behind aggregator/evidence.py.

All arrays are C-contiguous float64 (masks: bool) of one element a pack; ValueError for others. A step has the rows
``reported`` (A, by each pack's sensor), ``cells`` (V, mean of each pack's), ``error`` (V, standard deviation of that)
and ``drift`` (V by which cells may have moved by themselves); what is not known is ``NaN``, but for ``error``.
"""

from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Pair = tuple[float, float]

@final
class Judge:
    """Holds each sensor against what the cells show; the constants of aggregator/evidence.py."""

    def __init__(
        self,
        *,
        moved: Pair,
        agrees: float,
        sure: float,
        deaf: float,
        least: Pair,
        follows: float,
        alike: Pair,
        jump: Pair,
        unlike: float,
        still: float,
        still_from: float,
        others_error: Pair,
        ohms: Pair,
    ) -> None: ...
    def step(
        self,
        step: Floats,
        deaf: Bools,
        status: Floats,
        among: Bools,
        size: Floats,
        ratio: Floats,
        worked: Bools,
        wrong: Bools,
        calm_at: float,
        heard_from: float,
        shunt: float,
        ohms: float,
        evidence: Bools,
        shown: Floats,
        /,
    ) -> tuple[float, float, float]:
        """Write the rows of ``evidence``, shape ``(7, packs)``, and what each pack's cells show (A).

        Returned are the resistance of a cell (ohm times Ah), the step in A per Ah, and by how much the cells moved (V).
        ``status`` are the times at which packs were heard: those later than ``calm_at`` are judged, and a pack is only
        said to carry nothing when it was heard after ``heard_from``.
        """

def differences(
    current: Floats,
    cells: Floats,
    error: Floats,
    old_current: Floats,
    old_cells: Floats,
    old_error: Floats,
    base_cells: Floats | None,
    stepped: Floats,
    mirrored: Bools,
    deaf: float,
    slope: float,
    drifts: float,
    polarised: float,
    step: Floats,
    is_deaf: Bools,
    /,
) -> None:
    """Write the rows of a step from an old moment to a new one, and whose sensors read at most ``deaf`` A at both.

    Cells drift ``slope`` times as much as they did from ``base_cells`` to the old moment beyond their error, and at
    least as much as those of half of the packs. Without these they drift by ``drifts`` V, or by ``polarised`` times
    what they ``stepped`` before (V, never ``NaN``). Currents of ``mirrored`` sensors count with the other sign.
    """
