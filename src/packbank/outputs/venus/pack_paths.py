"""The paths of a single pack's own service (``PUBLISH_PACKS``), as a table. Pure, like :mod:`.paths`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from packbank.model.battery import PackView
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, CELLS, Alarm, Column
from packbank.outputs.venus.path import Path, Quantity, Rate
from packbank.outputs.venus.paths import ALARM_MEANINGS


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack as its service sees it: the bank's judgement, and its row of the matrix."""

    view: PackView
    row: NDArray[np.float64]
    known: frozenset[Alarm]


def _column(column: Column) -> Callable[[Pack], float]:
    return lambda pack: float(pack.row[column])


def _cell(index: int) -> Callable[[Pack], float]:
    return lambda pack: float(pack.row[CELL_VOLTAGES][index])


def _extreme(choose: Callable[..., np.float64], columns: slice | list[int]) -> Callable[[Pack], float]:
    def value(pack: Pack) -> float:
        values = pack.row[columns]
        return float(choose(values)) if not np.isnan(values).all() else float("nan")

    return value


def _alarm_level(alarm: Alarm, pack: Pack) -> int | None:
    return pack.view.alarms.get(alarm, 0 if alarm in pack.known else None)


_SENSORS: list[int] = list(BATTERY_TEMPERATURES)

PACK: tuple[Path[Pack], ...] = (
    Path("/Dc/0/Voltage", Rate.SLOW, Quantity.VOLTS, _column(Column.VOLTAGE), "pack voltage"),
    Path("/Dc/0/Current", Rate.SLOW, Quantity.AMPERES, _column(Column.CURRENT), "pack current, + charges"),
    Path("/Dc/0/Power", Rate.SLOW, Quantity.WATTS, _column(Column.POWER), "pack power, + charges"),
    Path("/Dc/0/Temperature", Rate.SLOW, Quantity.CELSIUS, _extreme(np.nanmean, _SENSORS), "mean of the sensors"),
    Path("/Soc", Rate.SLOW, Quantity.PERCENT, _column(Column.SOC), "state of charge as the BMS counts it"),
    Path("/Soh", Rate.SLOW, Quantity.PERCENT, _column(Column.SOH), "state of health"),
    Path("/Capacity", Rate.SLOW, Quantity.AMPERE_HOURS, _column(Column.REMAINING_CAPACITY), "charge left"),
    Path("/InstalledCapacity", Rate.SLOW, Quantity.AMPERE_HOURS, _column(Column.FULL_CAPACITY), "charge when full"),
    Path("/History/ChargeCycles", Rate.SLOW, Quantity.NUMBER, _column(Column.CYCLES), "full cycles"),
    Path("/Io/AllowToCharge", Rate.CHANGE, Quantity.NUMBER, lambda p: not p.view.blocks_charge, "1: takes charge"),
    Path(
        "/Io/AllowToDischarge", Rate.CHANGE, Quantity.NUMBER, lambda p: not p.view.blocks_discharge, "1: gives charge"
    ),
    Path("/Balancing", Rate.CHANGE, Quantity.NUMBER, lambda p: float(np.sign(p.row[Column.BALANCING])), "1: balances"),
    Path("/System/NrOfCellsPerBattery", Rate.CHANGE, Quantity.NUMBER, _column(Column.CELL_COUNT), "cells in series"),
    Path("/System/MinCellVoltage", Rate.SLOW, Quantity.CELL_VOLTS, _extreme(np.nanmin, CELL_VOLTAGES), "lowest cell"),
    Path("/System/MaxCellVoltage", Rate.SLOW, Quantity.CELL_VOLTS, _extreme(np.nanmax, CELL_VOLTAGES), "highest cell"),
    Path("/System/MinCellTemperature", Rate.SLOW, Quantity.CELSIUS, _extreme(np.nanmin, _SENSORS), "coldest sensor"),
    Path("/System/MaxCellTemperature", Rate.SLOW, Quantity.CELSIUS, _extreme(np.nanmax, _SENSORS), "warmest sensor"),
    Path("/System/MOSTemperature", Rate.SLOW, Quantity.CELSIUS, _column(Column.TEMPERATURE_MOS), "MOSFETs"),
    *(
        Path(f"/Voltages/Cell{index + 1}", Rate.SLOW, Quantity.CELL_VOLTS, _cell(index), "invalid: no such cell")
        for index in range(CELLS)
    ),
    *(
        Path(
            f"/Alarms/{alarm.venus}", Rate.CHANGE, Quantity.NUMBER, partial(_alarm_level, alarm), ALARM_MEANINGS[alarm]
        )
        for alarm in Alarm
    ),
)
