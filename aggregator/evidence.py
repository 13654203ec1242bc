"""What one step of the bank's current says about each pack's current sensor.

The cells of a pack move with its current: by ``r_i`` times the step. All packs hang on one busbar, so the cells of
those that conduct move alike, and ``r`` of a pack whose sensor is in doubt is taken from the others (the same ohm times
Ah). So each pack's cells show a step of its current that its sensor has to fit. With a shunt the one pack that does not
follow is also shown by what the others leave over of the bank's step.

``cext/evidence.pyx`` is the arithmetic; the same with numpy is in its test.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.strings import HIGHEST, LOWEST, PRIOR
from packbank.cext.evidence import Judge

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CELL_ERROR = 0.001  # V, of one cell's voltage: BMSes report whole millivolts, some of it noise
SURE = 4.5  # standard deviations from which a movement of the cells is one
SEEN = 3.0  # the same where a sensor agrees with it
MOVED = 2.0, 0.01  # A and of the capacity: a smaller step of a current may be noise
DEAF = 1.5  # A: a sensor with a dead band may report 0 up to here
LEAST = 3.0, 4.0  # A that the cells must show; and of a sensor within its dead band that has never been seen to work
FOLLOWS = 0.15  # of the step that the cells show; an old cold pack has three times the resistance of the others
ALIKE = 0.25, 4.0  # of that step, where the sensor is right
JUMP = 8.0, 0.03  # A and of the capacity: a step of the sensor alone that shows a fault of it
UNLIKE = 1.5  # times what the cells of half of the packs drift: packs do not drift all alike, near empty and full least
STILL = 0.25  # of what the others show: cells that move less carry nothing
STILL_FROM = 6.0  # A that a pack would carry of the step, from which cells that stand still show that it carries none
OTHERS_ERROR = 1.5, 0.03  # A and of their steps: what a shunt leaves over for one pack


_JUDGE = Judge(
    moved=MOVED,
    agrees=SEEN,
    sure=SURE,
    deaf=DEAF,
    least=LEAST,
    follows=FOLLOWS,
    alike=ALIKE,
    jump=JUMP,
    unlike=UNLIKE,
    still=STILL,
    still_from=STILL_FROM,
    others_error=OTHERS_ERROR,
    ohms=(LOWEST * PRIOR, HIGHEST * PRIOR),
)
STEP_ROWS, _EVIDENCE = 4, 7  # rows of a step, masks of what it shows


class Step(NamedTuple):
    """How far everything moved over one step of the bank's current; ``rows`` has the shape ``(4, packs)``."""

    rows: Floats
    deaf: Bools  # the sensor reports no more than ``DEAF`` before and after
    shunt: float  # A of the bank, NaN without a shunt

    @property
    def reported(self) -> Floats:
        """A by each pack's own sensor, NaN where it reports nothing."""
        reported: Floats = self.rows[0]
        return reported

    @property
    def cells(self) -> Floats:
        """V, mean of each pack's cells; NaN where unknown. Behind it are its standard deviation and its drift."""
        cells: Floats = self.rows[1]
        return cells


class Known(NamedTuple):
    """What is known of the packs."""

    among: Bools  # both switches closed, and fresh
    status: Floats  # s, when each was heard
    calm_at: float  # s: packs that were heard since then are judged
    heard_from: float  # s: since then the step may have come to a pack
    size: Floats  # Ah
    ratio: Floats  # of each pack's resistance to that of the others
    ohms: float  # ohm times Ah of a cell, as seen last
    worked: Bools  # the sensor has been seen to work
    wrong: Bools  # the sensor has been found wrong: the others show how cells follow a current


class Evidence(NamedTuple):
    """What a step shows; of each pack at most one, and whether it is one that puts its sensor in doubt."""

    fits: Bools  # sensor and cells moved together
    lies: Bools  # one moved and not the other, and more than cells drift by themselves
    jumps: Bools  # of these, the sensor moved and the cells did not
    hints: Bools  # the cells moved and the sensor did not, but it may be their own drift
    open: Bools  # the cells may have moved and the sensor did not: a larger step would show it
    idle: Bools  # neither moved while others did: the pack carries nothing
    doubts: Bools  # it hints or jumps, and is not idle
    shown: Floats  # A that the cells (and the shunt) show, NaN where nothing is
    ohms: float  # ohm times Ah of a cell, as this step shows it
    level: float  # A per Ah that the packs carry of the step; 0 where none is seen to
    cells: float  # V by which the cells of the others moved


def judge(step: Step, known: Known) -> Evidence:
    """Hold each sensor against what the cells show."""
    masks, shown = np.empty((_EVIDENCE, len(step.deaf)), dtype=np.bool_), np.empty(len(step.deaf))
    among, status, calm_at, heard_from, size, ratio, ohms, worked, wrong = known
    seen = _JUDGE.step(
        step.rows,
        step.deaf,
        status,
        among,
        size,
        ratio,
        worked,
        wrong,
        calm_at,
        heard_from,
        step.shunt,
        ohms,
        masks,
        shown,
    )
    fits, lies, jumps, hints, still_open, idle, doubts = masks
    return Evidence(fits, lies, jumps, hints, still_open, idle, doubts, shown, *seen)
