"""What the packs measure, merged: sums, means weighted where weight matters, and extremes with their owner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.instant import Instant
from packbank.aggregator.telemetry import COLDEST, HIGHEST, HOTTEST, LOWEST, rows
from packbank.cext.chosen import highest, lowest, mean, total, weighted_mean
from packbank.model.battery import Extreme
from packbank.model.columns import CELLS, SENSOR_NUMBERS, Column
from packbank.model.controls import External

Floats = NDArray[np.float64]

_CELL_NUMBERS = range(1, CELLS + 1)
_FLAGS = rows(Column.TEMPERATURE_MOS, Column.BALANCE_ENABLED)


class Measured(NamedTuple):
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
    hottest_mos, balancing, heating, balance_enabled = [highest(values, online)[0] for values in tele.block[_FLAGS]]
    lowest_cell, highest_cell, coldest, hottest = _extremes(instant)
    cells, _ = highest(tele.cells, online)
    return Measured(
        voltage=voltage,
        current=current,
        power=power,
        temperature=mean(tele.sensors, online),
        temperature_mos=hottest_mos,
        soh=weighted_mean(tele[Column.SOH], online, tele.capacity),
        cells_per_pack=0 if isnan(cells) else int(cells),
        balancing=balancing > 0.0,
        heating=heating > 0.0,
        allow_to_balance=balance_enabled != 0.0,
        lowest_cell=lowest_cell,
        highest_cell=highest_cell,
        lowest_temperature=coldest,
        highest_temperature=hottest,
    )


def _extremes(instant: Instant) -> Iterator[Extreme]:
    """Lowest and highest cell, coldest and hottest sensor, each with the pack and the cell or sensor that has it."""
    tele, online = instant.tele, instant.sets.online
    cells, sensors = tele.cell_voltages, tele.sensors.T
    for row, find, parts, numbers in (
        (LOWEST, lowest, cells, _CELL_NUMBERS),
        (HIGHEST, highest, cells, _CELL_NUMBERS),
        (COLDEST, lowest, sensors, SENSOR_NUMBERS),
        (HOTTEST, highest, sensors, SENSOR_NUMBERS),
    ):
        value, pack = find(tele.extremes[row], online)
        yield _extreme(value, pack, parts[pack], numbers)


def _extreme(value: float, pack: int, parts: Floats, numbers: Sequence[int]) -> Extreme:
    """``value`` of ``pack`` with the number of the part that has it; 0 if it was reckoned, not measured."""
    if pack < 0:
        return Extreme()
    values: list[float] = parts.tolist()
    return Extreme(value, pack, numbers[values.index(value)] if value in values else 0)
