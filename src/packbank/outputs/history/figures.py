"""Which quantities of the catalogue are kept, and how they are taken from a snapshot without looking at each pack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.model.battery import PRESENCES, SILENT
from packbank.model.catalogue import BANK, PACK, Quantity, expand
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, CELLS, Column
from packbank.model.snapshot import Snapshot
from packbank.outputs.history.rows import Figure

Array = NDArray[np.float64]

BANK_QUANTITIES: Mapping[str, Quantity[Any]] = {quantity.key: quantity for quantity in BANK}
PACK_QUANTITIES: Mapping[str, Quantity[Any]] = {quantity.key: quantity for quantity in expand(PACK)}

_OF_BANK = (
    "voltage",
    "current",
    "power",
    "soc",
    "charge_voltage_limit.value",
    "charge_current_limit.value",
    "discharge_current_limit.value",
    "lowest_cell.value",
    "highest_cell.value",
    "lowest_temperature.value",
    "highest_temperature.value",
    "temperature_mos",
    "online",
)

# Each gives for all packs what the row of the catalogue with that key gives for one; a test compares them.
_OF_PACKS: Mapping[str, Callable[[Array], Array]] = {
    "voltage": lambda rows: rows[:, Column.VOLTAGE],
    "current": lambda rows: rows[:, Column.CURRENT],
    "soc": lambda rows: rows[:, Column.SOC],
    "lowest_cell.value": lambda rows: np.fmin.reduce(rows[:, CELL_VOLTAGES], axis=1),
    "highest_cell.value": lambda rows: np.fmax.reduce(rows[:, CELL_VOLTAGES], axis=1),
    "lowest_temperature": lambda rows: np.fmin.reduce(rows[:, list(BATTERY_TEMPERATURES)], axis=1),
    "highest_temperature": lambda rows: np.fmax.reduce(rows[:, list(BATTERY_TEMPERATURES)], axis=1),
    "temperature_mos": lambda rows: rows[:, Column.TEMPERATURE_MOS],
}
_CELLS = tuple(f"cells.{number}" for number in range(1, CELLS + 1))
_SILENT = [PRESENCES.index(presence) for presence in SILENT]


def _figures(keys: Iterable[str], quantities: Mapping[str, Quantity[Any]]) -> tuple[Figure, ...]:
    return tuple(Figure(key, quantities[key].unit.digits) for key in keys)


BANK_FIGURES = _figures(_OF_BANK, BANK_QUANTITIES)
PACK_FIGURES = _figures((*_OF_PACKS, *_CELLS), PACK_QUANTITIES)  # the cells last


def of_bank(snapshot: Snapshot) -> Array:
    """The :data:`BANK_FIGURES`, NaN for what is not known."""
    got = [BANK_QUANTITIES[key].get(snapshot) for key in _OF_BANK]
    return np.array([np.nan if value is None else value for value in got], dtype=np.float64)


def of_packs(snapshot: Snapshot) -> Array:
    """The :data:`PACK_FIGURES` of each pack (packs, figures); NaN for all of a pack that does not answer."""
    rows = snapshot.rows
    values = np.empty((len(rows), len(PACK_FIGURES)))
    for place, take in enumerate(_OF_PACKS.values()):
        values[:, place] = take(rows)
    values[:, len(_OF_PACKS) :] = rows[:, CELL_VOLTAGES]
    values[np.isin(snapshot.battery.packs.presence, _SILENT)] = np.nan
    return values
