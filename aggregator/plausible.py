"""Settings of BMSes that cannot be: found by what is possible at all, and by comparison with the other packs.

Such a value counts as not reported. What the pack reported before it, in this run, stands; else what stands for every
unknown setting (bounds.py). So a mistyped setting neither opens a limit nor stops the bank. Compared are capacities,
and of voltages, current limits and their delays those that protect less, current limits and delays with packs of the
same kind only: of unlike packs nobody knows which is right. A pack that is set lower than the others is its owner's
wish. So a comparison lowers a limit, or leaves it as it is.
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
Kinds = NDArray[np.int64]


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
_DELAYS = [JUDGED.index(column) for column in (Column.CHARGE_OCP_DELAY, Column.DISCHARGE_OCP_DELAY)]
_LOWER = [_CHARGE, _DISCHARGE, *_DELAYS]  # of two values the lower one protects more
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
CURRENT_ABOVE = 5.0  # times the current limit of packs of its kind, in A and in A for each Ah: a digit too many
DELAY_ABOVE = 20.0  # times their delay: 3 s and a minute are both in use
ENOUGH = 2  # other packs, to say whose capacity, current limit or delay is odd


class Plausible:
    """What each pack reports that cannot be, from step to step."""

    def __init__(self, packs: int) -> None:
        self._settings = np.empty((len(_COMPARED), packs))  # of the last step
        self._seen = b""  # what else there was then: which packs report a voltage, and of which models they are
        self._kinds: Kinds | None = None
        self._reported = np.full((len(JUDGED), packs), np.nan)
        self._before = self._reported  # what was reported before that and could be
        self._wrong = np.zeros((len(JUDGED), packs), dtype=np.bool_)
        self._one_kind = np.zeros(packs, dtype=np.int64)
        self.found: Mapping[int, tuple[tuple[Column, float], ...]] = {}  # by pack, with the values that cannot be

    @property
    def packs(self) -> Bools:
        """The packs of which something cannot be."""
        found: Bools = np.logical_or.reduce(self._wrong, axis=0)
        return found

    def step(self, matrix: Floats, kinds: Kinds | None = None) -> Floats:
        """``matrix`` without what cannot be; the same object where all can.

        ``kinds`` numbers the packs by model; without it all are of one.
        """
        kinds = self._one_kind if kinds is None else kinds
        matrix = np.ascontiguousarray(matrix)
        changed = _SETTINGS.take(matrix, self._settings)
        seen = np.isnan(matrix[:, Column.VOLTAGE]).tobytes()
        if changed or seen != self._seen or kinds is not self._kinds:
            self._seen, self._kinds = seen, kinds
            self._judge(matrix, kinds)
        if not self.found:
            return matrix
        matrix = matrix.copy()
        rows, packs = self._wrong.nonzero()
        matrix[packs, _INDEX[rows]] = self._before[rows, packs]
        return matrix

    def _judge(self, matrix: Floats, kinds: Kinds) -> None:
        reported = matrix.take(_INDEX, axis=1).T
        replaced = (reported != self._reported) & ~self._wrong
        self._before = np.where(np.isnan(reported), np.nan, np.where(replaced, self._reported, self._before))
        self._reported, self._wrong = reported, _wrong(reported, matrix, kinds)
        within = self._wrong[_LOWER] & (reported[_LOWER] >= _LOW[_LOWER])  # dismissed for being high
        self._before[_LOWER] = np.where(within, np.minimum(self._before, reported)[_LOWER], self._before[_LOWER])
        self.found = {
            pack: tuple((JUDGED[row], float(reported[row, pack])) for row in np.flatnonzero(self._wrong[:, pack]))
            for pack in np.flatnonzero(self.packs).tolist()
        }


def _wrong(reported: Floats, matrix: Floats, kinds: Kinds) -> Bools:
    """Which of the settings in ``reported``, of shape ``(len(JUDGED), packs)``, cannot be."""
    wrong: Bools = (reported < _LOW) | (reported > _HIGH)
    wrong[[_FULL, _NOMINAL]] &= reported[[_FULL, _NOMINAL]] > 0.0  # 0: not set up yet, which is unknown already
    wrong[_COUNT] |= _miscounted(reported[_COUNT], matrix)
    _cross(wrong, reported)
    sane = np.where(wrong, np.nan, reported)
    for row in (_FULL, _NOMINAL):
        others = _others(sane[row])
        wrong[row] |= (sane[row] * APART < others) | (sane[row] > APART * others)
    _compare(wrong, sane, kinds)
    sane = np.where(wrong, np.nan, reported)
    wrong[[_FULL, _NOMINAL]] |= np.fmin(sane[_CHARGE], sane[_DISCHARGE]) > FASTEST * sane[[_FULL, _NOMINAL]]
    wrong[[_CHARGE, _DISCHARGE]] |= sane[[_CHARGE, _DISCHARGE]] > FASTEST * _capacity(wrong, sane)
    wrong[_OVP] |= sane[_OVP] > np.fmin.reduce(sane[_OVP]) + OVP_ABOVE
    wrong[_UVP] |= sane[_UVP] < np.fmax.reduce(sane[_UVP]) - UVP_BELOW
    _cross(wrong, reported)
    return wrong


def _cross(wrong: Bools, reported: Floats) -> None:
    """Mark in ``wrong`` over- and under-voltage protections that leave no cell a voltage between them.

    For one that is marked already the packs' middle stands, so that its partner is no longer alone.
    """
    sane = np.where(wrong, np.nan, reported)[[_OVP, _UVP]]
    known = ~np.isnan(sane)
    if not known.any(axis=1).all():
        return
    usual = [[float(np.median(values[there]))] for values, there in zip(sane, known, strict=True)]
    over, under = np.where(wrong[[_OVP, _UVP]], usual, sane)
    wrong[[_OVP, _UVP]] |= [sane[0] - under < BETWEEN, over - sane[1] < BETWEEN]


def _compare(wrong: Bools, sane: Floats, kinds: Kinds) -> None:
    """Mark in ``wrong`` current limits and delays that are far above those of the other packs of the same kind."""
    capacity = _capacity(wrong, sane)
    for kind in np.unique(kinds).tolist():
        packs = np.flatnonzero(kinds == kind)
        for row in (_CHARGE, _DISCHARGE):
            limit = sane[row, packs]
            by_size = limit / capacity[packs]
            like_others = by_size <= CURRENT_ABOVE * _others(by_size)  # a larger pack may be set higher
            wrong[row, packs] |= (limit > CURRENT_ABOVE * _others(limit)) & ~like_others
        for row in _DELAYS:
            wrong[row, packs] |= sane[row, packs] > DELAY_ABOVE * _others(sane[row, packs])


def _capacity(wrong: Bools, sane: Floats) -> Floats:
    """What is known of each pack's, Ah."""
    rows = [_FULL, _NOMINAL]
    full, nominal = np.where(wrong[rows] | ~(sane[rows] > 0.0), np.nan, sane[rows])
    known: Floats = np.where(np.isnan(full), nominal, full)
    return known


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
