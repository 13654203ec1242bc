"""A bank of healthy packs whose rows a test may bend, and a clock that it turns by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.bank import Bank
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.battery import VirtualBattery
from packbank.model.columns import ALARMS, BATTERY_TEMPERATURES, CELL_VOLTAGES, CELLS, Column, empty_matrix
from packbank.model.controls import Controls, External
from packbank.model.identity import Identity

CELLS_USED = 16
WALL = 1_700_000_000.0

HEALTHY = {
    Column.SETTINGS_TIME: 0.0,
    Column.TEMPERATURE_MOS: 30.0,
    Column.TEMPERATURE_1: 24.0,
    Column.TEMPERATURE_2: 26.0,
    Column.SOC: 50.0,
    Column.SOH: 100.0,
    Column.REMAINING_CAPACITY: 140.0,
    Column.FULL_CAPACITY: 280.0,
    Column.CHARGE_MOSFET: 1.0,
    Column.DISCHARGE_MOSFET: 1.0,
    Column.CHARGE_ENABLED: 1.0,
    Column.DISCHARGE_ENABLED: 1.0,
    Column.BALANCE_ENABLED: 1.0,
    Column.BALANCING: 0.0,
    Column.HEATING: 0.0,
    Column.CELL_COUNT: CELLS_USED,
    Column.CELL_OVP: 3.65,
    Column.CELL_UVP: 2.6,
    Column.CHARGE_CURRENT_LIMIT: 100.0,
    Column.DISCHARGE_CURRENT_LIMIT: 150.0,
    Column.CHARGE_OTP: 65.0,
    Column.DISCHARGE_OTP: 70.0,
    Column.CHARGE_UTP: -10.0,
    Column.DISCHARGE_UTP: -20.0,
    Column.MOS_OTP: 100.0,
}


def healthy(packs: int, cell: float = 3.30, current: float = 0.0) -> NDArray[np.float64]:
    """Rows of packs with 16 cells at ``cell`` V, each carrying ``current``; they have not answered yet."""
    rows = empty_matrix(packs)
    for column, value in HEALTHY.items():
        rows[:, column] = value
    rows[:, ALARMS] = 0.0
    set_cells(rows, slice(None), cell)
    rows[:, Column.CURRENT] = current
    return rows


def set_cells(rows: NDArray[np.float64], pack: int | slice, cell: float) -> None:
    """All cells of ``pack`` at ``cell`` V, and its voltage with them."""
    rows[pack, CELL_VOLTAGES] = [cell] * CELLS_USED + [np.nan] * (CELLS - CELLS_USED)
    rows[pack, Column.VOLTAGE] = cell * CELLS_USED


def set_cell(rows: NDArray[np.float64], pack: int, number: int, volts: float) -> None:
    """One cell, numbered from 1, and the pack's voltage with it."""
    rows[pack, number - 1] = volts
    rows[pack, Column.VOLTAGE] = np.nansum(rows[pack, CELL_VOLTAGES])


def set_temperature(rows: NDArray[np.float64], pack: int, degrees: float) -> None:
    """All battery sensors of ``pack``."""
    rows[pack, list(BATTERY_TEMPERATURES)] = degrees


class Rig:
    """A bank, its rows and its clock: packs in ``silent`` stop answering."""

    def __init__(
        self,
        packs: int = 4,
        settings: BankSettings | None = None,
        pack_settings: Sequence[PackSettings] | None = None,
        expected: Sequence[bool] | None = None,
        state: dict[str, object] | None = None,
        state_age: float | None = None,
    ) -> None:
        self.names = [f"pack {i + 1}" for i in range(packs)]
        self.rows = healthy(packs)
        self.silent: set[int] = set()
        self.now = 1000.0
        self.controls = Controls()
        self.external = External()
        self.identities: Sequence[Identity] = ()
        self.bank = Bank(
            self.names,
            pack_settings or [PackSettings()] * packs,
            settings or BankSettings(),
            expected,
            state,
            state_age=state_age,
        )

    def step(self, seconds: float = 1.0) -> VirtualBattery:
        """Turn the clock by ``seconds`` and look."""
        self.now += seconds
        for pack in set(range(len(self.rows))) - self.silent:
            self.rows[pack, Column.STATUS_TIME] = self.now
        return self.bank.step(self.rows, self.now, WALL + self.now, self.controls, self.external, self.identities)

    def run(self, seconds: float, every: float = 1.0) -> VirtualBattery:
        """The same in steps of ``every`` seconds."""
        battery = self.step(every)
        for _ in range(int(seconds / every) - 1):
            battery = self.step(every)
        return battery

    def teach(self, *weights: float) -> VirtualBattery:
        """Let the current go up and down, divided by ``weights`` (none: evenly), as a morning does; then rest."""
        whole = np.array(weights or [1.0] * len(self.rows))
        for level in (30.0, 60.0, 90.0, 40.0, 80.0, 20.0, 0.0):
            self.rows[:, Column.CURRENT] = level * whole * len(whole) / whole.sum()
            battery = self.run(8)
        return battery
