"""What the bank has been through: sums and extremes since the record began, kept over restarts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import isnan
from typing import Any

from packbank.model.battery import History
from packbank.model.controls import NAN

LONGEST_GAP = 60.0  # s: over a longer pause nothing is integrated


@dataclass(frozen=True, slots=True)
class Moment:
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


class HistoryKeeper:
    """History from step to step; ``save`` and ``restore`` carry it over a restart."""

    def __init__(self, *, cleared: bool = False) -> None:
        """A new record; what the packs report of their past is taken over, unless the user ``cleared`` it."""
        begin = 0.0 if cleared else NAN
        self._record = History(charge_cycles=begin, total_ah_drawn=begin, charged_energy=0.0, discharged_energy=0.0)
        self._full_at: float | None = None  # epoch s
        self._discharge = NAN  # deepest point since the last full charge, Ah, negative; not known before the first

    def step(self, moment: Moment, became_full: bool, dt: float, wall: float) -> History:
        """Add one step of ``dt`` seconds that ends at ``wall``."""
        old = self._record
        charge = moment.current * dt / 3600.0 if dt <= LONGEST_GAP and not isnan(moment.current) else 0.0
        drawn = min(charge, 0.0)
        energy = 0.0 if isnan(moment.voltage) else moment.voltage * charge / 1000.0
        if became_full:
            self._full_at, self._discharge = wall, 0.0
        if not isnan(self._discharge):
            self._discharge = _least(self._discharge, moment.consumed)
        self._record = History(
            charge_cycles=_begun(old.charge_cycles, moment.cycles, moment.ready)
            - (drawn / moment.installed if moment.installed > 0.0 else 0.0),
            total_ah_drawn=_begun(old.total_ah_drawn, -moment.cycled, moment.ready) + drawn,
            deepest_discharge=_least(old.deepest_discharge, self._discharge),
            last_discharge=self._discharge,
            minimum_voltage=_least(old.minimum_voltage, moment.voltage),
            maximum_voltage=_most(old.maximum_voltage, moment.voltage),
            minimum_cell_voltage=_least(old.minimum_cell_voltage, moment.lowest_cell),
            maximum_cell_voltage=_most(old.maximum_cell_voltage, moment.highest_cell),
            minimum_temperature=_least(old.minimum_temperature, moment.coldest),
            maximum_temperature=_most(old.maximum_temperature, moment.hottest),
            charged_energy=old.charged_energy + max(energy, 0.0),
            discharged_energy=old.discharged_energy - min(energy, 0.0),
            time_since_full=NAN if self._full_at is None else max(0.0, wall - self._full_at),
        )
        return self._record

    def save(self) -> dict[str, Any]:
        """The record, JSON-able; unknown figures are left out."""
        record = {name: value for name, value in asdict(self._record).items() if not isnan(value)}
        discharge = None if isnan(self._discharge) else self._discharge
        return {"record": record, "full_at": self._full_at, "discharge": discharge}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take a record back; figures of another version are passed over."""
        known = {field.name for field in fields(History)}
        self._record = replace(self._record, **{k: float(v) for k, v in saved["record"].items() if k in known})
        self._full_at = None if saved["full_at"] is None else float(saved["full_at"])
        self._discharge = NAN if saved["discharge"] is None else float(saved["discharge"])


def _begun(total: float, reported: float, ready: bool) -> float:
    """A total, which begins with what the packs report once they all have, or with 0 where none does."""
    if not isnan(total) or not ready:
        return total
    return 0.0 if isnan(reported) else reported


def _least(a: float, b: float) -> float:
    """The smaller of two figures, either of which may be unknown."""
    return a if isnan(b) or a <= b else b


def _most(a: float, b: float) -> float:
    return a if isnan(b) or a >= b else b
