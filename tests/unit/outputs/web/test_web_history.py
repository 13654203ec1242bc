from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bank_rows import healthy
from packbank.model.battery import Presence
from packbank.model.columns import Column
from packbank.model.snapshot import Snapshot
from packbank.outputs.web.history import BANK_SERIES, LARGEST, PACK_SERIES, Ring
from virtual_battery import pack_view, snapshot, virtual_battery


def seconds(ring: Ring, shown: Snapshot, count: int, step: int = 1) -> Snapshot:
    """So many seconds pass, ``step`` at a time; the bank's voltage is its time."""
    for _ in range(0, count, step):
        later = shown.time + step
        battery = replace(shown.battery, voltage=later)
        shown = replace(shown, time=later, wall=shown.wall + step, battery=battery)
        ring.add(shown)
    return shown


def test_a_sample_a_minute_for_a_day_and_no_longer() -> None:
    ring = Ring(2)
    before = ring._times.nbytes + ring._bank.nbytes + ring._packs.nbytes
    shown = seconds(ring, snapshot(rows=healthy(2)), 25 * 3600, 20)
    series = ring.series(None, 86400.0, shown)
    assert len(series.times) == 1440
    assert np.all(np.diff(series.times) == 60.0)
    assert 0.0 <= shown.wall - series.times[-1] < 60.0
    assert np.all(np.diff(series.values["voltage"]) == 60.0)
    assert len(ring.series(None, 3600.0, shown).times) in {60, 61}
    assert ring._times.nbytes + ring._bank.nbytes + ring._packs.nbytes == before


def test_times_follow_the_wall_clock_as_it_is_now() -> None:
    ring = Ring(2)
    shown = seconds(ring, snapshot(rows=healthy(2)), 600)
    jumped = replace(shown, wall=shown.wall + 1e8)  # a GX has learnt the time
    series = ring.series(0, 86400.0, jumped)
    assert np.all(series.times <= jumped.wall)
    assert series.times[-1] > jumped.wall - 60.0


@pytest.mark.parametrize("packs", [1, 15, 99, 120, 300, 960])
def test_memory_is_bounded_whatever_the_bank(packs: int) -> None:
    ring = Ring(packs)
    assert ring._times.nbytes + ring._bank.nbytes + ring._packs.nbytes < 1.01 * LARGEST
    assert ring.period % 60.0 == 0.0
    assert ring.period == 60.0 or packs > 100


def test_values_are_of_the_pack_that_is_asked_for_and_of_no_lost_one() -> None:
    rows = healthy(3)
    rows[:, Column.SOC] = 10.0, 20.0, 30.0
    views = (pack_view("a", coldest=3.0, hottest=4.0), pack_view("b"), pack_view("c", presence=Presence.LOST))
    shown = snapshot(virtual_battery(packs=views), rows=rows)
    ring = Ring(3)
    ring.add(shown)
    assert ring.series(1, 60.0, shown).values["soc"].tolist() == [20.0]
    assert ring.series(0, 60.0, shown).values["highest_temperature"].tolist() == [4.0]
    assert ring.series(0, 60.0, shown).values["lowest_cell"].tolist() == [np.float32(3.3)]
    assert np.isnan([values[0] for values in ring.series(2, 60.0, shown).values.values()]).all()
    assert set(ring.series(None, 60.0, shown).values) == set(BANK_SERIES)
    assert set(ring.series(2, 60.0, shown).values) == set(PACK_SERIES)
