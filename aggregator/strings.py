"""What a pack's cells do to its voltage when its current moves: the resistance of its string of cells.

It turns a cell's voltage of now into the one at another current, so that a limit by cell voltage does not swing with
the current that it causes; and it turns the voltage of a pack that carries nothing into the current that the pack
will carry once it conducts. Learned from pairs of samples of one pack, in which the current has moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.samples import Samples
from packbank.aggregator.telemetry import Telemetry
from packbank.cext.strings import judge, learn

Floats = NDArray[np.float64]

WIRES = 0.0026  # ohm of cables, MOSFETs and shunt of a pack, about: two metres of 25 mm2 and what a JK PB adds
PRIOR = 0.1  # ohm times Ah, one LFP cell some seconds after a step (0.36 mohm at 280 Ah), before anything is measured
LOWEST, HIGHEST = 0.3, 5.0  # of the prior, what is believed
ENOUGH = 0.03  # of the capacity, in A: a smaller step of the current shows nothing
WORTH = 0.1**2  # square of a step, per Ah, whose evidence the prior, and then the mean of all packs, is worth
MEMORY = 30.0  # of such steps: older evidence fades


class Strings:
    """Resistance of one cell of each pack, from step to step."""

    def __init__(self, packs: int) -> None:
        self._whole = np.full(packs, PRIOR)
        self._evidence = np.zeros((2, packs))  # sums of voltage by current and of current squared, per Ah squared

    def step(self, samples: Samples, tele: Telemetry) -> Floats:
        """Ohm a cell, shape ``(packs,)``; ``NaN`` where the capacity is not known."""
        size = tele.capacity
        current, voltage = samples.steps()
        if learn(current, voltage, size, tele.cells, ENOUGH, WORTH, MEMORY, self._evidence):
            self._judge()
        ohms: Floats = self._whole / size
        return ohms

    def _judge(self) -> None:
        """Ohm times Ah of a cell of each pack: of its own evidence, of all packs' where it has little."""
        judge(self._evidence, PRIOR, WORTH, LOWEST * PRIOR, HIGHEST * PRIOR, self._whole)

    def save(self, names: Sequence[str]) -> dict[str, list[float]]:
        """The evidence by pack name, for a restart."""
        return {name: [float(f"{value:.4g}") for value in self._evidence[:, i]] for i, name in enumerate(names)}

    def restore(self, names: Sequence[str], saved: Mapping[str, Sequence[float]]) -> None:
        """Take the evidence back; packs that are not named begin anew."""
        known = dict(saved)
        for i, name in enumerate(names):
            if name in known:
                product, square = map(float, known[name])
                self._evidence[:, i] = product, max(square, 0.0)
        self._judge()
