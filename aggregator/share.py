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

from packbank.aggregator.presence import FRESH, Sets
from packbank.aggregator.samples import Samples, Together
from packbank.aggregator.table import CHARGE, DISCHARGE, PackTable
from packbank.aggregator.telemetry import Telemetry
from packbank.model.columns import Column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WEIGHT_ERROR = 0.6  # of a weight, standard deviation before anything is measured: cables, age, temperature
AGED = 0.1  # of a weight, the least error of a saved one: nobody saw what was done to the cables meanwhile
EXCHANGE_ERROR = 0.1  # of the capacity, in A: the same of the exchange, packs some points of charge apart
NOISE_AMPERES = 0.3  # A, standard deviation of a current that is told
NOISE_FRACTION = 0.003  # of the current, beside it
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

    def current(self, drive: float | Floats) -> Floats:
        """A, each pack's at ``drive``."""
        flows: Floats = self.exchange + self.weight * drive
        return flows


class ShareEstimator:
    """The packs' lines from step to step."""

    def __init__(self, table: PackTable) -> None:
        self._table = table
        self._saved = np.full((2, len(table.capacity)), np.nan)  # weights and their errors
        self._lines: Lines | None = None
        self._conducting: Bools | None = None  # in the last step
        self._chosen: Bools | None = None

    def step(self, tele: Telemetry, sets: Sets, samples: Samples, cell_ohms: Floats, dt: float) -> Lines:
        """Learn from this step's currents."""
        prior, size = self._prior(tele)
        lines = self._lines or _begin(prior, size, self._saved)
        lines = self._drift(lines, tele, prior, size, dt)
        conducting = _conducting(sets)
        chosen = conducting & ~np.isnan(tele[Column.CURRENT]) & (sets.code == FRESH)
        if np.count_nonzero(chosen):
            lines = self._regauge(lines, conducting, chosen, prior)
            told = samples.together(chosen)
            if told is not None:
                lines = _learn(lines, chosen & ~np.isnan(told.current), told, prior)
                lines = _centre(lines, chosen, chosen, prior)
            lines = _foresee(lines, tele, chosen, sets, cell_ohms)
        self._lines = lines
        return lines

    def _regauge(self, lines: Lines, conducting: Bools, chosen: Bools, prior: Floats) -> Lines:
        """The lines as seen from the ``chosen`` packs; those that conduct now carry what those before them carried."""
        before, self._conducting = self._conducting, conducting
        if before is not None and not np.array_equal(conducting, before):
            carried = float(np.add.reduce(lines.current(lines.drive), where=before))
            rest = carried - float(np.add.reduce(lines.exchange, where=conducting))
            drive = rest / float(np.add.reduce(lines.weight, where=conducting))
            lines = replace(lines, drive=drive, level=drive)
        if self._chosen is not None and np.array_equal(chosen, self._chosen):
            return lines
        self._chosen = chosen
        return _centre(lines, chosen, np.ones_like(chosen), prior)

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

    def _drift(self, lines: Lines, tele: Telemetry, prior: Floats, size: Floats, dt: float) -> Lines:
        flow = np.add.reduce(tele.flow, axis=0)
        wander = DRIFT * size + DRIFT_CURRENT * flow + DRIFT_EXCHANGE * np.abs(lines.exchange)
        xx = lines.xx + wander * wander * dt
        loose = WEIGHT_ERROR * np.maximum(prior, lines.weight)
        ww = lines.ww + np.where(lines.ww < loose * loose, (DRIFT_WEIGHT * lines.weight) ** 2 * dt, 0.0)
        return replace(lines, xx=xx, ww=ww)


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


def _learn(lines: Lines, chosen: Bools, told: Together, prior: Floats) -> Lines:
    """One step of the filters of the ``chosen`` packs."""
    told_current = np.where(chosen, told.current, 0.0)
    weights = np.where(chosen, lines.weight, 0.0)
    whole = float(np.add.reduce(weights))
    if whole <= 0.0:
        return lines
    drive = float(np.add.reduce(np.where(chosen, told_current - lines.exchange, 0.0))) / whole
    xx, xw, ww = lines.xx, lines.xw, lines.ww
    noise = NOISE_AMPERES**2 + (NOISE_FRACTION * told_current) ** 2 + np.where(chosen, told.error, 0.0) ** 2
    unsure = STILL * float(np.sqrt(np.add.reduce(noise, where=chosen))) / whole
    level = lines.level if abs(drive - lines.level) < unsure else drive  # else noise would teach weights
    by_x, by_w = xx + level * xw, xw + level * ww
    spread = by_x + level * by_w
    off = np.where(chosen, told_current - lines.current(drive), 0.0)
    wider = np.maximum(off * off / (SURPRISE * (spread + noise)), 1.0)
    if np.count_nonzero(wider > 1.0):
        xx, xw, ww, by_x, by_w, spread = xx * wider, xw * wider, ww * wider, by_x * wider, by_w * wider, spread * wider
    gain = np.where(chosen, 1.0 / (spread + noise), 0.0)
    return Lines(
        exchange=lines.exchange + gain * by_x * off,
        weight=np.maximum(lines.weight + gain * by_w * off, LEAST_WEIGHT * prior),
        xx=xx - gain * by_x * by_x,
        xw=xw - gain * by_x * by_w,
        ww=ww - gain * by_w * by_w,
        drive=drive,
        level=level,
    )


def _centre(lines: Lines, chosen: Bools, packs: Bools, prior: Floats) -> Lines:
    """Let exchange sum up to 0 over the ``chosen`` packs and weights to their priors, by another drive for ``packs``.

    After a step of the filters only the packs that have learned are moved: what is left over is their own error.
    """
    weight = float(np.add.reduce(lines.weight, where=chosen))
    shift = np.where(packs, float(np.add.reduce(lines.exchange, where=chosen)) / weight, 0.0)
    scale = np.where(packs, float(np.add.reduce(prior, where=chosen)) / weight, 1.0)
    common_shift, common_scale = float(shift[chosen][0]), float(scale[chosen][0])
    return Lines(
        exchange=lines.exchange - shift * lines.weight,
        weight=lines.weight * scale,
        xx=lines.xx - 2.0 * shift * lines.xw + shift * shift * lines.ww,
        xw=(lines.xw - shift * lines.ww) * scale,
        ww=lines.ww * (scale * scale),
        drive=(lines.drive + common_shift) / common_scale,
        level=(lines.level + common_shift) / common_scale,
    )


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
