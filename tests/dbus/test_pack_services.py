from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from packbank.model.battery import Presence
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column, empty_matrix
from packbank.model.identity import Place
from packbank.model.snapshot import Snapshot
from packbank.outputs.venus.bindings import dbus
from packbank.outputs.venus.packs import PackServices
from packbank.outputs.venus.paths import ServiceIdentity
from virtual_battery import pack_view, snapshot

NAMES = ["com.victronenergy.battery.packbank_roof_01", "com.victronenergy.battery.packbank_roof_0f"]
PLACES = (Place("roof", 1), Place("roof", 15))
BANK = ServiceIdentity(version="1", connection="RS485, 1 bus", device_instance=10, product_name="packbank")


@pytest.fixture
def services(bench: Any) -> Any:
    return PackServices(BANK, open_bus=bench.bus)


def matrix() -> Any:
    rows = empty_matrix(2)
    rows[:, Column.VOLTAGE] = 53.2
    rows[:, Column.SOC] = 70.0, 71.0
    rows[:, :16][:, CELL_VOLTAGES] = 3.325
    rows[1, 3] = 3.4
    return rows


def shown(presence: Presence, time: float) -> Snapshot:
    low = {Alarm.LOW_SOC: 1}
    packs = (pack_view("left"), pack_view("right", presence=presence, alarms=low))
    return replace(snapshot(time=time, rows=matrix(), alarms=low, packs=packs), places=PLACES)


def owners(bench: Any) -> list[str]:
    return [name for name in bench.bus().names() if name in NAMES]


def test_each_pack_is_a_battery_without_a_charge_voltage(bench: Any, services: PackServices) -> None:
    services.show(shown(Presence.FRESH, 0.0))
    assert sorted(owners(bench)) == NAMES
    left, right = (bench.ask(bench.connect(), name, "/", "GetItems") for name in NAMES)
    assert [items["/DeviceInstance"]["Value"] for items in (left, right)] == [11, 12]
    assert right["/ProductName"]["Value"] == "packbank right"
    assert not [path for path in right if path.startswith("/Info/")]
    assert right["/Voltages/Cell4"] == {"Value": 3.4, "Text": "3.400V"}
    assert right["/System/MaxCellVoltage"]["Value"] == 3.4
    assert [items["/Alarms/LowSoc"]["Value"] for items in (left, right)] == [0, 1]
    assert all(isinstance(right[path]["Value"], dbus.Array) for path in ("/Voltages/Cell17", "/Dc/0/Temperature"))
    assert np.isclose(right["/Soc"]["Value"], 71.0)


def test_a_lost_pack_leaves_and_returns(bench: Any, services: PackServices) -> None:
    services.show(shown(Presence.FRESH, 0.0))
    services.show(shown(Presence.LOST, 1.0))
    assert owners(bench) == [NAMES[0]]
    services.show(shown(Presence.JOINING, 2.0))
    assert sorted(owners(bench)) == NAMES
    services.close()
    assert owners(bench) == []


def test_a_pack_that_never_answered_has_no_service(bench: Any, services: PackServices) -> None:
    services.show(shown(Presence.ABSENT, 0.0))
    assert owners(bench) == [NAMES[0]]
