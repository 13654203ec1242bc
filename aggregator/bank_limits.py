"""CCL and DCL: what every pack can stand, now and after what may happen next, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator import lost
from packbank.aggregator.cut import Cut
from packbank.aggregator.delivery import Delivery
from packbank.aggregator.foresee import IDLE, held_off_by_diode
from packbank.aggregator.hold import Hold
from packbank.aggregator.instant import Instant
from packbank.aggregator.limits import CEILING, describe
from packbank.aggregator.predict import SIGMAS, Shared, Side, after_loss, highest_drives, shared_limit
from packbank.aggregator.presence import LOST
from packbank.aggregator.ramp import STEP, Ramp
from packbank.aggregator.settings import BankSettings
from packbank.aggregator.table import CHARGE, DISCHARGE, PackTable
from packbank.aggregator.telemetry import BMS_CEILINGS, OCP_DELAYS
from packbank.cext.chosen import total
from packbank.model.battery import SENSORS, Cause, Limit
from packbank.model.controls import NAN, Controls

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# A protection that waits this long lets our step, DVCC's (every 3 s), and chargers that follow in 2 s come first, if
# the limit is cut deep (cut.py).
PATIENT = 6.0  # s
PATIENT_WITHOUT = 10.0  # s, the same without a deep cut; RESERVE_PACKS is kept for BMSes that wait no longer

LIGHTEST = 0.2  # of its mean weight, the least that a pack of which no current is read is taken for

# Of a limit, what is kept when a pack is about to take current from the others: how much it takes depends on their
# voltages more than on the limit.
KEPT = 0.5

LOADS_FADE = 4.0  # s: DVCC goes on granting for as long what loads that have gone off took


class _Outlook(NamedTuple):
    """One direction at one step."""

    side: Side
    drives: Floats  # the highest of each pack
    now: Shared


class BankLimits:
    """CCL and DCL from step to step."""

    def __init__(self, table: PackTable, settings: BankSettings) -> None:
        self._table = table
        self._settings = settings
        self._cuts = (Cut(), Cut())
        self._deliveries = (Delivery(), Delivery())
        self._holds = (Hold(), Hold())
        self._ramps = (
            Ramp(settings.ccl_recovery_hold_sec, settings.ccl_recovery_rate_a_per_sec),
            Ramp(settings.dcl_recovery_hold_sec, settings.dcl_recovery_rate_a_per_sec),
        )
        self._thresholds = (
            settings.charge_current_recovery_threshold_percent,
            settings.discharge_current_recovery_threshold_percent,
        )
        self._loads = 0.0  # A
        self._may_rise = True, True  # of each direction, at this step
        self._ceilings = (settings.max_bank_charge_current, settings.max_bank_discharge_current)

    def step(
        self, instant: Instant, controls: Controls, loads: float = NAN, *, ignored: bool = False
    ) -> tuple[Limit, Limit]:
        """The limits to publish; before the bank is ready they follow their targets without delay.

        ``loads`` A are known to run beside the batteries and may go off. CCL does not rise while it is ``ignored``.
        """
        fresh = instant.sets.all_fresh
        self._may_rise = fresh and not ignored, fresh
        self._loads = max(0.0 if isnan(loads) else loads, self._loads * exp(-instant.dt / LOADS_FADE))
        charge = self._one(CHARGE, instant, self._loads)
        discharge = self._one(DISCHARGE, instant, 0.0)
        return (
            self._cap(CHARGE, charge, controls.charge_current, controls.charge_off),
            self._cap(DISCHARGE, discharge, controls.discharge_current, controls.discharge_off),
        )

    def _one(self, direction: int, instant: Instant, loads: float) -> Limit:
        """The limit of one direction before the bank's own caps."""
        sets, own = instant.sets, instant.own.value[direction]
        side = _side(direction, instant, sets.sure[direction], sets.one_way[direction])
        drives = self._highest(side, own)
        now = shared_limit(side, drives, own, sets.sure[direction], sets.maybe[direction])
        outlook = _Outlook(side, drives, now)
        limit = self._explain(direction, now, instant)
        if now.pack >= 0:
            reserves = self._reserves(direction, instant, outlook)
            limit = min((limit, *reserves), key=_value)
        limit = self._follow(direction, limit, instant)
        if now.pack >= 0 and loads > 0.0 and not _shortest_delay(direction, instant) >= PATIENT:
            limit = min((limit, self._beside(loads, direction, instant, outlook)), key=_value)
        ceilings = total(np.fmax(instant.own.ceiling[direction], 0.0), sets.sure[direction])
        limit = self._deliveries[direction].step(limit, side.carried, ceilings, instant.dt)
        limit = self._cuts[direction].step(direction, limit, instant, side)
        return self._holds[direction].step(limit, may_rise=self._may_rise[direction])

    def _highest(self, side: Side, own: Floats) -> Floats:
        """The drive at which each pack reaches its own limit, less what its sensor may be wrong by."""
        return highest_drives(side, own / (1.0 + self._settings.sensor_error))

    def _reserves(self, direction: int, instant: Instant, outlook: _Outlook) -> Iterator[Limit]:
        """The limit under each reserve, of which the lowest counts: what can happen next happens one at a time."""
        side, _, now = outlook
        sure = instant.sets.sure[direction]
        if instant.any_estimated or instant.sensors.any_unread:
            yield from self._in_doubt(direction, instant, outlook)
        if instant.any_returning:
            yield from self._returns(direction, instant, outlook)
        packs = self._settings.reserve_packs
        if 0 < packs < np.count_nonzero(sure) and not _shortest_delay(direction, instant) > PATIENT_WITHOUT:
            less = after_loss(side, self._trips(direction, instant, side), sure, packs)
            yield Limit(max(less.value, now.least), less.pack, Cause.RESERVE, less.share, "may leave")

    def _returns(self, direction: int, instant: Instant, outlook: _Outlook) -> Iterator[Limit]:
        """The limit that holds when packs conduct again that are about to."""
        side, drives, now = outlook
        sets, own = instant.sets, instant.own.value[direction]
        sure, maybe, returning = sets.sure[direction], sets.maybe[direction], instant.returning[direction]
        if np.count_nonzero(returning):
            less = shared_limit(side, drives, own, sure, maybe | returning)
            if less.value < now.value:
                named = returning[less.pack] or less.value == 0.0  # a limit of 0 is that of the pack that allows none
                pack = less.pack if named else int(returning.argmax())
                yield Limit(less.value, pack, Cause.RESERVE, detail="may return")
        closing = side.one_way & instant.returning[1 - direction]
        if np.count_nonzero(closing):  # from then on it takes what the others carry for it
            among = _side(direction, instant, sure, side.one_way & ~closing)
            less = shared_limit(among, self._highest(among, own), own, sure, maybe)
            if less.value < now.value:
                kept = max(less.value, KEPT * now.value)
                yield Limit(kept, int(closing.argmax()), Cause.RESERVE, detail="may return")

    def _in_doubt(self, direction: int, instant: Instant, outlook: _Outlook) -> Iterator[Limit]:
        """The limits that hold where packs may conduct or not, and where sensors are wrong."""
        sets, own = instant.sets, instant.own.value[direction]
        sure = sets.sure[direction]
        unsure = sets.maybe[direction] & (instant.estimated[direction] | instant.sensors.unsure)
        if np.count_nonzero(unsure):  # they conduct as far as anyone knows: how they share is as unsure as ever
            both = sure | unsure
            among = _side(direction, instant, both, sets.one_way[direction])
            less = shared_limit(among, self._highest(among, own), own, both, sets.maybe[direction] & ~unsure)
            yield self._explain(direction, less, instant)
        wrong = sure & instant.sensors.wrong
        if 0 < np.count_nonzero(wrong) < np.count_nonzero(sure):
            yield self._where_wrong_carry_little(direction, wrong, instant, outlook)

    def _where_wrong_carry_little(self, direction: int, wrong: Bools, instant: Instant, outlook: _Outlook) -> Limit:
        """The limit that the others keep to where packs with a ``wrong`` sensor carry as little as they may."""
        side, drives, _ = outlook
        sets, own = instant.sets, instant.own.value[direction]
        light = np.maximum(side.weight - SIGMAS * np.sqrt(np.maximum(side.ww, 0.0)), LIGHTEST * side.weight)
        side = side._replace(weight=np.where(wrong, light, side.weight))
        others = np.where(wrong, np.inf, drives)
        less = shared_limit(side, others, own, sets.sure[direction], sets.maybe[direction])
        limit = self._explain(direction, less, instant)
        if limit.cause not in (Cause.BMS, Cause.CONFIG):
            return limit
        pack = int(wrong.argmax())
        return Limit(limit.value, pack, Cause.SENSOR, limit.share, SENSORS[instant.sensors.code[pack]].value)

    def _beside(self, loads: float, direction: int, instant: Instant, outlook: _Outlook) -> Limit:
        """The limit under which no BMS trips if the ``loads`` go off; it follows them at once, up and down."""
        sets, own = instant.sets, instant.own.value[direction]
        trips = self._trips(direction, instant, outlook.side)
        most = shared_limit(outlook.side, trips, own, sets.sure[direction], sets.maybe[direction])
        detail = f"loads of {loads:.0f} A may go off"
        return Limit(max(most.value - loads, outlook.now.least), cause=Cause.RESERVE, detail=detail)

    @staticmethod
    def _trips(direction: int, instant: Instant, side: Side) -> Floats:
        """The drive at which each pack's BMS sees over-current, with the very sensor that its line is made of."""
        bms = instant.tele.block[BMS_CEILINGS][direction]
        return highest_drives(side, np.fmax(np.where(np.isnan(bms), instant.own.ceiling[direction], bms), 0.0))

    def _explain(self, direction: int, shared: Shared, instant: Instant) -> Limit:
        """The shared limit with the pack behind it."""
        pack = shared.pack
        if pack < 0:
            return Limit(0.0, cause=Cause.BLOCKED)
        cause = instant.own.cause(direction, pack, self._table)
        unknown = isnan(instant.own.ceiling[direction, pack])
        if unknown:
            detail = "neither its BMS nor the configuration gives one"
        elif instant.sets.code[pack] == LOST:
            detail = lost.describe(cause, pack, instant.tele, instant.own.extremes)
        elif instant.own.smallest[direction, pack] == CEILING:
            detail = ""  # nothing is near enough to lower it
        else:
            detail = describe(cause, direction, pack, instant.tele)
        if instant.sets.code[pack] == LOST:
            cause = Cause.LOST_PACK
        elif instant.sensors.unread[pack]:
            cause, detail = Cause.SENSOR, SENSORS[instant.sensors.code[pack]].value
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
        """Let the limit follow what the packs allow, at its pace; while it may not rise it only falls."""
        ramp, sets = self._ramps[direction], instant.sets
        if not instant.ready or not sets.any_online:
            ramp.forget()
            self._holds[direction].forget()
            return limit
        if limit.value == ramp.value:
            ramp.jump(limit.value)
            return limit
        sure = sets.sure[direction]
        threshold = 0.0
        if ramp.value == 0.0:
            ceilings = np.fmax(instant.own.ceiling[direction], 0.0)
            threshold = self._thresholds[direction] * float(np.add.reduce(ceilings, where=sure))
        target = limit.value if self._may_rise[direction] else min(limit.value, ramp.value)
        published = ramp.step(target, threshold, int(np.count_nonzero(sure)), instant.now, instant.dt)
        cause = Cause.RAMP if published < limit.value * (1.0 - STEP) else limit.cause
        return Limit(published, limit.pack, cause, limit.share, limit.detail)


def _side(direction: int, instant: Instant, sure: Bools, one_way: Bools) -> Side:
    """How the packs share one direction; those that carry nothing yet begin where a diode conducts."""
    side = Side.of(instant.lines, direction, sure, one_way)
    waiting = one_way & (instant.tele.flow[direction] < IDLE)
    if not np.count_nonzero(waiting):
        return side
    held_off = held_off_by_diode(instant.tele, instant.cell_ohms)
    return side._replace(exchange=np.where(waiting, side.exchange - held_off, side.exchange))


def _shortest_delay(direction: int, instant: Instant) -> float:
    """Of the over-current protections of packs that conduct or may do so, s; ``NaN``: one does not report it."""
    tele, sets = instant.tele, instant.sets
    heard = ~np.isnan(tele.age)
    conducts = heard & (sets.sure[direction] | sets.maybe[direction])
    return float(np.minimum.reduce(tele[OCP_DELAYS[direction]], where=conducts, initial=np.inf))


def _value(limit: Limit) -> float:
    return limit.value
