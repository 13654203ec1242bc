"""What stands for what packs do not report: bounds for unknown settings, nothing for slots without a sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.bounds import LIMITS, STORED, bound_settings
from packbank.aggregator.instant import Instant
from packbank.aggregator.kept import KeptSettings
from packbank.aggregator.plausible import Plausible
from packbank.aggregator.presence import FRESH, Sets, current_noise
from packbank.aggregator.slots import SensorSlots
from packbank.aggregator.table import DIRECTIONS, PackTable
from packbank.aggregator.telemetry import COLDEST, Telemetry, read, rows
from packbank.model.battery import Cause, Limit
from packbank.model.columns import SENSOR_NUMBERS
from packbank.model.identity import Identity

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SETTINGS = rows(STORED[0], STORED[-1])


class Unknowns:
    """Everything about packs that has to be bounded or left out, from step to step."""

    def __init__(self, table: PackTable, buses: NDArray[np.int64] | None) -> None:
        """``buses`` numbers the packs by their bus; ``None``: all on one."""
        packs = len(table.capacity)
        self._table = table
        self.slots = SensorSlots(packs, buses)
        self.kept = KeptSettings()
        self.plausible = Plausible(packs)
        self._none = np.zeros((2, packs), dtype=np.bool_)
        self._proven = np.zeros(packs, dtype=np.bool_)  # has carried current since it joined
        self._identities: Sequence[Identity] = ()
        self._serials: list[str] = [""] * packs
        self._kinds = np.zeros(packs, dtype=np.int64)

    def read(self, matrix: Floats, now: float, dt: float, identities: Sequence[Identity]) -> Telemetry:
        """Take what the aggregator needs from ``matrix``, without what cannot be and slots that have no sensor."""
        if identities and identities != self._identities:
            self._identities = identities
            self._serials = [identity.serial for identity in identities]
            models = [identity.model for identity in identities]
            self._kinds = np.array([models.index(model) for model in models])
        matrix = self.plausible.step(matrix, self._kinds)
        tele = read(matrix, now, self._table, self.slots.absent)
        self.slots.step(tele.reported_sensors, dt)
        self.kept.note(matrix, self._serials, dt)
        return tele

    def bound(self, tele: Telemetry, sets: Sets) -> Bools:
        """Fill unknown settings in ``tele``; which current limits, ``(2, packs)``, rest on other packs."""
        unknown = np.isnan(tele.block[_SETTINGS])
        if not (np.count_nonzero(unknown) and np.count_nonzero(unknown & sets.online)):
            return self._none
        stored = self.kept.stored(self._serials)
        dismissed = self.plausible.packs if self.plausible.found else None
        fresh = sets.code == FRESH
        return bound_settings(tele, self._table.ceiling, sets.online, fresh, self._kinds, stored, dismissed)

    def unsure(self, instant: Instant) -> Instant:
        """``instant`` in which packs whose limit rests on others may conduct or not: limits must hold either way.

        Not so the packs that have been measured to carry current since they joined: they conduct, and are kept to
        their bound by what they carry. A bank of which one pack alone reported its limits would else be left with that
        one's part.
        """
        sets, tele = instant.sets, instant.tele
        if not instant.any_estimated:
            self._proven[:] = False
            return instant
        self._proven = sets.member & (self._proven | (np.maximum.reduce(tele.flow) > current_noise(tele)))
        unsure = sets.sure & instant.estimated & ~self._proven
        return replace(instant, sets=replace(sets, sure=sets.sure & ~unsure, maybe=sets.maybe | unsure))

    def explained(self, limit: Limit, direction: int, tele: Telemetry, estimated: Bools) -> Limit:
        """``limit`` with a reason that names what is not known, where that is what limits."""
        pack = limit.pack
        if pack < 0:
            return limit
        if limit.cause in (Cause.BMS, Cause.CONFIG):
            limit = self._untold(limit, direction, bool(estimated[direction, pack]))
        suspect = self.slots.suspect[:, pack]
        if limit.cause is Cause.TEMPERATURE and np.count_nonzero(suspect) and tele.extremes[COLDEST, pack] == 0.0:
            names = ", ".join(f"T{number}" for number, flag in zip(SENSOR_NUMBERS, suspect, strict=True) if flag)
            return replace(limit, detail=f"{names} reads exactly 0, if not fitted set TEMPERATURE_SOURCE_BATTERY")
        return limit

    def _untold(self, limit: Limit, direction: int, estimated: bool) -> Limit:
        """``limit``, which is the ceiling of its pack, with the reason why that is not what its BMS reports."""
        found = dict(self.plausible.found.get(limit.pack, ()))
        reported = f"its BMS says {found[LIMITS[direction]]:g} A" if LIMITS[direction] in found else ""
        if not (reported or estimated):
            return limit
        stands = "taken from other packs" if estimated else "taken from what it said before"
        detail = ", ".join(filter(None, (reported, stands, f"set MAX_BATTERY_{DIRECTIONS[direction].upper()}_CURRENT")))
        return replace(limit, cause=Cause.ESTIMATE, detail=detail)
