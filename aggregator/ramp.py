"""A published current limit: falls at once, rises late and slowly."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import isnan

STEP = 0.005  # a falling limit goes this much lower than it must, so that a drift does not change it every second
WORTH = 0.01  # a rise by less is not worth a change


@dataclass(slots=True)
class Ramp:
    """One limit on its way. It rises to the lowest target of the last ``hold`` s, by ``rate`` A/s (0: at once)."""

    hold: float
    rate: float
    value: float = float("nan")  # nothing published yet
    _last: float = float("nan")  # target
    _before: deque[tuple[float, float]] = field(default_factory=deque)  # until when, and which: rising targets

    def jump(self, target: float) -> float:
        """Take the target over at once, up or down."""
        self.value = self._last = target
        self._before.clear()
        return target

    def forget(self) -> None:
        """No battery is published: the first limit of the next one is jumped to, or it would start from 0."""
        self.jump(float("nan"))

    def step(self, target: float, threshold: float, packs: int, now: float, dt: float) -> float:
        """The value to publish; from 0 it only rises once ``target`` has reached ``threshold``."""
        if isnan(self.value):
            return self.jump(target)
        lowest = self._lowest(target, now)
        if target < self.value:
            self.value = target * (1.0 - STEP)
        elif lowest > self.value * (1.0 + WORTH) and (self.value > 0.0 or lowest >= threshold):
            step = self.rate * max(packs, 1) * dt if self.rate > 0.0 else float("inf")
            self.value = min(lowest, self.value + step)
        return self.value

    def _lowest(self, target: float, now: float) -> float:
        """The lowest target of the last ``hold`` s; each one counts until the next."""
        before = self._before
        while before and before[-1][1] >= self._last:
            before.pop()
        before.append((now, self._last))
        while before and before[0][0] <= now - self.hold:
            before.popleft()
        self._last = target
        return min(target, before[0][1]) if before else target
