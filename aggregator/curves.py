"""Curves that limit a pack's current: fraction of its ceiling against a cell voltage, a temperature, a SoC.

A curve is two lists of equal length, ascending or descending, clamped at its ends. All packs' curves of one kind are
evaluated together (``cext/curves.pyx``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

LINEAR, STEPPED = 1, 2


class Curve(NamedTuple):
    """Points ascending in ``x``; a repeated ``x`` is a jump, exactly on it the later ``y`` holds."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    @classmethod
    def of(cls, x: Sequence[float], y: Sequence[float], mode: int = LINEAR) -> Curve:
        """A curve from lists as a user writes them; ``STEPPED`` takes the stricter of two neighbours between them."""
        if len(x) != len(y) or not x:
            raise ValueError(f"a curve needs as many fractions as points: {len(x)} points, {len(y)} fractions")
        xs, ys = (tuple(x), tuple(y)) if x[0] <= x[-1] else (tuple(x[::-1]), tuple(y[::-1]))
        return cls(*_stairs(xs, ys)) if mode == STEPPED else cls(xs, ys)


def _stairs(x: tuple[float, ...], y: tuple[float, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The same points joined by level treads, each at the lower of its two ends."""
    xs, ys = [x[0]], [y[0]]
    for k in range(len(x) - 1):
        tread = min(y[k], y[k + 1])
        xs += [x[k], x[k + 1], x[k + 1]]
        ys += [tread, tread, y[k + 1]]
    return tuple(xs), tuple(ys)
