"""The lines of packs whose current nobody reads: their sensor is wrong, in doubt, or reports nothing.

Such a pack is never freed by its silence. It keeps what was learned of it while its sensor worked, or is taken for one
of the others. Its voltage (foresee.py) bounds what it exchanges, and an over-current trip (trips.py) shows that it
carried more than was thought.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.foresee import bound_by_voltage
from packbank.aggregator.lines import AGED, EXCHANGE_ERROR, WEIGHT_ERROR, Lines
from packbank.aggregator.presence import Sets
from packbank.aggregator.sensors import Verdict
from packbank.aggregator.telemetry import Telemetry
from packbank.aggregator.trips import Trips

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

UNLIKE = 0.22  # of a weight, the least error of one that is taken from other packs, where they carry all the rest
UNLIKE_EXCHANGE = 0.01  # of the capacity, in A: the same of the exchange
WITHIN = 0.75  # of the others' spread, as a standard deviation: packs of a bank are all much the same, or two kinds


class Known(NamedTuple):
    """What there is to judge by; arrays of shape ``(packs,)``."""

    tele: Telemetry
    sets: Sets
    sensors: Verdict
    unread: Bools  # packs of which no reading is believed
    chosen: Bools  # packs whose current is read
    prior: Floats  # weights before anything is measured
    size: Floats  # Ah
    dt: float  # s


class UnreadPacks:
    """What is kept of them from step to step."""

    def __init__(self, packs: int) -> None:
        self.stronger = np.ones(packs)  # times as strong as its like, as trips have shown; 1 once its current is read
        # Were open while unread, and what they have taken since has not faded.
        self._exchanging = np.zeros(packs, dtype=np.bool_)
        self._trips = Trips(packs)
        self._calm: Lines | None = None  # the lines before the step of the current that is being looked at
        self._was_calm = True  # in the last step
        self._blocked = np.zeros((2, packs), dtype=np.bool_)  # likewise
        self._any_unread = False  # likewise

    def step(self, lines: Lines, known: Known) -> Lines:
        """``lines`` with those of the packs of which no reading is believed."""
        tele, sets, sensors, unread, chosen, _, size, dt = known
        if self._calm is not None and not (sensors.calm and self._was_calm):
            lines = _as_before(lines, self._calm, unread & sensors.worked, chosen)
        factors = self._trips.step(tele, sets.blocked & ~self._blocked & unread, lines, dt)
        if factors is not None:
            self.stronger *= factors
            lines = replace(lines, weight=lines.weight * factors, ww=lines.ww * factors * factors)
        self.stronger[~unread] = 1.0
        conduct = unread & ~np.logical_or.reduce(sets.blocked)
        self._exchanging |= unread & ~conduct
        lines = self._stand_in(lines, known)
        if sensors.calm:
            lines = bound_by_voltage(lines, tele, chosen, conduct, dt)
        self._exchanging &= unread & ~(conduct & (lines.xx <= (UNLIKE_EXCHANGE * size) ** 2))
        return lines

    def note(self, lines: Lines, sets: Sets, sensors: Verdict) -> None:
        """Keep for the next step what was so in this one, whether a pack was unread or not."""
        self._blocked = sets.blocked
        self._was_calm = sensors.calm
        if sensors.calm:
            self._calm = lines
        if not sensors.any_unread and self._any_unread:
            self.stronger[:] = 1.0
            self._exchanging[:] = False
        self._any_unread = sensors.any_unread

    def _stand_in(self, lines: Lines, known: Known) -> Lines:
        """``lines`` with what stands for the unread packs.

        What was learned of a pack while its sensor worked stays, less sure; of an earlier run its weight. Any other
        whose cells show that it conducts is taken for one of the chosen: their mean, their spread, and ``UNLIKE`` at
        least. (It takes what more it carries from them, so of its error the less is left the larger its share.) The
        rest are as before any evidence. What a pack exchanges since it was open stays until it has faded.
        """
        _, _, sensors, unread, chosen, prior, size, _ = known
        new = unread & ~sensors.worked
        found, anew = new & sensors.wrong, new & ~self._exchanging
        saved = found & sensors.saved
        stronger = np.where(found, np.maximum(sensors.stronger, self.stronger), 1.0)
        weight = np.where(saved, lines.weight, prior * stronger)
        spread = _spread(lines.weight / prior - 1.0, lines.ww / prior**2, chosen)
        apart = _spread(lines.exchange / size, lines.xx / size**2, chosen)
        others = np.maximum(1.0 - prior / float(np.add.reduce(prior, where=chosen | unread)), 0.5)
        error = np.where(found, np.maximum(spread, UNLIKE / others), WEIGHT_ERROR) * prior
        error = np.where(saved, np.maximum(np.sqrt(lines.ww), AGED * lines.weight), error)
        floor = np.where(found, max(apart, UNLIKE_EXCHANGE), EXCHANGE_ERROR) * size
        least_xx, least_ww = (UNLIKE_EXCHANGE * size) ** 2, (AGED * lines.weight) ** 2
        return replace(
            lines,
            exchange=np.where(anew, 0.0, lines.exchange),
            weight=np.where(new, weight, lines.weight),
            xx=np.where(anew, floor * floor, np.where(unread, np.maximum(lines.xx, least_xx), lines.xx)),
            xw=np.where(unread, 0.0, lines.xw),
            ww=np.where(new, error * error, np.where(unread, np.maximum(lines.ww, least_ww), lines.ww)),
        )


def bound_unheard(block: Floats, unheard: Bools, chosen: Bools, prior: Floats, size: Floats) -> None:
    """Let ``unheard`` packs, which have not answered yet, be no less known in ``block`` than the ``chosen`` make them.

    What an earlier run knew of one stays, or it carries what the others do in the mean. How unlike them it may be is
    their own spread, to which what was thought before any evidence counts as one more pack.
    """
    exchange, weight, xx, xw, ww = block
    seen = np.count_nonzero(chosen)
    of_weight = _spread(weight / prior - 1.0, ww / prior**2, chosen)
    of_exchange = _spread(exchange / size, xx / size**2, chosen)
    others = np.maximum(1.0 - prior / (float(np.add.reduce(prior, where=chosen)) + prior), 0.5)
    unlike = np.sqrt((WEIGHT_ERROR**2 + seen * of_weight**2) / (seen + 1))
    apart = np.sqrt((EXCHANGE_ERROR**2 + seen * of_exchange**2) / (seen + 1))
    np.minimum(xx, (apart * size) ** 2, out=xx, where=unheard)
    np.minimum(ww, (np.maximum(unlike, UNLIKE / others) * weight) ** 2, out=ww, where=unheard)
    xw[unheard] = 0.0


def keep_known(block: Floats, before: Lines, unread: Bools) -> None:
    """Let weights of ``unread`` packs wander in ``block`` no further than those of packs that were never seen."""
    most = np.maximum(before.ww, (UNLIKE * block[1]) ** 2)
    np.minimum(block[4], most, out=block[4], where=unread)


def _as_before(lines: Lines, before: Lines, packs: Bools, chosen: Bools) -> Lines:
    """``lines`` with those of ``packs`` as they were ``before``, in the measure that the ``chosen`` packs have now."""
    then = float(np.add.reduce(before.weight, where=chosen))
    scale = float(np.add.reduce(lines.weight, where=chosen)) / then
    shift = float(np.add.reduce(before.exchange - lines.exchange, where=chosen)) / then
    return replace(
        lines,
        exchange=np.where(packs, before.exchange - shift * before.weight, lines.exchange),
        weight=np.where(packs, before.weight * scale, lines.weight),
        xx=np.where(packs, before.xx, lines.xx),
        ww=np.where(packs, before.ww * scale * scale, lines.ww),
    )


def _spread(deviation: Floats, variance: Floats, chosen: Bools) -> float:
    """Root of the mean square of the ``chosen`` packs' deviations with their own variances."""
    whole = float(np.add.reduce((WITHIN * deviation) ** 2 + variance, where=chosen))
    return float(np.sqrt(whole / np.count_nonzero(chosen)))
