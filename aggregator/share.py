"""How the bank's current divides among the packs: a prior corrected by what is measured.

The weight of pack i in direction d is ``prior_i * f_di``; its share in a set of packs is its weight over the
set's weights, so packs that come and go need no new measurement. The prior is capacity over resistance factor.
The correction ``f`` starts at 1 and is low-passed towards (measured share) / (prior share) while the bank carries
enough current, steadily, and every pack on the busbar is fresh. Without such evidence it drifts back to 1. A
direction that has not been measured yet takes over what the other has shown, as resistances have no direction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.presence import Sets
from packbank.aggregator.table import CHARGE, DISCHARGE, PackTable
from packbank.aggregator.telemetry import Telemetry

Floats = NDArray[np.float64]

ENOUGH = 0.05  # of the capacity, in A: below it sensor offsets hide the shares
STEADY = 0.2  # largest relative change of the bank's current from step to step
SETTLE = 15.0  # s, time constant of the correction at FULL_WEIGHT
FULL_WEIGHT = 0.2  # of the capacity, in A: from here a sample counts fully
FORGET = 3600.0  # s, time constant of the way back to the prior
PROVEN = 60.0  # s of evidence that make a direction stand on its own
LOWEST, HIGHEST = 0.1, 16.0  # bounds of the correction


@dataclass(slots=True)
class _State:
    correction: Floats  # (2, packs)
    evidence: list[float]  # s of full weight that each direction has been measured
    last_current: float = 0.0


class ShareEstimator:
    """Weights of the packs, shape ``(2, packs)``; only their ratios matter."""

    def __init__(self, table: PackTable) -> None:
        self._table = table
        self._state = _State(np.ones((2, len(table.capacity))), [0.0, 0.0])

    def step(self, tele: Telemetry, sets: Sets, dt: float) -> tuple[Floats, Floats]:
        """Learn from this step's currents; the weights to share by, and the prior alone, of shape ``(packs,)``."""
        prior = self._prior(tele)
        state = self._state
        charge, discharge = np.add.reduce(np.where(sets.sure, tele.flow, 0.0), axis=1).tolist()
        net = charge - discharge
        steady = abs(net - state.last_current) <= STEADY * abs(net)
        state.last_current = net
        capacity = float(np.add.reduce(tele.known_capacity, where=sets.member))
        if sets.all_fresh and steady and capacity > 0.0 and abs(net) > ENOUGH * capacity and dt > 0.0:
            weight = min(1.0, abs(net) / (FULL_WEIGHT * capacity))
            self._learn(CHARGE if net > 0 else DISCHARGE, tele, sets, prior, dt * weight)
        else:
            state.correction += (1.0 - state.correction) * min(1.0, dt / FORGET)
        return prior * self._state.correction, prior

    def _prior(self, tele: Telemetry) -> Floats:
        capacity = tele.capacity
        unknown = np.isnan(capacity)
        if np.count_nonzero(unknown):
            known = capacity[~unknown]
            capacity = np.where(unknown, np.median(known) if len(known) else 1.0, capacity)
        prior: Floats = np.maximum(capacity, 1e-3) / self._table.resistance
        return prior

    def _learn(self, direction: int, tele: Telemetry, sets: Sets, prior: Floats, evidence: float) -> None:
        """Move one direction's corrections towards the measured ones, by ``evidence`` seconds of full weight."""
        sure = sets.sure[direction]
        flow = np.where(sure, tele.flow[direction], 0.0)
        measured = flow / np.add.reduce(flow) / prior * np.add.reduce(np.where(sure, prior, 0.0))
        rate = 1.0 - np.exp(-evidence / SETTLE)
        correction = self._state.correction[direction]
        moved = correction + rate * (measured - correction)
        np.minimum(np.maximum(moved, LOWEST), HIGHEST, out=correction, where=sure)
        self._state.evidence[direction] += evidence
        if self._state.evidence[1 - direction] < PROVEN:
            self._state.correction[1 - direction] = correction

    def save(self, names: Sequence[str]) -> dict[str, list[float]]:
        """Corrections by pack name, for a restart."""
        return {name: [round(float(f), 4) for f in self._state.correction[:, i]] for i, name in enumerate(names)}

    def restore(self, names: Sequence[str], saved: Mapping[str, Sequence[float]]) -> None:
        """Take corrections back; packs that are not named keep the prior."""
        known = dict(saved)
        for i, name in enumerate(names):
            if name in known:
                self._state.correction[:, i] = np.clip(known[name], LOWEST, HIGHEST)
