"""The largest bank current at which each pack's predicted current, with its uncertainty, stays within its own limit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.share import Lines
from packbank.aggregator.table import CHARGE

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SIGMAS = 2.0  # standard deviations that a prediction is kept from the limit
STEP_ERROR = 0.03  # of a step of the current beyond what flows: shares shift a little with time after it
LEAST = 0.02  # of what shares alone allow: a DCL of 0 shuts an islanded inverter down for a passing exchange
TINY = 1e-12


class Shared(NamedTuple):
    """The bank's limit in one direction, and the pack that sets it (-1: nobody conducts) with its share."""

    value: float
    pack: int
    share: float
    least: float = 0.0  # what is never gone below


class Side(NamedTuple):
    """The packs' lines as one direction sees them: currents and drive are positive in that direction."""

    exchange: Floats
    weight: Floats
    xx: Floats
    xw: Floats
    ww: Floats
    others: Floats  # part of a step of the bank's current that other packs carry
    drive: float

    @classmethod
    def of(cls, lines: Lines, direction: int, chosen: Bools) -> Side:
        """``lines`` in ``direction``; errors are those that are left of each pack's own when the ``chosen`` share.

        The chosen packs' currents add up to the bank's, so an error that all have in common is none: of the error
        ``e_i`` there remains ``e_i - s_i * sum of e``, whose variance is ``(1 - s_i)^2 var_i + s_i^2 * (the others')``.
        """
        sign = 1.0 if direction == CHARGE else -1.0
        whole = np.add.reduce(lines.weight, where=chosen)
        share = lines.weight / np.where(chosen, max(whole, TINY), whole + lines.weight)
        own, others = (1.0 - share) ** 2, share * share

        def left(variance: Floats) -> Floats:
            rest = np.add.reduce(variance, where=chosen) - np.where(chosen, variance, 0.0)
            remaining: Floats = own * variance + others * rest
            return remaining

        return cls(
            sign * lines.exchange,
            lines.weight,
            left(lines.xx),
            sign * left(lines.xw),
            left(lines.ww),
            1.0 - share,
            sign * lines.drive,
        )

    def current(self, drive: float | Floats) -> Floats:
        """Each pack's at ``drive``."""
        flows: Floats = self.exchange + self.weight * drive
        return flows


def highest_drives(side: Side, limits: Floats) -> Floats:
    """For each pack the drive at which its predicted current with its uncertainty reaches its limit.

    That is the root of ``x + w v + e (1 - s) w max(v - v_now, 0) + z sqrt(xx + 2 v xw + v^2 ww) = limit``; ``-inf``
    where uncertainty alone is above the limit at every drive.
    """
    flat = _root(side, limits - side.exchange, side.weight)
    beyond = STEP_ERROR * side.weight * side.others
    steep = _root(side, limits - side.exchange + beyond * side.drive, side.weight + beyond)
    drives: Floats = np.where(flat > side.drive, np.maximum(steep, side.drive), flat)
    return drives


def _root(side: Side, room: Floats, weight: Floats) -> Floats:
    """The largest root of ``weight v + z sqrt(xx + 2 v xw + v^2 ww) = room``, by squaring it."""
    z2 = SIGMAS * SIGMAS
    a = weight * weight - z2 * side.ww
    b = room * weight + z2 * side.xw
    c = room * room - z2 * side.xx
    square = b * b - a * c
    root = np.sqrt(np.maximum(square, 0.0))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = np.where(b > 0.0, c / (b + root), (b - root) / a)  # one root, without the difference of equals
        valid = (square >= -1e-9 * b * b) & (room - weight * found >= -1e-6 * (1.0 + np.abs(room)))
    drives: Floats = np.where(valid, found, -np.inf)
    return drives


def shared_limit(side: Side, drives: Floats, own: Floats, sure: Bools, maybe: Bools) -> Shared:
    """Largest bank current at which every pack stays below its highest drive, whichever of the ``maybe`` packs conduct.

    Arrays have shape ``(packs,)``; ``own`` are the packs' limits. If a ``maybe`` pack sets the limit, it conducts
    itself, and of the others those that would take current away; all this only ever lowers the limit.
    """
    if not np.count_nonzero(sure):
        return Shared(0.0, -1, np.nan)
    each = np.where(sure, drives, np.inf)
    pack = int(each.argmin())
    limit = _carried(side, sure, maybe, float(each[pack]))
    if np.count_nonzero(maybe):
        wide = np.where(maybe, drives, np.inf)
        other = int(wide.argmin())
        if wide[other] < each[pack]:
            drive, rest = float(wide[other]), maybe & (np.arange(len(own)) != other)
            less = _carried(side, sure, rest, drive) + float(side.exchange[other] + side.weight[other] * drive)
            pack, limit = (other, less) if not less >= limit else (pack, limit)
    whole = float(np.add.reduce(side.weight, where=sure))
    by_weight = np.where(sure | maybe, own / side.weight, np.inf)
    neediest = int(by_weight.argmin())
    least = LEAST * whole * float(by_weight[neediest])
    if not limit > least:
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


def _carried(side: Side, sure: Bools, maybe: Bools, drive: float) -> float:
    """What the bank carries at least at ``drive``, whichever of the ``maybe`` packs conduct."""
    if drive == -np.inf:
        return -np.inf
    flows = side.current(drive)
    return float(np.add.reduce(flows, where=sure) + np.add.reduce(np.minimum(flows, 0.0), where=maybe))
