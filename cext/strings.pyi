"""The resistance of cells from steps of the current: the kernels behind aggregator/strings.py.

All arrays are C-contiguous float64 of one element a pack; ValueError for others. ``evidence`` of shape ``(2, packs)``
has sums of steps of the voltage by those of the current, and of the current squared, per Ah squared.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

def learn(
    ampere: Floats,
    volt: Floats,
    size: Floats,
    cells: Floats,
    enough: float,
    worth: float,
    memory: float,
    evidence: Floats,
    /,
) -> bool:
    """Add steps (A and V of a pack of so many ``cells`` and of a ``size`` in Ah) to the evidence; whether one counted.

    A step counts above ``enough`` of the size. The evidence of a pack is kept below ``memory`` times ``worth``.
    """

def judge(evidence: Floats, prior: float, worth: float, lowest: float, highest: float, ohms: Floats, /) -> None:
    """Write ohm times Ah of a cell of each pack: of its own evidence, of all packs' where it has less than it is worth.

    That of all packs counts as much as ``worth`` of evidence, and so does the ``prior`` in it.
    """
