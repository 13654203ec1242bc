"""The bank's charge voltage: one stage machine for the bank, one over-voltage guard for each pack.

Stages are the bank's wish, so they wait for the last pack; guards are each pack's veto, so the lowest wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.guard import Guard, Targets
from packbank.aggregator.hold import Hold
from packbank.aggregator.instant import Instant
from packbank.aggregator.limits import describe
from packbank.aggregator.presence import FRESH
from packbank.aggregator.reach import Reach
from packbank.aggregator.settings import BankSettings
from packbank.aggregator.table import CHARGE, PackTable
from packbank.cext.chosen import lowest
from packbank.model.battery import Cause, Limit
from packbank.model.controls import NAN
from packbank.model.record import record

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STAGE_DOWN = 0.001  # V/s, the way down to float, slow so that it does not look like a discharge
STAGE_UP = 0.010  # V/s, the way up to a higher stage, slow enough to spare the packs an inrush
SOC_STEP = 5.0  # % that SoC must fall before it counts, if it is below the threshold at the charge voltage
PAUSE = 10.0  # s: a step longer than this, and than several before it, is a pause of the process
LONGER = 3.0  # times the step before
DAY = 86400.0


class Stage(StrEnum):
    """Where the bank is in its charge cycle."""

    BULK = "bulk"
    ABSORPTION = "absorption"
    FLOAT = "float"


@dataclass(slots=True)
class _State:
    """What a restart must not lose; ``balanced`` is how long each pack has been at its target, balanced."""

    balanced: Floats
    stage: Stage = Stage.BULK
    top_balance: bool = False
    since_top_balance: float = 0.0  # s that packbank ran since then, or since its first start
    coming_down: bool = False  # from the voltage of a top balance, on the ramp
    floated: float = 0.0  # s in float
    absorbed: float = 0.0  # s at the target in this cycle
    rebulk_soc: float = NAN
    voltage: float = NAN  # V, the stage's voltage on its ramp
    unfinished: tuple[int, ...] = ()


@record
class ChargeState:
    """What the stage machine and the guards say at one step."""

    limit: Limit  # without VOLTAGE_DROP
    stage: str
    floor: float = NAN  # V, below which CVL must not be for one cell or for one pack
    waiting_for: tuple[int, ...] = ()
    unfinished: tuple[int, ...] = ()
    became_full: bool = False


class ChargeControl:
    """CVL from step to step."""

    def __init__(self, table: PackTable, settings: BankSettings) -> None:
        self._table = table
        self._settings = settings
        self._targets = Targets(table)
        self._guard = Guard(table, settings)
        self._hold = Hold()
        self._reach = Reach(table)
        self._state = _State(np.zeros(len(table.capacity)))
        self._step = 0.0  # s, the last one
        self._cvl = NAN
        self._arrived = False  # the stage's voltage is not on its way up, so packs that reach it have reached the stage

    def raised(self) -> Floats | None:
        """How far above its usual voltage a top balance takes each pack's cells, V; ``None`` while there is none."""
        return np.maximum(self._table.reset_cell - self._table.max_cell, 0.0) if self._state.top_balance else None

    def request_top_balance(self) -> None:
        """Begin a top balance now, whatever the schedule says; not without charge stages: it would never end."""
        if self._settings.cvcm_enable and not self._state.top_balance:
            self._state.top_balance = True
            self._begin_bulk()  # what was absorbed at the lower voltage does not count

    def step(self, instant: Instant, soc: float, cap: float | None) -> ChargeState:
        """Advance stages, ramp and guards; ``soc`` is the bank's, ``cap`` the user's highest voltage."""
        sets, tele, state = instant.sets, instant.tele, self._state
        nearest = (sets.sure[CHARGE], sets.member, sets.online)
        conducting = next(filter(np.count_nonzero, nearest), None)
        if conducting is None:
            return ChargeState(Limit(NAN), self._text())
        self._schedule(instant.dt)
        instant = self._without_pause(instant)
        if cap is not None and 0.0 < cap < self._cvl:
            self._reach.forget()  # the user keeps the voltage low
        became_full = self._advance(instant, soc) if self._settings.cvcm_enable and self._arrived else False
        bounded = conducting | sets.maybe[CHARGE]
        usual = self._targets.cells(tele, top_balance=state.top_balance)
        target = tele.cells * usual
        wish = tele.cells * np.fmin(self._table.float_cell, usual) if state.stage is Stage.FLOAT else target
        cell = self._guarded(usual, instant, bounded)
        guards = self._guard.step(instant, cell, target if cell is usual else cell * tele.cells)
        floor, _ = lowest(self._guard.floor, bounded)
        self._move(lowest(wish, bounded)[0], floor, instant.dt, may_rise=sets.all_fresh)
        limit = self._hold.step(self._limit(instant, guards, bounded), may_rise=sets.all_fresh)
        self._cvl = limit.value  # before the cap: a bank that the user keeps low is not full
        return ChargeState(
            _capped(limit, cap, floor), self._text(), floor, self._waiting(instant), state.unfinished, became_full
        )

    def _without_pause(self, instant: Instant) -> Instant:
        """The same, with no time passed where the process stood still: nobody saw what the packs did meanwhile."""
        before, self._step = self._step, instant.dt
        return replace(instant, dt=0.0) if instant.dt > max(PAUSE, LONGER * before) else instant

    def _schedule(self, dt: float) -> None:
        """Count the time in which packbank runs, whatever the wall clock says; begin a top balance when it is due."""
        state, days = self._state, self._settings.soc_reset_after_days
        state.since_top_balance += dt
        if state.stage is Stage.FLOAT:
            state.floated += dt
        if days is not None and state.since_top_balance >= days * DAY:
            self.request_top_balance()

    def _guarded(self, usual: Floats, instant: Instant, bounded: Bools) -> Floats:
        """V a cell that guards hold; after a top balance its own until the ramp has come down to the ``usual``."""
        state = self._state
        if state.coming_down:
            target, _ = lowest(usual * instant.tele.cells, bounded)
            state.coming_down = not state.top_balance and state.voltage > target
        return self._targets.cells(instant.tele, top_balance=True) if state.coming_down else usual

    def _advance(self, instant: Instant, soc: float) -> bool:
        """Move between the stages; true at the step in which the bank became full."""
        state = self._state
        if state.stage is Stage.FLOAT:
            days = self._settings.switch_to_bulk_after_days
            long = days is not None and state.floated >= days * DAY
            if long or soc < state.rebulk_soc or self._drifted(instant):
                self._begin_bulk()
            return False
        there, fell_back = self._reach.step(instant, self._cvl)
        if state.stage is Stage.BULK:
            if soc < state.rebulk_soc:
                self._begin_bulk()
            if np.count_nonzero(there):
                state.stage = Stage.ABSORPTION
                if state.absorbed == 0.0:
                    self._expect(soc)
            return False
        if fell_back:
            state.stage = Stage.BULK
            return False
        return self._absorb(instant, soc, there)

    def _expect(self, soc: float) -> None:
        """Set the SoC below which this charge is over; of a BMS that counts wrongly it must fall further."""
        threshold = self._settings.switch_to_bulk_soc_threshold
        self._state.rebulk_soc = min(threshold, soc - SOC_STEP) if soc < threshold else threshold

    def _begin_bulk(self) -> None:
        state = self._state
        state.stage, state.absorbed, state.unfinished = Stage.BULK, 0.0, ()
        state.balanced[:] = 0.0
        state.floated = 0.0
        self._reach.forget()

    def _drifted(self, instant: Instant) -> bool:
        """A pack that was balanced when float began no longer is."""
        spread = instant.tele.highest_cell - instant.tele.lowest_cell
        drifted = (spread >= self._settings.switch_to_bulk_cell_voltage_diff) & self._done() & instant.sets.sure[CHARGE]
        return bool(np.count_nonzero(drifted))

    def _done(self) -> Bools:
        done: Bools = self._state.balanced >= self._settings.switch_to_float_wait_for_sec
        return done

    def _absorb(self, instant: Instant, soc: float, there: Bools) -> bool:
        """Count each pack's time at its target, balanced; float once the last pack is done or time is up."""
        state, settings = self._state, self._settings
        spread = instant.tele.highest_cell - instant.tele.lowest_cell
        balanced_to = settings.switch_to_float_cell_voltage_diff
        tolerated = balanced_to + settings.switch_to_float_cell_voltage_deviation
        allowed = np.where(state.balanced > 0.0, tolerated, balanced_to)
        fresh = instant.sets.code == FRESH
        counted = np.where(fresh & there, state.balanced + instant.dt, state.balanced)
        state.balanced = np.where(fresh & (spread > allowed), 0.0, counted)
        state.absorbed += instant.dt if np.count_nonzero(there) else 0.0
        unfinished = instant.sets.sure[CHARGE] & ~self._done()
        if np.count_nonzero(unfinished) and state.absorbed < settings.absorption_max_sec:
            return False
        state.unfinished = tuple(np.flatnonzero(unfinished).tolist())
        state.stage = Stage.FLOAT
        full = 2 * len(state.unfinished) <= np.count_nonzero(instant.sets.sure[CHARGE])
        self._expect(soc)
        if state.top_balance:
            state.top_balance, state.since_top_balance, state.coming_down = False, 0.0, True
        return bool(full)

    def _move(self, wish: float, floor: float, dt: float, *, may_rise: bool) -> None:
        """Let the stage's voltage follow ``wish`` at its own pace; the first one is taken at once."""
        state = self._state
        state.voltage = max(state.voltage, floor)  # a restored one may be another bank's
        if isnan(state.voltage) or isnan(wish):
            state.voltage = wish
        elif wish < state.voltage:
            state.voltage = max(wish, state.voltage - STAGE_DOWN * dt)
        elif may_rise:
            state.voltage = min(wish, state.voltage + STAGE_UP * dt)
        self._arrived = not state.voltage < wish

    def _limit(self, instant: Instant, guards: Floats, bounded: Bools) -> Limit:
        """The smaller of stage and guards, with its reason."""
        guard, pack = lowest(guards, bounded)
        if guard < self._state.voltage:
            detail = describe(Cause.CELL_VOLTAGE, CHARGE, pack, instant.tele)
            return Limit(guard, pack, Cause.CELL_VOLTAGE, detail=detail)
        return Limit(self._state.voltage, cause=Cause.STAGE)

    def _waiting(self, instant: Instant) -> tuple[int, ...]:
        """Packs that keep the bank in absorption."""
        if self._state.stage is not Stage.ABSORPTION:
            return ()
        waiting: list[int] = np.flatnonzero(instant.sets.sure[CHARGE] & ~self._done()).tolist()
        return tuple(waiting)

    def _text(self) -> str:
        if not self._settings.cvcm_enable:
            return "fixed"
        return f"top balance: {self._state.stage}" if self._state.top_balance else str(self._state.stage)

    def save(self, names: Sequence[str]) -> dict[str, Any]:
        """What a restart must not lose, JSON-able."""
        state = self._state
        return {
            "stage": str(state.stage),
            "top_balance": state.top_balance,
            "since_top_balance": state.since_top_balance,
            "floated": state.floated,
            "absorbed": state.absorbed,
            "rebulk_soc": None if isnan(state.rebulk_soc) else state.rebulk_soc,
            "voltage": None if isnan(state.voltage) else state.voltage,
            "balanced": {name: float(state.balanced[i]) for i, name in enumerate(names) if state.balanced[i] > 0.0},
            "unfinished": [names[i] for i in state.unfinished],
        }

    def restore(self, names: Sequence[str], saved: Mapping[str, Any]) -> None:
        """Take a saved state back; packs that are no longer there are left out."""
        number = {name: i for i, name in enumerate(names)}
        balanced = np.zeros(len(names))
        for name, seconds in saved["balanced"].items():
            if name in number:
                balanced[number[name]] = seconds
        self._state = _State(
            balanced=balanced,
            stage=Stage(saved["stage"]),
            top_balance=bool(saved["top_balance"]) and self._settings.cvcm_enable,
            since_top_balance=float(saved.get("since_top_balance", 0.0)),  # the first version kept a date
            floated=float(saved.get("floated", 0.0)),
            absorbed=float(saved["absorbed"]),
            rebulk_soc=NAN if saved["rebulk_soc"] is None else float(saved["rebulk_soc"]),
            voltage=NAN if saved["voltage"] is None else float(saved["voltage"]),
            unfinished=tuple(number[name] for name in saved["unfinished"] if name in number),
        )


def _capped(limit: Limit, cap: float | None, floor: float) -> Limit:
    """The limit under the user's cap; a cap below every sensible voltage is raised to ``floor``."""
    if cap is None or not 0.0 < cap < limit.value:
        return limit
    return Limit(min(max(cap, floor), limit.value), cause=Cause.USER)
