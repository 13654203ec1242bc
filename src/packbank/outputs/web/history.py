"""What the charts show: a day of samples in memory. A store that keeps more takes its place by :class:`History`."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from packbank.model.battery import PRESENCES, SILENT
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.model.snapshot import Snapshot
from packbank.outputs.history.events import Event

DAY = 86400.0  # s
PERIOD = 60.0  # s between two samples of a bank of usual size
LARGEST = 4 << 20  # bytes: with more than some 100 packs the period is a multiple of a minute

# Key -> digits kept.
BANK_SERIES = {
    "voltage": 2,
    "current": 1,
    "soc": 1,
    "charge_current_limit": 1,
    "discharge_current_limit": 1,
    "lowest_cell": 3,
    "highest_cell": 3,
    "lowest_temperature": 1,
    "highest_temperature": 1,
}
PACK_SERIES = {
    "voltage": 2,
    "current": 1,
    "soc": 1,
    "lowest_cell": 3,
    "highest_cell": 3,
    "lowest_temperature": 1,
    "highest_temperature": 1,
}
_AWAY = [PRESENCES.index(presence) for presence in SILENT]


class Series(NamedTuple):
    """Samples in order: ``times`` (wall clock, s since 1970) and for each key as many values, NaN where not known."""

    period: float  # s between two samples, when none is missing
    times: NDArray[np.float64]
    values: dict[str, NDArray[np.float32]]
    digits: dict[str, int]


class History(Protocol):
    """Where charts come from."""

    @property
    def due(self) -> float:
        """When the next sample is wanted (monotonic s)."""

    def add(self, snapshot: Snapshot) -> None:
        """Take a sample, if it is due."""

    def series(self, pack: int | None, seconds: float, now: Snapshot) -> Series:
        """The samples of the last ``seconds`` before ``now``, of the pack with that index or of the bank."""

    @property
    def longest(self) -> float:
        """How far back samples go, s."""

    def events(self, seconds: float, now: Snapshot) -> Sequence[Event]:
        """What happened in the last ``seconds``, in order."""


class Ring:
    """The last :data:`DAY` in memory that is taken once and never grows, :data:`LARGEST` bytes at most; no events."""

    longest = DAY

    def __init__(self, packs: int) -> None:
        width = 1 + len(BANK_SERIES) + packs * len(PACK_SERIES)
        self.period = PERIOD * max(1, ceil(width * 4 * DAY / PERIOD / LARGEST))
        self.due = float("-inf")
        size = int(DAY / self.period)
        self._times = np.zeros(size)  # monotonic s: the wall clock of a GX may jump
        self._bank = np.zeros((size, len(BANK_SERIES)), np.float32)
        self._packs = np.zeros((size, len(PACK_SERIES), packs), np.float32)
        self._count = 0  # of all samples ever taken

    def add(self, snapshot: Snapshot) -> None:
        """Take a sample, if it is due."""
        if snapshot.time < self.due:
            return
        self.due = snapshot.time + self.period - 0.5  # s; the snapshots come once a second, not on the dot
        at = self._count % len(self._times)
        self._times[at] = snapshot.time
        self._bank[at] = _bank(snapshot)
        self._packs[at] = _packs(snapshot)
        self._count += 1

    def series(self, pack: int | None, seconds: float, now: Snapshot) -> Series:
        """See :class:`History`."""
        size = len(self._times)
        order = np.arange(max(0, self._count - size), self._count) % size
        order = order[self._times[order] >= now.time - seconds]
        keys = BANK_SERIES if pack is None else PACK_SERIES
        values = self._bank[order] if pack is None else self._packs[order, :, pack]
        times = now.wall - (now.time - self._times[order])
        return Series(self.period, times, dict(zip(keys, values.T, strict=True)), keys)

    def events(self, _seconds: float, _now: Snapshot) -> Sequence[Event]:
        """None: see :class:`History`."""
        return ()


def _bank(snapshot: Snapshot) -> list[float]:
    battery = snapshot.battery
    return [
        battery.voltage,
        battery.current,
        battery.soc,
        battery.charge_current_limit.value,
        battery.discharge_current_limit.value,
        battery.lowest_cell.value,
        battery.highest_cell.value,
        battery.lowest_temperature.value,
        battery.highest_temperature.value,
    ]


def _packs(snapshot: Snapshot) -> NDArray[np.float64]:
    """The values of :data:`PACK_SERIES`, a column a pack; a pack that does not answer has none."""
    rows, packs = snapshot.rows, snapshot.battery.packs
    cells = rows[:, CELL_VOLTAGES]
    values = np.stack(
        [
            rows[:, Column.VOLTAGE],
            rows[:, Column.CURRENT],
            rows[:, Column.SOC],
            np.fmin.reduce(cells, axis=1),
            np.fmax.reduce(cells, axis=1),
            packs.temperature[0],
            packs.temperature[1],
        ]
    )
    values[:, np.isin(packs.presence, _AWAY)] = np.nan
    return values
