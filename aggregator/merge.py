"""What the packs measure, merged: sums, means weighted where weight matters, and extremes with their owner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.instant import Instant
from packbank.aggregator.telemetry import MOSFETS, rows
from packbank.model.battery import Extreme
from packbank.model.columns import CELLS, SENSOR_NUMBERS, Column
from packbank.model.controls import NAN, External

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LOWEST_FIRST = np.array([[1.0], [-1.0], [1.0], [-1.0]])  # turns the highest of a row into its lowest
_CELL_NUMBERS = range(1, CELLS + 1)
_FLAGS = rows(Column.TEMPERATURE_MOS, Column.BALANCE_ENABLED)


@dataclass(frozen=True, slots=True)
class Measured:
    """The bank's measurements; ``NaN`` where no pack reports."""

    voltage: float
    current: float
    power: float
    temperature: float
    temperature_mos: float
    soh: float
    cells_per_pack: int
    balancing: bool
    heating: bool
    allow_to_balance: bool
    lowest_cell: Extreme
    highest_cell: Extreme
    lowest_temperature: Extreme
    highest_temperature: Extreme


def merge(instant: Instant, external: External) -> Measured:
    """Merge what the online packs measure; a shunt's current replaces the packs' sum."""
    tele, online = instant.tele, instant.sets.online
    voltage = mean(tele[Column.VOLTAGE], instant.sets.busbar)
    current, power = total(tele[Column.CURRENT], online), total(tele[Column.POWER], online)
    if not isnan(external.current):
        current, power = external.current, voltage * external.current
    elif isnan(power):
        power = voltage * current
    flags = np.fmax.reduce(tele.block[_FLAGS], axis=1, where=online, initial=NAN)
    hottest_mos, balancing, heating, balance_enabled = flags.tolist()
    lowest_cell, highest_cell, coldest, hottest = _extremes(instant)
    return Measured(
        voltage=voltage,
        current=current,
        power=power,
        temperature=mean(tele.sensors, online),
        temperature_mos=hottest_mos,
        soh=weighted_mean(tele[Column.SOH], online, tele.capacity),
        cells_per_pack=int(np.fmax.reduce(tele.cells, where=online, initial=0.0)),
        balancing=balancing > 0.0,
        heating=heating > 0.0,
        allow_to_balance=balance_enabled != 0.0,
        lowest_cell=lowest_cell,
        highest_cell=highest_cell,
        lowest_temperature=coldest,
        highest_temperature=hottest,
    )


def total(values: Floats, chosen: Bools) -> float:
    """Sum over the chosen packs that report; ``NaN`` if none does."""
    reported = values[chosen]
    whole = float(np.add.reduce(reported))
    if isnan(whole):
        reported = reported[~np.isnan(reported)]
        whole = float(np.add.reduce(reported))
    return whole if len(reported) else NAN


def mean(values: Floats, chosen: Bools) -> float:
    """Mean over the chosen packs that report; ``values`` may have rows of several sensors."""
    reported = ~np.isnan(values) & chosen
    count = int(np.count_nonzero(reported))
    return float(np.add.reduce(values, axis=None, where=reported)) / count if count else NAN


def weighted_mean(values: Floats, chosen: Bools, weight: Floats) -> float:
    """The same by ``weight``; not weighted if a chosen pack has none."""
    if np.count_nonzero(np.isnan(weight[chosen])):
        return mean(values, chosen)
    reported = ~np.isnan(values) & chosen
    if np.count_nonzero(reported) < len(reported):
        values, weight = np.where(reported, values, 0.0), np.where(reported, weight, 0.0)
    whole = float(np.add.reduce(weight))
    return float(np.add.reduce(values * weight)) / whole if whole > 0.0 else NAN


def _extremes(instant: Instant) -> Iterator[Extreme]:
    """Lowest and highest cell, coldest and hottest sensor, each with the pack and the cell or sensor that has it."""
    tele, online = instant.tele, instant.sets.online
    values = tele.extremes[:MOSFETS]
    ordered = np.where(online, values * _LOWEST_FIRST, np.inf)
    packs = np.fmin(ordered, np.inf).argmin(axis=1).tolist()  # NaN is last
    parts = (tele.cell_voltages, tele.cell_voltages, tele.sensors.T, tele.sensors.T)
    numbers = (_CELL_NUMBERS, _CELL_NUMBERS, SENSOR_NUMBERS, SENSOR_NUMBERS)
    for row, pack in enumerate(packs):
        value = float(values[row, pack])
        yield _extreme(value, pack, parts[row][pack], numbers[row]) if online[pack] else Extreme()


def _extreme(value: float, pack: int, parts: Floats, numbers: Sequence[int]) -> Extreme:
    """``value`` of ``pack`` with the number of the part that has it; 0 if it was reckoned, not measured."""
    if isnan(value):
        return Extreme()
    part = int((parts == value).argmax())
    return Extreme(value, pack, numbers[part] if parts[part] == value else 0)
