from __future__ import annotations

import signal
from typing import Any

import pytest

from on_dbus import DEVICE, NAME, SETTINGS, applied, publisher
from packbank.model.commands import Command, SetControl
from packbank.model.controls import Controls
from packbank.outputs.venus.bindings import dbus
from virtual_battery import lost_battery, snapshot


def test_settings_outlive_a_restart_in_localsettings(bench: Any) -> None:
    bench.start("settings")
    bench.start("system")
    client = bench.connect()
    published = publisher(bench)
    published.show(snapshot())
    assert bench.ask(client, NAME, "/Settings/MaxChargeCurrent", "SetValue", "v", 55) == 0
    bench.until(lambda: bench.ask(client, SETTINGS, DEVICE + "MaxChargeCurrent", "GetValue") == 55.0)
    published.close()
    sent: list[Command] = []
    publisher(bench, send=sent.append).show(snapshot())
    assert applied(sent) == Controls(charge_current=55.0)
    assert bench.ask(client, NAME, "/Settings/MaxChargeCurrent", "GetValue") == 55.0
    assert bench.ask(client, SETTINGS, DEVICE + "MaxChargeCurrent", "SetValue", "v", -1.0) == 0
    bench.until(lambda: sent[-1] == SetControl("charge_current", None))


def test_settings_of_the_daemon_win_over_older_ones_of_localsettings(bench: Any) -> None:
    """What was written while localsettings was away is not lost at the next start."""
    bench.start("settings")
    bench.start("system")
    client = bench.connect()
    first = publisher(bench, controls=Controls(charge_current=80.0))
    first.show(snapshot())
    first.close()
    sent: list[Command] = []
    ours = Controls(charge_current=20.0)
    publisher(bench, send=sent.append, controls=ours).show(snapshot(controls=ours))
    assert sent == []
    assert bench.ask(client, NAME, "/Settings/MaxChargeCurrent", "GetValue") == 20.0
    bench.until(lambda: bench.ask(client, SETTINGS, DEVICE + "MaxChargeCurrent", "GetValue") == 20.0)


def test_settings_without_localsettings_are_the_daemons(bench: Any) -> None:
    controls = Controls(charge_off=True)
    publisher(bench, controls=controls).show(snapshot(controls=controls))
    assert bench.ask(bench.connect(), NAME, "/Io/ForceChargingOff", "GetValue") == 1


def test_settings_without_localsettings_outlive_a_lost_bank(bench: Any) -> None:
    sent: list[Command] = []
    published = publisher(bench, send=sent.append, leave_after=0.0)
    published.show(snapshot())
    client = bench.connect()
    assert bench.ask(client, NAME, "/Settings/MaxChargeCurrent", "SetValue", "v", 55) == 0
    assert bench.ask(client, NAME, "/CustomName", "SetValue", "v", "Cellar") == 0
    published.show(snapshot(lost_battery(), 1.0))
    assert not published.service.registered
    published.show(snapshot(controls=applied(sent), time=2.0))
    assert sent == [SetControl("charge_current", 55.0)]
    assert bench.ask(client, NAME, "/Settings/MaxChargeCurrent", "GetValue") == 55.0
    assert bench.ask(client, NAME, "/CustomName", "GetValue") == "Cellar"


@pytest.mark.parametrize("again", [True, False])
def test_a_localsettings_that_comes_late_is_given_what_the_user_set(bench: Any, again: bool) -> None:
    """With a new registration of our service, and without one."""
    published = publisher(bench, leave_after=0.0)
    published.show(snapshot())
    client = bench.connect()
    assert bench.ask(client, NAME, "/Settings/MaxChargeCurrent", "SetValue", "v", 55) == 0
    if again:
        published.show(snapshot(lost_battery(), 1.0))
    bench.start("settings")
    bench.start("system")
    if again:
        published.show(snapshot(controls=Controls(charge_current=55.0), time=2.0))

    def stored() -> Any:
        try:
            return bench.ask(client, SETTINGS, DEVICE + "MaxChargeCurrent", "GetValue")
        except dbus.exceptions.DBusException:
            return None

    bench.until(lambda: stored() == 55.0)


def test_a_localsettings_too_busy_to_answer_is_asked_again(
    bench: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("packbank.outputs.venus.bus._CALL_TIMEOUT", 0.3)
    settings = bench.start("settings")
    bench.start("system")
    first = bench.bus()
    row = {"path": DEVICE + "ClassAndVrmInstance", "default": "battery:42"}
    first.call(SETTINGS, "/", "AddSettings", "aa{sv}", [row], interface="com.victronenergy.Settings")
    published = publisher(bench, patience=60.0)
    settings.send_signal(signal.SIGSTOP)
    published.show(snapshot(time=0.0))
    assert not published.service.registered
    settings.send_signal(signal.SIGCONT)
    published.show(snapshot(time=1.0))
    assert published.service.device_instance == 42
    settings.send_signal(signal.SIGSTOP)
    published.service.leave("test")
    published.show(snapshot(time=61.0))
    assert published.service.registered
    assert published.service.device_instance == 42
    assert "does not answer" in caplog.text
