from __future__ import annotations

from typing import Any

import pytest

from packbank.config.model import ServiceConfig
from packbank.errors import LinkError
from packbank.outputs.venus.bank import BankOutput
from packbank.outputs.venus.bindings import GLib, dbus
from packbank.outputs.venus.bus import DBus
from virtual_battery import snapshot

NAME = "com.victronenergy.battery.packbank"


def publisher(bench: Any) -> BankOutput:
    published = BankOutput(ServiceConfig(), connection="RS485, 1 bus", bus=bench.bus(), send=lambda _: None)
    published.show(snapshot())
    return published


def test_no_bus_says_what_to_do() -> None:
    with pytest.raises(LinkError, match=r"no D-Bus at unix:path=/nowhere.*--no-dbus"):
        DBus("unix:path=/nowhere")


def test_the_address_comes_from_the_environment(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bench.address)
    bus = DBus()
    assert bus.has_owner("org.freedesktop.DBus")
    bus.close()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    with pytest.raises(LinkError):
        DBus()


def test_a_dead_bus_ends_the_next_publish(bench: Any) -> None:
    published = publisher(bench)
    bench.daemon.kill()
    bench.daemon.wait()
    bench.until(lambda: published.bus.gone)
    with pytest.raises(LinkError, match="packbank ends"):
        published.show(snapshot(soc=10.0, time=1.0))
    published.close()  # and leaving is no trouble


def test_a_bus_that_dies_during_a_call_is_an_error_not_a_hang(bench: Any) -> None:
    bus = bench.bus()
    bench.daemon.kill()
    bench.daemon.wait()
    with pytest.raises(LinkError):
        bus.has_owner(NAME)


def test_localsettings_may_go_while_we_run(bench: Any) -> None:
    settings = bench.start("settings")
    bench.start("system")
    published = publisher(bench)
    settings.kill()
    settings.wait()
    client = bench.connect()
    bench.until(lambda: not published.bus.has_owner("com.victronenergy.settings"))
    assert bench.ask(client, NAME, "/CustomName", "SetValue", "v", "Cellar") == 0
    assert bench.ask(client, NAME, "/CustomName", "GetValue") == "Cellar"
    published.show(snapshot(soc=10.0, time=1.0))
    assert bench.ask(client, NAME, "/Soc", "GetValue") == 10.0


def test_a_listener_that_never_reads_holds_nobody_up(bench: Any) -> None:
    published = publisher(bench)
    deaf = dbus.bus.BusConnection(bench.address)  # no main loop: it never takes what is sent to it
    deaf.set_exit_on_disconnect(False)
    deaf.add_match_string("type='signal',interface='com.victronenergy.BusItem'")
    heard: list[Any] = []
    bench.connect().add_signal_receiver(heard.append, "ItemsChanged", "com.victronenergy.BusItem")
    bench.settle()
    for second in range(1, 1001):
        long = "x" * 1000  # a megabyte in all: more than a socket holds
        published.show(snapshot(voltage=float(second), stage=f"{second} {long}", time=second * 5.0))
        GLib.MainContext.default().iteration(False)
    bench.until(lambda: len(heard) == 1000)
    assert heard[-1]["/Dc/0/Voltage"]["Value"] == 1000.0
    deaf.close()
