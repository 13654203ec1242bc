from __future__ import annotations

import json

import numpy as np
import pytest

from bank_rows import healthy
from packbank.aggregator.bounds import STORED
from packbank.aggregator.kept import LONGEST, KeptSettings
from packbank.model.columns import Column

CHARGE = STORED.index(Column.CHARGE_CURRENT_LIMIT)
SERIALS = ["A", "B", ""]
WALL = 1_700_000_000.0


def told() -> KeptSettings:
    kept = KeptSettings()
    rows = healthy(3)
    rows[:, Column.CHARGE_CURRENT_LIMIT] = [50.0, 60.0, 70.0]
    rows[2, Column.CELL_OVP] = np.nan
    kept.note(rows, SERIALS, WALL)
    return kept


def limits(kept: KeptSettings, serials: list[str], wall: float = WALL) -> list[float]:
    stored = kept.stored(serials, wall)
    return [] if stored is None else [float(value) for value in np.nan_to_num(stored[CHARGE], nan=-1.0)]


def test_a_pack_is_known_by_its_serial_wherever_it_is() -> None:
    assert limits(told(), ["B", "", "A"]) == [60.0, -1.0, 50.0]


def test_another_pack_or_one_without_a_serial_is_not_known() -> None:
    assert limits(told(), ["", "C", ""]) == []


def test_settings_expire() -> None:
    assert limits(told(), SERIALS, WALL + LONGEST) == [50.0, 60.0, -1.0]
    assert limits(told(), SERIALS, WALL + LONGEST + 1.0) == [-1.0, -1.0, -1.0]
    assert told().save(WALL + LONGEST + 1.0) == {}


def test_a_wall_clock_that_starts_in_the_past_forgets_nothing() -> None:
    assert limits(told(), SERIALS, 0.0) == [50.0, 60.0, -1.0]


def test_they_outlive_a_restart() -> None:
    again = KeptSettings()
    again.restore(json.loads(json.dumps(told().save(WALL), allow_nan=False)))
    assert limits(again, SERIALS) == [50.0, 60.0, -1.0]


@pytest.mark.parametrize("saved", [{"A": [1.0, [1.0]]}, {"A": [1.0, ["x"] * len(STORED)]}, {"A": 5}, {"A": ["x", []]}])
def test_damaged_ones_are_refused(saved: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        KeptSettings().restore(saved)


def test_a_new_reading_replaces_the_old_one() -> None:
    kept = told()
    rows = healthy(3)
    rows[:, Column.SETTINGS_TIME] = 10.0
    rows[:, Column.CHARGE_CURRENT_LIMIT] = 20.0
    kept.note(rows, SERIALS, WALL + 10.0)
    assert limits(kept, SERIALS) == [20.0, 20.0, -1.0]
