"""The packs of one step as the outside sees them: copies that no later step changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.instant import Instant
from packbank.aggregator.limits import CAUSES, OwnLimits
from packbank.aggregator.table import PackTable
from packbank.aggregator.telemetry import COLDEST, HOTTEST
from packbank.aggregator.unknowns import Unknowns
from packbank.model.battery import CAUSES as ALL_CAUSES
from packbank.model.battery import Cause, Packs, SensorReport

# Codes of the causes of a pack's own limit: by the row of its smallest fraction, and of its ceiling.
_BY_FRACTION = np.array([ALL_CAUSES.index(cause) for cause in CAUSES], dtype=np.int8)
_CONFIG, _BMS, _ESTIMATE = (np.int8(ALL_CAUSES.index(cause)) for cause in (Cause.CONFIG, Cause.BMS, Cause.ESTIMATE))


def view(
    names: tuple[str, ...], instant: Instant, table: PackTable, unknowns: Unknowns, sensors: SensorReport
) -> Packs:
    """The packs as ``instant`` has them, and what is thought of their current ``sensors``."""
    tele, sets, own, slots = instant.tele, instant.sets, instant.own, unknowns.slots
    return Packs(
        names=names,
        presence=sets.code.copy(),
        age=tele.age.copy(),
        blocked=sets.blocked.copy(),
        limit=own.value.copy(),
        share=_shares(instant),
        cause=_causes(own, table, instant.estimated),
        unlimited=np.isnan(own.ceiling) & sets.online,
        estimated=instant.estimated.copy(),
        suspect=slots.suspect.copy(),
        absent=slots.absent.copy(),
        temperature=tele.extremes[COLDEST : HOTTEST + 1].copy(),
        alarms=tele.alarms.copy(),
        implausible=unknowns.plausible.found,
        sensors=sensors,
    )


def _shares(instant: Instant) -> NDArray[np.float64]:
    """Shares of the packs that certainly conduct; their sum is 1 in each direction, or 0 when none does."""
    weights = np.where(instant.sets.sure, instant.lines.weight, 0.0)
    shares: NDArray[np.float64] = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    return shares


def _causes(own: OwnLimits, table: PackTable, estimated: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Why each pack's own limits are what they are, codes of shape ``(2, packs)``."""
    smallest = own.fractions.argmin(axis=1)
    reduced = np.minimum.reduce(own.fractions, axis=1) < 1.0
    by_ceiling = np.where(np.isnan(own.ceiling) | (table.ceiling == own.ceiling), _CONFIG, _BMS)
    if np.count_nonzero(estimated):
        by_ceiling = np.where(estimated, _ESTIMATE, by_ceiling)
    causes: NDArray[np.int8] = np.where(reduced & ~np.isnan(own.ceiling), _BY_FRACTION[smallest], by_ceiling)
    return causes
