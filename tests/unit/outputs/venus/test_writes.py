from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packbank.model.catalogue import Quantity, Unit, Value
from packbank.model.catalogue.controls import CONTROLS
from packbank.model.commands import SetControl
from packbank.model.controls import Controls
from packbank.model.snapshot import Snapshot
from packbank.outputs.venus.writes import ACTIONS, Offers, set_control, written
from virtual_battery import snapshot

VALUES = st.floats() | st.integers(-(10**6), 10**6) | st.text() | st.none() | st.booleans()
BY_PATH = {row.path: row for row in CONTROLS}


def test_every_control_can_be_set() -> None:
    assert {row.key.partition(".")[2] for row in CONTROLS} == set(asdict(Controls()))


@given(st.sampled_from(CONTROLS), VALUES)
def test_what_is_taken_reads_back_and_changes_nothing_else(row: Quantity[Snapshot], value: Value) -> None:
    command = set_control(row, value)
    if command is None:
        return
    before = {"charge_current": 1.0, "discharge_current": 2.0, "charge_voltage": 50.0}
    change: dict[str, Any] = {command.field: command.value}
    after = snapshot(controls=Controls(**(before | change)))
    assert row.value(after) == written(row, command)
    assert row.unit.rounded(value) == written(row, command)
    others = [other for other in CONTROLS if other is not row]
    kept = snapshot(controls=Controls(**before))  # type: ignore[arg-type]
    assert [other.value(after) for other in others] == [other.value(kept) for other in others]


def test_none_means_no_cap() -> None:
    assert set_control(BY_PATH["/Settings/MaxChargeCurrent"], -1) == SetControl("charge_current", None)
    assert set_control(BY_PATH["/Settings/MaxChargeVoltage"], 0) == SetControl("charge_voltage", None)
    assert set_control(BY_PATH["/Settings/MaxChargeCurrent"], 0) == SetControl("charge_current", 0.0)


@pytest.mark.parametrize("row", [row for row in CONTROLS if row.unit is not Unit.FLAG])
def test_a_boolean_is_no_number(row: Quantity[Snapshot]) -> None:
    assert set_control(row, True) is None
    assert all(action.judge(True) is None for action in ACTIONS)


def test_an_action_that_makes_no_sense_is_invalid() -> None:
    reset = next(action for action in ACTIONS if action.row.path == "/Settings/ResetSoc")
    assert reset.row.value(Offers()) is None
    assert reset.row.value(Offers(reset_soc=True)) == 0
