from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from packbank.model.battery import Presence
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.model.snapshot import Snapshot
from packbank.outputs.venus.battery_info import PERIOD, REQUEST, BatteryInfo, status_bits
from packbank.outputs.venus.item import Item
from virtual_battery import pack_view, snapshot

NOTHING = Item(None, "---")
CELLS = 16


def bank(packs: int, time: float = 0.0, **presence: Presence) -> Snapshot:
    """Packs ``p1``, ``p2``, ... with cells of 3.001 V, 3.002 V, ... plus a tenth of a volt a pack."""
    rows = empty_matrix(packs)
    rows[:, CELL_VOLTAGES][:, :CELLS] = 3.0 + np.arange(1, CELLS + 1) / 1000 + np.arange(packs)[:, None] / 10
    rows[:, Column.VOLTAGE] = np.nansum(rows[:, CELL_VOLTAGES], axis=1)
    rows[:, Column.CURRENT], rows[:, Column.FULL_CAPACITY], rows[:, Column.BALANCING] = 12.34, 280.0, 0.0
    names = [f"p{number}" for number in range(1, packs + 1)]
    views = [pack_view(name, presence=presence.get(name, Presence.FRESH)) for name in names]
    shown = snapshot(time=time, rows=rows, packs=tuple(views))
    return replace(shown, identities=tuple(Identity(serial=f"S{name}", software="19.31") for name in names))


def values(items: dict[str, Item]) -> dict[str, Any]:
    return {path: item.value for path, item in items.items()}


def test_the_first_pack_is_chosen_and_all_packs_are_named() -> None:
    shown = values(BatteryInfo().select(bank(3)))
    assert shown[REQUEST] == 1
    assert [shown[f"/Battery/{number}/Serial"] for number in (1, 2, 3)] == ["p1 · Sp1", "p2 · Sp2", "p3 · Sp3"]
    assert shown["/Battery/1/Capacity"] == 280.0
    assert shown["/Battery/1/FwVersion"] == "19.31"
    assert shown["/Battery/1/Status"] == 1
    assert [shown[f"/Battery/1/Cell/{cell}/Voltage"] for cell in (1, CELLS)] == [3.001, 3.016]
    assert f"/Battery/1/Cell/{CELLS + 1}/Voltage" not in shown
    assert not [path for path in shown if path.startswith("/Battery/2/") and not path.endswith("/Serial")]


def test_a_choice_brings_the_new_pack_and_takes_the_old_one_away() -> None:
    info = BatteryInfo()
    info.select(bank(3))
    changes = info.choose(2)
    assert changes is not None
    assert changes[REQUEST].value == 2
    assert changes["/Battery/2/Cell/5/Voltage"].value == 3.105
    assert changes["/Battery/1/Cell/5/Voltage"] == changes["/Battery/1/Voltage"] == NOTHING
    assert "/Battery/1/Serial" not in changes
    assert info.choose(2) == {}


@pytest.mark.parametrize("value", [0, 4, -1, 1.5, True, None, "2", float("nan"), 10**30])
def test_there_are_no_other_packs(value: Any) -> None:
    info = BatteryInfo()
    info.select(bank(3))
    assert info.choose(value) is None


def test_before_anything_was_shown_there_is_nothing_to_choose() -> None:
    assert BatteryInfo().choose(1) is None


def test_only_the_chosen_pack_is_refreshed_and_only_every_few_seconds() -> None:
    info = BatteryInfo()
    info.select(bank(3))
    moved = bank(3, PERIOD)
    moved.rows[:, 0] += 0.005
    assert info.select(replace(moved, time=1.0)) == {}
    assert values(info.select(moved)) == {"/Battery/1/Cell/1/Voltage": 3.006}


def test_a_lost_pack_keeps_its_name_and_shows_no_values() -> None:
    info = BatteryInfo()
    info.select(bank(3))
    changes = info.select(bank(3, PERIOD, p1=Presence.LOST))
    assert "/Battery/1/Serial" not in changes
    assert set(changes.values()) == {NOTHING}
    assert len(changes) == 5 + CELLS  # no temperature is known in this bank
    assert info.select(bank(3, 2 * PERIOD))["/Battery/1/Voltage"].value is not None


def test_packs_that_never_answered_have_no_number() -> None:
    info = BatteryInfo()
    shown = values(info.select(bank(3, p1=Presence.ABSENT)))
    assert shown["/Battery/1/Serial"] == "p2 · Sp2"
    assert info.choose(3) is None
    assert BatteryInfo().select(bank(1, p1=Presence.ABSENT)) == {REQUEST: NOTHING}


def test_a_chooser_that_got_shorter_falls_back_to_the_first_pack() -> None:
    info = BatteryInfo()
    info.select(bank(3))
    info.choose(3)
    changes = info.select(bank(3, 1.0, p3=Presence.ABSENT))
    assert changes[REQUEST].value == 1
    assert changes["/Battery/1/Voltage"].value is not None
    assert changes["/Battery/3/Voltage"] == NOTHING


def test_the_chosen_pack_stays_chosen_when_others_come_and_go() -> None:
    info = BatteryInfo()
    info.select(bank(3, p1=Presence.ABSENT))
    info.choose(2)
    appears = info.select(bank(3, 1.0))
    assert values(appears)[REQUEST] == 3
    assert appears["/Battery/3/Serial"].value == "p3 · Sp3"
    assert appears["/Battery/3/Voltage"].value is not None
    assert appears["/Battery/2/Voltage"] == NOTHING
    leaves = info.select(bank(3, 2.0, p1=Presence.ABSENT))
    assert values(leaves)[REQUEST] == 2
    assert leaves["/Battery/3/Serial"] == leaves["/Battery/3/Voltage"] == NOTHING


def test_a_chosen_pack_that_is_lost_shows_nothing_at_once() -> None:
    info = BatteryInfo()
    info.select(bank(3))
    assert info.select(bank(3, 1.0, p2=Presence.LOST)) == {}
    assert set(info.select(bank(3, 2.0, p1=Presence.LOST, p2=Presence.LOST)).values()) == {NOTHING}
    assert info.select(bank(3, 3.0))["/Battery/1/Voltage"].value is not None


def test_three_hundred_packs_cost_no_more_values_than_three() -> None:
    few, many = (values(BatteryInfo().select(bank(packs))) for packs in (3, 300))
    assert len(many) - 300 == len(few) - 3 <= 40


@pytest.mark.parametrize(
    ("alarms", "balancing", "bits"),
    [
        ({}, 0.0, 1 << 0),
        ({}, float("nan"), None),  # nobody says whether it balances
        ({Alarm.CELL_IMBALANCE: 1}, float("nan"), 1 << 1),
        ({}, 1.0, 1 << 2),
        ({Alarm.CELL_IMBALANCE: 1}, 0.0, 1 << 1),
        ({Alarm.HIGH_VOLTAGE: 2, Alarm.HIGH_CELL_VOLTAGE: 2}, 0.0, 1 << 3 | 1 << 9),
        ({Alarm.LOW_VOLTAGE: 2, Alarm.LOW_CELL_VOLTAGE: 1}, 2.0, 1 << 4 | 1 << 15 | 1 << 2),
        ({Alarm.LOW_CHARGE_TEMPERATURE: 2, Alarm.LOW_TEMPERATURE: 2}, 0.0, 1 << 5 | 1 << 16),
        ({Alarm.HIGH_CHARGE_TEMPERATURE: 2, Alarm.HIGH_TEMPERATURE: 2}, 0.0, 1 << 6 | 1 << 8),
        ({Alarm.HIGH_CHARGE_CURRENT: 1, Alarm.HIGH_DISCHARGE_CURRENT: 2}, 0.0, 1 << 11 | 1 << 14),
        ({Alarm.HIGH_CHARGE_CURRENT: 2, Alarm.HIGH_DISCHARGE_CURRENT: 1}, 0.0, 1 << 12 | 1 << 13),
    ],
)
def test_status_bits(alarms: dict[Alarm, int], balancing: float, bits: int | None) -> None:
    rows = empty_matrix(1)
    rows[0, Column.BALANCING] = balancing
    shown = snapshot(rows=rows, packs=(pack_view("p1", alarms=alarms),))
    assert status_bits(shown.pack(0)) == bits
