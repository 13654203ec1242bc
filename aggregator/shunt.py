"""How wrong each pack's current sensor is, as a shunt that measures the whole bank shows it.

The shunt's current less the packs' is ``sum of g_i I_i + o_i``: gains and offsets, each with the spread that such
sensors have. Currents that go up and down alike show only their sum; the more the packs' shares differ from hour to
hour the more is known of each. Least squares over all packs at once, once for each level of the current.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GAIN = 0.03  # standard deviation of a sensor's gain before anything is measured
OFFSET = 1.0  # A, of its offset
NOISE = 0.5, 0.003, 0.2  # A and of the current, of one comparison with the shunt; A of each pack
AGEING = 0.0005, 0.02  # per comparison: how gains and offsets (A) wander
MOST_PACKS = 128  # the comparison knows how all packs' errors hang together, so it grows with the square of them


class ShuntComparison:
    """Gains and offsets from comparison to comparison."""

    def __init__(self, packs: int) -> None:
        self._packs = packs
        self._wrong = np.zeros(2 * packs)  # gains, then offsets in A
        self._cover: Floats | None = None  # their covariance, from the first comparison on
        self._start = np.repeat([GAIN, OFFSET], packs)  # standard deviations

    def compare(self, current: Floats, shunt: float) -> None:
        """Learn from currents that have stood still for a while: the packs' (A, all known) and the shunt's."""
        if self._packs > MOST_PACKS:
            return
        if self._cover is None:
            self._cover = np.diag(self._start**2)
        wander = np.repeat(AGEING, self._packs) ** 2
        cover = self._cover
        diagonal = np.einsum("ii->i", cover)
        diagonal += np.where(diagonal < np.repeat([GAIN, OFFSET], self._packs) ** 2, wander, 0.0)
        carried = np.concatenate((current, np.ones(self._packs)))
        by_all = cover @ carried
        noise = NOISE[0] ** 2 + (NOISE[1] * shunt) ** 2 + NOISE[2] ** 2 * self._packs
        gain = by_all / (float(carried @ by_all) + noise)
        left = shunt - float(np.add.reduce(current)) - float(carried @ self._wrong)
        self._wrong = self._wrong + gain * left
        self._cover = cover - np.outer(gain, by_all)

    def error_of_sum(self, current: Floats) -> tuple[float, float]:
        """A by which the sum of the packs' ``current`` is off, and the standard deviation of that; NaN: not known."""
        if self._cover is None:
            return float("nan"), float("nan")
        carried = np.concatenate((current, np.ones(self._packs)))
        return float(carried @ self._wrong), float(np.sqrt(carried @ self._cover @ carried))

    @property
    def found(self) -> tuple[Floats, Floats]:
        """Gains and offsets, and their standard deviations, each of shape ``(2, packs)``; NaN: not known."""
        if self._cover is None:
            unknown = np.full((2, self._packs), np.nan)
            return unknown, unknown
        errors = np.sqrt(np.maximum(np.diagonal(self._cover), 0.0))
        return self._wrong.reshape(2, -1), errors.reshape(2, -1)

    def save(self, names: Sequence[str]) -> dict[str, list[float]]:
        """Gain, offset and their standard deviations by pack name, for a restart."""
        if self._cover is None:
            return {}
        values = np.concatenate(self.found)
        return {name: [float(f"{value:.4g}") for value in values[:, i]] for i, name in enumerate(names)}

    def restore(self, names: Sequence[str], saved: Mapping[str, Sequence[float]]) -> None:
        """Take them back before the first comparison. Raises ValueError when they are damaged."""
        for i, name in enumerate(names):
            if name in saved:
                gain, offset, *errors = map(float, saved[name])
                if len(errors) != 2 or min(errors) < 0.0:
                    raise ValueError(f"gain and offset of {name}")
                places = [i, self._packs + i]
                self._wrong[places] = gain, offset
                self._start[places] = np.minimum(errors, [GAIN, OFFSET])
        if saved:
            self._cover = np.diag(self._start**2)
