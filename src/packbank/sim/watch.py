"""What is published beside the limits, held against the truth: whose sensor is named wrong, what the charge stages do.

Only the published battery is looked at (:mod:`packbank.model.battery`), never how it came about.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from packbank.model.battery import VirtualBattery
from packbank.model.columns import Alarm
from packbank.sim.bank import PhysicalBank
from packbank.sim.pack import PROTECTIONS
from packbank.sim.policy import Limits

Mask = NDArray[np.bool_]

# Alarms that say something else about a pack than that its current cannot be right.
_OTHER = {
    *(protection.alarm for protection in PROTECTIONS),
    Alarm.LOW_VOLTAGE,
    Alarm.HIGH_VOLTAGE,
    Alarm.LOW_SOC,
    Alarm.CELL_IMBALANCE,
    Alarm.BATTERY_TEMPERATURE_SENSOR,
    Alarm.BMS_CABLE,
}
_NAMING = [alarm for alarm in Alarm if alarm not in _OTHER]
STEP = 0.1  # of what the packs' BMSes may be charged with: a step of the bank's current that shows a wrong sensor
STEP_TIME = 10.0  # s, in which such a step is done
ZERO = 0.5  # A, a CCL that is none
GRACE = 60.0  # s that chargers may go on after CCL has become 0, or after the sun has risen at a CCL of 0
FLOWS = 0.02  # of the capacity, in A: a charge current that no sensor misses
MEAN = 10.0  # s over which the charge current is looked at then
PAUSE = 120.0  # s without a publication, which count for no stage
LOOKS = 6.1  # s: CVLs that are further apart are no ramp


class SensorWatch:
    """Whether packs with a wrong current sensor are named by an alarm of their own, and others are not.

    A pack behind an open breaker carries nothing whatever its MOSFETs say, so to name it is no false alarm.
    """

    def __init__(self, bank: PhysicalBank, ampere: float) -> None:
        self._bank = bank
        self._step = STEP * ampere
        self._wrong: Mask = np.zeros(bank.spec.packs, dtype=bool)
        self._odd = self._wrong.copy()  # may be named
        self._shown = self._wrong.copy()
        self._past: deque[tuple[float, float]] = deque()
        self.stepped_at: float | None = None  # s, of the first step with a wrong sensor
        self.named_at: float | None = None  # s, when all that are wrong were named
        self.false_alarms = 0

    @property
    def named_after(self) -> float | None:
        """Seconds from the first step until every wrong sensor was named."""
        if self.stepped_at is None or self.named_at is None:
            return None
        return max(self.named_at - self.stepped_at, 0.0)

    def look(self, battery: VirtualBattery | None) -> None:
        """After a publication."""
        bank = self._bank
        wrong = bank.sensor.wrong
        if not np.array_equal(wrong, self._wrong):
            self._past.clear()
        self._wrong = wrong
        self._odd |= wrong | bank.breaker_open
        self._past.append((bank.time, bank.current))
        while self._past[0][0] < bank.time - STEP_TIME:
            self._past.popleft()
        currents = [current for _, current in self._past]
        if wrong.any() and self.stepped_at is None and max(currents) - min(currents) >= self._step:
            self.stepped_at = bank.time
        if battery is None:
            return
        shown: Mask = np.logical_or.reduce(battery.packs.alarms[:, _NAMING] > 0, axis=1)
        self.false_alarms += int((shown & ~self._shown & ~self._odd).sum())
        self._shown = shown
        if wrong.any() and self.named_at is None and shown[wrong].all():
            self.named_at = bank.time


class StageWatch:
    """How long charge stages last, whom they name, and how CVL falls."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}  # by stage
        self.absorption = 0.0  # s, the longest
        self.shortest: float | None = None  # s, of the absorptions that ended in float
        self.first_absorption: float | None = None  # s, its start
        self.unnamed = 0.0  # s of one absorption in which nobody is named
        self.top_balances = 0  # begun
        self.top_balance = 0.0  # s, the longest
        self.cvl_fall = 0.0  # V between two looks
        self.stage = ""
        self._absorbing = self._nameless = self._balancing = 0.0
        self._last = np.nan
        self._cvl = np.nan

    def look(self, battery: VirtualBattery | None, limits: Limits, now: float) -> None:
        """After a publication."""
        dt = 0.0 if np.isnan(self._last) or now - self._last > PAUSE else now - self._last
        if 0 < dt <= LOOKS and self._cvl > limits.cvl:
            self.cvl_fall = max(self.cvl_fall, self._cvl - limits.cvl)
        self._last, self._cvl = now, limits.cvl
        if battery is None:
            return
        stage, balances = battery.stage, battery.stage.startswith("top balance")
        self.top_balances += balances and not self.stage.startswith("top balance")
        self.seconds[stage] = self.seconds.get(stage, 0.0) + dt
        absorbs = stage.endswith("absorption")
        if absorbs and self.first_absorption is None:
            self.first_absorption = now
        if stage.endswith("float") and self._absorbing:
            self.shortest = min(self._absorbing, self.shortest or np.inf)
        self._absorbing = self._absorbing + dt if absorbs else 0.0
        self._nameless = self._nameless + dt if absorbs and not battery.waiting_for else 0.0
        self._balancing = self._balancing + dt if balances else 0.0
        self.absorption = max(self.absorption, self._absorbing)
        self.unnamed = max(self.unnamed, self._nameless)
        self.top_balance = max(self.top_balance, self._balancing)
        self.stage = stage


class ZeroWatch:
    """What flows into the packs while CCL is 0."""

    def __init__(self, bank: PhysicalBank) -> None:
        self._bank = bank
        self._capacity = float(bank.cells.capacity.mean(axis=0).sum())
        self._since = np.inf
        self._recent: deque[tuple[float, float]] = deque()
        self.charge: float | None = None  # of the capacity an hour; None: CCL was never 0 for so long

    def look(self, limits: Limits) -> None:
        """After a publication."""
        now = self._bank.time
        if not limits.cvl > 0 or limits.ccl > ZERO:
            self._since = np.inf
            self._recent.clear()
            return
        if self._bank.current > FLOWS * self._capacity:
            self._since = min(self._since, now)
        self._recent.append((now, max(self._bank.current, 0.0)))
        while self._recent[0][0] <= now - MEAN:
            self._recent.popleft()
        if now - self._since >= GRACE:
            mean = sum(current for _, current in self._recent) / len(self._recent)
            self.charge = max(self.charge or 0.0, mean / self._capacity)
