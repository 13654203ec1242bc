"""Alarms of the bank: the worst of the packs, ours beside them, debounced."""

from __future__ import annotations

from math import isnan

import numpy as np

from packbank.aggregator.instant import Instant
from packbank.aggregator.settings import BankSettings
from packbank.cext.chosen import highest_of_each
from packbank.model.columns import Alarm

OK, WARNING, ALARM = 0, 1, 2
SOC_HYSTERESIS = 2.0  # % that SoC must rise above a threshold to end its alarm


def own_levels(instant: Instant, soc: float, low_soc: int, settings: BankSettings) -> dict[Alarm, int]:
    """The alarms that the bank raises beside its packs: packs that are lost, and the SoC."""
    levels = {}
    if settings.bms_cable_alarm:
        sets = instant.sets
        levels[Alarm.BMS_CABLE] = OK if not sets.any_lost else WARNING if np.count_nonzero(sets.online) else ALARM
    if not isnan(soc):
        levels[Alarm.LOW_SOC] = low_soc_level(soc, low_soc, settings)
    return levels


def low_soc_level(soc: float, before: int, settings: BankSettings) -> int:
    """Level of the low SoC alarm; an alarm that stands ends only ``SOC_HYSTERESIS`` above its threshold."""
    if soc < settings.soc_low_alarm + (SOC_HYSTERESIS if before == ALARM else 0.0):
        return ALARM
    if soc < settings.soc_low_warning + (SOC_HYSTERESIS if before >= WARNING else 0.0):
        return WARNING
    return OK


class AlarmKeeper:
    """Published alarm levels: a change must last ``ALARM_DELAY`` before it is passed on."""

    def __init__(self, settings: BankSettings) -> None:
        self._settings = settings
        self._worst = b""  # of the packs, as seen last
        self._of_packs: dict[Alarm, int] = {}
        self._published: dict[Alarm, int] = {}
        self._changed_at: dict[Alarm, float] = {}
        self._was_online = False

    def step(self, instant: Instant, soc: float) -> dict[Alarm, int]:
        """The levels to publish; every alarm that some pack can report is in it.

        When a lost bank returns, its alarms begin anew: what was raised while nobody answered is no news any more.
        """
        online = bool(np.count_nonzero(instant.sets.online))
        if online and not self._was_online:
            self._published, self._changed_at = {}, {}
        self._was_online = online
        raw = self._packs_levels(instant).copy()
        for alarm, level in own_levels(instant, soc, self._published.get(Alarm.LOW_SOC, OK), self._settings).items():
            raw[alarm] = max(level, raw.get(alarm, OK))
        if raw == self._published:
            self._changed_at.clear()
            return self._published
        published = dict(self._published)
        for alarm, level in raw.items():
            if level == published.setdefault(alarm, OK):
                self._changed_at.pop(alarm, None)
            elif instant.now - self._changed_at.setdefault(alarm, instant.now) >= self._settings.alarm_delay:
                published[alarm] = level
                del self._changed_at[alarm]
        self._published = published
        return published

    def _packs_levels(self, instant: Instant) -> dict[Alarm, int]:
        """The worst of the packs that answer; alarms that none of them can report are left out."""
        worst = np.empty(len(Alarm))
        highest_of_each(instant.tele.alarms, instant.sets.online, worst)
        if worst.tobytes() != self._worst:  # seldom: alarms stand still while all is well
            self._worst = worst.tobytes()
            levels = zip(Alarm, worst.tolist(), strict=True)
            self._of_packs = {alarm: int(level) for alarm, level in levels if not isnan(level)}
        return self._of_packs
