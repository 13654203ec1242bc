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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.foresee import foresee
from packbank.aggregator.lines import AGED, EXCHANGE_ERROR, WEIGHT_ERROR, Lines
from packbank.aggregator.lost import even_out
from packbank.aggregator.presence import Sets
from packbank.aggregator.samples import Samples
from packbank.aggregator.sensors import Verdict
from packbank.aggregator.table import PackTable
from packbank.aggregator.telemetry import Telemetry
from packbank.aggregator.unread import Known, UnreadPacks, bound_unheard, keep_known
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
YOUNG = 15.0  # s, age of a saved state in which a line goes on: too short to change a pack, longer than a restart
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
        self._young = np.full((3, len(table.capacity)), np.nan)  # exchange, its error, correlation with the weight
        self._drives = 0.0, 0.0  # drive and level to begin with
        self._away = 0.0  # s that the process was away
        self._capacity = b""  # in the last step
        self._known_prior = table.capacity, table.capacity
        self._lines: Lines | None = None
        self._conducting: Bools | None = None  # in the last step; None until something was learned
        self._chosen = b""  # in the last step, as bytes: quicker to compare
        self._unread = UnreadPacks(len(table.capacity))

    def step(
        self, tele: Telemetry, sets: Sets, samples: Samples, cell_ohms: Floats, sensors: Verdict, dt: float
    ) -> Lines:
        """Learn from this step's currents."""
        prior, size = self._prior(tele)
        lines = self._lines
        if lines is None:
            lines, dt = _begin(prior, size, self._saved, self._young, self._drives), dt + self._away
        block = np.empty((5, len(prior)))
        self._filter.wander(lines.arrays, prior, size, tele.flow, dt, block)
        unknown = np.isnan(tele[Column.CURRENT])
        unread = sensors.unread & unknown if sensors.any_unread else sensors.unread
        if sets.any_lost or sensors.any_unread:
            even_out(block, sets.lost | unread, dt)
            keep_known(block, lines, unread)
        lines = Lines.of(block, lines.drive, lines.level)
        conducting, chosen = sets.conducting, sets.conducting_now & ~unknown
        if np.count_nonzero(chosen):
            drive, level = self._regauge(lines, conducting, chosen, prior, block)
            together = samples.together(chosen)
            if together is not None:
                drive, level = self._filter.learn(block, prior, chosen, *together, drive, level)
                drive, level = centre(block, prior, chosen, chosen, drive, level)
                self._conducting = conducting
            if sets.any_lost:
                bound_unheard(block, sets.lost & np.isnan(tele.age), chosen, prior, size)
            lines = Lines.of(block, drive, level)
            if sensors.any_unread:
                lines = self._unread.step(lines, Known(tele, sets, sensors, unread, chosen, prior, size, dt))
            lines = foresee(lines, tele, chosen, sets, cell_ohms, self._unread.stronger)
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
        before = self._conducting
        if before is not None and conducting is not before and conducting.tobytes() != before.tobytes():
            self._conducting = conducting
            carried = float(np.add.reduce(lines.current(drive), where=before))
            rest = carried - float(np.add.reduce(lines.exchange, where=conducting))
            drive = level = rest / float(np.add.reduce(lines.weight, where=conducting))
        if chosen.tobytes() != self._chosen:
            self._chosen = chosen.tobytes()
            drive, level = centre(block, prior, chosen, np.ones_like(chosen), drive, level)
        return drive, level

    def save(self, names: Sequence[str]) -> dict[str, list[float]]:
        """Weights and their errors by pack name, for a restart."""
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

    def save_exchange(self, names: Sequence[str]) -> dict[str, Any]:
        """What else makes the lines go on after a short restart: it is worth nothing later."""
        if self._lines is None:
            return {}
        exchange, _, xx, xw, ww = self._lines.arrays
        error, of_weight = np.sqrt(np.maximum(xx, 0.0)), np.sqrt(np.maximum(ww, 0.0))
        together = np.clip(xw / np.maximum(error * of_weight, 1e-12), -1.0, 1.0)
        packs = zip(exchange.tolist(), error.tolist(), together.tolist(), strict=True)
        return {
            "drive": float(f"{self._lines.drive:.6g}"),
            "level": float(f"{self._lines.level:.6g}"),
            "packs": {name: [float(f"{value:.6g}") for value in of] for name, of in zip(names, packs, strict=True)},
        }

    def restore_exchange(self, names: Sequence[str], saved: Mapping[str, Any], age: float | None) -> None:
        """Take back what was saved ``age`` s ago, after the weights; not where that is long ago or not known."""
        if not saved.keys():
            return
        packs = {name: tuple(map(float, of)) for name, of in saved["packs"].items()}
        drives = float(saved["drive"]), float(saved["level"])
        for name, (_, error, together) in packs.items():
            if not (error >= 0.0 and -1.0 <= together <= 1.0):
                raise ValueError(f"exchange +- {error:g}, correlation {together:g} of {name}")
        if age is None or not age <= YOUNG:
            return
        self._drives, self._away = drives, age
        for i, name in enumerate(names):
            if name in packs and not np.isnan(self._saved[0, i]):
                self._young[:, i] = packs[name]

    def _prior(self, tele: Telemetry) -> tuple[Floats, Floats]:
        """Weights before anything is measured, and capacities without gaps; the same while no capacity changes."""
        if tele.capacity.tobytes() != self._capacity:
            self._capacity = tele.capacity.tobytes()
            self._known_prior = self._prior_of(tele.capacity)
        return self._known_prior

    def _prior_of(self, capacity: Floats) -> tuple[Floats, Floats]:
        unknown = np.isnan(capacity)
        if np.count_nonzero(unknown):
            known = capacity[~unknown]
            capacity = np.where(unknown, np.median(known) if len(known) else 100.0, capacity)
        capacity = np.maximum(capacity, 1.0)
        prior: Floats = capacity / self._table.resistance
        return prior, capacity


def _begin(prior: Floats, size: Floats, saved: Floats, young: Floats, drives: tuple[float, float]) -> Lines:
    """Lines before anything is measured: with weights of another run, or as they were where that has just ended."""
    weight, error = saved
    exchange, exchange_error, together = young
    known, whole = ~np.isnan(weight), ~np.isnan(exchange)
    aged = np.clip(error, np.where(whole, 0.0, AGED * weight), WEIGHT_ERROR * weight)
    error = np.where(known, aged, WEIGHT_ERROR * prior)
    exchange_error = np.where(whole, exchange_error, EXCHANGE_ERROR * size)
    return Lines(
        np.where(whole, exchange, 0.0),
        np.where(known, weight, prior),
        exchange_error * exchange_error,
        np.where(whole, together * exchange_error * error, 0.0),
        error * error,
        *drives,
    )
