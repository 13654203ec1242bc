"""What one step of the bank's current says about each pack's current sensor.

The cells of a pack move with its current: by ``r_i`` times the step. All packs hang on one busbar, so the cells of
those that conduct move alike, and ``r`` of a pack whose sensor is in doubt is taken from the others (the same ohm times
Ah). So each pack's cells show a step of its current that its sensor has to fit. With a shunt the one pack that does not
follow is also shown by what the others leave over of the bank's step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.strings import HIGHEST, LOWEST, PRIOR

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


class Step(NamedTuple):
    """How far everything moved over one step of the bank's current; arrays of one element a pack."""

    reported: Floats  # A by the pack's own sensor, NaN where it reports nothing
    cells: Floats  # V, mean of the pack's cells; NaN where unknown
    error: Floats  # V, standard deviation of ``cells``
    drift: Floats  # V by which cells may have moved by themselves
    deaf: Bools  # the sensor reports no more than ``DEAF`` before and after
    shunt: float  # A of the bank, NaN without a shunt


class Known(NamedTuple):
    """What is known of the packs."""

    among: Bools  # both switches closed, and heard since the bank was calm
    heard: Bools  # of these, heard since the step began
    size: Floats  # Ah
    ratio: Floats  # of each pack's resistance to that of the others
    ohms: float  # ohm times Ah of a cell, as seen last
    worked: Bools  # the sensor has been seen to work
    wrong: Bools  # the sensor has been found wrong: the others show how cells follow a current


class Evidence(NamedTuple):
    """What a step shows; of each pack at most one."""

    fits: Bools  # sensor and cells moved together
    lies: Bools  # one moved and not the other, and more than cells drift by themselves
    jumps: Bools  # of these, the sensor moved and the cells did not
    hints: Bools  # the cells moved and the sensor did not, but it may be their own drift
    open: Bools  # the cells may have moved and the sensor did not: a larger step would show it
    idle: Bools  # neither moved while others did: the pack carries nothing
    shown: Floats  # A that the cells (and the shunt) show, NaN where nothing is
    ohms: float  # ohm times Ah of a cell, as this step shows it
    level: float  # A per Ah that the packs carry of the step; 0 where none is seen to
    cells: float  # V by which the cells of the others moved


def judge(step: Step, known: Known) -> Evidence:
    """Hold each sensor against what the cells show."""
    reported = np.where(known.among & ~np.isnan(step.reported), step.reported, 0.0)
    size = known.size
    movers = _movers(reported, step, size) & known.among
    right = movers & ~known.wrong
    right = right if np.count_nonzero(right) else movers
    ohms, level, moved = known.ohms, 0.0, 0.0
    if np.count_nonzero(right):
        level = float(np.median(reported[right] / size[right]))
        moved = float(np.median(step.cells[right]))
        ohms = _ohms(reported[right], step.cells[right], size[right] / known.ratio[right], moved, step, known)
    elif not np.isnan(step.shunt):
        level = step.shunt / float(np.add.reduce(size, where=known.among, initial=1e-9))
    shown, error = _shown(step, reported, known, ohms, level)
    by_cells = known.ratio * ohms / size  # V by one A
    common, drift = _common(step.cells - reported * by_cells, known.among) / by_cells, step.drift / by_cells
    least = np.maximum(np.where(step.deaf & ~known.worked, LEAST[1], LEAST[0]), SURE * error)
    moves = np.abs(shown)
    apart = known.among & (reported * np.sign(shown) < FOLLOWS * moves)
    hints = apart & (level != 0.0) & (moves - UNLIKE * common >= least)
    lying = hints & (moves - common - np.nan_to_num(drift) >= least)
    jumps = known.among & _jumps(reported, shown, error, size, 3.0 * common + drift)
    if 3 * np.count_nonzero(jumps) > np.count_nonzero(known.among) > 2:
        jumps[:] = False  # cells that show nothing of anybody are no witness: they are reported late, or made up
    fits = movers & (np.abs(shown) >= SEEN * error) & ~lying
    ratio = reported / np.where(fits, shown, 1.0)
    fits &= (ratio >= ALIKE[0]) & (ratio <= ALIKE[1])
    return Evidence(
        fits=fits,
        lies=(lying | jumps) & ~fits,
        jumps=jumps & ~lying & ~fits,
        hints=hints & ~fits,
        open=apart & (level != 0.0) & (moves - common >= SEEN * error) & ~lying & ~fits,
        idle=known.heard & ~lying & ~fits & _idle(reported, shown, error, level * size),
        shown=shown,
        ohms=ohms,
        level=level,
        cells=moved,
    )


def _movers(reported: Floats, step: Step, size: Floats) -> Bools:
    """Packs whose sensor and cells moved the same way."""
    enough = np.abs(reported) >= np.maximum(MOVED[0], MOVED[1] * size)
    movers: Bools = enough & (step.cells * reported > 0.0) & (np.abs(step.cells) >= SEEN * step.error)
    return movers


def _shown(step: Step, reported: Floats, known: Known, ohms: float, level: float) -> tuple[Floats, Floats]:
    """A by which each pack's current moved as its cells show it, and its standard deviation; with a shunt, both."""
    by_cells = known.ratio * ohms / known.size
    shown, error = step.cells / by_cells, step.error / by_cells
    if np.isnan(step.shunt) or not level:
        return shown, error
    expected = level * known.size
    deaf = known.among & (reported * np.sign(level) < FOLLOWS * np.abs(expected))
    if np.count_nonzero(deaf) != 1:
        return shown, error
    pack = int(deaf.argmax())
    others = np.where(deaf, 0.0, reported)
    left = step.shunt - float(np.add.reduce(others))
    if not abs(left) <= 4.0 * abs(expected[pack]):
        return shown, error  # the shunt measures something else, too
    left_error = float(np.hypot(OTHERS_ERROR[0], OTHERS_ERROR[1] * np.sqrt(np.add.reduce(others * others))))
    shown, error = shown.copy(), error.copy()
    if np.isnan(shown[pack]):
        shown[pack], error[pack] = left, left_error
        return shown, error
    weights = 1.0 / np.array([error[pack] ** 2, left_error**2])
    shown[pack] = float(weights @ [shown[pack], left]) / float(weights.sum())
    error[pack] = float(weights.sum()) ** -0.5
    return shown, error


def _ohms(reported: Floats, cells: Floats, size: Floats, moved: float, step: Step, known: Known) -> float:
    """Ohm times Ah of a cell as the movers show it, the nearer to what was known the more their drift may have done."""
    seen = min(max(float(np.median(cells * size / reported)), LOWEST * PRIOR), HIGHEST * PRIOR)
    doubt = 2.0 * float(np.median((step.drift + step.error)[known.among]))
    return known.ohms + (seen - known.ohms) * moved * moved / (moved * moved + doubt * doubt)


def _common(off: Floats, among: Bools) -> float:
    """V by which the cells of half of the packs moved otherwise than their sensors say: what all cells drift alike."""
    known = np.abs(off[among & ~np.isnan(off)])
    if len(known) < 2:
        return 0.0
    middle = (len(known) - 1) // 2
    return float(np.partition(known, middle)[middle])


def _jumps(reported: Floats, shown: Floats, error: Floats, size: Floats, drift: Floats) -> Bools:
    """Sensors that moved while the cells did not, although these would have shown it whatever they drift."""
    moved = np.abs(reported)
    jump: Bools = (
        (moved >= np.maximum(JUMP[0], JUMP[1] * size))
        & (np.abs(shown) <= FOLLOWS * moved)
        & (SURE * error + np.nan_to_num(drift) <= (0.5 - FOLLOWS) * moved)
    )
    return jump


def _idle(reported: Floats, shown: Floats, error: Floats, expected: Floats) -> Bools:
    """Packs that carry nothing: their cells stand still where they would have moved."""
    would = np.abs(expected)
    idle: Bools = (
        (np.abs(reported) <= DEAF)
        & (np.abs(shown) <= STILL * would)
        & (would >= np.maximum(STILL_FROM, (SURE + SEEN / 2) * error))
    )
    return idle
