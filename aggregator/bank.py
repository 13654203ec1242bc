"""The bank: wires the pure parts together, one step a second.

``Bank.step(matrix, now, wall)`` takes the matrix of all packs and returns the virtual battery. It reads no clock and
does no I/O: ``now`` is monotonic seconds, ``wall`` epoch seconds for dates that are kept and shown. ``Bank.state()``
is what a restart must not lose, JSON-able; give it back to the constructor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.alarms import AlarmKeeper
from packbank.aggregator.bank_limits import BankLimits
from packbank.aggregator.charge import ChargeControl, ChargeState
from packbank.aggregator.doubt import believed, with_bank_current, with_doubts
from packbank.aggregator.history import HistoryKeeper, Moment
from packbank.aggregator.incidents import IncidentLog
from packbank.aggregator.instant import Instant
from packbank.aggregator.limits import OwnLimitCurves
from packbank.aggregator.lost import LostPacks, like_the_others
from packbank.aggregator.merge import Measured, merge
from packbank.aggregator.presence import PresenceTracker
from packbank.aggregator.returns import Returns
from packbank.aggregator.samples import Samples
from packbank.aggregator.sensors import CurrentSensors
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.aggregator.share import ShareEstimator
from packbank.aggregator.soc import Charge, SocKeeper
from packbank.aggregator.stop import ChargeStop
from packbank.aggregator.strings import Strings
from packbank.aggregator.table import CHARGE, DISCHARGE, PackTable
from packbank.aggregator.telemetry import BMS_CEILINGS, Telemetry
from packbank.aggregator.unknowns import Unknowns
from packbank.aggregator.view import view
from packbank.cext.chosen import highest, mean, total
from packbank.model.battery import History, Limit, VirtualBattery
from packbank.model.columns import COLUMNS, Alarm, Column
from packbank.model.controls import Controls, External
from packbank.model.identity import Identity

Floats = NDArray[np.float64]
STATE_VERSION = 1
_NO_CONTROLS, _NOTHING_EXTERNAL = Controls(), External()


class Bank:
    """All packs as one battery."""

    def __init__(
        self,
        names: Sequence[str],
        pack_settings: Sequence[PackSettings],
        settings: BankSettings,
        expected: Sequence[bool] | None = None,
        state: Mapping[str, Any] | None = None,
        buses: Sequence[int] | None = None,
        state_age: float | None = None,
    ) -> None:
        """Packs in row order; ``expected`` ones are missed when they do not answer (default: all).

        ``buses`` numbers the packs by their bus (default: all on one). ``state_age``: s since ``state`` was saved.
        """
        if not names or len(names) != len(pack_settings) or (expected is not None and len(expected) != len(names)):
            raise ValueError("names, pack_settings and expected must be of equal length, at least one")
        self.names = tuple(names)
        self._settings = settings
        self._table = PackTable(pack_settings)
        self._presence = PresenceTracker(np.array(expected if expected is not None else [True] * len(names)), settings)
        self._own = OwnLimitCurves(self._table)
        self._limits = BankLimits(self._table, settings)
        self._samples = Samples(len(names))
        self._returns = Returns(len(names))
        self._alarms = AlarmKeeper(settings)
        self._buses = None if buses is None else np.array(buses, dtype=np.int64)
        self._begin_anew()
        self._last: float | None = None
        self._busbar = float("nan")
        self._shunt = float("nan")  # A, of the bank as another device measures it
        self.state_error = ""  # why a saved state was not used
        if state is not None:
            self._restore(state, state_age)

    def step(
        self,
        matrix: Floats,
        now: float,
        wall: float,
        controls: Controls | None = None,
        external: External | None = None,
        identities: Sequence[Identity] = (),
    ) -> VirtualBattery:
        """The battery at ``now``; ``matrix`` has shape ``(packs, COLUMNS)`` and is only read.

        ``identities`` say who the packs are, in row order; without them all count as of one model.
        """
        if matrix.shape != (len(self.names), COLUMNS):
            raise ValueError(f"matrix is {matrix.shape}, the bank needs {(len(self.names), COLUMNS)}")
        controls, external = controls or _NO_CONTROLS, external or _NOTHING_EXTERNAL
        self._shunt = external.current
        instant = self._look(matrix, now, wall, identities)
        measured = merge(instant, with_bank_current(external, instant))
        self._busbar = measured.voltage
        charge = self._soc.step(instant, measured.current, external.soc)
        stage = self._charge.step(instant, charge.soc, controls.charge_voltage)
        if stage.became_full:
            self._soc.reset(100.0)
        currents = self._limits.step(
            self._unknowns.unsure(instant), controls, external.loads, ignored=self._stop.ignored
        )
        ccl, dcl = (
            self._unknowns.explained(limit, direction, instant.tele, instant.estimated)
            for direction, limit in enumerate(currents)
        )
        cvl = self._stop.step(instant, stage.limit, stage.floor, ccl.value)
        if cvl is not stage.limit:
            stage = replace(stage, limit=cvl)
        return self._battery(instant, measured, charge, stage, (ccl, dcl))

    def _look(self, matrix: Floats, now: float, wall: float, identities: Sequence[Identity]) -> Instant:
        """Gather what is known at ``now``."""
        dt = 0.0 if self._last is None else max(0.0, now - self._last)
        self._last = now
        matrix = self._lost.recall(matrix, now)
        tele = self._unknowns.read(matrix, now, dt, identities)
        sets = self._presence.step(tele, now)
        reported = None if self._presence.ready else _reported(tele, self._table)  # before bounds stand in
        estimated = self._unknowns.bound(tele, sets)
        if reported is not None:
            self._presence.judge_start(reported, _reported(tele, self._table), now)
        sensors, reported_current = self._sensors.step(tele, sets, self._shunt, now), tele[Column.CURRENT]
        tele = believed(tele, sets, sensors, self._shunt)
        self._samples.take(tele)
        cell_ohms = self._strings.step(self._samples, tele)
        extremes = self._lost.step(tele, sets, self._busbar, dt)
        own = self._own.step(tele, sets, extremes, cell_ohms, self._charge.raised())
        if sets.any_lost:
            own = like_the_others(own, tele, sets)
        lines = self._share.step(tele, sets, self._samples, cell_ohms, sensors, dt)
        returning = self._returns.step(tele, sets, own.ceiling, now)
        instant = Instant(
            tele,
            sets,
            own,
            lines,
            cell_ohms,
            sensors,
            reported_current,
            estimated,
            bool(np.count_nonzero(estimated)),
            returning,
            bool(np.count_nonzero(returning)),
            now,
            wall,
            dt,
            self._presence.ready,
        )
        return with_doubts(instant)

    def _battery(
        self, instant: Instant, measured: Measured, charge: Charge, stage: ChargeState, currents: tuple[Limit, Limit]
    ) -> VirtualBattery:
        """Everything under the names that the outside reads."""
        sets = instant.sets
        ccl, dcl = currents
        empty = dcl.value == 0.0 and _empty(instant, self._table)
        alarms = self._alarms.step(instant, charge.soc)
        blocking = sets.blocked & sets.online
        cvl, drop = stage.limit, self._settings.voltage_drop
        return VirtualBattery(
            packs=view(self.names, instant, self._table, self._unknowns, self._sensors.report()),
            ready=instant.ready,
            voltage=measured.voltage,
            current=measured.current,
            power=measured.power,
            temperature=measured.temperature,
            temperature_mos=measured.temperature_mos,
            soc=charge.soc,
            soh=measured.soh,
            remaining_capacity=charge.remaining,
            installed_capacity=charge.installed,
            consumed_ah=charge.consumed,
            time_to_go=charge.time_to_go,
            charge_voltage_limit=replace(cvl, value=cvl.value + drop) if drop else cvl,
            charge_current_limit=ccl,
            discharge_current_limit=dcl,
            battery_low_voltage=_low_voltage(instant, self._table),
            charge_request=empty,
            allow_to_charge=ccl.value > 0.0,
            allow_to_discharge=dcl.value > 0.0,
            allow_to_balance=measured.allow_to_balance,
            balancing=measured.balancing,
            heating=measured.heating,
            stage=stage.stage,
            waiting_for=stage.waiting_for,
            unfinished=stage.unfinished,
            online=int(np.count_nonzero(sets.online)),
            offline=int(np.count_nonzero(sets.lost)),
            blocking_charge=int(np.count_nonzero(blocking[CHARGE])),
            blocking_discharge=int(np.count_nonzero(blocking[DISCHARGE])),
            cells_per_pack=measured.cells_per_pack,
            lowest_cell=measured.lowest_cell,
            highest_cell=measured.highest_cell,
            lowest_temperature=measured.lowest_temperature,
            highest_temperature=measured.highest_temperature,
            alarms=alarms,
            history=self._past(instant, measured, charge, alarms, full=stage.became_full, empty=empty),
            incidents=self._incidents.last,
        )

    def _past(
        self,
        instant: Instant,
        measured: Measured,
        charge: Charge,
        alarms: Mapping[Alarm, int],
        *,
        full: bool,
        empty: bool,
    ) -> History:
        """Add this step to what the bank has been through."""
        online = instant.sets.online
        new = self._incidents.step(alarms, instant.wall)
        moment = Moment(
            measured.voltage,
            measured.current,
            measured.lowest_cell.value,
            measured.highest_cell.value,
            measured.lowest_temperature.value,
            measured.highest_temperature.value,
            charge.consumed,
            charge.installed,
            mean(instant.tele[Column.CYCLES], online),
            total(instant.tele[Column.CYCLE_CAPACITY], online),
            instant.ready,
            full=full,
            synced=full and self._settings.soc_calculation,
            empty=empty,
            low_voltage=Alarm.LOW_VOLTAGE in new or Alarm.LOW_CELL_VOLTAGE in new,
            high_voltage=Alarm.HIGH_VOLTAGE in new or Alarm.HIGH_CELL_VOLTAGE in new,
        )
        return self._history.step(moment, instant.dt)

    def rename(self, pack: int, name: str) -> None:
        """A row that has had no pack has one now."""
        self.names = (*self.names[:pack], name, *self.names[pack + 1 :])

    def reset_soc(self, percent: float) -> None:
        """The user knows the bank's SoC (matters with ``SOC_CALCULATION``)."""
        self._soc.reset(percent)

    def request_top_balance(self) -> None:
        """Balance at the top now instead of at the next scheduled day."""
        self._charge.request_top_balance()

    def forget(self, packs: Sequence[int]) -> None:
        """Let ``packs`` count as if they had never answered; the matrix must know nothing of them any more."""
        self._presence.forget(packs)

    def clear_history(self) -> None:
        """Begin the history anew."""
        self._history = HistoryKeeper(cleared=True)

    def state(self) -> dict[str, Any]:
        """What a restart must not lose, JSON-able; packs are kept by name."""
        return {
            "version": STATE_VERSION,
            "weights": self._share.save(self.names),
            "exchange": self._share.save_exchange(self.names),
            "strings": self._strings.save(self.names),
            "sensors": self._sensors.save(self.names),
            "sensors_worked": self._sensors.save_worked(self.names),
            "shunt": self._sensors.shunt.save(self.names),
            "charge": self._charge.save(self.names),
            "soc": self._soc.save(),
            "history": self._history.save(),
            "incidents": self._incidents.save(),
            "lost": self._lost.save(self.names),
            "settings": self._unknowns.kept.save(),
        }

    def _begin_anew(self) -> None:
        """Make the parts that have something to remember."""
        self._unknowns = Unknowns(self._table, self._buses)
        self._lost = LostPacks(len(self.names))
        self._share = ShareEstimator(self._table)
        self._strings = Strings(len(self.names))
        self._sensors = CurrentSensors(len(self.names))
        self._charge = ChargeControl(self._table, self._settings)
        self._stop = ChargeStop(self._settings)
        self._soc = SocKeeper(self._table, self._settings)
        self._history = HistoryKeeper()
        self._incidents = IncidentLog()

    def _restore(self, state: Mapping[str, Any], age: float | None) -> None:
        """Take a saved state back whole, or not at all: a damaged one must not keep the bank from starting."""
        if state.get("version") != STATE_VERSION:
            self.state_error = f"is of version {state.get('version')}, not {STATE_VERSION}"
            return
        try:
            json.dumps(state, allow_nan=False)  # ValueError: neither NaN nor infinity was ever saved
            self._share.restore(self.names, state.get("weights", {}))  # the first version stored no weights
            self._share.restore_exchange(self.names, state.get("exchange", {}), age)
            self._strings.restore(self.names, state.get("strings", {}))
            self._sensors.restore(self.names, state.get("sensors", {}), state.get("sensors_worked", ()))
            self._sensors.shunt.restore(self.names, state.get("shunt", {}))
            self._charge.restore(self.names, state["charge"])
            self._soc.restore(state["soc"])
            self._history.restore(state["history"])
            self._incidents.restore(state.get("incidents", self._incidents.save()))  # the first version kept none
            self._lost.restore(self.names, state.get("lost", {}))
            self._unknowns.kept.restore(state.get("settings", {}))  # the first version kept none
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            self.state_error = f"is damaged: {error!r}"
            self._begin_anew()


def _reported(tele: Telemetry, table: PackTable) -> NDArray[np.bool_]:
    """Which packs have what limits need: a status, a voltage, their cells, and a ceiling from BMS or user."""
    ceiling = np.fmin(table.ceiling, tele.block[BMS_CEILINGS])
    reported: NDArray[np.bool_] = ~np.isnan(
        tele.age + tele[Column.VOLTAGE] + tele.highest_cell + ceiling[0] + ceiling[1]
    )
    return reported


def _empty(instant: Instant, table: PackTable) -> bool:
    """A pack on the busbar has a cell at its low reference."""
    return bool(np.count_nonzero(instant.sets.member & (instant.tele.lowest_cell <= table.min_cell)))


def _low_voltage(instant: Instant, table: PackTable) -> float:
    """The highest of the packs' low voltages, so that the neediest pack is heard."""
    return highest(table.min_cell * instant.tele.cells, instant.sets.online)[0]
