"""Battery temperatures of a BMS that may have more sensors than a row has columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from packbank.bms.protocol import Row
from packbank.model.columns import BATTERY_TEMPERATURES

_COLUMNS = np.array(BATTERY_TEMPERATURES)


def put_temperatures(row: Row, celsius: Sequence[float]) -> None:
    """Put the sensors' temperatures (``NaN`` where one does not work) into the battery columns of ``row``.

    Of more than four the first two keep their columns and the last two columns are the coldest and the hottest
    of all others, so that what limits the pack is never left out.
    """
    values = np.full(len(_COLUMNS), np.nan)
    if len(celsius) <= len(values):
        values[: len(celsius)] = celsius
    else:
        values[:2] = celsius[:2]
        values[2], values[3] = np.fmin.reduce(celsius[2:]), np.fmax.reduce(celsius[2:])
    row[_COLUMNS] = values


def put_tenths(row: Row, words: bytes, zero: int) -> None:
    """As :func:`put_temperatures`, from big-endian words of 0.1 degC with ``zero`` at 0 degC; 0 means no sensor."""
    raw = [int.from_bytes(words[at : at + 2]) for at in range(0, len(words), 2)]
    put_temperatures(row, [(word - zero) / 10 if word else np.nan for word in raw])
