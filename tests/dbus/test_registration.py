from __future__ import annotations

from typing import Any

import pytest

from on_dbus import DEVICE, NAME, SETTINGS, Log, publisher
from packbank.errors import LinkError
from packbank.outputs.venus.bindings import dbus
from virtual_battery import lost_battery, snapshot


def test_the_name_comes_last_and_everything_is_there_by_then(bench: Any) -> None:
    log = Log(bench)
    bench.start("settings")
    bench.start("system")
    log.take()
    calls: list[tuple[str, str]] = []
    monitor = bench.connect()
    monitor.call_blocking(
        "org.freedesktop.DBus",
        "/org/freedesktop/DBus",
        "org.freedesktop.DBus.Monitoring",
        "BecomeMonitor",
        "asu",
        ([], 0),
    )

    def watch(_connection: Any, message: Any) -> Any:
        if message.get_type() == dbus.lowlevel.MESSAGE_TYPE_METHOD_CALL:
            calls.append((message.get_destination(), message.get_member()))
        elif message.get_member() == "NameOwnerChanged" and message.get_args_list()[0] == NAME:
            calls.append((NAME, "appears"))
        return dbus.lowlevel.HANDLER_RESULT_HANDLED

    monitor.add_message_filter(watch)
    publisher(bench).show(snapshot(time=0.0))
    bench.until(lambda: (NAME, "GetItems") in calls)
    wanted = [(SETTINGS, "AddSettings"), ("org.freedesktop.DBus", "RequestName"), (NAME, "appears"), (NAME, "GetItems")]
    assert [call for call in calls if call in wanted] == wanted
    bench.until(lambda: bench.ask(log.connection, "com.victronenergy.system", "/ActiveBmsService", "GetValue") == NAME)
    assert bench.ask(log.connection, "com.victronenergy.system", "/Dc/Battery/Soc", "GetValue") == 76.5


def test_a_lost_bank_says_zero_then_leaves_and_returns_afresh(bench: Any) -> None:
    log = Log(bench)
    bench.start("settings")
    bench.start("system")
    published = publisher(bench, leave_after=3.0)
    published.show(snapshot(time=0.0))
    log.take()
    for now in (1.0, 2.0, 3.0):
        published.show(snapshot(lost_battery(), now))
    first = next(items for kind, items in log.take() if kind == "items" and "/Info/MaxChargeCurrent" in items)
    assert first["/Info/MaxChargeCurrent"] == first["/Info/MaxDischargeCurrent"] == 0.0
    assert "/Info/MaxChargeVoltage" not in first  # the last one stays: without it we would be no BMS
    assert "/ErrorCode" not in first  # the alarm reports it, one notification is enough
    assert first["/Alarms/BmsCable"] == 2
    published.show(snapshot(lost_battery(), 4.0))
    published.show(snapshot(lost_battery(), 5.0))
    assert ("owner", False) in log.take()

    def active() -> Any:
        return bench.ask(log.connection, "com.victronenergy.system", "/ActiveBmsService", "GetValue")

    bench.until(lambda: active() == [])
    published.show(snapshot(soc=50.0, time=9.0))
    assert ("owner", True) in log.take()
    bench.until(lambda: active() == NAME)
    items = bench.ask(log.connection, NAME, "/", "GetItems")
    assert (items["/Soc"]["Value"], items["/ErrorCode"]["Value"], items["/DeviceInstance"]["Value"]) == (50.0, 0, 10)


def test_nothing_is_on_the_bus_before_the_bank_is_ready(bench: Any) -> None:
    log = Log(bench)
    published = publisher(bench)
    published.show(snapshot(ready=False, time=0.0))
    published.show(snapshot(lost_battery(), 1.0))
    assert log.take() == []
    published.show(snapshot(time=2.0))
    assert log.take() == [("owner", True)]


def test_a_gx_waits_for_systemcalc_but_not_for_ever(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packbank.outputs.venus.service.on_venus", lambda: True)
    log = Log(bench)
    bench.start("settings")
    log.take()
    published = publisher(bench, patience=60.0)
    for now in (0.0, 30.0, 59.0):
        published.show(snapshot(time=now))
    assert log.take() == []
    published.show(snapshot(time=60.0))
    assert log.take() == [("owner", True)]


def test_a_machine_without_venus_does_not_wait(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.start("settings")
    monkeypatch.setattr("packbank.outputs.venus.service.on_venus", lambda: False)
    published = publisher(bench)
    published.show(snapshot(time=0.0))
    assert published.service.registered
    assert published.service.device_instance == 10


def test_venus_before_its_own_services_waits(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packbank.outputs.venus.service.on_venus", lambda: True)
    published = publisher(bench, patience=5.0)
    published.show(snapshot(time=0.0))
    assert not published.service.registered
    bench.start("settings")
    bench.start("system")
    published.show(snapshot(time=1.0))
    assert published.service.registered


def test_a_taken_name_says_by_whom(bench: Any) -> None:
    publisher(bench).show(snapshot(time=0.0))
    with pytest.raises(LinkError, match=r"taken by process \d+.*stop it"):
        publisher(bench).show(snapshot(time=0.0))


def test_the_instance_is_kept_and_unique(bench: Any) -> None:
    bench.start("settings")
    bench.start("system")
    shunt = bench.bus()
    row = {"path": "/Settings/Devices/shunt/ClassAndVrmInstance", "default": "battery:10"}
    shunt.call(SETTINGS, "/", "AddSettings", "aa{sv}", [row], interface="com.victronenergy.Settings")
    for _ in range(2):
        published = publisher(bench)
        published.show(snapshot(time=0.0))
        assert bench.ask(bench.connect(), NAME, "/DeviceInstance", "GetValue") == 11
        published.close()


def test_an_instance_changed_by_the_user_leaves_and_comes_back(bench: Any) -> None:
    log = Log(bench)
    bench.start("settings")
    bench.start("system")
    published = publisher(bench)
    published.show(snapshot(time=0.0))
    log.take()
    path = DEVICE + "ClassAndVrmInstance"
    assert bench.ask(log.connection, SETTINGS, path, "SetValue", "v", "battery:42") == 0
    bench.until(lambda: not published.service.registered)
    published.show(snapshot(time=1.0))
    assert [event for event in log.take() if event[0] == "owner"] == [("owner", False), ("owner", True)]
    assert bench.ask(log.connection, NAME, "/DeviceInstance", "GetValue") == 42


def test_the_custom_name_is_written_and_kept(bench: Any) -> None:
    bench.start("settings")
    bench.start("system")
    client = bench.connect()
    published = publisher(bench)
    published.show(snapshot(time=0.0))
    assert bench.ask(client, NAME, "/CustomName", "SetValue", "v", "Cellar") == 0
    wrong: tuple[object, ...] = ("x" * 65, "a\tb", 7, 0, 2.5, True)
    for none in wrong:
        assert bench.ask(client, NAME, "/CustomName", "SetValue", "v", none) == 2
    published.close()
    again = publisher(bench)
    again.show(snapshot(time=0.0))
    assert bench.ask(client, NAME, "/CustomName", "GetValue") == "Cellar"
    assert bench.ask(client, NAME, "/CustomName", "SetValue", "v", "") == 0
    assert bench.ask(client, NAME, "/CustomName", "GetValue") == ""
    assert bench.ask(client, SETTINGS, DEVICE + "CustomName", "SetValue", "v", "Attic") == 0
    bench.until(lambda: bench.ask(client, NAME, "/CustomName", "GetValue") == "Attic")
