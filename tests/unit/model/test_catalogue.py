from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from packbank.model.catalogue import BANK, BUS, PACK, PACK_SETTINGS, Quantity, Unit, expand, plain
from packbank.model.columns import CELL_VOLTAGES, CELLS, Column, empty_matrix
from packbank.sources.serial.statistics import Statistics
from virtual_battery import lost_battery, snapshot

TABLES: dict[str, tuple[Quantity[Any], ...]] = {"bank": BANK, "pack": PACK, "settings": PACK_SETTINGS, "bus": BUS}
HOME_ASSISTANT = {
    "", "voltage", "current", "power", "battery", "temperature", "duration", "energy", "energy_storage", "enum",
    "problem", "connectivity", "running",
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_keys_and_paths_stand_once_and_every_row_is_titled(table: tuple[Quantity[Any], ...]) -> None:
    rows = expand(table)
    keys = [row.key for row in rows]
    paths = [row.path for row in rows if row.path]
    assert len(set(keys)) == len(keys)
    assert len(set(paths)) == len(paths)
    assert all(row.title for row in rows)
    assert all(re.fullmatch(r"[A-Za-z0-9_.]+", key) for key in keys)
    assert {row.device_class for row in rows} <= HOME_ASSISTANT


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_no_key_is_both_a_value_and_a_group(table: tuple[Quantity[Any], ...]) -> None:
    keys = {row.key for row in table}
    groups = {key[: match.start()] for key in keys for match in re.finditer(r"\.", key)}
    assert not keys & groups


def test_every_column_of_the_matrix_is_in_a_table() -> None:
    """A column that nobody can see would be of no use."""
    shown = {row.key for row in (*PACK, *PACK_SETTINGS)}
    elsewhere = {
        Column.STATUS_TIME, Column.SETTINGS_TIME,  # as ages
        Column.TEMPERATURE_1, Column.TEMPERATURE_2, Column.TEMPERATURE_4, Column.TEMPERATURE_5,  # as a list
        Column.FLOW,  # says nothing that the current does not, unless one of them is wrong
        Column.TEMPERATURE_3,  # a copy of the MOSFET temperature on JK PB
    }  # fmt: skip
    assert {column.key for column in Column if column not in elsewhere} <= shown


@pytest.mark.parametrize("battery", [None, lost_battery()])
def test_everything_is_json_with_null_for_what_is_not_known(battery: Any) -> None:
    shown = snapshot(battery)
    whole = [plain(BANK, shown), *[plain(table, pack) for table in (PACK, PACK_SETTINGS) for pack in shown.packs()]]
    whole.append(plain(BUS, Statistics("roof", "/dev/ttyUSB0").snapshot(0.0, 115200)))
    assert json.loads(json.dumps(whole, allow_nan=False)) == whole


def test_dots_nest_and_flags_are_booleans() -> None:
    shown = plain(BANK, snapshot())
    assert shown["charge_current_limit"]["value"] == 123.4
    assert shown["charge_current_limit"]["pack"] == "pack 2"
    assert shown["allow_to_charge"] is True
    assert shown["history"]["charge_cycles"] == 12
    assert shown["history"]["last_discharge"] is None
    assert shown["lowest_cell"] == {"value": 3.301, "pack": "pack 1", "number": 4, "id": "P1C4"}


def test_a_list_ends_with_the_last_cell_that_is_known() -> None:
    rows = empty_matrix(2)
    rows[0, CELL_VOLTAGES][:4] = [3.30001, np.nan, 3.302, 3.303]
    rows[0, Column.VOLTAGE] = 99.99999999999999
    pack = plain(PACK, snapshot(rows=rows).pack(0))
    assert pack["cells"] == [3.3, None, 3.302, 3.303]
    assert pack["voltage"] == 100.0
    assert pack["lowest_cell"]["number"] == 1
    assert pack["cell_difference"] == 0.003
    elements = [row for row in expand(PACK) if row.path.startswith("/Voltages/Cell")]
    assert [row.path for row in elements] == [f"/Voltages/Cell{number}" for number in range(1, CELLS + 1)]
    assert [row.value(snapshot(rows=rows).pack(0)) for row in elements[:5]] == [3.3, None, 3.302, 3.303, None]


def test_the_age_of_the_settings_counts_from_when_they_were_read() -> None:
    rows = empty_matrix(2)
    rows[0, Column.SETTINGS_TIME] = 90.0
    shown = replace(snapshot(rows=rows), time=100.0)
    assert plain(PACK, shown.pack(0))["settings_age"] == 10.0
    assert plain(PACK, shown.pack(1))["settings_age"] is None


@pytest.mark.parametrize(("value", "down"), [(99.99, 99.9), (0.3, 0.3), (55.2, 55.2), (0.0, 0.0)])
def test_a_limit_is_rounded_down(value: float, down: float) -> None:
    assert Unit.AMPERES.rounded(value, down=True) == down


@pytest.mark.parametrize("unit", [unit for unit in Unit if unit.kind is float])
def test_no_number_is_published_as_minus_zero_or_as_no_number(unit: Unit) -> None:
    rounded = unit.rounded(-1e-9)
    assert isinstance(rounded, float)
    assert math.copysign(1.0, rounded) == 1.0
    assert unit.rounded(math.nan) is unit.rounded(math.inf) is unit.rounded(None) is None
