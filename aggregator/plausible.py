"""Settings of BMSes that cannot be: found by what is possible at all, and by comparison with the other packs.

Such a value counts as not reported. What the pack reported before it, in this run, stands; else what stands for every
unknown setting (bounds.py). So a mistyped setting neither opens a limit nor stops the bank. Compared are voltages, of
which only those that protect less are dismissed, and capacities. A pack that is set lower than the others is its
owner's wish. Its current limit is not compared: of unlike packs nobody knows which is right, and one more pack must
never raise a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.cext.columns import Columns
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class _Range(NamedTuple):
    """What a setting can be."""

    column: Column
    low: float
    high: float


# Wide: from lithium titanate (1.5 to 2.8 V) and sodium to cobalt cells (4.35 V), BMSes of 1 to 2000 A.
_RANGES = (
    _Range(Column.FULL_CAPACITY, 1.0, 10_000.0),
    _Range(Column.NOMINAL_CAPACITY, 1.0, 10_000.0),
    _Range(Column.CHARGE_CURRENT_LIMIT, 0.5, 2000.0),
    _Range(Column.DISCHARGE_CURRENT_LIMIT, 0.5, 2000.0),
    _Range(Column.CELL_OVP, 2.0, 4.5),
    _Range(Column.CELL_UVP, 1.0, 4.0),
    _Range(Column.CELL_COUNT, 1.0, 48.0),
    _Range(Column.CHARGE_OTP, 20.0, 120.0),
    _Range(Column.DISCHARGE_OTP, 20.0, 120.0),
    _Range(Column.CHARGE_UTP, -50.0, 20.0),
    _Range(Column.DISCHARGE_UTP, -50.0, 20.0),
    _Range(Column.MOS_OTP, 50.0, 150.0),
    _Range(Column.CELL_OVP_RECOVERY, 2.0, 4.5),
    _Range(Column.CELL_UVP_RECOVERY, 1.0, 4.0),
    _Range(Column.CHARGE_OTP_RECOVERY, 0.0, 120.0),
    _Range(Column.DISCHARGE_OTP_RECOVERY, 0.0, 120.0),
    _Range(Column.CHARGE_UTP_RECOVERY, -50.0, 40.0),
    _Range(Column.DISCHARGE_UTP_RECOVERY, -50.0, 40.0),
    _Range(Column.MOS_OTP_RECOVERY, 20.0, 150.0),
    _Range(Column.CHARGE_OCP_DELAY, 0.0, 3600.0),
    _Range(Column.DISCHARGE_OCP_DELAY, 0.0, 3600.0),
    _Range(Column.CHARGE_OCP_RELEASE, 0.0, 3600.0),
    _Range(Column.DISCHARGE_OCP_RELEASE, 0.0, 3600.0),
)
JUDGED = tuple(row.column for row in _RANGES)
_FULL, _NOMINAL, _CHARGE, _DISCHARGE, _OVP, _UVP, _COUNT = range(7)  # rows of JUDGED
_INDEX = np.array(JUDGED)
_LOW, _HIGH = (np.array([[row[end]] for row in _RANGES]) for end in (1, 2))
_COMPARED = (*range(Column.CELL_COUNT, Column.NOMINAL_CAPACITY + 1), Column.FULL_CAPACITY)  # all of these among them
_SETTINGS = Columns(_COMPARED, COLUMNS)

FASTEST = 20.0  # A for each Ah: no pack bears more, so its capacity is wrong
APART = 50.0  # times: nobody puts packs so different in size side by side
OVP_ABOVE = 0.4  # V above the lowest of the bank: a preset for other cells
UVP_BELOW = 0.8  # V below the highest
BETWEEN = 0.2  # V, the least from under- to over-voltage
MEAN_OFF = 0.1  # V that a pack's voltage by its count of cells may be off the mean of its cells
ENOUGH = 2  # other packs, to say whose capacity is odd


class Plausible:
    """What each pack reports that cannot be, from step to step."""

    def __init__(self, packs: int) -> None:
        self._settings = np.empty((len(_COMPARED), packs))  # of the last step
        self._seen = b""  # what else there was then
        self._sane = np.full((len(JUDGED), packs), np.nan)  # what was reported last and can be
        self._wrong = np.zeros((len(JUDGED), packs), dtype=np.bool_)
        self.found: Mapping[int, tuple[tuple[Column, float], ...]] = {}  # by pack, with the values that cannot be

    @property
    def packs(self) -> Bools:
        """The packs of which something cannot be."""
        found: Bools = np.logical_or.reduce(self._wrong, axis=0)
        return found

    def step(self, matrix: Floats) -> Floats:
        """``matrix`` without what cannot be; the same object where all can."""
        matrix = np.ascontiguousarray(matrix)
        changed = _SETTINGS.take(matrix, self._settings)
        seen = np.isnan(matrix[:, Column.VOLTAGE]).tobytes()
        if changed or seen != self._seen:
            self._seen = seen
            self._judge(matrix)
        if not self.found:
            return matrix
        matrix = matrix.copy()
        rows, packs = self._wrong.nonzero()
        matrix[packs, _INDEX[rows]] = self._sane[rows, packs]
        return matrix

    def _judge(self, matrix: Floats) -> None:
        reported = matrix.take(_INDEX, axis=1).T
        self._wrong = wrong = _wrong(reported, matrix)
        self._sane = np.where(np.isnan(reported), np.nan, np.where(wrong, self._sane, reported))
        self.found = {
            pack: tuple((JUDGED[row], float(reported[row, pack])) for row in np.flatnonzero(wrong[:, pack]))
            for pack in np.flatnonzero(self.packs).tolist()
        }


def _wrong(reported: Floats, matrix: Floats) -> Bools:
    """Which of the settings in ``reported``, of shape ``(len(JUDGED), packs)``, cannot be."""
    wrong: Bools = (reported < _LOW) | (reported > _HIGH)
    wrong[[_FULL, _NOMINAL]] &= reported[[_FULL, _NOMINAL]] > 0.0  # 0: not set up yet, which is unknown already
    wrong[_COUNT] |= _miscounted(reported[_COUNT], matrix)
    sane = np.where(wrong, np.nan, reported)
    wrong[[_OVP, _UVP]] |= sane[_OVP] - sane[_UVP] < BETWEEN
    slowest = np.fmin(sane[_CHARGE], sane[_DISCHARGE])
    for row in (_FULL, _NOMINAL):
        others = _others(sane[row])
        beside = (sane[row] * APART < others) | (sane[row] > APART * others)
        wrong[row] |= beside | (slowest > FASTEST * sane[row])
    sane = np.where(wrong, np.nan, reported)
    capacity = np.where(np.isnan(sane[_FULL]), sane[_NOMINAL], sane[_FULL])
    wrong[[_CHARGE, _DISCHARGE]] |= sane[[_CHARGE, _DISCHARGE]] > FASTEST * capacity
    wrong[_OVP] |= sane[_OVP] > np.fmin.reduce(sane[_OVP]) + OVP_ABOVE
    wrong[_UVP] |= sane[_UVP] < np.fmax.reduce(sane[_UVP]) - UVP_BELOW
    return wrong


def _miscounted(count: Floats, matrix: Floats) -> Bools:
    """Packs whose voltage divided by their count of cells is not that of their cells."""
    cells = matrix[:, CELL_VOLTAGES]
    seen = np.maximum(np.count_nonzero(~np.isnan(cells), axis=1), 1)
    mean = np.add.reduce(np.where(np.isnan(cells), 0.0, cells), axis=1) / seen
    off = np.abs(matrix[:, Column.VOLTAGE] / np.where(count > 0.0, count, np.nan) - mean)
    miscounted: Bools = (mean > 0.0) & (off > MEAN_OFF)
    return miscounted


def _others(values: Floats) -> Floats:
    """For each pack the median of the other packs that report; ``NaN`` where fewer than :data:`ENOUGH` do."""
    known = np.sort(values[~np.isnan(values)])
    others = len(known) - 1
    if others < ENOUGH:
        return np.full(len(values), np.nan)
    place = np.searchsorted(known, values)  # of each pack's own value, which is left out
    low, high = (others - 1) // 2, others // 2
    median = 0.5 * (known[low + (place <= low)] + known[high + (place <= high)])
    left: Floats = np.where(np.isnan(values), np.nan, median)
    return left
