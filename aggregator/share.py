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

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.foresee import foresee
from packbank.aggregator.lines import AGED, EXCHANGE_ERROR, WEIGHT_ERROR, Lines
from packbank.aggregator.lost import even_out
from packbank.aggregator.presence import FRESH, Sets
from packbank.aggregator.samples import Samples
from packbank.aggregator.sensors import Verdict
from packbank.aggregator.table import CHARGE, DISCHARGE, PackTable
from packbank.aggregator.telemetry import Telemetry
from packbank.aggregator.unread import Known, UnreadPacks, keep_known
from packbank.cext.lines import LineFilter, centre
from packbank.model.columns import Column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NOISE_AMPERES = 0.3  # A, standard deviation of a current that is reported
NOISE_FRACTION = 0.01  # of the current, beside it: gain of the sensor, and instants that are not quite one
DRIFT = 0.0002  # of the capacity in A per root second: how exchange wanders at rest (charge, temperature, relaxation)
DRIFT_CURRENT = 0.002  # of the pack's current in A per root second: the same while it carries some (polarisation)
DRIFT_EXCHANGE = 0.02  # of the exchange per root second: packs that exchange much even out, within a minute at first
DRIFT_WEIGHT = 0.0003  # of a weight per root second (temperature, age)
STILL = 4.0  # standard deviations of the drive within which it has not moved
SURPRISE = 25.0  # square of the deviation, in variances, from which the line is known worse than was thought
LEAST_WEIGHT = 1e-3  # of the prior: keeps a weight positive where a pack shows nothing at all


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
        self._conducting: Bools | None = None  # in the last step
        self._chosen = b""  # in the last step, as bytes: quicker to compare
        self._unread = UnreadPacks(len(table.capacity))

    def step(
        self, tele: Telemetry, sets: Sets, samples: Samples, cell_ohms: Floats, sensors: Verdict, dt: float
    ) -> Lines:
        """Learn from this step's currents."""
        prior, size = self._prior(tele)
        lines = self._lines or _begin(prior, size, self._saved)
        block = np.empty((5, len(prior)))
        self._filter.wander(lines.arrays, prior, size, tele.flow, dt, block)
        unknown = np.isnan(tele[Column.CURRENT])
        unread = sensors.unread & unknown if sensors.any_unread else sensors.unread
        if sets.any_lost or sensors.any_unread:
            even_out(block, sets.lost | unread, dt)
            keep_known(block, lines, unread)
        lines = Lines.of(block, lines.drive, lines.level)
        conducting = _conducting(sets)
        chosen = conducting & ~unknown & (sets.code == FRESH)
        if np.count_nonzero(chosen):
            drive, level = self._regauge(lines, conducting, chosen, prior, block)
            together = samples.together(chosen)
            if together is not None:
                drive, level = self._filter.learn(block, prior, chosen, *together, drive, level)
                drive, level = centre(block, prior, chosen, chosen, drive, level)
            lines = Lines.of(block, drive, level)
            if sensors.any_unread:
                lines = self._unread.step(lines, Known(tele, sets, sensors, unread, chosen, prior, size, dt))
            lines = foresee(lines, tele, chosen, sets, cell_ohms / self._unread.stronger)
        self._unread.note(lines, sets, sensors)
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
