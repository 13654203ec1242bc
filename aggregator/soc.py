"""State of charge of the bank, ampere-hours and time to go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.columns import Column
from packbank.aggregator.controls import NAN
from packbank.aggregator.instant import Instant
from packbank.aggregator.presence import LOST
from packbank.aggregator.settings import BankSettings, SocMode
from packbank.aggregator.table import DISCHARGE, PackTable

Bools = NDArray[np.bool_]

CURRENT_TIME = 300.0  # s, time constant of the current that time to go is reckoned from
IDLE = 0.001  # of the capacity, in A: a smaller discharge has no time to go
LONGEST = 864000.0  # s, ten days, what a BMV shows at most
EMPTY_FOR = 60.0  # s that a cell must be at its minimum under discharge before the counter says 0


@dataclass(frozen=True, slots=True)
class Charge:
    """What the bank holds; ``NaN`` where nobody tells."""

    soc: float
    remaining: float  # Ah that can be reached now
    installed: float  # Ah of every pack that is known, lost ones included
    consumed: float  # Ah, zero or negative
    time_to_go: float  # s


def packs_soc(instant: Instant, settings: BankSettings) -> float:
    """The bank's SoC from the packs' own, by ``SOC_MODE``; within the packs' lowest and highest."""
    tele, sets = instant.tele, instant.sets
    chosen = sets.online & ~sets.blocked[DISCHARGE] if settings.soc_mode is SocMode.USABLE else sets.online
    if settings.soc_mode is SocMode.USABLE and not chosen.any():
        chosen = sets.online
    soc, weight = tele[Column.SOC], tele.capacity
    chosen = chosen & ~np.isnan(soc)
    if settings.soc_mode is SocMode.MINIMUM:
        return float(soc[chosen].min()) if chosen.any() else NAN
    known = weight[chosen]
    if not len(known):
        return NAN
    known = np.where(np.isnan(known), np.nanmean(known) if not np.isnan(known).all() else 1.0, known)
    missing = 0.0
    if settings.soc_counts_lost_packs:
        missing = float(np.nansum(weight[sets.code == LOST]))
    return float((soc[chosen] * known).sum() / (known.sum() + missing))


class SocKeeper:
    """SoC, counted or told, and what follows from it."""

    def __init__(self, table: PackTable, settings: BankSettings) -> None:
        self._table = table
        self._settings = settings
        self._counted = NAN  # %
        self._average = NAN  # A
        self._empty_for = 0.0  # s

    def reset(self, percent: float) -> None:
        """Set the counter: the bank is known to be at ``percent``."""
        self._counted = percent

    def step(self, instant: Instant, current: float, external_soc: float) -> Charge:
        """Reckon from the bank's ``current``; an external SoC wins over counter and packs."""
        tele, sets = instant.tele, instant.sets
        installed = float(np.nansum(np.where(sets.online | (sets.code == LOST), tele.capacity, np.nan)))
        told = packs_soc(instant, self._settings)
        soc = told
        if self._settings.soc_calculation:
            soc = self._count(instant, current, installed, told)
        if not np.isnan(external_soc):
            soc = min(max(external_soc, 0.0), 100.0)
        remaining = self._remaining(instant, soc, told)
        if installed <= 0.0:
            return Charge(soc, remaining, NAN, NAN, NAN)
        consumed = min(0.0, soc / 100.0 * installed - installed)
        return Charge(soc, remaining, installed, consumed, self._time_to_go(instant, current, soc, installed))

    def _count(self, instant: Instant, current: float, installed: float, told: float) -> float:
        if np.isnan(self._counted):
            self._counted = told
        if installed > 0.0 and not np.isnan(current):
            self._counted += 100.0 * current * instant.dt / 3600.0 / installed
        empty = (instant.tele.lowest_cell <= self._table.min_cell) & instant.sets.sure[DISCHARGE]
        self._empty_for = self._empty_for + instant.dt if current < 0.0 and empty.any() else 0.0
        if self._empty_for > EMPTY_FOR:
            self._counted = 0.0
        self._counted = min(max(self._counted, 0.0), 100.0)
        return self._counted

    def _remaining(self, instant: Instant, soc: float, told: float) -> float:
        """Ah in the packs that answer: as their BMS count them, or by the SoC where that comes from elsewhere."""
        online = instant.sets.online
        if soc != told:
            return soc / 100.0 * float(np.nansum(instant.tele.capacity[online]))
        left = instant.tele[Column.REMAINING_CAPACITY]
        left = np.where(np.isnan(left), instant.tele[Column.SOC] * instant.tele.capacity / 100.0, left)[online]
        return NAN if np.isnan(left).all() else float(np.nansum(left))

    def _time_to_go(self, instant: Instant, current: float, soc: float, installed: float) -> float:
        if np.isnan(current):
            return NAN
        if np.isnan(self._average):
            self._average = current
        self._average += (current - self._average) * min(1.0, instant.dt / CURRENT_TIME)
        if self._average > -IDLE * installed or np.isnan(soc):
            return NAN
        usable = max(soc - self._settings.soc_low_warning, 0.0) / 100.0 * installed
        return min(usable / -self._average * 3600.0, LONGEST)

    def save(self) -> dict[str, Any]:
        """The counter, JSON-able."""
        return {"counted": None if np.isnan(self._counted) else self._counted}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take the counter back."""
        self._counted = NAN if saved["counted"] is None else float(saved["counted"])
