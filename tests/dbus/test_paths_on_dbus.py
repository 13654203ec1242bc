from __future__ import annotations

import json
import math
from typing import Any

import pytest

from on_dbus import NAME, publisher
from packbank.model.catalogue import Quantity, Unit
from packbank.outputs.venus.bindings import dbus
from packbank.outputs.venus.paths import BANK_PATHS, IDENTITY, MODULE, MODULES
from packbank.outputs.venus.writes import OFFERED
from packbank.sources.serial.statistics import Statistics
from virtual_battery import snapshot, virtual_battery

SIGNATURES = {float: dbus.Double, int: dbus.Int32, bool: dbus.Int32, str: dbus.String}


def all_paths() -> dict[str, Quantity[Any]]:
    tables: tuple[Quantity[Any], ...] = (*IDENTITY, *BANK_PATHS, *OFFERED)
    paths = {row.path: row for row in tables}
    for number in range(MODULES):
        paths |= {f"/Diagnostics/Module{number}{row.path}": row for row in MODULE}
    return paths


def test_every_path_is_there_with_its_type_and_a_text(bench: Any) -> None:
    publisher(bench).show(snapshot(time=0.0))
    items = bench.ask(bench.connect(), NAME, "/", "GetItems")
    paths = all_paths()
    assert {str(name) for name in items if not name.startswith("/Battery/")} == set(paths)
    for name in paths:
        item = items[name]
        value, text = item["Value"], item["Text"]
        assert isinstance(text, dbus.String)
        if isinstance(value, dbus.Array):
            assert (str(value.signature), len(value), str(text)) == ("i", 0, "---"), name
        else:
            assert type(value) is SIGNATURES[paths[name].unit.kind], name
            assert not isinstance(value, float) or math.isfinite(value), name
    assert items["/Soc"] == {"Value": 76.5, "Text": "76.5%"}
    assert items["/Info/MaxChargeCurrent"]["Value"] == 123.4  # a limit is rounded down
    assert items["/TimeToGo"]["Value"] == 124980
    assert isinstance(items["/History/LastDischarge"]["Value"], dbus.Array)


def test_a_path_keeps_its_type_whatever_the_battery_says(bench: Any) -> None:
    published = publisher(bench)
    client = bench.connect()
    for second, battery in enumerate((virtual_battery(), virtual_battery(voltage=53, soc=80, soh=float("inf")))):
        published.show(snapshot(battery, 10.0 * second))
        items = bench.ask(client, NAME, "/", "GetItems")
        assert type(items["/Dc/0/Voltage"]["Value"]) is dbus.Double
        assert type(items["/Soc"]["Value"]) is dbus.Double
    assert isinstance(items["/Soh"]["Value"], dbus.Array)


def test_leaves_inner_nodes_and_root_answer(bench: Any) -> None:
    publisher(bench).show(snapshot(time=0.0))
    client = bench.connect()
    assert bench.ask(client, NAME, "/Dc/0/Voltage", "GetValue") == 53.12
    assert bench.ask(client, NAME, "/Dc/0/Voltage", "GetText") == "53.12V"
    assert bench.ask(client, NAME, "/History/LastDischarge", "GetText") == "---"
    assert bench.ask(client, NAME, "/Dc", "GetValue")["0/Current"] == -12.3
    assert bench.ask(client, NAME, "/Dc/0", "GetText")["Power"] == "-656W"
    assert {name[1:] for name in all_paths()} <= set(bench.ask(client, NAME, "/", "GetValue"))
    for path, member in (("/Nothing", "GetValue"), ("/Dc/0/Voltage", "GetItems"), ("/Nothing", "SetValue")):
        with pytest.raises(dbus.exceptions.DBusException, match=r"/Nothing|GetItems"):
            bench.ask(client, NAME, path, member, *(("v", 1) if member == "SetValue" else ()))


def test_the_tree_can_be_browsed(bench: Any) -> None:
    publisher(bench).show(snapshot(time=0.0))
    answers: list[Any] = []
    client = bench.connect()
    for path in ("/", "/Dc", "/Dc/0/Voltage"):
        client.call_async(
            NAME, path, "org.freedesktop.DBus.Introspectable", "Introspect", "", (), answers.append, answers.append
        )
    bench.until(lambda: len(answers) == 3)
    assert '<node name="Dc"/>' in answers[0]
    assert '<node name="0"/>' in answers[1]
    assert "<node name" not in answers[2]


def test_the_status_is_only_sent_on_request(bench: Any) -> None:
    publisher(bench).show(snapshot(buses=(Statistics("roof", "/dev/ttyUSB0").snapshot(60.0, 115200),)))
    client = bench.connect()
    assert "/Debug/Status" not in bench.ask(client, NAME, "/", "GetItems")
    status = json.loads(bench.ask(client, NAME, "/Debug/Status", "GetValue"))
    assert [(bus["name"], bus["state"], bus["refused"]) for bus in status["buses"]] == [("roof", "opening", {})]


def test_quantities_of_all_paths_have_a_known_type() -> None:
    assert {row.unit.kind for row in all_paths().values()} == set(SIGNATURES)
    assert all(row.unit in Unit for row in all_paths().values())
