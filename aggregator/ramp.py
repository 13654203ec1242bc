"""A published current limit: falls at once, rises late and slowly."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

STEP = 0.005  # a falling limit goes this much lower than it must, so that a drift does not change it every second
WORTH = 0.01  # a rise by less is not worth a change
_NEVER = float("inf")


@dataclass(slots=True)
class Ramp:
    """One limit on its way. For ``hold`` s a target must be higher before the limit rises towards the lowest of it.

    The rise is by ``rate`` A/s (0: at once).
    """

    hold: float
    rate: float
    value: float = float("nan")  # nothing published yet
    _higher_since: float = _NEVER
    _lowest: float = _NEVER  # target since then

    def jump(self, target: float) -> float:
        """Take the target over at once, up or down."""
        self.value, self._higher_since, self._lowest = target, _NEVER, _NEVER
        return target

    def forget(self) -> None:
        """No battery is published: the first limit of the next one is jumped to, or it would start from 0."""
        self.jump(float("nan"))

    def step(self, target: float, threshold: float, packs: int, now: float, dt: float) -> float:
        """The value to publish; from 0 it only rises once ``target`` has reached ``threshold``."""
        if isnan(self.value):
            return self.jump(target)
        if target < self.value:
            return self.jump(target * (1.0 - STEP))
        if target <= self.value * (1.0 + WORTH) or (self.value == 0.0 and target < threshold):
            self._higher_since = self._lowest = _NEVER
            return self.value
        self._higher_since = min(self._higher_since, now)
        self._lowest = min(self._lowest, target)
        if now - self._higher_since >= self.hold:
            step = self.rate * max(packs, 1) * dt if self.rate > 0.0 else _NEVER
            self.value = min(self._lowest, self.value + step)
            if self.value == self._lowest:
                self._higher_since, self._lowest = now, target
        return self.value
