"""What the packs measure, merged: sums, means weighted where weight matters, and extremes with their owner."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.battery import Extreme
from packbank.aggregator.columns import BATTERY_TEMPERATURES, Column
from packbank.aggregator.controls import NAN, External
from packbank.aggregator.instant import Instant
from packbank.aggregator.telemetry import rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Number of a battery sensor as its column names it: the third sensor is T4 on the pack.
_SENSOR_NUMBERS = tuple(int(column.name.rsplit("_", 1)[1]) for column in BATTERY_TEMPERATURES)
_LOWEST_FIRST = np.array([[1.0], [-1.0], [1.0], [-1.0]])  # turns the highest of a row into its lowest


@dataclass(frozen=True, slots=True)
class Measured:
    """The bank's measurements; ``NaN`` where no pack tells."""

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
    volts = tele[Column.VOLTAGE]
    voltage = mean(volts, _on_busbar(instant))
    current, power = total(tele[Column.CURRENT], online), total(tele[Column.POWER], online)
    if not np.isnan(external.current):
        current, power = external.current, voltage * external.current
    elif np.isnan(power):
        power = voltage * current
    flags = np.where(online, tele.block[rows(Column.TEMPERATURE_MOS, Column.BALANCE_ENABLED)], NAN)
    hottest_mos, balancing, heating, balance_enabled = np.fmax.reduce(flags, axis=1).tolist()
    return Measured(
        voltage=voltage,
        current=current,
        power=power,
        temperature=mean(tele.sensors, online),
        temperature_mos=hottest_mos,
        soh=mean(tele[Column.SOH], online, tele.capacity),
        cells_per_pack=int(np.fmax.reduce(tele.cells, where=online, initial=0.0)),
        balancing=balancing > 0.0,
        heating=heating > 0.0,
        allow_to_balance=balance_enabled != 0.0,
        **_extremes(instant),
    )


def _on_busbar(instant: Instant) -> Bools:
    """The packs whose own voltage is the busbar's: both switches closed, or the nearest to that there is."""
    sets = instant.sets
    both, either = sets.sure[0] & sets.sure[1], sets.sure[0] | sets.sure[1]
    return next((chosen for chosen in (both, either, sets.member) if chosen.any()), sets.online)


def total(values: Floats, chosen: Bools) -> float:
    """Sum over the chosen packs that tell; ``NaN`` if none does."""
    told = values[chosen]
    told = told[~np.isnan(told)]
    return float(told.sum()) if len(told) else NAN


def mean(values: Floats, chosen: Bools, weight: Floats | None = None) -> float:
    """Mean over the chosen packs that tell, optionally weighted; ``values`` may have rows of several sensors."""
    told = ~np.isnan(values) & chosen
    if weight is not None and not np.isnan(weight[chosen]).any():
        heavy = weight * told
        whole = float(heavy.sum())
        return float((np.where(told, values, 0.0) * heavy).sum()) / whole if whole > 0.0 else NAN
    count = int(np.count_nonzero(told))
    return float(values.sum(where=told)) / count if count else NAN


def _extremes(instant: Instant) -> dict[str, Extreme]:
    """Lowest and highest cell and battery temperature, each with the pack and the cell or sensor that has it."""
    tele, online = instant.tele, instant.sets.online
    values = np.stack([tele.lowest_cell, tele.highest_cell, tele.coldest, tele.hottest])
    packs = np.where(online & ~np.isnan(values), values * _LOWEST_FIRST, np.inf).argmin(axis=1).tolist()
    lowest, highest, coldest, hottest = (
        _extreme(float(values[row, pack]), pack, parts[pack]) if online[pack] else Extreme()
        for row, (pack, parts) in enumerate(
            zip(packs, (tele.cell_voltages, tele.cell_voltages, tele.sensors.T, tele.sensors.T), strict=True)
        )
    )
    return {
        "lowest_cell": lowest,
        "highest_cell": highest,
        "lowest_temperature": _named_sensor(coldest),
        "highest_temperature": _named_sensor(hottest),
    }


def _extreme(value: float, pack: int, parts: Floats) -> Extreme:
    """``value`` of ``pack`` with the number, from 1, of the part that has it; 0 if it was reckoned, not measured."""
    if isnan(value):
        return Extreme()
    part = int((parts == value).argmax())
    return Extreme(value, pack, part + 1 if parts[part] == value else 0)


def _named_sensor(extreme: Extreme) -> Extreme:
    """The same with the sensor numbered as on the pack."""
    number = extreme.number
    return Extreme(extreme.value, extreme.pack, _SENSOR_NUMBERS[number - 1]) if number else extreme
