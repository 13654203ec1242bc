from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bank_rows import healthy
from packbank.aggregator.bounds import STORED, bound_settings
from packbank.aggregator.settings import PackSettings
from packbank.aggregator.table import PackTable
from packbank.aggregator.telemetry import Telemetry, read, row
from packbank.model.columns import Column

NAN = float("nan")
CHARGE = Column.CHARGE_CURRENT_LIMIT
SETTINGS = list(STORED)


def bank(*ceilings: float | None) -> tuple[NDArray[np.float64], PackTable]:
    """Packs of which the last has reported no settings; ``ceilings`` are the charge currents that the user allows."""
    rows = healthy(len(ceilings))
    rows[-1, SETTINGS] = NAN
    return rows, PackTable([PackSettings(max_battery_charge_current=ceiling) for ceiling in ceilings])


def bounded(
    rows: NDArray[np.float64],
    table: PackTable,
    kinds: list[int] | None = None,
    fresh: list[bool] | None = None,
    stored: NDArray[np.float64] | None = None,
) -> tuple[Telemetry, NDArray[np.bool_]]:
    tele = read(rows, 0.0, table)
    packs = len(rows)
    estimated = bound_settings(
        tele,
        table.ceiling,
        np.full(packs, True),
        np.array(fresh or [True] * packs),
        np.array(kinds or [0] * packs),
        stored,
    )
    return tele, estimated


def test_half_the_lowest_limit_of_its_peers() -> None:
    rows, table = bank(None, None, None)
    rows[0, CHARGE] = 80.0
    tele, estimated = bounded(rows, table)
    assert tele[CHARGE].tolist() == [80.0, 100.0, 40.0]
    assert estimated.tolist() == [[False, False, True]] * 2


def test_the_configuration_is_known_and_no_estimate() -> None:
    rows, table = bank(None, None, 30.0)
    tele, estimated = bounded(rows, table)
    assert np.isnan(tele[CHARGE][2])
    assert estimated[0].tolist() == [False, False, False]


def test_what_was_reported_in_an_earlier_run_comes_first() -> None:
    rows, table = bank(None, None, None)
    stored = np.full((len(STORED), 3), NAN)
    stored[STORED.index(CHARGE)] = [1.0, 1.0, 60.0]
    tele, estimated = bounded(rows, table, stored=stored)
    assert tele[CHARGE].tolist() == [100.0, 100.0, 60.0]  # those that reported theirs keep them
    assert estimated[0].tolist() == [False, False, False]


@pytest.mark.parametrize(("capacity", "limit"), [(280.0, 80.0), (140.0, 40.0), (560.0, 80.0), (NAN, 40.0)])
def test_without_a_peer_its_share_of_the_lowest_limit(capacity: float, limit: float) -> None:
    rows, table = bank(None, None)
    rows[0, CHARGE] = 80.0
    rows[1, Column.FULL_CAPACITY] = capacity
    tele, estimated = bounded(rows, table, kinds=[0, 1])
    assert tele[CHARGE][1] == limit
    assert estimated[0].tolist() == [False, True]


def test_packs_that_are_silent_are_no_peers() -> None:
    rows, table = bank(None, None, None)
    rows[0, CHARGE] = 20.0
    tele, _ = bounded(rows, table, fresh=[False, True, True])
    assert tele[CHARGE][2] == 50.0


def test_where_nobody_reports_a_limit_nothing_is_known() -> None:
    rows, table = bank(None, None)
    rows[0, SETTINGS] = NAN
    tele, estimated = bounded(rows, table)
    assert np.isnan(tele[CHARGE]).all()
    assert not estimated.any()


def test_protections_are_the_most_cautious_of_its_peers() -> None:
    rows, table = bank(None, None, None)
    rows[0, Column.CELL_OVP], rows[1, Column.CELL_UVP], rows[0, Column.CHARGE_UTP] = 3.5, 2.8, 5.0
    tele, _ = bounded(rows, table)
    assert (tele[Column.CELL_OVP][2], tele[Column.CELL_UVP][2], tele[Column.CHARGE_UTP][2]) == (3.5, 2.8, 5.0)


@given(st.lists(st.floats(1.0, 300.0), min_size=2, max_size=6), st.lists(st.integers(0, 1), min_size=6, max_size=6))
def test_a_bound_never_allows_more_than_the_lowest_pack_bears(limits: list[float], kinds: list[int]) -> None:
    rows, table = bank(*([None] * (len(limits) + 1)))
    rows[: len(limits), CHARGE] = limits
    tele, estimated = bounded(rows, table, kinds=kinds[: len(rows)] if len(rows) <= 6 else [0] * len(rows))
    assert estimated[0, -1]
    assert 0.0 < tele[CHARGE][-1] <= max(limits)
    assert tele.block[row(CHARGE)][:-1].tolist() == limits
