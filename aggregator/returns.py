"""Packs whose BMS is about to close a MOSFET again, so that room is kept for the current that they will take.

Over-current protections release after a time that the BMS reports; the others release when a cell or a temperature is
back at a value that it reports. A switch that somebody has opened by hand closes at a moment that nobody can foresee.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.presence import Sets
from packbank.aggregator.table import CHARGE, DISCHARGE
from packbank.aggregator.telemetry import COLDEST, HIGHEST, HOTTEST, LOWEST, MOSFETS, Telemetry
from packbank.model.columns import Alarm, Column

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

LEAD = 10.0  # s before a release: our step, three of DVCC's, and what chargers take to follow
OVERDUE = 60.0  # s after it: a BMS that has not closed by then waits for something else
ANY_TIME = 600.0  # s after the opening, where the BMS does not report its release time


class _Timer(NamedTuple):
    """A protection that releases by time."""

    direction: int
    alarm: Alarm
    release: Column


class _Threshold(NamedTuple):
    """A protection that releases when ``watched`` is back at ``release``; ``near`` is when that is about to be."""

    direction: int
    alarm: Alarm
    release: Column
    watched: int  # row of Telemetry.extremes
    side: float  # 1: it tripped above
    near: float


_TIMERS = (
    _Timer(CHARGE, Alarm.HIGH_CHARGE_CURRENT, Column.CHARGE_OCP_RELEASE),
    _Timer(DISCHARGE, Alarm.HIGH_DISCHARGE_CURRENT, Column.DISCHARGE_OCP_RELEASE),
)
_THRESHOLDS = (
    _Threshold(CHARGE, Alarm.HIGH_CELL_VOLTAGE, Column.CELL_OVP_RECOVERY, HIGHEST, 1.0, 0.01),
    _Threshold(DISCHARGE, Alarm.LOW_CELL_VOLTAGE, Column.CELL_UVP_RECOVERY, LOWEST, -1.0, 0.01),
    _Threshold(CHARGE, Alarm.HIGH_CHARGE_TEMPERATURE, Column.CHARGE_OTP_RECOVERY, HOTTEST, 1.0, 0.5),
    _Threshold(CHARGE, Alarm.LOW_CHARGE_TEMPERATURE, Column.CHARGE_UTP_RECOVERY, COLDEST, -1.0, 0.5),
    _Threshold(DISCHARGE, Alarm.HIGH_TEMPERATURE, Column.DISCHARGE_OTP_RECOVERY, HOTTEST, 1.0, 0.5),
    _Threshold(DISCHARGE, Alarm.LOW_TEMPERATURE, Column.DISCHARGE_UTP_RECOVERY, COLDEST, -1.0, 0.5),
    _Threshold(CHARGE, Alarm.HIGH_INTERNAL_TEMPERATURE, Column.MOS_OTP_RECOVERY, MOSFETS, 1.0, 1.0),
    _Threshold(DISCHARGE, Alarm.HIGH_INTERNAL_TEMPERATURE, Column.MOS_OTP_RECOVERY, MOSFETS, 1.0, 1.0),
)


class Returns:
    """When each switch opened, and which of them are about to close."""

    def __init__(self, packs: int) -> None:
        self._none = np.zeros((2, packs), dtype=np.bool_)
        self._opened = np.full((2, packs), np.nan)
        self._raised = np.zeros((2, packs), dtype=np.bool_)  # over-current was the reason
        self._found = np.zeros((2, packs), dtype=np.bool_)  # open when its pack was first seen: nobody knows since when
        self._online = np.zeros(packs, dtype=np.bool_)  # in the last step
        self._was_over = np.zeros((2, packs), dtype=np.bool_)

    def step(self, tele: Telemetry, sets: Sets, ceiling: Floats, now: float) -> Bools:
        """Packs about to conduct again, shape ``(2, packs)``."""
        over, self._was_over = self._was_over, tele.flow > ceiling
        seen, self._online = self._online, sets.online
        waiting = sets.blocked & sets.online
        if not np.count_nonzero(waiting):
            self._opened.fill(np.nan)
            self._raised.fill(False)
            self._found.fill(False)
            return self._none
        self._found = waiting & (self._found | (np.isnan(self._opened) & ~seen))
        self._opened = np.where(waiting, np.where(np.isnan(self._opened), now, self._opened), np.nan)
        self._raised = waiting & (self._raised | (over & (self._opened == now)))
        due = np.zeros_like(waiting)
        for timer in _TIMERS:
            raised = self._raised[timer.direction] | (tele.alarms[:, timer.alarm] > 0.0)
            self._raised[timer.direction] = raised & waiting[timer.direction]
            since = now - self._opened[timer.direction]
            release = tele[timer.release]
            timed = (self._found[timer.direction] | (since >= release - LEAD)) & (since <= release + OVERDUE)
            due[timer.direction] |= raised & np.where(np.isnan(release), since <= ANY_TIME, timed)
        for kind in _THRESHOLDS:
            left = kind.side * (tele.extremes[kind.watched] - tele[kind.release])
            due[kind.direction] |= (tele.alarms[:, kind.alarm] > 0.0) & (left <= kind.near)
        return due & waiting
