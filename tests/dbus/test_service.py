from __future__ import annotations

import json
import math
import signal
from typing import Any

import pytest

from packbank.config.model import ServiceConfig
from packbank.errors import LinkError
from packbank.model.catalogue import Quantity, Unit
from packbank.model.commands import ClearHistory, Command, ResetSoc, SetControl
from packbank.model.controls import Controls
from packbank.outputs.venus.bank import BankOutput
from packbank.outputs.venus.bindings import dbus
from packbank.outputs.venus.paths import BANK_PATHS, IDENTITY, MODULE, MODULES
from packbank.outputs.venus.writes import OFFERED, Offers
from packbank.sources.serial.statistics import Statistics
from virtual_battery import lost_battery, snapshot, virtual_battery

NAME = "com.victronenergy.battery.packbank"
SETTINGS = "com.victronenergy.settings"
DEVICE = "/Settings/Devices/packbank/"
SIGNATURES = {float: dbus.Double, int: dbus.Int32, bool: dbus.Int32, str: dbus.String}


def publisher(bench: Any, **options: Any) -> BankOutput:
    options = {"connection": "RS485, 1 bus", "bus": bench.bus(), "send": lambda _: None} | options
    return BankOutput(ServiceConfig(), **options)


def all_paths() -> dict[str, Quantity[Any]]:
    tables: tuple[Quantity[Any], ...] = (*IDENTITY, *BANK_PATHS, *OFFERED)
    paths = {row.path: row for row in tables}
    for number in range(MODULES):
        paths |= {f"/Diagnostics/Module{number}{row.path}": row for row in MODULE}
    return paths


class Log:
    """What a connection hears: the owners of our name and the changed items, in order."""

    def __init__(self, bench: Any) -> None:
        self.events: list[tuple[str, Any]] = []
        self.bench = bench
        self.connection = bench.connect()
        self.connection.add_signal_receiver(self._owner, "NameOwnerChanged", "org.freedesktop.DBus", arg0=NAME)
        self.connection.add_signal_receiver(self._items, "ItemsChanged", "com.victronenergy.BusItem", path="/")
        self.connection.add_signal_receiver(self._other, "PropertiesChanged", "com.victronenergy.BusItem")

    def _owner(self, _name: str, _old: str, new: str) -> None:
        self.events.append(("owner", bool(new)))

    def _items(self, items: Any) -> None:
        self.events.append(("items", {str(path): item["Value"] for path, item in items.items()}))

    def _other(self, _properties: Any) -> None:
        self.events.append(("properties", None))

    def take(self) -> list[tuple[str, Any]]:
        self.bench.settle()
        events, self.events = self.events, []
        return events


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


def test_one_signal_a_second_at_most_and_none_when_nothing_changed(bench: Any) -> None:
    log = Log(bench)
    published = publisher(bench)
    for second in range(20):
        published.show(snapshot(voltage=53 + second % 2 / 1000, time=float(second)))  # noise below the rounding
    assert log.take() == [("owner", True)]
    for second in range(20, 40):
        published.show(snapshot(voltage=53 + second / 100, current=float(second), time=float(second)))
    events = log.take()
    assert [kind for kind, _ in events] == ["items"] * 20
    assert set(events[7][1]) <= {"/Dc/0/Voltage", "/Dc/0/Current"}


def test_rates(bench: Any) -> None:
    log = Log(bench)
    published = publisher(bench)
    published.show(snapshot(time=0.0))
    log.take()
    rise, fall = virtual_battery(temperature=25.0), virtual_battery(temperature=26.0)
    published.show(snapshot(rise, 1.0))
    assert log.take() == []  # slow: not before five seconds
    published.show(snapshot(fall, 5.0))
    assert log.take() == [("items", {"/Dc/0/Temperature": 26.0})]
    limits = [(6.0, 130.0), (7.0, 100.0), (8.0, 110.0), (10.0, 120.0)]
    sent = []
    for now, ccl in limits:
        published.show(snapshot(temperature=26.0, charge_current_limit=_limit(ccl), time=now))
        sent += [items.get("/Info/MaxChargeCurrent") for kind, items in log.take() if kind == "items"]
    assert [value for value in sent if value is not None] == [100.0, 120.0]  # a fall at once, a rise with the slow ones


def _limit(value: float) -> Any:
    return virtual_battery().charge_current_limit.__class__(value)


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
    assert "/ErrorCode" not in first  # the alarm tells it, one notification is enough
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
    assert bench.ask(client, NAME, "/CustomName", "SetValue", "v", "x" * 65) == 2
    published.close()
    again = publisher(bench)
    again.show(snapshot(time=0.0))
    assert bench.ask(client, NAME, "/CustomName", "GetValue") == "Cellar"
    assert bench.ask(client, NAME, "/CustomName", "SetValue", "v", "") == 0
    assert bench.ask(client, NAME, "/CustomName", "GetValue") == ""
    assert bench.ask(client, SETTINGS, DEVICE + "CustomName", "SetValue", "v", "Attic") == 0
    bench.until(lambda: bench.ask(client, NAME, "/CustomName", "GetValue") == "Attic")


@pytest.mark.parametrize(
    ("path", "value", "answer", "command"),
    [
        ("/Settings/MaxChargeCurrent", 80, 0, SetControl("charge_current", 80.0)),
        ("/Settings/MaxChargeCurrent", 12.5, 0, SetControl("charge_current", 12.5)),
        ("/Settings/MaxDischargeCurrent", 0, 0, SetControl("discharge_current", 0.0)),
        ("/Settings/MaxChargeVoltage", 54.4, 0, SetControl("charge_voltage", 54.4)),
        ("/Settings/MaxChargeVoltage", 3.0, 2, None),
        ("/Settings/MaxChargeCurrent", -2, 2, None),
        ("/Settings/MaxChargeCurrent", float("nan"), 2, None),
        ("/Settings/MaxChargeCurrent", "much", 2, None),
        ("/Settings/MaxChargeCurrent", dbus.Array([], signature="i"), 2, None),
        ("/Io/ForceChargingOff", 1, 0, SetControl("charge_off", True)),
        ("/Settings/ForceChargingOff", 1, 0, SetControl("charge_off", True)),
        ("/Io/ForceChargingOff", True, 0, SetControl("charge_off", True)),
        ("/Io/ForceDischargingOff", 1.0, 0, SetControl("discharge_off", True)),
        ("/Io/ForceChargingOff", 2, 2, None),
        ("/Settings/MaxChargeCurrent", True, 2, None),
        ("/Soc", 50, 1, None),
        ("/Settings/ResetSoc", 50, 1, None),  # no counter runs
    ],
)
def test_writes_are_judged(bench: Any, path: str, value: object, answer: int, command: Command | None) -> None:
    sent: list[Command] = []
    output = publisher(bench, send=sent.append)
    output.show(snapshot())
    client = bench.connect()
    assert bench.ask(client, NAME, path, "SetValue", "v", value) == answer
    assert sent == ([command] if command else [])
    if command:
        assert bench.ask(client, NAME, path, "GetValue") == pytest.approx(float(value))  # type: ignore[arg-type]


def applied(sent: list[Command]) -> Controls:
    """The controls after the commands."""
    changes = {command.field: command.value for command in sent if isinstance(command, SetControl)}
    return Controls(**changes)  # type: ignore[arg-type]


def test_a_write_reads_back_at_once_and_the_next_snapshot_confirms_it(bench: Any) -> None:
    log = Log(bench)
    sent: list[Command] = []
    output = publisher(bench, send=sent.append)
    output.show(snapshot())
    log.take()
    assert bench.ask(log.connection, NAME, "/Settings/ForceChargingOff", "SetValue", "v", 1) == 0
    assert log.take() == [("items", {"/Io/ForceChargingOff": 1, "/Settings/ForceChargingOff": 1})]
    output.show(snapshot(controls=applied(sent), time=1.0))
    assert bench.ask(log.connection, NAME, "/Io/ForceChargingOff", "GetValue") == 1


def test_a_value_that_holds_already_costs_nothing(bench: Any) -> None:
    bench.start("settings")
    bench.start("system")
    log = Log(bench)
    sent: list[Command] = []
    output = publisher(bench, send=sent.append)
    output.show(snapshot())
    for _ in range(5):
        assert bench.ask(log.connection, NAME, "/Settings/MaxChargeCurrent", "SetValue", "v", 55) == 0
    assert sent == [SetControl("charge_current", 55.0)]
    assert [items for kind, items in log.take() if kind == "items" and "/Settings/MaxChargeCurrent" in items] == [
        {"/Settings/MaxChargeCurrent": 55.0}
    ]


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


def test_actions_are_commands(bench: Any) -> None:
    sent: list[Command] = []
    publisher(bench, send=sent.append, offers=Offers(reset_soc=True)).show(snapshot())
    client = bench.connect()
    answers = [
        bench.ask(client, NAME, path, "SetValue", "v", value)
        for path, value in (
            ("/Settings/ResetSoc", 80),
            ("/Settings/ResetSocTo", 70),
            ("/Settings/ResetSoc", 101),
            ("/Settings/ResetSoc", True),
            ("/History/Clear", 1),
            ("/History/Clear", 1),
            ("/Settings/TopBalance", 1),
        )
    ]
    assert answers == [0, 0, 2, 2, 0, 0, 1]
    assert sent == [ResetSoc(80.0), ResetSoc(70.0), ClearHistory(), ClearHistory()]
    assert bench.ask(client, NAME, "/History/CanBeCleared", "GetValue") == 1


def test_a_thousand_writes_are_all_taken(bench: Any) -> None:
    sent: list[Command] = []
    publisher(bench, send=sent.append).show(snapshot())
    client = bench.connect()
    answers: list[Any] = []
    for amperes in range(1000):
        client.call_async(
            NAME, "/Settings/MaxChargeCurrent", "com.victronenergy.BusItem", "SetValue", "v", (amperes,),
            answers.append, answers.append,
        )  # fmt: skip
    bench.until(lambda: len(answers) == 1000, 10.0)
    assert set(answers) == {0}
    assert sent == [SetControl("charge_current", float(amperes)) for amperes in range(1000)]


def test_the_status_is_only_told_on_request(bench: Any) -> None:
    publisher(bench).show(snapshot(buses=(Statistics("roof", "/dev/ttyUSB0").snapshot(60.0, 115200),)))
    client = bench.connect()
    assert "/Debug/Status" not in bench.ask(client, NAME, "/", "GetItems")
    status = json.loads(bench.ask(client, NAME, "/Debug/Status", "GetValue"))
    assert [(bus["name"], bus["state"], bus["refused"]) for bus in status["buses"]] == [("roof", "opening", {})]


def test_limits_never_become_unknown(bench: Any) -> None:
    published = publisher(bench)
    published.show(snapshot(time=0.0))
    nan = _limit(float("nan"))
    unknown = virtual_battery(charge_voltage_limit=nan, charge_current_limit=nan, discharge_current_limit=nan)
    published.show(snapshot(unknown, 10.0))
    items = bench.ask(bench.connect(), NAME, "/Info", "GetValue")
    assert items["MaxChargeVoltage"] == 55.2
    assert items["MaxChargeCurrent"] == items["MaxDischargeCurrent"] == 0.0


def test_quantities_of_all_paths_have_a_known_type() -> None:
    assert {row.unit.kind for row in all_paths().values()} == set(SIGNATURES)
    assert all(row.unit in Unit for row in all_paths().values())
