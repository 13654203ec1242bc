"""State of charge of the bank, ampere-hours and time to go."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.instant import Instant
from packbank.aggregator.settings import BankSettings, SocMode
from packbank.aggregator.table import DISCHARGE, PackTable
from packbank.cext.chosen import mean, total, weighted_mean
from packbank.model.columns import Column
from packbank.model.controls import NAN
from packbank.model.record import record

Bools = NDArray[np.bool_]

CURRENT_TIME = 300.0  # s, time constant of the current that time to go is reckoned from
IDLE = 0.001  # of the capacity, in A: a smaller discharge has no time to go
LONGEST = 864000.0  # s, ten days, what a BMV shows at most
EMPTY_FOR = 60.0  # s that a cell must be at its minimum under discharge before the counter says 0


@record
class Charge:
    """What the bank holds; ``NaN`` where nobody reports."""

    soc: float
    remaining: float  # Ah that can be reached now
    installed: float  # Ah of every pack that is known, lost ones included
    consumed: float  # Ah, zero or negative
    time_to_go: float  # s


def packs_soc(instant: Instant, counted: Bools, settings: BankSettings) -> float:
    """The bank's SoC from the ``counted`` packs' own, by ``SOC_MODE``; within the packs' lowest and highest."""
    soc, tele = instant.tele[Column.SOC], instant.tele
    if tele.capacity is tele.known_capacity and not instant.sets.any_lost and settings.soc_mode is not SocMode.MINIMUM:
        usual = weighted_mean(soc, counted, tele.capacity)
        if not isnan(usual):
            return usual
    chosen = counted & ~np.isnan(soc)
    if not np.count_nonzero(chosen):  # the others' is better than none
        chosen = instant.sets.online & ~np.isnan(soc)
    if not np.count_nonzero(chosen):
        return NAN
    if settings.soc_mode is SocMode.MINIMUM:
        return float(np.minimum.reduce(soc[chosen]))
    weight = instant.tele.capacity
    if np.count_nonzero(np.isnan(weight)):
        usual = mean(weight, chosen)
        weight = np.where(np.isnan(weight), 1.0 if isnan(usual) else usual, weight)
    whole = total(weight, chosen)
    if settings.soc_counts_lost_packs and instant.sets.any_lost:
        whole += total(instant.tele.known_capacity, instant.sets.lost)
    return total(soc * weight, chosen) / whole


def _counted(instant: Instant, mode: SocMode) -> Bools:
    """The packs whose charge counts: those that answer; ``USABLE`` only those that can discharge, if any can."""
    online = instant.sets.online
    if mode is not SocMode.USABLE:
        return online
    usable: Bools = online & ~instant.sets.blocked[DISCHARGE]
    return usable if np.count_nonzero(usable) else online


class SocKeeper:
    """SoC, counted or reported, and what follows from it."""

    def __init__(self, table: PackTable, settings: BankSettings) -> None:
        self._table = table
        self._settings = settings
        self._percent = NAN  # the counter
        self._average = NAN  # A
        self._empty_for = 0.0  # s

    def reset(self, percent: float) -> None:
        """Set the counter: the bank is known to be at ``percent``."""
        self._percent = percent

    def step(self, instant: Instant, current: float, external_soc: float) -> Charge:
        """Reckon from the bank's ``current``; an external SoC wins over counter and packs."""
        sets, known = instant.sets, instant.tele.known_capacity
        counted = _counted(instant, self._settings.soc_mode)
        reported = soc = packs_soc(instant, counted, self._settings)
        reachable = installed = total(known, counted)
        if self._settings.soc_calculation:
            soc = self._count(instant, current, reachable, reported)
        if not isnan(external_soc):
            soc = min(max(external_soc, 0.0), 100.0)
        if not reachable > 0.0:
            return Charge(soc, NAN, NAN, NAN, NAN)
        elsewhere = soc != reported or self._settings.soc_mode is SocMode.MINIMUM
        remaining = soc / 100.0 * reachable if elsewhere else _remaining(instant, counted)
        if sets.any_lost or counted is not sets.online:
            installed = total(known, sets.online | sets.lost)
        consumed = min(0.0, (soc / 100.0 - 1.0) * installed)
        return Charge(soc, remaining, installed, consumed, self._time_to_go(instant, current, soc, reachable))

    def _count(self, instant: Instant, current: float, reachable: float, reported: float) -> float:
        """Advance the counter; it starts from what the packs report and is empty when a cell stays at its minimum."""
        if isnan(self._percent):
            self._percent = reported
        if reachable > 0.0 and not isnan(current):
            self._percent += 100.0 * current * instant.dt / 3600.0 / reachable
        empty = (instant.tele.lowest_cell <= self._table.min_cell) & instant.sets.sure[DISCHARGE]
        self._empty_for = self._empty_for + instant.dt if current < 0.0 and np.count_nonzero(empty) else 0.0
        if self._empty_for > EMPTY_FOR:
            self._percent = 0.0
        self._percent = min(max(self._percent, 0.0), 100.0) if not isnan(self._percent) else NAN
        return self._percent

    def _time_to_go(self, instant: Instant, current: float, soc: float, reachable: float) -> float:
        """Seconds to ``SOC_LOW_WARNING`` at the average current; ``NaN`` unless discharging."""
        if isnan(current):
            return NAN
        if isnan(self._average):
            self._average = current
        self._average += (current - self._average) * min(1.0, instant.dt / CURRENT_TIME)
        if self._average > -IDLE * reachable or isnan(soc):
            return NAN
        usable = max(soc - self._settings.soc_low_warning, 0.0) / 100.0 * reachable
        return min(usable / -self._average * 3600.0, LONGEST)

    def save(self) -> dict[str, Any]:
        """The counter, JSON-able."""
        return {"counted": None if isnan(self._percent) else self._percent}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take the counter back."""
        self._percent = NAN if saved["counted"] is None else float(saved["counted"])


def _remaining(instant: Instant, counted: Bools) -> float:
    """Ah left as the packs' BMS count them, from SoC and capacity where one does not."""
    left = instant.tele[Column.REMAINING_CAPACITY]
    unknown = np.isnan(left)
    if np.count_nonzero(unknown):
        left = np.where(unknown, instant.tele[Column.SOC] * instant.tele.capacity / 100.0, left)
    return total(left, counted)
