"""A row of the matrix in plain values, for :meth:`Protocol.describe`: units as in the columns, ``None`` for unknown."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from packbank.bms.protocol import Row
from packbank.model.columns import CELL_RESISTANCES, CELL_VOLTAGES, Column
from packbank.model.identity import Identity

TEMPERATURES = {
    "mos": Column.TEMPERATURE_MOS,
    "t1": Column.TEMPERATURE_1,
    "t2": Column.TEMPERATURE_2,
    "t3": Column.TEMPERATURE_3,
    "t4": Column.TEMPERATURE_4,
    "t5": Column.TEMPERATURE_5,
}
_DIGITS = 6  # behind the point: no message reports more, and what a division leaves behind them is not shown
_COUNTED = ("", "0/1", "0/1/2", "bits", "s", "%")


def row_values(row: Row, columns: Collection[int]) -> dict[str, object]:
    """The scalars among ``columns`` by their keys, the cells as lists and the temperatures as an object."""
    temperatures = {name: number(row[column]) for name, column in TEMPERATURES.items() if column in columns}
    values: dict[str, object] = {
        column.key: number(row[column], column.unit)
        for column in Column
        if column in columns and column not in TEMPERATURES.values()
    }
    if CELL_VOLTAGES.start in columns:
        values["cell_voltages"] = cells(row[CELL_VOLTAGES])
    if CELL_RESISTANCES.start in columns:
        values["cell_resistances"] = cells(row[CELL_RESISTANCES])
    if temperatures:
        values["temperatures"] = temperatures
    return values


def number(value: float, unit: str = "V") -> float | int | None:
    """``value`` without the dust of its scale; whole where the unit counts; ``None`` for ``NaN``."""
    if not np.isfinite(value):
        return None
    plain = round(float(value), _DIGITS) + 0.0  # no minus zero
    return int(plain) if unit in _COUNTED and plain.is_integer() else plain


def cells(values: NDArray[np.float64]) -> list[float | int | None]:
    """The values up to the last cell there is."""
    there = np.flatnonzero(np.isfinite(values))
    return [number(value) for value in values[: there[-1] + 1]] if there.size else []


def known_values(row: Row, identity: Identity) -> dict[str, object]:
    """What ``row`` and ``identity`` report and nothing that they do not, for messages that say few things each."""
    reported = {key: value for key, value in asdict(identity).items() if value not in ("", None)}
    return row_values(row, frozenset(np.flatnonzero(np.isfinite(row)).tolist())) | reported
