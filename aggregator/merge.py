"""What the packs measure, merged: sums, means weighted where weight matters, and extremes with their owner."""

from __future__ import annotations

from dataclasses import dataclass

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
    tele, online = instant.tele, instant.sets.online
    return {
        "lowest_cell": _lowest(tele.lowest_cell, online, tele.cell_voltages),
        "highest_cell": _highest(tele.highest_cell, online, tele.cell_voltages),
        "lowest_temperature": _named_sensor(_lowest(tele.coldest, online, tele.sensors.T)),
        "highest_temperature": _named_sensor(_highest(tele.hottest, online, tele.sensors.T)),
    }


def _lowest(values: Floats, chosen: Bools, parts: Floats) -> Extreme:
    """The lowest of one value a pack, and which of the pack's ``parts`` (packs, parts) has it."""
    pack = int(np.where(chosen & ~np.isnan(values), values, np.inf).argmin())
    if not chosen[pack] or np.isnan(values[pack]):
        return Extreme()
    return Extreme(float(values[pack]), pack, _part(parts[pack], float(values[pack])))


def _highest(values: Floats, chosen: Bools, parts: Floats) -> Extreme:
    """The highest of one value a pack, as :func:`_lowest`."""
    pack = int(np.where(chosen & ~np.isnan(values), values, -np.inf).argmax())
    if not chosen[pack] or np.isnan(values[pack]):
        return Extreme()
    return Extreme(float(values[pack]), pack, _part(parts[pack], float(values[pack])))


def _part(parts: Floats, value: float) -> int:
    """Number, from 1, of the part that has ``value``; 0 when none has (it was reckoned, not measured)."""
    found = np.flatnonzero(parts == value)
    return int(found[0]) + 1 if len(found) else 0


def _named_sensor(extreme: Extreme) -> Extreme:
    """The same with the sensor numbered as on the pack."""
    number = extreme.number
    return Extreme(extreme.value, extreme.pack, _SENSOR_NUMBERS[number - 1]) if number else extreme
