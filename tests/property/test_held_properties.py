"""While a pack is held, no limit rises: whatever the others say, whatever time brings."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bank_rows import Rig, set_cell, set_cells, set_temperature
from packbank.aggregator.settings import BankSettings
from packbank.model.battery import Presence, VirtualBattery
from packbank.model.columns import Column
from packbank.model.controls import External

PACKS = 4
CHANGE = st.one_of(
    st.tuples(st.just(Column.CURRENT), st.floats(-200.0, 200.0)),
    st.tuples(st.just(Column.CHARGE_CURRENT_LIMIT), st.floats(10.0, 200.0)),
    st.tuples(st.just(Column.DISCHARGE_CURRENT_LIMIT), st.floats(10.0, 200.0)),
    st.tuples(st.just(Column.CHARGE_OCP_DELAY), st.sampled_from([3.0, 60.0])),
    st.tuples(st.just(Column.CHARGE_MOSFET), st.sampled_from([0.0, 1.0])),
    st.tuples(st.just(Column.DISCHARGE_MOSFET), st.sampled_from([0.0, 1.0])),
    st.tuples(st.just(Column.TEMPERATURE_MOS), st.floats(20.0, 95.0)),
    st.tuples(st.just(Column.CELL_OVP), st.floats(3.5, 3.7)),
    st.tuples(st.just(Column.SOC), st.floats(0.0, 100.0)),
    st.tuples(st.just("temperature"), st.floats(-5.0, 55.0)),
    st.tuples(st.just("cells"), st.floats(2.9, 3.5)),
    st.tuples(st.just("cell"), st.floats(3.3, 3.6)),
    st.tuples(st.just("loads"), st.floats(0.0, 300.0)),
)
MOMENT = st.tuples(st.sampled_from([1, 2, 6]), st.sets(st.integers(0, PACKS - 1)), st.integers(0, PACKS - 1), CHANGE)


def bend(rig: Rig, pack: int, what: Any, value: float) -> None:
    """Let ``pack``, or the bank as a whole, change."""
    match what:
        case "temperature":
            set_temperature(rig.rows, pack, value)
        case "cells":
            set_cells(rig.rows, slice(None), value)
        case "cell":
            set_cell(rig.rows, pack, 1, value)
        case "loads":
            rig.external = External(loads=value)
        case Column.CURRENT:
            rig.rows[:, Column.CURRENT] = value / PACKS
            rig.rows[pack, Column.CURRENT] = value
        case column:
            rig.rows[pack, column] = value


def limits(battery: VirtualBattery) -> dict[str, float]:
    return {
        "CVL": battery.charge_voltage_limit.value,
        "CCL": battery.charge_current_limit.value,
        "DCL": battery.discharge_current_limit.value,
    }


@given(moments=st.lists(MOMENT, min_size=4, max_size=10), near_full=st.booleans())
@settings(max_examples=40, deadline=None)
def test_no_limit_rises_while_any_pack_is_held(moments: list[Any], near_full: bool) -> None:
    rig = Rig(PACKS, BankSettings(cvl_recovery_hold_sec=2.0, switch_to_float_wait_for_sec=20.0, reserve_packs=1))
    rig.rows[:, [Column.CHARGE_OCP_DELAY, Column.DISCHARGE_OCP_DELAY]] = 3.0
    set_cells(rig.rows, slice(None), 3.44 if near_full else 3.30)
    before = limits(rig.run(20))
    for seconds, silent, pack, (what, value) in moments:
        rig.silent = silent
        bend(rig, pack, what, value)
        for _ in range(seconds):
            battery = rig.step()
            now = limits(battery)
            if any(view.presence is Presence.HELD for view in battery.packs):
                assert not [name for name in now if now[name] > before[name] + 1e-9], (before, now)
            before = now
