"""CCL 0 by every path: CVL comes down to where the charge current ends, for chargers that heed no CCL.

With DC feed-in Venus OS gives solar chargers their own maximum whatever CCL is; only a lower CVL stops them. So while
CCL is 0 and a charge current stays, CVL is lowered to the voltage at which the packs carry nothing: their voltage less
what their current does to it. That voltage is a property of the packs, so CVL does not run after a voltage that falls
because CVL falls, and it is not passed while answers, DVCC and chargers lag behind. An inverter that exports whatever
is above CVL would empty the bank below it: a discharge lifts CVL above the voltage of now at once. What chargers hold
more than CVL stays known meanwhile, so that it is not learned anew each time that the sun returns.
"""

from __future__ import annotations

from math import inf, isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.instant import Instant
from packbank.aggregator.settings import BankSettings
from packbank.aggregator.table import CHARGE
from packbank.model.battery import Cause, Limit
from packbank.model.columns import Column

Floats = NDArray[np.float64]

NOISE_FRACTION = 0.005  # of the capacity, in A: a bank's sensors together are not farther off
NOISE_AMPERES = 0.5  # A a pack, at least: a BMS sees no smaller current
PATIENCE = 12.0  # s of charge current at CCL 0: chargers that heed CCL have stopped by then (DVCC 3 s, lags of 2 s)
FALL = 0.015  # V/s a cell, on the way down
RISE = 0.010  # V/s of the bank, on the way back once charging is allowed again
EASE = 0.001  # V/s of the bank, upwards while the bank discharges at CCL 0
LOOK = 6.0  # s that CVL and voltage stand still when chargers have done what they will do about it
STILL = 0.001  # V/s a cell: a voltage that falls faster has not come to rest
LEFT = 0.5  # of the noise: the charge current that is aimed at, so that nothing above CVL is left to export
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


class ChargeStop:
    """The highest CVL while charging must stop, from step to step."""

    def __init__(self, settings: BankSettings) -> None:
        self._enabled = settings.stop_charge_by_voltage
        self._drop = settings.voltage_drop
        self._published = inf  # V, at the last step
        self._highest = inf  # V
        self._released()

    def step(self, instant: Instant, cvl: Limit, floor: float, ccl: float) -> Limit:
        """``cvl``, or less while ``ccl`` is 0 and current flows all the same.

        Never below ``floor`` V, or below that by what chargers hold more than CVL, so that they hold the floor.
        """
        if isnan(cvl.value) or not (self._enabled and instant.ready):
            self._released()
        elif ccl > 0.0:
            self._return(instant, cvl.value)
        elif instant.sets.all_fresh:
            self._hold(instant, floor)
        else:  # a held pack's current is of some seconds ago
            self._highest = min(self._highest, self._published)
        self._highest = max(self._highest, floor - min(self._above - self._drop, OFFSET * _cells(instant)))
        limit = Limit(self._highest, cause=Cause.STOP) if self._highest < cvl.value else cvl
        self._published = limit.value
        return limit

    def _released(self) -> None:
        self._highest = inf
        self._flows_for = self._stood_for = 0.0  # s
        self._voltage = inf  # V, of the packs at the last step of a fall
        self._above = self._drop  # V, the most by which chargers were seen to hold more than `_highest`

    def _return(self, instant: Instant, cvl: float) -> None:
        """Rise to ``cvl`` at an even pace."""
        if self._highest == inf:
            return
        if instant.sets.all_fresh:
            self._highest += RISE * min(instant.dt, LONGEST)
        self._flows_for = self._stood_for = 0.0
        if self._highest >= cvl:
            self._released()

    def _hold(self, instant: Instant, floor: float) -> None:
        """Never up while current flows in, down once it has flowed for a while, up when it flows out."""
        flow = _flow(instant)
        if flow is None:
            return
        aim = flow.empty + LEFT * flow.noise * flow.ohm
        if flow.current > flow.noise:
            self._flows_for += instant.dt
            self._highest = min(self._highest, self._published)
            if self._flows_for > PATIENCE:
                # Where the voltage is at CVL an inverter holds it, which exports what chargers hold more.
                lifted = flow.voltage - self._highest > STILL * _cells(instant)
                above = self._above if lifted else self._drop
                self._fall(aim - above, flow, instant, at_once=above > self._drop)
            return
        self._stood_for = 0.0
        if self._flows_for <= PATIENCE:  # once it has passed, these chargers are known to heed no CCL
            self._flows_for = 0.0
        if flow.current < -flow.noise:  # nothing holds the voltage above CVL: what lies above it would be exported
            self._highest = max(self._highest + EASE * instant.dt, aim - self._drop, floor)
        elif flow.current < -DRAINS * flow.noise:
            above = min(max(flow.voltage - self._highest, self._drop), self._above)
            self._highest = max(self._highest + EASE * instant.dt, aim - above)

    def _fall(self, aim: float, flow: _Flow, instant: Instant, *, at_once: bool) -> None:
        """Fall to ``aim``; when current still flows there, chargers hold more than they are asked to."""
        cells = _cells(instant)
        still = STILL * cells * max(instant.dt, 1.0)
        moved = max(self._highest - aim, self._voltage - flow.voltage)
        self._stood_for = self._stood_for + instant.dt if moved < still else 0.0
        self._voltage = flow.voltage
        if self._stood_for >= LOOK:
            self._above = max(flow.voltage - self._highest, self._above)
            self._stood_for = 0.0
        self._highest = min(self._highest, aim if at_once else max(aim, self._highest - FALL * cells * instant.dt))


def _cells(instant: Instant) -> float:
    """In series, of the tallest pack."""
    return float(np.fmax.reduce(instant.tele.cells))


def _flow(instant: Instant) -> _Flow | None:
    """What flows through the packs that may be charged and report it; ``None`` when none does."""
    tele, sets = instant.tele, instant.sets
    ohm = np.fmax(instant.cell_ohms, LEAST_OHM) * tele.cells
    current, voltage = tele[Column.CURRENT], tele[Column.VOLTAGE]
    empty = voltage - current * ohm
    chosen = sets.online & (sets.sure[CHARGE] | sets.maybe[CHARGE]) & ~np.isnan(empty)
    if not np.count_nonzero(chosen):
        return None
    return _Flow(
        current=float(np.add.reduce(current, where=chosen)),
        noise=float(np.add.reduce(np.fmax(NOISE_FRACTION * tele.capacity, NOISE_AMPERES), where=chosen)),
        voltage=_middle(voltage[chosen]),
        empty=_middle(empty[chosen]),
        ohm=float(1.0 / np.add.reduce(1.0 / ohm, where=chosen)),
    )


def _middle(values: Floats) -> float:
    """The median, in a tenth of the time of numpy's: one pack that reads low does not move it."""
    values.sort()
    return float(values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2.0
