from __future__ import annotations

import json

import numpy as np
import pytest

from bank_rows import healthy
from packbank.aggregator.bounds import STORED
from packbank.aggregator.kept import LONGEST, KeptSettings
from packbank.model.columns import COLUMNS, Column

CHARGE = STORED.index(Column.CHARGE_CURRENT_LIMIT)
SERIALS = ["A", "B", ""]


def filled() -> KeptSettings:
    kept = KeptSettings()
    rows = healthy(3)
    rows[:, Column.CHARGE_CURRENT_LIMIT] = [50.0, 60.0, 70.0]
    rows[2, Column.CELL_OVP] = np.nan
    kept.note(rows, SERIALS, 0.0)
    return kept


def limits(kept: KeptSettings, serials: list[str], later: float = 0.0) -> list[float]:
    kept.note(np.full((len(serials), COLUMNS), np.nan), serials, later)
    stored = kept.stored(serials)
    return [] if stored is None else [float(value) for value in np.nan_to_num(stored[CHARGE], nan=-1.0)]


def test_a_pack_is_known_by_its_serial_wherever_it_is() -> None:
    assert limits(filled(), ["B", "", "A"]) == [60.0, -1.0, 50.0]


def test_another_pack_or_one_without_a_serial_is_not_known() -> None:
    assert limits(filled(), ["", "C", ""]) == []


def test_settings_expire() -> None:
    assert limits(filled(), SERIALS, LONGEST) == [50.0, 60.0, -1.0]
    kept = filled()
    assert limits(kept, SERIALS, LONGEST + 1.0) == [-1.0, -1.0, -1.0]
    assert kept.save() == {}


def test_their_age_goes_on_after_a_restart_whatever_the_wall_clock_says() -> None:
    kept = filled()
    limits(kept, SERIALS, LONGEST - 10.0)
    again = KeptSettings()
    again.restore(json.loads(json.dumps(kept.save())))
    assert limits(again, SERIALS, 9.0) == [50.0, 60.0, -1.0]
    assert limits(again, SERIALS, 2.0) == [-1.0, -1.0, -1.0]


def test_they_outlive_a_restart() -> None:
    again = KeptSettings()
    again.restore(json.loads(json.dumps(filled().save(), allow_nan=False)))
    assert limits(again, SERIALS) == [50.0, 60.0, -1.0]


@pytest.mark.parametrize("saved", [{"A": [1.0, [1.0]]}, {"A": [1.0, ["x"] * len(STORED)]}, {"A": 5}, {"A": ["x", []]}])
def test_damaged_ones_are_refused(saved: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        KeptSettings().restore(saved)


def test_a_new_reading_replaces_the_old_one() -> None:
    kept = filled()
    rows = healthy(3)
    rows[:, Column.SETTINGS_TIME] = 10.0
    rows[:, Column.CHARGE_CURRENT_LIMIT] = 20.0
    kept.note(rows, SERIALS, 10.0)
    assert limits(kept, SERIALS) == [20.0, 20.0, -1.0]
