"""One over-voltage guard a pack: the highest charge voltage at which its highest cell stays at its target.

When the highest cell is above the target, the guard falls at once to the sum of the cells, each clipped to the
target. When no cell has been above for a while, it rises in proportion to the room that the highest cell has left,
so it comes to rest where that cell sits at its target instead of jumping between two values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.instant import Instant
from packbank.aggregator.presence import FRESH
from packbank.aggregator.settings import BankSettings
from packbank.aggregator.table import PackTable
from packbank.aggregator.telemetry import Telemetry
from packbank.cext.chosen import any_above
from packbank.model.columns import Column

Floats = NDArray[np.float64]

OVP_LOWEST = 1.5  # V: no chemistry ends below it, so a BMS that says so has not been set up
OVP_GAP = 0.03  # V a cell that the target keeps below the BMS's own over-voltage protection
FLOOR_GAP = 0.1  # V a cell below float: no cell is worth emptying the bank into the grid
RISE_TIME = 60.0  # s, time constant of the rise


class Targets:
    """Charge voltage per cell of each pack, below its BMS's over-voltage protection; worked out when that changes."""

    def __init__(self, table: PackTable) -> None:
        self._table = table
        self._protection = b""
        self._usual = self._top_balance = table.max_cell

    def cells(self, tele: Telemetry, *, top_balance: bool) -> Floats:
        """V a cell; the same array while nothing changes."""
        protection = tele[Column.CELL_OVP]
        if protection.tobytes() != self._protection:
            self._protection = protection.tobytes()
            below = np.where(protection > OVP_LOWEST, protection - OVP_GAP, np.nan)
            self._usual = np.fmin(self._table.max_cell, below)
            self._top_balance = np.fmin(self._table.reset_cell, below)
        return self._top_balance if top_balance else self._usual


class Guard:
    """Guards of all packs from step to step."""

    def __init__(self, table: PackTable, settings: BankSettings) -> None:
        self._float = table.float_cell
        self._hold = settings.cvl_recovery_hold_sec
        self._rate = settings.cvl_recovery_rate_v_per_sec
        self.floor = np.full(len(table.capacity), np.nan)
        self._cell: Floats | None = None  # of the last step, and how many there were
        self._cells = b""
        self._guard = np.full(len(table.capacity), np.inf)
        self._held_until = np.full(len(table.capacity), -np.inf)

    def step(self, instant: Instant, cell: Floats, target: Floats) -> Floats:
        """Guards in V, one a pack, never above ``target``; ``cell`` is the target per cell."""
        tele = instant.tele
        guard = self._guard
        cells = tele.cells.tobytes()
        if cell is not self._cell or cells != self._cells:
            self._cell, self._cells = cell, cells
            self.floor = tele.cells * (np.fmin(self._float, cell) - FLOOR_GAP)
        if any_above(tele.highest_cell, cell) or any_above(target, guard):
            room = cell - tele.highest_cell
            over = (room < 0.0).nonzero()[0]
            guard = guard + np.where(self._may_rise(instant), self._rise(room, tele.cells), 0.0) * instant.dt
            if len(over):
                clipped = np.minimum(tele.cell_voltages[over], cell[over, None])  # NaN stays NaN: no such cell
                guard[over] = np.minimum(guard[over], np.nansum(clipped, axis=1))
                self._held_until[over] = instant.now + self._hold
            guard = np.fmax(guard, self.floor)
            self._guard = guard = np.where(guard >= target, np.inf, guard)  # at rest: not in a higher target's way
        bounded: Floats = np.fmin(guard, target)
        return bounded

    def _may_rise(self, instant: Instant) -> NDArray[np.bool_]:
        fresh = (instant.sets.code == FRESH) & instant.sets.all_fresh  # nothing rises while any pack is held
        may_rise: NDArray[np.bool_] = fresh & (instant.now >= self._held_until)
        return may_rise

    def _rise(self, room: Floats, cells: Floats) -> Floats:
        """V/s, in proportion to the room of the highest cell."""
        return np.minimum(np.fmax(room * cells / RISE_TIME, 0.0), self._rate)
