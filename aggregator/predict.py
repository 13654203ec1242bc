"""The largest bank current at which each pack's predicted current, with its uncertainty, stays within its own limit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.lines import Lines
from packbank.cext.lines import highest_drives as compiled_drives
from packbank.cext.lines import lowest_drive, one_side

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SIGMAS = 2.0  # standard deviations that a prediction is kept from the limit
STEP_ERROR = 0.03  # of a step of the current beyond what flows: shares shift a little with time after it
LEAST = 0.02  # of what shares alone allow: a DCL of 0 shuts an islanded inverter down for a passing exchange
ROUNDING = 1e-9  # A, what is left of sums that cancel out
_SIGNS = (1.0, -1.0)  # of a current that charges, in either direction


class Shared(NamedTuple):
    """The bank's limit in one direction, and the pack that sets it (-1: nobody conducts) with its share."""

    value: float
    pack: int
    share: float
    least: float = 0.0  # what is never gone below


class Side(NamedTuple):
    """The packs' lines as one direction sees them: currents and drive are positive in that direction."""

    exchange: Floats  # arrays of shape (packs,)
    weight: Floats
    xx: Floats
    xw: Floats
    ww: Floats
    others: Floats  # part of a step of the bank's current that other packs carry
    drive: float
    carried: float  # A that the chosen packs carry now, NaN where there are none
    one_way: Bools  # packs that carry nothing the other way, whatever their line says

    @classmethod
    def of(cls, lines: Lines, direction: int, chosen: Bools, one_way: Bools) -> Side:
        """``lines`` in one direction; errors are those that are left of each pack's own when the ``chosen`` share.

        The chosen packs' currents add up to the bank's, so an error that all have in common is none: of the error
        ``e_i`` there remains ``e_i - s_i * sum of e``, whose variance is ``(1 - s_i)^2 var_i + s_i^2 * (the others')``.
        """
        block = np.empty((5, len(lines.weight)))
        drive = _SIGNS[direction] * lines.drive
        carried = one_side(lines.arrays, _SIGNS[direction], drive, chosen, block)
        exchange, others, xx, xw, ww = block
        return cls(exchange, lines.weight, xx, xw, ww, others, drive, carried, one_way)


def highest_drives(side: Side, limits: Floats) -> Floats:
    """For each pack the drive at which its predicted current with its uncertainty reaches its limit.

    That is the root of ``x + w v + e (1 - s) w max(v - v_now, 0) + z sqrt(xx + 2 v xw + v^2 ww) = limit``; ``-inf``
    where uncertainty alone is above the limit at every drive.
    """
    drives = np.empty(len(limits))
    compiled_drives(side[:6], limits, side.drive, SIGMAS, STEP_ERROR, drives)
    return drives


def shared_limit(side: Side, drives: Floats, own: Floats, sure: Bools, maybe: Bools) -> Shared:
    """Largest bank current at which every pack stays below its highest drive, whichever of the ``maybe`` packs conduct.

    Arrays have shape ``(packs,)``; ``own`` are the packs' limits. Each ``maybe`` pack may conduct and set the limit;
    of the other ``maybe`` packs those then conduct that would take current away, which one-way packs cannot. All this
    only ever lowers the limit.
    """
    pack, limit, neediest, least, whole, narrower = lowest_drive(
        side.exchange, side.weight, drives, own, sure, maybe, side.one_way
    )
    if pack < 0:
        return Shared(0.0, -1, np.nan)
    if narrower:
        others = np.flatnonzero(maybe & (drives < drives[pack]))
        less = _carried_with(side, sure, maybe, others, drives[others])
        least_of = int(less.argmin())
        pack, limit = (int(others[least_of]), float(less[least_of])) if less[least_of] < limit else (pack, limit)
    least *= LEAST * whole
    if not limit > least + ROUNDING:
        pack, limit = neediest, least
    return Shared(limit, pack, float(side.weight[pack]) / whole, least)


def after_loss(side: Side, drives: Floats, sure: Bools, lost: int) -> Shared:
    """Largest bank current at which the others stay below their highest drives when any ``lost`` sure packs leave.

    The lowest drive of those that stay is the one of the pack with rank ``m`` when the ``m`` lowest are among those
    that leave, and the worst of the rest that can leave with them are those with the largest currents.
    """
    members = np.flatnonzero(sure)
    order = members[np.argsort(drives[members])]
    best = Shared(np.inf, -1, np.nan)
    whole = float(np.add.reduce(side.weight, where=sure))
    for rank in range(lost + 1):
        drive = float(drives[order[rank]])
        if drive == -np.inf:
            return Shared(-np.inf, int(order[0]), np.nan)
        flows = side.exchange[order] + side.weight[order] * drive
        others = flows[rank + 1 :]
        leave = lost - rank
        largest = np.argsort(others)[len(others) - leave :] if leave else np.empty(0, dtype=np.intp)
        value = float(np.add.reduce(flows[rank:])) - float(np.add.reduce(others[largest]))
        if value < best.value:
            leaver = int(order[rank + 1 + largest[-1]]) if leave else int(order[0])
            best = Shared(value, leaver, float(side.weight[leaver]) / whole)
    return best


def _carried_with(side: Side, sure: Bools, maybe: Bools, packs: NDArray[np.intp], drives: Floats) -> Floats:
    """The same for each of ``packs``, which are ``maybe``, at its drive when it conducts itself."""
    takers = maybe & ~side.one_way
    exchange, weight = side.exchange[takers], side.weight[takers]
    turns = -exchange / weight  # the drive below which a pack takes current away
    order = np.argsort(turns)
    possible = drives > -np.inf
    drives = np.where(possible, drives, 0.0)
    first = np.searchsorted(turns[order], drives, side="right")  # those from here on take current away
    taken = _sums_from(exchange[order])[first] + _sums_from(weight[order])[first] * drives
    flow = side.exchange[packs] + side.weight[packs] * drives
    whole = np.add.reduce(side.exchange, where=sure) + np.add.reduce(side.weight, where=sure) * drives
    carried: Floats = np.where(possible, whole + taken + np.maximum(flow, 0.0), -np.inf)
    return carried


def _sums_from(values: Floats) -> Floats:
    """For each index the sum of the values from there to the end, and 0 behind the end."""
    return np.append(np.cumsum(values[::-1])[::-1], 0.0)
