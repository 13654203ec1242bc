"""A charge limit that is not followed: CVL comes down until the charge current is at CCL.

With DC feed-in Venus OS gives solar chargers their own maximum whatever CCL is; only a lower CVL holds them. So where a
charge current above CCL stays, CVL is lowered to the voltage at which the packs carry CCL and no more: their voltage
less what the excess does to it. That voltage is a property of the packs, so CVL does not run after a voltage that falls
because CVL falls, and it is not passed while answers, DVCC and chargers lag behind. CCL 0 is one case of it: there an
inverter that exports whatever is above CVL would empty the bank below it, so a discharge lifts CVL above the voltage of
now at once. What chargers hold more than CVL stays known meanwhile, so that it is not learned anew each time that the
sun returns. Packs that open under such a current find a low CVL when they close again.
"""

from __future__ import annotations

from collections import deque
from math import inf, isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.delivery import MOST
from packbank.aggregator.instant import Instant
from packbank.aggregator.settings import BankSettings
from packbank.aggregator.table import CHARGE
from packbank.cext.chosen import total
from packbank.model.battery import Cause, Limit
from packbank.model.columns import Column

Floats = NDArray[np.float64]

NOISE_FRACTION = 0.005  # of the capacity, in A: a bank's sensors together are not farther off
NOISE_AMPERES = 0.5  # A a pack, at least: a BMS sees no smaller current
PATIENCE = 12.0  # s of current above CCL: chargers that heed CCL have followed by then (DVCC 3 s, lags of 2 s)
OPENED = 10.0  # s after such a current within which all packs that open have opened because of it
FALL = 0.015  # V/s a cell, on the way down
RISE = 0.030  # V/s of the bank, on the way back to the voltage at which CCL flows: as CCL itself rises
SINK = 0.005  # V/s of the bank, down to it while the sun gives less: packs without current need a lower one
EASE = 0.001  # V/s of the bank, upwards beyond it, while less flows; at CCL 0 while the bank discharges
FORGET = 0.0001  # V/s of the bank, the same where it is the sun that gives less: back to the usual CVL in a night
SETTLE = 30.0  # s, time constant of the rise beyond that where it is CVL that keeps the current low: cables take some
LOOK = 6.0  # s that CVL and voltage stand still when chargers have done what they will do about it
STILL = 0.001  # V/s a cell: a voltage that falls faster has not come to rest
LEFT = 0.5  # of the noise: the charge current that is aimed at, so that nothing above CVL is left to export
FAR = 4.0  # times the noise: with less beyond CCL, CVL has done its work
DRAINS = 0.25  # of the noise: more discharge than that is one
OFFSET = 0.025  # V a cell that chargers hold more than CVL with feed-in (Venus OS: 0.4 V at 48 V)
LEAST_OHM = 5e-5  # a cell, where a pack's capacity is not known
LONGEST = 10.0  # s: after a longer pause CVL rises by no more than in this time


class _Flow(NamedTuple):
    """What flows into the bank, and where that would end."""

    current: float  # A, charge positive
    noise: float  # A that may be the sensors' own
    voltage: float  # V, of the packs
    empty: float  # V, at which they would carry nothing
    ohm: float  # of all packs in parallel
    opened: bool  # every pack blocks charging


class ChargeStop:
    """The highest CVL while a charge limit is not followed, from step to step."""

    def __init__(self, settings: BankSettings) -> None:
        self._enabled = settings.stop_charge_by_voltage
        self._drop = settings.voltage_drop
        self._published = inf  # V, at the last step
        self._highest = inf  # V
        self.ignored = False  # far more than CCL flows, CVL is on its way down: CCL must not rise
        self._granted: deque[tuple[float, float]] = deque()  # when, and A: each CCL above all later ones
        self._released()

    def step(self, instant: Instant, cvl: Limit, floor: float, ccl: float) -> Limit:
        """``cvl``, or less while more than ``ccl`` A flow all the same.

        Never below ``floor`` V, or below that by what chargers hold more than CVL, so that they hold the floor.
        """
        granted = self._grant(ccl, instant.now)
        if isnan(cvl.value) or not (self._enabled and instant.ready):
            self._released()
        elif not instant.sets.all_fresh:  # a held pack's current is of some seconds ago
            if ccl == 0.0 or self._highest < inf:
                self._highest = min(self._highest, self._published)
        elif ccl == 0.0 or self._highest < inf or _into(instant) > granted:
            self._follow(instant, ccl, granted, floor)
        else:
            self._excess, self._flows_for = 0.0, 0.0
        lowest = floor - min(max(self._above - self._drop, 0.0), OFFSET * _cells(instant))
        self.ignored = self._known and self._excess > FAR and not self._highest <= lowest
        self._highest = max(self._highest, lowest)
        if ccl > 0.0 and self._highest >= cvl.value and self._excess <= 1.0:
            self._released()
        limit = Limit(self._highest, cause=Cause.IGNORED) if self._highest < cvl.value else cvl
        self._published = limit.value
        return limit

    def _released(self) -> None:
        self._highest = inf
        self._known = False  # chargers heed no CCL
        self._excess = 0.0  # times the noise: what flows beyond CCL
        self._flows_for = self._stood_for = 0.0  # s
        self._ignored_at = -inf  # monotonic s, when more flowed than any CCL of late
        self._voltage = inf  # V, of the packs at the last step of a fall
        self._above = self._drop  # V, by which chargers hold more than `_highest`; less than 0: cables take some

    def _grant(self, ccl: float, now: float) -> float:
        """The highest CCL of the last ``PATIENCE`` s, A: chargers that follow may still be at it."""
        granted = self._granted
        while granted and granted[-1][1] <= ccl:
            granted.pop()
        granted.append((now, ccl))
        while granted[0][0] < now - PATIENCE:
            granted.popleft()
        return granted[0][1]

    def _follow(self, instant: Instant, ccl: float, granted: float, floor: float) -> None:
        """Down once more than ``ccl`` has flowed for a while, and up again as far as ``ccl`` allows."""
        flow = _flow(instant)
        if flow is None:
            self._excess = 0.0
            return
        if flow.opened and instant.now - self._ignored_at <= OPENED:
            self._known = True
        aim = flow.empty + max(ccl, LEFT * flow.noise) * flow.ohm
        beyond = flow.noise if self._known else max(flow.noise, (MOST - 1.0) * ccl)
        self._excess = (flow.current - ccl) / flow.noise
        if flow.current > granted + beyond:
            self._ignored_at = instant.now
        if flow.current > ccl + beyond:
            self._flows_for += instant.dt
            self._known |= self._flows_for > PATIENCE and self._ignored_at == instant.now
            if self._known or ccl == 0.0:
                self._highest = min(self._highest, self._published)
            if self._known:
                self._lower(aim, flow, instant, ccl)
            return
        self._stood_for = self._flows_for = 0.0
        if flow.opened and self._known and abs(flow.current) <= flow.noise:  # rest is where they will close
            self._highest = min(self._highest, self._published)
            self._fall(aim - max(self._above, self._drop), instant)
        elif ccl > 0.0 and self._highest < inf:
            self._approach(aim, ccl, flow, instant)
        self._lift(flow, instant, ccl, floor)

    def _lower(self, aim: float, flow: _Flow, instant: Instant, ccl: float) -> None:
        """Where current flows beyond ``ccl`` A, fall to ``aim``, or below that by what chargers hold more."""
        # Where the voltage is at CVL an inverter holds it, which exports what chargers hold more.
        lifted = flow.voltage - self._highest > STILL * _cells(instant)
        self._above = max(self._above, self._drop - ccl * flow.ohm)  # no cables take more than the cells
        above = self._above if lifted else min(self._above, self._drop)
        aim -= above
        cells = _cells(instant)
        still = STILL * cells * max(instant.dt, 1.0)
        moved = max(self._highest - aim, self._voltage - flow.voltage)
        self._stood_for = self._stood_for + instant.dt if moved < still else 0.0
        self._voltage = flow.voltage
        if self._stood_for >= LOOK:
            self._above = max(flow.voltage - self._highest, self._above)
            self._stood_for = 0.0
        self._fall(aim, instant, at_once=above > self._drop)

    def _fall(self, aim: float, instant: Instant, *, at_once: bool = False) -> None:
        """Down to ``aim``, at its pace or at once; never up."""
        slowest = aim if at_once else max(aim, self._highest - FALL * _cells(instant) * instant.dt)
        self._highest = min(self._highest, slowest)

    def _approach(self, aim: float, ccl: float, flow: _Flow, instant: Instant) -> None:
        """Move to where ``ccl`` A flow while less does; where no charger is known to ignore CCL, just return."""
        dt = min(instant.dt, LONGEST)
        if self._known and flow.current >= ccl - flow.noise:
            return
        most = inf
        if self._known:
            held = flow.voltage > self._highest - flow.current * flow.ohm - STILL * _cells(instant)
            if self._highest >= aim - self._above:
                pace = max((ccl - flow.current) * flow.ohm / SETTLE, EASE) if held else FORGET
                self._above -= pace * dt
            most = aim - self._above
            if not held:  # a sun that returns finds the voltage at which CCL flows, not that of packs under charge
                self._highest = max(min(self._highest, aim - min(self._above, self._drop)), self._highest - SINK * dt)
        self._highest = max(self._highest, min(self._highest + RISE * dt, most))

    def _lift(self, flow: _Flow, instant: Instant, ccl: float, floor: float) -> None:
        """Up when current flows out: nothing may be drawn into the grid."""
        rest = flow.empty + LEFT * flow.noise * flow.ohm
        ease = self._highest + EASE * instant.dt if ccl == 0.0 else self._highest
        if flow.current < -flow.noise:  # nothing holds the voltage above CVL: what lies above it would be exported
            self._highest = max(ease, rest - self._drop, floor)
        elif flow.current < -DRAINS * flow.noise:
            above = min(max(flow.voltage - self._highest, self._drop), self._above)
            self._highest = max(ease, rest - above)


def _cells(instant: Instant) -> float:
    """In series, of the tallest pack."""
    return float(np.fmax.reduce(instant.tele.cells))


def _into(instant: Instant) -> float:
    """What flows into packs, A; at least what flows into the bank. ``NaN`` where none is online."""
    return total(np.fmax(instant.tele[Column.CURRENT], 0.0), instant.sets.online)


def _flow(instant: Instant) -> _Flow | None:
    """What flows through the packs that may be charged and report it, or where none may, through all that report it."""
    tele, sets = instant.tele, instant.sets
    ohm = np.fmax(instant.cell_ohms, LEAST_OHM) * tele.cells
    current, voltage = tele[Column.CURRENT], tele[Column.VOLTAGE]
    empty = voltage - current * ohm
    reports = sets.online & ~np.isnan(empty)
    chosen = reports & (sets.sure[CHARGE] | sets.maybe[CHARGE])
    opened = not np.count_nonzero(chosen)
    if opened:
        chosen = reports & sets.blocked[CHARGE]
        if not np.count_nonzero(chosen):
            return None
    return _Flow(
        current=float(np.add.reduce(current, where=chosen)),
        noise=float(np.add.reduce(np.fmax(NOISE_FRACTION * tele.capacity, NOISE_AMPERES), where=chosen)),
        voltage=_middle(voltage[chosen]),
        empty=_middle(empty[chosen]),
        ohm=float(1.0 / np.add.reduce(1.0 / ohm, where=chosen)),
        opened=opened,
    )


def _middle(values: Floats) -> float:
    """The median, in a tenth of the time of numpy's: one pack that reads low does not move it."""
    values.sort()
    return float(values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2.0
