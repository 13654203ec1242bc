"""What follows from a current sensor that is not believed (sensors.py).

Its reading teaches nothing: it counts as not reported. Limits hold whether the pack conducts or not until its cells
have shown that it does; what it carries is taken from its neighbours (share.py), or from a shunt.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.instant import Instant
from packbank.aggregator.presence import Sets
from packbank.aggregator.sensors import Verdict
from packbank.aggregator.telemetry import BMS_CEILINGS, Telemetry, row
from packbank.cext.chosen import total
from packbank.cext.columns import flows
from packbank.model.columns import Alarm, Column
from packbank.model.controls import External

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_CURRENT = row(Column.CURRENT)
RAISED = Alarm.INTERNAL_FAILURE  # the alarm of a wrong sensor: a fault of the BMS, which protects its pack by it
WARNING = 1.0


def believed(tele: Telemetry, sets: Sets, verdict: Verdict, shunt: float) -> Telemetry:
    """``tele`` without readings that are not believed, and with the alarm of those that are wrong.

    Where a ``shunt`` measures the bank and one pack alone is not believed, it carries what the others leave over.
    """
    if not verdict.any_unread:
        return tele
    unread = verdict.unread
    block = tele.block.copy()
    current = np.where(unread, np.nan, block[_CURRENT])
    current = np.where(verdict.turned, -block[_CURRENT], current)
    missing = unread & sets.online & ~verdict.turned
    if verdict.shunt_fits and np.count_nonzero(missing & ~verdict.unsure) == np.count_nonzero(missing) == 1:
        current[missing] = shunt - total(current, sets.online)
    block[_CURRENT] = current
    flow = np.empty((2, len(current)))
    flows(current, flow)
    alarms = tele.alarms
    if np.count_nonzero(verdict.wrong):
        alarms = alarms.copy()
        alarms[verdict.wrong, RAISED] = np.fmax(alarms[verdict.wrong, RAISED], WARNING)
    return replace(tele, block=block, flow=flow, alarms=alarms)


def with_doubts(instant: Instant) -> Instant:
    """``instant`` in which packs of which nobody knows whether they conduct may do so or not.

    A BMS that sees the opposite current trips by its limit of the other direction, so the lower one counts.
    """
    verdict, sets, own = instant.sensors, instant.sets, instant.own
    if not verdict.any_unread:
        return instant
    unsure = sets.sure & verdict.unsure
    unsure &= np.logical_or.reduce(sets.sure & ~unsure, axis=1, keepdims=True)  # somebody must conduct
    in_sum = verdict.unread & ~verdict.wrong  # in the bank's sum a reading that is only doubted counts
    np.copyto(instant.tele.block[_CURRENT], instant.reported, where=in_sum)
    seen = np.fmin(own.value, instant.tele.block[BMS_CEILINGS][::-1])
    return replace(
        instant,
        sets=replace(sets, sure=sets.sure & ~unsure, maybe=sets.maybe | unsure),
        own=replace(own, value=np.where(verdict.mirrored, seen, own.value)),
    )


def with_bank_current(external: External, instant: Instant) -> External:
    """``external`` with the bank's current where a sensor is wrong: that pack's as the others' report it.

    Readings that are only in doubt count as they are.
    """
    verdict = instant.sensors
    if not np.count_nonzero(verdict.wrong) or not np.isnan(external.current):
        return external
    read = instant.tele[Column.CURRENT]
    carried = verdict.wrong & ~verdict.unsure & np.isnan(read)
    current = np.where(carried, instant.lines.current(instant.lines.drive), read)
    return replace(external, current=total(current, instant.sets.online))
