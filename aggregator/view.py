"""The packs of one step as the outside sees them: arrays that no later step changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.instant import Instant
from packbank.aggregator.limits import CAUSES, CEILING, OwnLimits
from packbank.aggregator.table import PackTable
from packbank.aggregator.telemetry import COLDEST, HOTTEST
from packbank.aggregator.unknowns import Unknowns
from packbank.cext.lines import shares as find_shares
from packbank.model.battery import CAUSES as ALL_CAUSES
from packbank.model.battery import Cause, Packs, SensorReport

Bools = NDArray[np.bool_]

# Codes of the causes of a pack's own limit, by what it rests on; a ceiling is the BMS's unless another is known.
_BY_SMALLEST = np.array([ALL_CAUSES.index(cause) for cause in (*CAUSES, Cause.BMS)], dtype=np.int8)
_CONFIG, _ESTIMATE = (np.int8(ALL_CAUSES.index(cause)) for cause in (Cause.CONFIG, Cause.ESTIMATE))


def view(
    names: tuple[str, ...], instant: Instant, table: PackTable, unknowns: Unknowns, sensors: SensorReport
) -> Packs:
    """The packs as ``instant`` has them, and what is thought of their current ``sensors``."""
    tele, sets, own, slots = instant.tele, instant.sets, instant.own, unknowns.slots
    unlimited = np.isnan(own.ceiling)
    return Packs(
        names=names,
        presence=sets.code,
        age=tele.age,
        blocked=sets.blocked,
        limit=own.value,
        share=_shares(instant),
        cause=_causes(own, table, instant.estimated, unlimited),
        unlimited=unlimited & sets.online,
        estimated=instant.estimated,
        suspect=slots.suspect,
        absent=slots.absent,
        temperature=tele.extremes[COLDEST : HOTTEST + 1],
        alarms=tele.alarms,
        implausible=unknowns.plausible.found,
        sensors=sensors,
    )


def _shares(instant: Instant) -> NDArray[np.float64]:
    """Shares of the packs that certainly conduct; their sum is 1 in each direction, or 0 when none does."""
    shares = np.empty(instant.sets.sure.shape)
    find_shares(instant.lines.weight, instant.sets.sure, shares)
    return shares


def _causes(own: OwnLimits, table: PackTable, estimated: Bools, unlimited: Bools) -> NDArray[np.int8]:
    """Why each pack's own limits are what they are, codes of shape ``(2, packs)``."""
    causes = _BY_SMALLEST.take(own.smallest)
    by_ceiling = own.smallest == CEILING
    if table.any_ceiling or np.count_nonzero(unlimited):
        np.copyto(causes, _CONFIG, where=by_ceiling & (unlimited | (table.ceiling == own.ceiling)))
    if np.count_nonzero(estimated):
        np.copyto(causes, _ESTIMATE, where=by_ceiling & estimated)
    return causes
