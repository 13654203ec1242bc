"""CCL and DCL: own limits divided by shares, safe whoever conducts, corrected by what is measured, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.instant import Instant
from packbank.aggregator.limits import describe
from packbank.aggregator.presence import LOST
from packbank.aggregator.ramp import STEP, Ramp
from packbank.aggregator.settings import BankSettings
from packbank.aggregator.table import CHARGE, DISCHARGE, PackTable
from packbank.model.battery import Cause, Limit
from packbank.model.columns import Column
from packbank.model.controls import NAN, Controls

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SLACK = 0.5  # A over its own limit from which a pack counts as over it, unless it is at its ceiling
SAMPLES = 2  # of its own in a row that must show it
LOWEST_FEEDBACK = 0.02  # not 0: a DCL of 0 shuts an islanded inverter down
RECOVERY = 0.01  # of the feedback's own value, per s


@dataclass(frozen=True, slots=True)
class Shared:
    """The bank's limit in one direction, and the pack that sets it (-1: nobody conducts) with its share."""

    value: float
    pack: int
    share: float


def shared_limits(own: Floats, weights: Floats, chosen: Bools, margin: float) -> tuple[Shared, Shared]:
    """Largest bank currents, charge and discharge, at which every chosen pack stays within its own limit.

    Arrays have shape ``(2, packs)``; ``margin`` is the relative error that the shares may have.
    """
    total = np.add.reduce(np.where(chosen, weights, 0.0), axis=1)
    each = np.where(chosen, own / weights, np.inf)
    pack = each.argmin(axis=1)
    results = []
    for direction in (CHARGE, DISCHARGE):
        whole, index = float(total[direction]), int(pack[direction])
        if whole > 0.0:
            limit = float(each[direction, index]) * whole / (1.0 + margin)
            results.append(Shared(limit, index, float(weights[direction, index]) / whole))
        else:
            results.append(Shared(0.0, -1, NAN))
    return results[CHARGE], results[DISCHARGE]


class Feedback:
    """The safety net under the shares: a factor a direction that falls at once and always recovers.

    A pack's current is ``a_i + s_i * I``, where ``a_i`` is what it exchanges with the other packs whatever the bank
    carries. So when a pack is measured over its limit in two samples of its own, the bank must carry less by its excess
    over ``s_i``, counted from the measured current; that does not compound while the inverter follows. ``s_i`` is
    the prior share here: the measured one holds ``a_i`` too, and would give way too little near full or empty.
    """

    def __init__(self, packs: int, margin: float) -> None:
        self._margin = margin
        self._count = np.zeros((2, packs), dtype=np.int8)
        self._seen = np.full(packs, np.nan)
        self.factor = [1.0, 1.0]
        self.pack = [-1, -1]  # the one behind the factor

    def step(self, instant: Instant, conducting: Bools, limits: tuple[Shared, Shared]) -> None:
        """Compare the packs' currents with their own limits; ``limits`` are the bank's before this factor."""
        tele, own = instant.tele, instant.own.value
        seen, self._seen = self._seen, tele[Column.STATUS_TIME]
        self.factor = [min(1.0, factor * (1.0 + RECOVERY * instant.dt)) for factor in self.factor]
        most = np.fmin(own + SLACK, np.maximum(instant.own.ceiling, 0.0))  # a BMS trips just above its ceiling
        if not np.count_nonzero(tele.flow > most):  # the usual case, whoever conducts
            self._count[:] = 0
            return
        flow = np.where(conducting, tele.flow, 0.0)
        excess = flow - own / (1.0 + self._margin)
        new = self._seen != seen
        self._count = np.where(flow > most, np.minimum(self._count + new, SAMPLES), 0).astype(np.int8)
        net = float(flow[CHARGE].sum() - flow[DISCHARGE].sum())
        for direction, carried in ((CHARGE, net), (DISCHARGE, -net)):
            proven = self._count[direction] >= SAMPLES
            limit = limits[direction].value
            if np.count_nonzero(proven) and limit > 0.0:
                less = np.where(proven, excess[direction] / instant.prior, -np.inf)
                whole = instant.prior.sum(where=conducting[direction])
                factor = max(LOWEST_FEEDBACK, (carried - float(less.max() * whole)) / limit)
                if factor < self.factor[direction]:
                    self.factor[direction], self.pack[direction] = factor, int(less.argmax())


class BankLimits:
    """CCL and DCL from step to step."""

    def __init__(self, table: PackTable, settings: BankSettings) -> None:
        self._table = table
        self._settings = settings
        self.feedback = Feedback(len(table.capacity), settings.sensor_error)
        self._ramps = (
            Ramp(settings.ccl_recovery_hold_sec, settings.ccl_recovery_rate_a_per_sec),
            Ramp(settings.dcl_recovery_hold_sec, settings.dcl_recovery_rate_a_per_sec),
        )
        self._thresholds = (
            settings.charge_current_recovery_threshold_percent,
            settings.discharge_current_recovery_threshold_percent,
        )
        self._ceilings = (settings.max_bank_charge_current, settings.max_bank_discharge_current)

    def step(self, instant: Instant, controls: Controls) -> tuple[Limit, Limit]:
        """The limits to publish; before the bank is ready they follow their targets without delay."""
        sets, own, weights = instant.sets, instant.own, instant.weights
        margin = self._settings.sensor_error
        charge, discharge = shared_limits(own.value, weights, sets.sure, margin)
        conducting = sets.sure
        if sets.any_maybe:
            conducting = sets.sure | sets.maybe
            wide = shared_limits(own.value, weights, conducting, margin)
            charge, discharge = min(charge, wide[CHARGE], key=_value), min(discharge, wide[DISCHARGE], key=_value)
        self.feedback.step(instant, conducting & sets.online, (charge, discharge))
        ccl, dcl = self._explain(CHARGE, charge, instant), self._explain(DISCHARGE, discharge, instant)
        ccl, dcl = self._follow(CHARGE, ccl, instant), self._follow(DISCHARGE, dcl, instant)
        return (
            self._cap(CHARGE, ccl, controls.charge_current, controls.charge_off),
            self._cap(DISCHARGE, dcl, controls.discharge_current, controls.discharge_off),
        )

    def _explain(self, direction: int, shared: Shared, instant: Instant) -> Limit:
        """The shared limit under its feedback, with the pack behind it."""
        pack, factor = shared.pack, self.feedback.factor[direction]
        if pack < 0:
            return Limit(0.0, cause=Cause.BLOCKED)
        if factor < 1.0:
            over = self.feedback.pack[direction]
            share = float(instant.weights[direction, over] / instant.weights[direction, pack]) * shared.share
            return Limit(shared.value * factor, over, Cause.SHARE, share, f"was over its limit, bank at {factor:.0%}")
        cause = instant.own.cause(direction, pack, self._table)
        unknown = isnan(instant.own.ceiling[direction, pack])
        detail = (
            "neither its BMS nor the configuration tells one"
            if unknown
            else describe(cause, direction, pack, instant.tele)
        )
        if instant.sets.code[pack] == LOST:
            cause = Cause.LOST_PACK
        return Limit(shared.value, pack, cause, shared.share, detail)

    def _cap(self, direction: int, limit: Limit, cap: float | None, off: bool) -> Limit:
        """Cap by what holds for the bank as a whole: its ceiling and the user's wishes."""
        ceiling = self._ceilings[direction]
        if ceiling is not None and ceiling < limit.value:
            limit = Limit(ceiling, cause=Cause.CONFIG)
        if cap is not None and cap < limit.value:
            limit = Limit(max(cap, 0.0), cause=Cause.USER)
        return Limit(0.0, cause=Cause.USER) if off else limit

    def _follow(self, direction: int, limit: Limit, instant: Instant) -> Limit:
        """Let the limit follow what the packs allow, at its pace."""
        ramp = self._ramps[direction]
        if not instant.ready or not np.count_nonzero(instant.sets.online):
            ramp.forget()
            return limit
        if limit.value == ramp.value:
            ramp.jump(limit.value)
            return limit
        sure = instant.sets.sure[direction]
        ceilings = np.fmax(instant.own.ceiling[direction], 0.0)
        threshold = self._thresholds[direction] * float(np.add.reduce(ceilings, where=sure))
        packs = int(np.count_nonzero(sure))
        published = ramp.step(limit.value, threshold, packs, instant.now, instant.dt)
        cause = Cause.RAMP if published < limit.value * (1.0 - STEP) else limit.cause
        return Limit(published, limit.pack, cause, limit.share, limit.detail)


def _value(shared: Shared) -> float:
    return shared.value
