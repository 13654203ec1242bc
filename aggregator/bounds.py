"""What stands for the settings of a pack that has not reported them: a bound, never a guess that allows more.

A pack's current limit that neither its BMS nor the configuration gives is, in this order,

1. what the pack reported in an earlier run, if that is known (``stored``);
2. half the lowest limit of the fresh packs of its kind and capacity;
3. the lowest limit of any pack, in proportion to its capacity, which is its share of the current before anything
   was measured.

Its protections are the most cautious ones of the packs of its kind, else of all. Where nobody reports anything, nothing
is known: the value stays ``NaN`` and the pack carries no current.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.table import CHARGE, DISCHARGE
from packbank.aggregator.telemetry import Telemetry, row
from packbank.model.columns import Column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Kinds = NDArray[np.int64]

PEERS_FRACTION = 0.5  # of the lowest limit of its peers: what the pack itself bears is not known
_SAME_CAPACITY = 0.02  # relative difference between capacities that count as equal


class _Bound(NamedTuple):
    """A setting and the more cautious of two values of it."""

    column: Column
    cautious: Callable[[Floats], float]


LIMITS = (Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT)
_PROTECTIONS = (
    _Bound(Column.CELL_OVP, np.nanmin),
    _Bound(Column.CELL_UVP, np.nanmax),
    _Bound(Column.CHARGE_OTP, np.nanmin),
    _Bound(Column.DISCHARGE_OTP, np.nanmin),
    _Bound(Column.CHARGE_UTP, np.nanmax),
    _Bound(Column.DISCHARGE_UTP, np.nanmax),
    _Bound(Column.MOS_OTP, np.nanmin),
)
STORED = (*LIMITS, *(bound.column for bound in _PROTECTIONS))  # the settings that are kept over restarts


def bound_settings(
    tele: Telemetry,
    ceiling: Floats,
    online: Bools,
    fresh: Bools,
    kinds: Kinds,
    stored: Floats | None,
    dismissed: Bools | None = None,
) -> Bools:
    """Fill the unknown settings of the ``online`` packs in ``tele.block`` with their bounds, in place.

    ``ceiling`` of shape ``(2, packs)`` is what the configuration allows, ``kinds`` numbers the packs by model,
    ``stored`` of shape ``(len(STORED), packs)`` is what they reported in an earlier run, ``dismissed`` are packs
    that reported something that cannot be (plausible.py). Returns which current limits,
    shape ``(2, packs)``, rest on other packs.
    """
    block, capacity = tele.block, tele.capacity
    if stored is not None:
        for number, column in enumerate(STORED):
            values = block[row(column)]
            np.copyto(values, stored[number], where=np.isnan(values))
    untold = np.isnan(block[row(Column.CELL_OVP)])
    untold = online & (untold if dismissed is None else untold | dismissed)
    for pack in np.flatnonzero(untold):
        _bound_protections(block, int(pack), _peers(int(pack), capacity, fresh, kinds), fresh)
    estimated = np.zeros((2, len(capacity)), dtype=np.bool_)
    for direction in (CHARGE, DISCHARGE):
        limit = np.fmin(ceiling[direction], block[row(LIMITS[direction])])
        for pack in np.flatnonzero(online & np.isnan(limit)):
            bound = _limit_of(int(pack), limit, capacity, fresh, kinds)
            block[row(LIMITS[direction]), pack] = bound
            estimated[direction, pack] = not isnan(bound)
    return estimated


def _limit_of(pack: int, limit: Floats, capacity: Floats, fresh: Bools, kinds: Kinds) -> float:
    """The current limit that other packs give to ``pack``, A; ``NaN`` when no pack reports one."""
    known = fresh & ~np.isnan(limit)
    peers = _peers(pack, capacity, known, kinds)
    if np.count_nonzero(peers):
        return PEERS_FRACTION * float(limit[peers].min())
    if not np.count_nonzero(known):
        return float("nan")
    lowest = int(np.where(known, limit, np.inf).argmin())
    part = capacity[pack] / capacity[lowest]
    return float(limit[lowest] * min(part if part > 0.0 else PEERS_FRACTION, 1.0))


def _bound_protections(block: Floats, pack: int, peers: Bools, fresh: Bools) -> None:
    for column, cautious in _PROTECTIONS:
        values = block[row(column)]
        for packs in (peers, fresh):
            if np.isnan(values[pack]) and not np.isnan(values[packs]).all():
                values[pack] = cautious(values[packs])


def _peers(pack: int, capacity: Floats, among: Bools, kinds: Kinds) -> Bools:
    """Those of ``among`` that are of the pack's kind and capacity."""
    alike = np.abs(capacity - capacity[pack]) <= _SAME_CAPACITY * capacity[pack]  # false where one is not known
    peers: Bools = among & alike & (kinds == kinds[pack])
    peers[pack] = False
    return peers
