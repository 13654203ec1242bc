"""The store between the buses' threads and the main loop."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packbank.model.columns import COLUMNS, Column
from packbank.model.identity import Identity
from packbank.sources.store import LOOK_PERIOD, Store

ROUNDING = 1e-6  # s
TIMES = st.floats(0.0, 1e7)


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def looked_at(*looks: float) -> Store:
    """A store of which snapshots were taken at these times; it was made at the first."""
    clock = Clock(looks[0])
    store = Store(1, clock=clock)
    for clock.now in looks[1:]:
        store.snapshot()
    return store


@given(TIMES, st.floats(-100.0, 1e6))
def test_the_next_look_is_the_first_of_their_grid_that_is_not_too_early(looked: float, later: float) -> None:
    after = looked + later
    look = looked_at(0.0, looked).next_look(after)
    assert after - ROUNDING <= look < after + LOOK_PERIOD + ROUNDING
    periods = (look - looked) / LOOK_PERIOD
    assert periods == pytest.approx(round(periods), abs=ROUNDING)


@given(TIMES, st.integers(0, 10_000))
def test_a_time_on_the_grid_is_its_own_next_look(looked: float, periods: int) -> None:
    after = looked + periods * LOOK_PERIOD
    assert looked_at(looked).next_look(after) - after in (pytest.approx(0.0, abs=ROUNDING), LOOK_PERIOD)


@given(TIMES, st.floats(0.0, 1e4), st.floats(0.0, 1e4))
def test_a_later_time_has_no_earlier_look(looked: float, first: float, more: float) -> None:
    store = looked_at(looked)
    assert store.next_look(looked + first) <= store.next_look(looked + first + more)


def test_every_look_moves_the_grid() -> None:
    assert looked_at(10.0).next_look(10.7) == 11.0
    assert looked_at(10.0, 10.25).next_look(10.7) == 11.25
    assert looked_at(10.0, 10.25, 13.5).next_look(13.5) == 13.5
    assert looked_at(10.0, 10.25, 13.5).next_look(13.6) == 14.5


def test_what_is_put_is_in_the_next_snapshot_and_both_sides_keep_copies() -> None:
    store, row = Store(2), np.full(COLUMNS, 3.0)
    store.put(1, row, Identity(serial="SN1"))
    row[:] = 4.0
    matrix, identities = store.snapshot()
    matrix[:] = 5.0
    again, _ = store.snapshot()
    assert isnan(again[0, Column.VOLTAGE])
    assert again[1, Column.VOLTAGE] == 3.0
    assert [identity.serial for identity in identities] == ["", "SN1"]
