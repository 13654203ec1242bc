"""What packs reported of their settings in earlier runs, by their serial numbers.

A pack whose settings are not known yet is bounded by what it reported before, once this run has seen its serial. That
never raises a limit: it stands only where nothing is reported, and a reported value replaces it at once. Its age is the
time that packbank has run since: a GX without a clock of its own starts in the past, and one whose clock was once in
the future would keep settings for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.bounds import STORED
from packbank.model.columns import Column

Floats = NDArray[np.float64]

LONGEST = 30.0 * 86400.0  # s of running: an owner may have changed the settings since
_DIGITS = 4


class KeptSettings:
    """The settings of all packs that were ever read, for at most :data:`LONGEST`."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, list[float | None]]] = {}  # by serial: when reported, values of STORED
        self._time = 0.0  # s that this run has lasted
        self._noted: Floats | None = None  # SETTINGS_TIME of the last look
        self._serials: Sequence[str] = ()

    def note(self, rows: Floats, serials: Sequence[str], dt: float) -> None:
        """Keep the settings in ``rows`` that were read since the last call, ``dt`` s ago."""
        self._time += dt
        read_at = rows[:, Column.SETTINGS_TIME].copy()
        if self._noted is not None and read_at.tobytes() == self._noted.tobytes() and serials == self._serials:
            return
        before = self._noted if self._noted is not None else np.full(len(read_at), np.nan)
        new = ~np.isnan(read_at) & (read_at != before)
        if serials != self._serials:
            new |= ~np.isnan(read_at)
        self._noted, self._serials = read_at, serials
        for pack in np.flatnonzero(new).tolist():
            if serials[pack]:
                self._kept[serials[pack]] = self._time, [_plain(value) for value in rows[pack, list(STORED)].tolist()]

    def stored(self, serials: Sequence[str]) -> Floats | None:
        """What the packs with ``serials`` reported before, shape ``(len(STORED), packs)``; ``None`` when none did."""
        known = [(pack, self._kept[serial]) for pack, serial in enumerate(serials) if serial in self._kept]
        if not known:
            return None
        values = np.full((len(STORED), len(serials)), np.nan)
        for pack, (reported_at, reported) in known:
            if self._time - reported_at <= LONGEST:
                values[:, pack] = np.array(reported, dtype=np.float64)
        return values

    def save(self) -> dict[str, Any]:
        """What is not too old with its age, JSON-able."""
        ages = {serial: round(self._time - reported_at) for serial, (reported_at, _) in self._kept.items()}
        return {serial: [age, self._kept[serial][1]] for serial, age in ages.items() if age <= LONGEST}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take it back before the first step. Raises ValueError or TypeError when it is damaged."""
        kept = {}
        for serial, (age, reported) in saved.items():
            values = [None if value is None else float(value) for value in reported]
            if len(values) != len(STORED):
                raise ValueError(f"{len(values)} settings kept of a pack instead of {len(STORED)}")
            kept[str(serial)] = -max(float(age), 0.0), values
        self._kept = kept


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(value, _DIGITS)
