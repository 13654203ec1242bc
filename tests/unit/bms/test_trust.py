"""Values that cannot be true, though every checksum was right."""

from __future__ import annotations

import numpy as np
import pytest
from jkpb_samples import empty, sample_row

from packbank.bms.jkpb import JkPb
from packbank.bms.trust import RANGES, STEPS, check, check_steps
from packbank.errors import FrameError
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column


def refused(row: np.ndarray[tuple[int], np.dtype[np.float64]], previous: object = None) -> str | None:
    """Why a row is refused; ``None``: it is accepted."""
    try:
        check(row, empty() if previous is None else previous)  # type: ignore[arg-type]
    except FrameError as error:
        return error.reason
    return None


def test_a_sound_row_passes_as_first_and_as_next() -> None:
    row = sample_row()
    assert [refused(row), refused(row, row), refused(empty())] == [None, None, None]
    JkPb().check(row, row)


@pytest.mark.parametrize(("column", "low", "high"), RANGES)
def test_ranges(column: Column, low: float, high: float) -> None:
    for value in (low - 1, high + 1, float("inf"), float("-inf")):
        row = sample_row()
        row[column] = value
        assert refused(row) == column.key


def test_the_message_has_the_figure_and_its_unit() -> None:
    row = sample_row()
    row[Column.CURRENT] = 47775.8
    with pytest.raises(FrameError, match=r"current: 47775\.8 A"):
        check(row, empty())


@pytest.mark.parametrize(("shift", "reason"), [(0.0, ""), (0.06, ""), (0.6, ""), (0.7, "voltage"), (-0.7, "voltage")])
def test_voltage_against_the_sum_of_the_cells(shift: float, reason: str) -> None:
    row = sample_row()
    row[Column.VOLTAGE] += shift
    if reason:
        assert refused(row) == reason
    else:
        check(row, empty())


def test_delta_and_average_against_the_cells() -> None:
    for column, reason in ((Column.CELL_DELTA, "delta"), (Column.CELL_AVERAGE, "average")):
        row = sample_row()
        row[column] += 0.11
        assert refused(row) == reason


def test_a_cell_out_of_range() -> None:
    row = sample_row()
    row[CELL_VOLTAGES][3] = 5.2
    assert refused(row) == "cell"


def test_cells_against_the_settings() -> None:
    row = sample_row()
    row[CELL_VOLTAGES][15] = np.nan
    row[Column.VOLTAGE] -= 3.315
    assert refused(row) == "cells"
    row[Column.CELL_COUNT] = np.nan
    check(row, empty())


def test_a_pack_that_says_its_sense_leads_are_off_is_believed() -> None:
    row = sample_row()
    row[CELL_VOLTAGES] = np.nan
    row[[Column.VOLTAGE, Column.CELL_AVERAGE, Column.CELL_DELTA]] = 0.0
    row[Alarm.INTERNAL_FAILURE.column] = 2
    check(row, empty())
    row[Alarm.INTERNAL_FAILURE.column] = 0
    assert refused(row) == "cells"


def test_settings_alone_are_not_compared_with_cells_that_are_not_known_yet() -> None:
    row = sample_row()
    row[CELL_VOLTAGES] = row[Column.VOLTAGE] = np.nan
    assert refused(row) is None


def step(ticks: float, elapsed: float) -> tuple[object, object]:
    before, after = sample_row(), sample_row()
    before[Column.STATUS_TIME], after[Column.STATUS_TIME] = 100.0, 100.0 + elapsed
    after[Column.TICKS] = ticks
    return after, before


BOOT = float(sample_row()[Column.TICKS])


@pytest.mark.parametrize(
    ("ticks", "elapsed", "reason"),
    [
        (BOOT + 1.2, 1.2, ""),
        (BOOT + 0.1, 60.0, ""),
        (BOOT, 1.2, ""),  # whether it stands still to the last byte is for others to see
        (BOOT + 100.0, 1.2, "ticks"),
        (BOOT + 11.0, 1.2, ""),
        (BOOT, 0.0, ""),  # settings were read: the status is still the one before
        (BOOT - 5.0, 1.2, "ticks"),
        (3.0, 20.0, ""),  # booted in between
        (3.0, 1.2, ""),
        (400.0, 20.0, "ticks"),
    ],
)
def test_ticks_grow_or_begin_again(ticks: float, elapsed: float, reason: str) -> None:
    row, previous = step(ticks, elapsed)
    if reason:
        assert refused(row, previous) == reason  # type: ignore[arg-type]
    else:
        check(row, previous)  # type: ignore[arg-type]


STEPPED = [(column, most) for column, most in STEPS.items() if np.isfinite(sample_row()[column])]


@pytest.mark.parametrize(("column", "most"), STEPPED)
def test_a_status_far_from_the_one_before_is_no_successor(column: Column, most: float) -> None:
    before, after = sample_row(), sample_row()
    before[Column.STATUS_TIME], after[Column.STATUS_TIME] = 100.0, 102.0
    after[column] = before[column] - 0.9 * most
    check_steps(after, before)
    after[column] = before[column] - 1.1 * most
    with pytest.raises(FrameError, match=column.key) as error:
        check_steps(after, before)
    assert error.value.reason == "jump"
    after[Column.STATUS_TIME] = 200.0
    check_steps(after, before)
    check_steps(after, empty())


def test_cells_move_together_and_one_alone_is_in_doubt() -> None:
    before, after = sample_row(), sample_row()
    before[Column.STATUS_TIME], after[Column.STATUS_TIME] = 100.0, 102.0
    after[CELL_VOLTAGES] -= 0.3
    check_steps(after, before)
    after[3] += 0.2
    with pytest.raises(FrameError, match="more than the others"):
        check_steps(after, before)
    after[CELL_VOLTAGES] = np.nan
    check_steps(after, before)
