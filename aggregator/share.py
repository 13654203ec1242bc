"""How the bank's current divides among the packs: each pack's current as a line, with its uncertainty.

On one busbar the current of pack i is ``x_i + w_i * v``: what it exchanges with the other packs, and a weight times a
drive ``v`` that all packs share, which stands for the busbar's voltage. While the packs S conduct, ``v`` follows from
the bank's current ``I``: ``v = (I - sum of x) / (sum of w)`` over S. A pack that leaves or returns changes S and no
pack's line. A two-state Kalman filter a pack follows ``(x_i, w_i)`` from currents of one instant (samples.py). At
rest they show ``x_i``, when the bank's current changes ``w_i``, and where only one level of current has been seen
the covariance holds how little the rest is known: the uncertainty of a prediction grows with its distance from what
has been measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.lost import even_out
from packbank.aggregator.presence import FRESH, Sets
from packbank.aggregator.samples import Samples
from packbank.aggregator.sensors import Verdict
from packbank.aggregator.table import CHARGE, DISCHARGE, PackTable
from packbank.aggregator.telemetry import Telemetry
from packbank.cext.lines import LineFilter, centre
from packbank.model.columns import Column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WEIGHT_ERROR = 0.6  # of a weight, standard deviation before anything is measured: cables, age, temperature
AGED = 0.1  # of a weight, the least error of a saved one: nobody saw what was done to the cables meanwhile
EXCHANGE_ERROR = 0.1  # of the capacity, in A: the same of the exchange, packs some points of charge apart
NOISE_AMPERES = 0.3  # A, standard deviation of a current that is reported
NOISE_FRACTION = 0.01  # of the current, beside it: gain of the sensor, and instants that are not quite one
DRIFT = 0.0002  # of the capacity in A per root second: how exchange wanders at rest (charge, temperature, relaxation)
DRIFT_CURRENT = 0.002  # of the pack's current in A per root second: the same while it carries some (polarisation)
DRIFT_EXCHANGE = 0.02  # of the exchange per root second: packs that exchange much even out, within a minute at first
DRIFT_WEIGHT = 0.0003  # of a weight per root second (temperature, age)
STILL = 4.0  # standard deviations of the drive within which it has not moved
SURPRISE = 25.0  # square of the deviation, in variances, from which the line is known worse than was thought
IDLE = 1.0  # A: a pack below carries nothing
WIRES = np.array([[0.15], [0.8]])  # resistance of cables, MOSFETs and shunt against that of the cells
STRING_ERROR = 0.2  # of a current that is reckoned from a voltage: the resistance may be another
VOLTAGE_ERROR = 0.001  # V a cell
UNLIKE = 0.22  # of a weight, the least error of one that is taken from other packs, where they carry all the rest
WITHIN = (
    0.75  # of the spread of the others, as a standard deviation: packs of a bank are all much the same, or two kinds
)
UNLIKE_EXCHANGE = 0.01  # of the capacity, in A: the same of the exchange
LEAST_WEIGHT = 1e-3  # of the prior: keeps a weight positive where a pack shows nothing at all


@dataclass(frozen=True, slots=True)
class Lines:
    """Each pack's current ``exchange + weight * drive``; arrays of shape ``(packs,)``, weights above 0."""

    exchange: Floats  # A
    weight: Floats
    xx: Floats  # A^2, variance of the exchange
    xw: Floats  # A, covariance of exchange and weight
    ww: Floats  # variance of the weight
    drive: float  # as measured last
    level: float  # the drive that was learned at last: it stays where it is while the drive moves by less than noise

    @classmethod
    def of(cls, block: Floats, drive: float, level: float) -> Lines:
        """Lines with the rows of ``block``, of shape ``(5, packs)``."""
        exchange, weight, xx, xw, ww = block
        return cls(exchange, weight, xx, xw, ww, drive, level)

    @property
    def arrays(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """What there is of each pack."""
        return self.exchange, self.weight, self.xx, self.xw, self.ww

    def current(self, drive: float) -> Floats:
        """A, each pack's at ``drive``."""
        flows: Floats = self.exchange + self.weight * drive
        return flows


class ShareEstimator:
    """The packs' lines from step to step."""

    def __init__(self, table: PackTable) -> None:
        self._table = table
        self._filter = LineFilter(
            drift=DRIFT,
            drift_current=DRIFT_CURRENT,
            drift_exchange=DRIFT_EXCHANGE,
            drift_weight=DRIFT_WEIGHT,
            weight_error=WEIGHT_ERROR,
            noise_amperes=NOISE_AMPERES,
            noise_fraction=NOISE_FRACTION,
            still=STILL,
            surprise=SURPRISE,
            least_weight=LEAST_WEIGHT,
        )
        self._saved = np.full((2, len(table.capacity)), np.nan)  # weights and their errors
        self._lines: Lines | None = None
        self._calm: Lines | None = None  # as they were before the step of the current that is being looked at
        self._was_calm = True  # in the last step
        self._conducting: Bools | None = None  # in the last step
        self._chosen = b""  # in the last step, as bytes: quicker to compare

    def step(
        self, tele: Telemetry, sets: Sets, samples: Samples, cell_ohms: Floats, sensors: Verdict, dt: float
    ) -> Lines:
        """Learn from this step's currents."""
        prior, size = self._prior(tele)
        lines = self._lines or _begin(prior, size, self._saved)
        block = np.empty((5, len(prior)))
        self._filter.wander(lines.arrays, prior, size, tele.flow, dt, block)
        unread = sensors.unread & np.isnan(tele[Column.CURRENT])
        if sets.any_lost or sensors.any_unread:
            even_out(block, sets.lost | unread, dt)
            most = np.maximum(lines.ww, (UNLIKE * block[1]) ** 2)  # no less known than of a pack that was never seen
            np.minimum(block[4], most, out=block[4], where=unread)
        lines = Lines.of(block, lines.drive, lines.level)
        conducting = _conducting(sets)
        chosen = conducting & ~np.isnan(tele[Column.CURRENT]) & (sets.code == FRESH)
        if np.count_nonzero(chosen):
            drive, level = self._regauge(lines, conducting, chosen, prior, block)
            together = samples.together(chosen)
            if together is not None:
                drive, level = self._filter.learn(block, prior, chosen, *together, drive, level)
                drive, level = centre(block, prior, chosen, chosen, drive, level)
            lines = _foresee(Lines.of(block, drive, level), tele, chosen, sets, cell_ohms)
            if sensors.any_unread:
                if self._calm is not None and not (sensors.calm and self._was_calm):
                    lines = _as_before(lines, self._calm, unread & sensors.worked, chosen)
                lines = _stand_in(lines, sensors, unread, chosen, prior, size)
        self._was_calm = sensors.calm
        if sensors.calm:
            self._calm = lines
        self._lines = lines
        return lines

    def _regauge(
        self, lines: Lines, conducting: Bools, chosen: Bools, prior: Floats, block: Floats
    ) -> tuple[float, float]:
        """Drive and level as seen from the ``chosen`` packs; ``block``, the arrays of ``lines``, is moved with them.

        The packs that conduct now carry what those before them carried.
        """
        drive, level = lines.drive, lines.level
        before, self._conducting = self._conducting, conducting
        if before is not None and conducting.tobytes() != before.tobytes():
            carried = float(np.add.reduce(lines.current(drive), where=before))
            rest = carried - float(np.add.reduce(lines.exchange, where=conducting))
            drive = level = rest / float(np.add.reduce(lines.weight, where=conducting))
        if chosen.tobytes() != self._chosen:
            self._chosen = chosen.tobytes()
            drive, level = centre(block, prior, chosen, np.ones_like(chosen), drive, level)
        return drive, level

    def save(self, names: Sequence[str]) -> dict[str, list[float]]:
        """Weights and their errors by pack name, for a restart; what packs exchange is seen at the next sample."""
        if self._lines is None:
            return {}
        weight, error = self._lines.weight, np.sqrt(np.maximum(self._lines.ww, 0.0))
        return {name: [float(f"{weight[i]:.4g}"), float(f"{error[i]:.3g}")] for i, name in enumerate(names)}

    def restore(self, names: Sequence[str], saved: Mapping[str, Sequence[float]]) -> None:
        """Take weights back before the first step; packs that are not named keep the prior."""
        known = dict(saved)
        for i, name in enumerate(names):
            if name in known:
                weight, error = map(float, known[name])
                if not (weight > 0.0 and error >= 0.0):
                    raise ValueError(f"weight {weight:g} +- {error:g} of {name}")
                self._saved[:, i] = weight, error

    def _prior(self, tele: Telemetry) -> tuple[Floats, Floats]:
        """Weights before anything is measured, and capacities without gaps."""
        capacity = tele.capacity
        unknown = np.isnan(capacity)
        if np.count_nonzero(unknown):
            known = capacity[~unknown]
            capacity = np.where(unknown, np.median(known) if len(known) else 100.0, capacity)
        capacity = np.maximum(capacity, 1.0)
        prior: Floats = capacity / self._table.resistance
        return prior, capacity


def _begin(prior: Floats, size: Floats, saved: Floats) -> Lines:
    """Lines before anything is measured, with the weights of another run where they are known."""
    weight, error = saved
    known = ~np.isnan(weight)
    error = np.where(known, np.clip(error, AGED * weight, WEIGHT_ERROR * weight), WEIGHT_ERROR * prior)
    zero = np.zeros(len(prior))
    return Lines(zero, np.where(known, weight, prior), (EXCHANGE_ERROR * size) ** 2, zero, error * error, 0.0, 0.0)


def _conducting(sets: Sets) -> Bools:
    both: Bools = sets.sure[CHARGE] & sets.sure[DISCHARGE]
    return both if np.count_nonzero(both) else sets.sure[CHARGE] | sets.sure[DISCHARGE]


def _foresee(lines: Lines, tele: Telemetry, chosen: Bools, sets: Sets, cell_ohms: Floats) -> Lines:
    """The lines with exchange of packs that carry nothing from their voltage, which shows what they will carry.

    A pack that conducts has cells at ``V = e + r I`` behind wires that are ``rho`` times its cells' resistance, so
    one that closes with cells at ``V_j`` takes ``((V - V_j) / r_j + rho I_s) / (1 + rho)``, where ``I_s`` is what a
    pack of its weight carries now. Nobody knows ``rho``; both ends of its range make the uncertainty.
    """
    if np.count_nonzero(chosen) == len(chosen):
        return lines
    flow = np.maximum.reduce(tele.flow)
    open_packs = sets.online & ~np.logical_and.reduce(sets.sure) & (flow < IDLE)
    if not np.count_nonzero(open_packs):
        return lines
    volts, current = tele[Column.VOLTAGE], tele[Column.CURRENT]
    weight = np.where(chosen, lines.weight, 0.0)
    whole = float(np.add.reduce(weight))
    busbar = float(np.add.reduce(np.where(chosen, weight * volts, 0.0))) / whole
    by_voltage = (busbar - volts) / (cell_ohms * tele.cells)
    by_share = lines.weight * (float(np.add.reduce(current, where=chosen)) / whole)
    ends = by_share + (by_voltage - by_share) / (1.0 + WIRES)
    expected = 0.5 * (ends[0] + ends[1])
    by_resistance = np.hypot(0.5 * np.abs(ends[0] - ends[1]), STRING_ERROR * np.abs(by_voltage))
    error = by_resistance + VOLTAGE_ERROR / (cell_ohms * np.sqrt(tele.cells))
    known = open_packs & np.isfinite(expected)
    return replace(
        lines,
        exchange=np.where(known, expected - lines.weight * lines.drive, lines.exchange),
        xx=np.where(known, error * error, lines.xx),
        xw=np.where(known, 0.0, lines.xw),
    )


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


def _stand_in(lines: Lines, sensors: Verdict, unread: Bools, chosen: Bools, prior: Floats, size: Floats) -> Lines:
    """The lines with those of the ``unread`` packs, of which no reading is believed.

    What was learned of a pack while its sensor worked stays, less sure; of an earlier run its weight. Any other whose
    cells show that it conducts is taken for one of the ``chosen``: their mean, their spread, and ``UNLIKE`` at least.
    (It takes what more it carries from them, so of its error the less is left the larger its share.) The rest are as
    before any evidence.
    """
    new = unread & ~sensors.worked
    found = new & sensors.wrong
    saved = found & sensors.saved
    weight = np.where(saved, lines.weight, np.where(found, prior * sensors.stronger, prior))
    spread = _spread(lines.weight / prior - 1.0, lines.ww / prior**2, chosen)
    apart = _spread(lines.exchange / size, lines.xx / size**2, chosen)
    others = np.maximum(1.0 - prior / float(np.add.reduce(prior, where=chosen | unread)), 0.5)
    error = np.where(found, np.maximum(spread, UNLIKE / others), WEIGHT_ERROR) * prior
    error = np.where(saved, np.maximum(np.sqrt(lines.ww), AGED * lines.weight), error)
    floor = np.where(found, max(apart, UNLIKE_EXCHANGE), EXCHANGE_ERROR) * size
    least_xx, least_ww = (UNLIKE_EXCHANGE * size) ** 2, (AGED * lines.weight) ** 2
    return replace(
        lines,
        exchange=np.where(new, 0.0, lines.exchange),
        weight=np.where(new, weight, lines.weight),
        xx=np.where(new, floor * floor, np.where(unread, np.maximum(lines.xx, least_xx), lines.xx)),
        xw=np.where(unread, 0.0, lines.xw),
        ww=np.where(new, error * error, np.where(unread, np.maximum(lines.ww, least_ww), lines.ww)),
    )


def _spread(deviation: Floats, variance: Floats, chosen: Bools) -> float:
    """Root of the mean square of the ``chosen`` packs' deviations with their own variances."""
    whole = float(np.add.reduce((WITHIN * deviation) ** 2 + variance, where=chosen))
    return float(np.sqrt(whole / np.count_nonzero(chosen)))
