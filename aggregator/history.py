"""What the bank has been through: sums, counts and extremes since the record began, kept over restarts.

Every figure is unknown until there is something to show. The depth of a discharge is shown only from a full charge on,
counted from what the bank counted as consumed then: the packs' own SoC may read far from 100 % when the bank is full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from math import isnan
from typing import Any, NamedTuple

from packbank.model.battery import History
from packbank.model.controls import NAN

LONGEST_GAP = 60.0  # s: over a longer pause nothing is integrated
SHALLOWEST = 0.05  # of the installed capacity: what is less deep is no discharge, what is less charged is no charge


class Moment(NamedTuple):
    """The figures that history is made of, at one step."""

    voltage: float
    current: float
    lowest_cell: float
    highest_cell: float
    coldest: float
    hottest: float
    consumed: float  # Ah, zero or negative
    installed: float  # Ah
    cycles: float = NAN  # that the packs report, mean
    cycled: float = NAN  # Ah that the packs report to have carried, sum
    ready: bool = True  # every pack that is going to report has done so
    full: bool = False  # the bank became full at this step
    synced: bool = False  # a counted SoC was set to 100 % by that
    empty: bool = False  # a pack is at the end
    low_voltage: bool = False  # an alarm of this kind was raised at this step
    high_voltage: bool = False


class HistoryKeeper:
    """History from step to step; ``save`` and ``restore`` carry it over a restart."""

    def __init__(self, *, cleared: bool = False) -> None:
        """A new record; what the packs report of their past is taken over, unless the user ``cleared`` it."""
        begin = 0.0 if cleared else NAN
        self._record = History(charge_cycles=begin, total_ah_drawn=begin)
        self._since_full = NAN  # s that packbank ran since then: a wall clock may be wrong at the start
        self._discharges = _Discharges()

    def step(self, moment: Moment, dt: float) -> History:
        """Add one step of ``dt`` seconds."""
        old = self._record
        charge = moment.current * dt / 3600.0 if dt <= LONGEST_GAP and not isnan(moment.current) else 0.0
        drawn = max(-charge, 0.0)
        energy = 0.0 if isnan(moment.voltage) else moment.voltage * charge / 1000.0
        self._since_full = 0.0 if moment.full else self._since_full + dt
        last, deepest, average, emptied = self._discharges.step(old, moment)
        self._record = History(
            charge_cycles=_grown(
                _begun(old.charge_cycles, moment.cycles, moment.ready),
                drawn / moment.installed if moment.installed > 0.0 else 0.0,
            ),
            total_ah_drawn=-_grown(-_begun(old.total_ah_drawn, -moment.cycled, moment.ready), drawn),
            deepest_discharge=deepest,
            last_discharge=last,
            average_discharge=average,
            full_discharges=emptied,
            automatic_syncs=_grown(old.automatic_syncs, moment.synced),
            low_voltage_alarms=_grown(old.low_voltage_alarms, moment.low_voltage),
            high_voltage_alarms=_grown(old.high_voltage_alarms, moment.high_voltage),
            minimum_voltage=_least(old.minimum_voltage, moment.voltage),
            maximum_voltage=_most(old.maximum_voltage, moment.voltage),
            minimum_cell_voltage=_least(old.minimum_cell_voltage, moment.lowest_cell),
            maximum_cell_voltage=_most(old.maximum_cell_voltage, moment.highest_cell),
            minimum_temperature=_least(old.minimum_temperature, moment.coldest),
            maximum_temperature=_most(old.maximum_temperature, moment.hottest),
            charged_energy=_grown(old.charged_energy, energy),
            discharged_energy=_grown(old.discharged_energy, -energy),
            time_since_full=self._since_full,
        )
        return self._record

    def save(self) -> dict[str, Any]:
        """The record, JSON-able; unknown figures are left out."""
        since = _known({"since_full": self._since_full})
        return {"record": _known(asdict(self._record)), **since, **self._discharges.save()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take a record back; figures of another version are passed over."""
        known = {field.name for field in fields(History)}
        self._record = replace(self._record, **{k: float(v) for k, v in saved["record"].items() if k in known})
        self._since_full = float(saved.get("since_full", NAN))  # the first version kept a date
        self._discharges.restore(saved)


class _Discharges:
    """How deep the bank is discharged between full charges, and how often it is emptied."""

    def __init__(self) -> None:
        self._top = NAN  # Ah, what counted as consumed when the bank was full; unknown before the first time
        self._depth = NAN  # Ah, the deepest point since then, negative; unknown while it is no discharge
        self._counted = 0.0  # discharges in the average
        self._bottom = NAN  # Ah, the lowest consumed figure since the bank was empty; unknown once it was charged again

    def step(self, record: History, moment: Moment) -> tuple[float, float, float, float]:
        """Last, deepest and average depth and the times emptied at ``moment``, after those of ``record``."""
        consumed, enough = moment.consumed, SHALLOWEST * moment.installed
        average, emptied = record.average_discharge, record.full_discharges
        if moment.full:
            if not isnan(self._depth):
                self._counted += 1.0
                average = self._depth if isnan(average) else average + (self._depth - average) / self._counted
            self._top, self._depth = consumed, NAN
        elif not isnan(self._top):
            self._top = _most(self._top, consumed)
            if consumed - self._top <= -enough:
                self._depth = _least(self._depth, consumed - self._top)
        if moment.empty:
            emptied = _grown(emptied, isnan(self._bottom))
            self._bottom = _least(self._bottom, consumed)
        elif consumed - self._bottom >= enough:
            self._bottom = NAN
        last = record.last_discharge if isnan(self._depth) else self._depth
        return last, _least(record.deepest_discharge, self._depth), average, emptied

    def save(self) -> dict[str, float]:
        """What a restart must not lose, JSON-able."""
        values = {"top": self._top, "discharge": self._depth, "discharges": self._counted, "bottom": self._bottom}
        return _known(values)

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take it back."""
        top, depth, counted, bottom = (saved.get(key) for key in ("top", "discharge", "discharges", "bottom"))
        self._top, self._depth, self._bottom = (NAN if v is None else float(v) for v in (top, depth, bottom))
        self._depth = self._depth if self._depth < 0.0 else NAN  # the first version had 0 from a full charge on
        self._counted = float(counted or 0.0)


def _known(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if not isnan(value)}


def _begun(total: float, reported: float, ready: bool) -> float:
    """A total, which begins with what the packs report once all that are going to have done so."""
    return reported if isnan(total) and ready else total


def _grown(total: float, more: float) -> float:
    """A total or a count, which begins with the first amount that is more than 0."""
    if not more > 0.0:
        return total
    return more + (0.0 if isnan(total) else total)


def _least(a: float, b: float) -> float:
    """The smaller of two figures, either of which may be unknown."""
    return a if isnan(b) or a <= b else b


def _most(a: float, b: float) -> float:
    return a if isnan(b) or a >= b else b
