"""Currents of one instant, of packs that are read one after the other: the kernels behind aggregator/samples.py.

All arrays are C-contiguous float64 (masks: bool) of one element a pack; ValueError for others. ``time`` (s, never
``NaN``), ``current`` and ``voltage`` have the shape ``(2, packs)``: the newest sample, then the one before it.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

def take(
    time: Floats,
    current: Floats,
    voltage: Floats,
    status: Floats,
    new_current: Floats,
    new_voltage: Floats,
    fresh: Bools,
    /,
) -> None:
    """Move the samples on where ``status`` is a later time; write into ``fresh`` for which packs it is."""

def together(
    time: Floats,
    current: Floats,
    chosen: Bools,
    after: float,
    apart: float,
    oldest: float,
    moving: float,
    out: Floats,
    error: Floats,
    /,
) -> float:
    """Write the ``chosen`` packs' currents at the newest instant at which most of them were known; that instant.

    ``NaN``, and nothing written, if it is not later than ``after``. Packs are waited for unless they are more than
    ``apart`` s behind the newest, and most are not. Samples more than ``oldest`` s apart are not joined by a line.
    ``error`` is ``moving`` times the change that was interpolated.
    """

def follow_rhythm(status: Floats, longest: float, newest: float, seen: Floats, usual: Floats, /) -> None:
    """Let the ``usual`` interval of packs that were heard anew follow the newest one, which counts up to ``longest`` s.

    ``seen`` is the time of each pack's last status, ``newest`` the weight of an interval.
    """

def steps(
    time: Floats, current: Floats, voltage: Floats, fresh: Bools, oldest: float, ampere: Floats, volt: Floats, /
) -> None:
    """Write by how much each pack's current and voltage moved in its ``fresh`` sample; 0 where there is none."""
