from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from bank_rows import Rig
from packbank.model.battery import Presence
from packbank.model.catalogue import BANK, plain
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.model.identity import Place
from packbank.model.snapshot import Snapshot
from packbank.outputs.web.view import BUSES_EVERY, COLUMNS, View
from served import BUS, bank
from virtual_battery import snapshot


def content(message: bytes) -> tuple[str, dict[str, Any]]:
    event, data, *rest = message.decode().split("\n")
    assert rest == ["", ""]
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def values(row: list[Any]) -> dict[str, Any]:
    """A row of a message, as the page reads it."""
    scaled = zip(COLUMNS, row[: len(COLUMNS)], strict=True)
    return {one.key: None if value is None else value / one.scale for one, value in scaled} | {
        "cells": row[len(COLUMNS) :]
    }


def test_a_pack_is_a_row_of_whole_numbers() -> None:
    view = View()
    view.take(bank())
    kind, whole = content(view.message(0))
    assert kind == "whole"
    first, second, third = (values(whole["rows"][str(index)]) for index in range(3))
    assert first["voltage"] == 53.12
    assert first["current"] == 4.5
    assert first["cells"][14:] == [3300, 3316]
    assert second["flags"] == 1
    assert second["warnings"] == 1 << Alarm.LOW_SOC
    assert second["ccl"] == 30.0
    assert whole["presences"][int(third["presence"])] == "lost"
    assert third["age"] == 75.0
    assert third["voltage"] is None
    assert third["cells"] == [None] * 16
    assert [name for name, _, _ in whole["packs"]] == ["pack 1", "pack 2", "pack 3"]
    assert whole["bank"]["charge_current_limit"]["reason"].startswith("pack 2: cell voltage")


def test_the_whole_and_its_changes_are_always_the_bank_as_it_is() -> None:
    random = np.random.default_rng(5)
    rig, view, number = Rig(6), View(), 0
    shown: dict[str, Any] = {}

    def follow() -> Snapshot:
        nonlocal number
        number += 1
        current = replace(snapshot(rig.step(), rig.now, rows=rig.rows.copy(), buses=(BUS,)), number=number)
        view.take(current)
        kind, message = content(view.message(number - 1))
        if kind == "whole":
            shown.update(message)
        else:
            shown["bank"].update(message["bank"])
            shown["rows"].update(message["rows"])
            assert ("buses" in message) is (number % BUSES_EVERY == 0)
        return current

    for _ in range(60):
        pack, cell = random.integers(6), random.integers(16)
        rig.rows[pack, cell] = random.choice([3.2, 3.3, np.nan])
        rig.rows[pack, Column.SOC] = random.choice([50.0, 51.0, np.nan])
        rig.silent = {int(pack)} if random.random() < 0.5 else rig.silent
        current = follow()
        expected = json.loads(json.dumps(plain(BANK, current)))
        assert {key: value for key, value in expected.items() if key != "controls"} == shown["bank"]
        fresh = View()
        fresh.take(current)
        assert content(fresh.message(0))[1]["rows"] == shown["rows"]


def test_a_silent_second_is_short() -> None:
    view = View()
    view.take(bank())
    view.take(replace(bank(), number=2, time=101.0))
    kind, change = content(view.message(1))
    assert (kind, change["bank"], change["rows"]) == ("change", {}, {})


def test_a_pack_that_was_never_heard_of_is_unknown_in_everything() -> None:
    shown = bank()
    rows = shown.rows.copy()
    rows[:, CELL_VOLTAGES] = np.nan
    view = View()
    view.take(replace(shown, rows=rows))
    row = content(view.message(0))[1]["rows"]["2"]
    assert len(row) == len(COLUMNS)  # no cells of any pack are known
    assert Presence.LOST in content(view.message(0))[1]["presences"]


def test_a_row_that_gets_a_pack_is_shown_with_its_name_by_pages_that_are_open() -> None:
    first, view = bank(), View()
    view.take(first)
    view.take(replace(first, number=first.number + 1))
    assert content(view.message(first.number))[0] == "change"
    packs = replace(first.battery.packs, names=("pack 1", "pack 2", "room1/bus1 1"))
    places = (*first.places[:2], Place("room1/bus1", 1))
    battery = replace(first.battery, packs=packs)
    view.take(replace(first, number=first.number + 2, battery=battery, places=places))
    kind, whole = content(view.message(first.number + 1))
    assert kind == "whole"
    assert whole["packs"][2] == ["room1/bus1 1", "room1/bus1", 1]
    view.take(replace(first, number=first.number + 3, battery=battery, places=places))
    assert content(view.message(first.number + 2))[0] == "change"
