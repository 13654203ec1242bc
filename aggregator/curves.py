"""Curves that limit a pack's current: fraction of its ceiling against a cell voltage, a temperature, a SoC.

A curve is two lists of equal length, ascending or descending, clamped at its ends. Packs that share a curve
are evaluated together, so a bank of equal packs costs one ``numpy.interp`` a curve whatever its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LINEAR, STEPPED = 1, 2


@dataclass(frozen=True, slots=True)
class Curve:
    """Points ascending in ``x``; a repeated ``x`` is a jump, exactly on it the later ``y`` holds."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    _arrays: tuple[Floats, Floats] = field(init=False, compare=False, repr=False)  # both, as numpy takes them at once

    def __post_init__(self) -> None:
        object.__setattr__(self, "_arrays", (np.array(self.x), np.array(self.y)))

    @classmethod
    def of(cls, x: Sequence[float], y: Sequence[float], mode: int = LINEAR) -> Curve:
        """A curve from lists as a user writes them; ``STEPPED`` takes the stricter of two neighbours between them."""
        if len(x) != len(y) or not x:
            raise ValueError(f"a curve needs as many fractions as points: {len(x)} points, {len(y)} fractions")
        xs, ys = (tuple(x), tuple(y)) if x[0] <= x[-1] else (tuple(x[::-1]), tuple(y[::-1]))
        return cls(*_stairs(xs, ys)) if mode == STEPPED else cls(xs, ys)

    def __call__(self, values: Floats) -> Floats:
        """The curve at ``values``, of the same shape; ``NaN`` stays ``NaN``."""
        return np.interp(values, *self._arrays)

    def meet(self, values: Floats, slopes: Floats) -> Floats:
        """Fractions ``y`` with ``y = curve(value + slope * y)``: where the curve meets each value's line.

        The curve must not run with the line: falling for slopes above 0, rising below. Then the answer is the curve
        itself, sheared: its point ``x`` is reached from the value ``x - slope * y``.
        """
        x, y = self._arrays
        sheared = np.maximum.accumulate(x[:, None] - slopes * y[:, None], axis=0)
        place = np.clip(np.count_nonzero(sheared <= values, axis=0), 1, len(x) - 1)
        right, every = np.minimum(place, len(x) - 1), np.arange(len(values))
        low, high = sheared[right - 1, every], sheared[right, every]
        part = np.clip((values - low) / np.maximum(high - low, 1e-12), 0.0, 1.0)
        met: Floats = y[right - 1] + part * (y[right] - y[right - 1])
        return met


def _stairs(x: tuple[float, ...], y: tuple[float, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The same points joined by level treads, each at the lower of its two ends."""
    xs, ys = [x[0]], [y[0]]
    for k in range(len(x) - 1):
        tread = min(y[k], y[k + 1])
        xs += [x[k], x[k + 1], x[k + 1]]
        ys += [tread, tread, y[k + 1]]
    return tuple(xs), tuple(ys)


class CurveSet:
    """One curve a pack (``None``: no limit), evaluated for all packs at once."""

    def __init__(self, curves: Sequence[Curve | None]) -> None:
        members: dict[Curve, list[int]] = {}
        for pack, curve in enumerate(curves):
            if curve is not None:
                members.setdefault(curve, []).append(pack)
        self._groups = [(curve, np.array(packs)) for curve, packs in members.items()]
        self._common = next((curve for curve, packs in members.items() if len(packs) == len(curves)), None)

    def __bool__(self) -> bool:
        return bool(self._groups)

    def __call__(self, values: Floats) -> Floats:
        """Fractions for ``values`` of shape ``(..., packs)``: 1 without a curve, ``NaN`` for a missing value."""
        if self._common is not None:
            return self._common(values)
        fractions = np.ones(values.shape)
        for curve, packs in self._groups:
            fractions[..., packs] = curve(values[..., packs])
        return fractions

    def meet(self, values: Floats, slopes: Floats) -> Floats:
        """:meth:`Curve.meet` of every pack with its own curve; values and slopes have one element a pack."""
        if self._common is not None:
            return self._common.meet(values, slopes)
        fractions = np.ones(values.shape)
        for curve, packs in self._groups:
            fractions[packs] = curve.meet(values[packs], slopes[packs])
        return fractions
