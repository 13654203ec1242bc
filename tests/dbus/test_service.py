from __future__ import annotations

import math
import signal
from typing import Any

import pytest

from packbank.config.model import ServiceConfig
from packbank.errors import LinkError
from packbank.model.controls import Controls
from packbank.outputs.venus.battery import Publisher
from packbank.outputs.venus.bindings import dbus
from packbank.outputs.venus.controls import ACTIONS, WISHES, Actions
from packbank.outputs.venus.path import Path, Quantity
from packbank.outputs.venus.paths import BANK, IDENTITY, MODULE, MODULES
from virtual_battery import lost_battery, virtual_battery

NAME = "com.victronenergy.battery.packbank"
SETTINGS = "com.victronenergy.settings"
DEVICE = "/Settings/Devices/packbank/"
SIGNATURES = {float: dbus.Double, int: dbus.Int32, str: dbus.String}


def publisher(bench: Any, **options: Any) -> Publisher:
    options = {"connection": "RS485, 1 bus", "bus": bench.bus()} | options
    return Publisher(ServiceConfig(), **options)


def all_paths() -> dict[str, Path[Any]]:
    tables: tuple[Path[Any], ...] = (*IDENTITY, *BANK, *ACTIONS, *(wish.path for wish in WISHES))
    paths = {path.name: path for path in tables}
    for number in range(MODULES):
        paths |= {f"/Diagnostics/Module{number}{path.name}": path for path in MODULE}
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
    publisher(bench).publish(virtual_battery(), 0.0)
    items = bench.ask(bench.connect(), NAME, "/", "GetItems")
    paths = all_paths()
    assert {str(name) for name in items} == set(paths)
    for name, item in items.items():
        value, text = item["Value"], item["Text"]
        assert isinstance(text, dbus.String)
        if isinstance(value, dbus.Array):
            assert (str(value.signature), len(value), str(text)) == ("i", 0, "---"), name
        else:
            assert type(value) is SIGNATURES[paths[name].quantity.kind], name
            assert not isinstance(value, float) or math.isfinite(value), name
    assert items["/Soc"] == {"Value": 76.5, "Text": "76.5%"}
    assert items["/Info/MaxChargeCurrent"]["Value"] == 123.4  # a limit is rounded down
    assert items["/TimeToGo"]["Value"] == 124980
    assert isinstance(items["/History/LastDischarge"]["Value"], dbus.Array)


def test_a_path_keeps_its_type_whatever_the_battery_says(bench: Any) -> None:
    published = publisher(bench)
    client = bench.connect()
    for second, battery in enumerate((virtual_battery(), virtual_battery(voltage=53, soc=80, soh=float("inf")))):
        published.publish(battery, 10.0 * second)
        items = bench.ask(client, NAME, "/", "GetItems")
        assert type(items["/Dc/0/Voltage"]["Value"]) is dbus.Double
        assert type(items["/Soc"]["Value"]) is dbus.Double
    assert isinstance(items["/Soh"]["Value"], dbus.Array)


def test_leaves_inner_nodes_and_root_answer(bench: Any) -> None:
    publisher(bench).publish(virtual_battery(), 0.0)
    client = bench.connect()
    assert bench.ask(client, NAME, "/Dc/0/Voltage", "GetValue") == 53.12
    assert bench.ask(client, NAME, "/Dc/0/Voltage", "GetText") == "53.12V"
    assert bench.ask(client, NAME, "/History/LastDischarge", "GetText") == "---"
    assert bench.ask(client, NAME, "/Dc", "GetValue")["0/Current"] == -12.3
    assert bench.ask(client, NAME, "/Dc/0", "GetText")["Power"] == "-656W"
    assert set(bench.ask(client, NAME, "/", "GetValue")) == {name[1:] for name in all_paths()}
    for path, member in (("/Nothing", "GetValue"), ("/Dc/0/Voltage", "GetItems"), ("/Nothing", "SetValue")):
        with pytest.raises(dbus.exceptions.DBusException, match=r"/Nothing|GetItems"):
            bench.ask(client, NAME, path, member, *(("v", 1) if member == "SetValue" else ()))


def test_the_tree_can_be_browsed(bench: Any) -> None:
    publisher(bench).publish(virtual_battery(), 0.0)
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
    publisher(bench).publish(virtual_battery(), 0.0)
    bench.until(lambda: (NAME, "GetItems") in calls)
    wanted = [(SETTINGS, "AddSettings"), ("org.freedesktop.DBus", "RequestName"), (NAME, "appears"), (NAME, "GetItems")]
    assert [call for call in calls if call in wanted] == wanted
    bench.until(lambda: bench.ask(log.connection, "com.victronenergy.system", "/ActiveBmsService", "GetValue") == NAME)
    assert bench.ask(log.connection, "com.victronenergy.system", "/Dc/Battery/Soc", "GetValue") == 76.5


def test_one_signal_a_second_at_most_and_none_when_nothing_changed(bench: Any) -> None:
    log = Log(bench)
    published = publisher(bench)
    for second in range(20):
        published.publish(virtual_battery(voltage=53 + second % 2 / 1000), float(second))  # noise below the rounding
    assert log.take() == [("owner", True)]
    for second in range(20, 40):
        published.publish(virtual_battery(voltage=53 + second / 100, current=float(second)), float(second))
    events = log.take()
    assert [kind for kind, _ in events] == ["items"] * 20
    assert set(events[7][1]) <= {"/Dc/0/Voltage", "/Dc/0/Current"}


def test_rates(bench: Any) -> None:
    log = Log(bench)
    published = publisher(bench)
    published.publish(virtual_battery(), 0.0)
    log.take()
    rise, fall = virtual_battery(temperature=25.0), virtual_battery(temperature=26.0)
    published.publish(rise, 1.0)
    assert log.take() == []  # slow: not before five seconds
    published.publish(fall, 5.0)
    assert log.take() == [("items", {"/Dc/0/Temperature": 26.0})]
    limits = [(6.0, 130.0), (7.0, 100.0), (8.0, 110.0), (10.0, 120.0)]
    sent = []
    for now, ccl in limits:
        published.publish(virtual_battery(temperature=26.0, charge_current_limit=_limit(ccl)), now)
        sent += [items.get("/Info/MaxChargeCurrent") for kind, items in log.take() if kind == "items"]
    assert [value for value in sent if value is not None] == [100.0, 120.0]  # a fall at once, a rise with the slow ones


def _limit(value: float) -> Any:
    return virtual_battery().charge_current_limit.__class__(value)


def test_a_lost_bank_says_zero_then_leaves_and_returns_afresh(bench: Any) -> None:
    log = Log(bench)
    bench.start("settings")
    bench.start("system")
    published = publisher(bench, leave_after=3.0)
    published.publish(virtual_battery(), 0.0)
    log.take()
    for now in (1.0, 2.0, 3.0):
        published.publish(lost_battery(), now)
    first = next(items for kind, items in log.take() if kind == "items" and "/Info/MaxChargeCurrent" in items)
    assert first["/Info/MaxChargeCurrent"] == first["/Info/MaxDischargeCurrent"] == 0.0
    assert "/Info/MaxChargeVoltage" not in first  # the last one stays: without it we would be no BMS
    assert first["/ErrorCode"] == 39
    published.publish(lost_battery(), 4.0)
    published.publish(lost_battery(), 5.0)
    assert ("owner", False) in log.take()

    def active() -> Any:
        return bench.ask(log.connection, "com.victronenergy.system", "/ActiveBmsService", "GetValue")

    bench.until(lambda: active() == [])
    published.publish(virtual_battery(soc=50.0), 9.0)
    assert ("owner", True) in log.take()
    bench.until(lambda: active() == NAME)
    items = bench.ask(log.connection, NAME, "/", "GetItems")
    assert (items["/Soc"]["Value"], items["/ErrorCode"]["Value"], items["/DeviceInstance"]["Value"]) == (50.0, 0, 10)


def test_nothing_is_on_the_bus_before_the_bank_is_ready(bench: Any) -> None:
    log = Log(bench)
    published = publisher(bench)
    published.publish(virtual_battery(ready=False), 0.0)
    published.publish(lost_battery(), 1.0)
    assert log.take() == []
    published.publish(virtual_battery(), 2.0)
    assert log.take() == [("owner", True)]


def test_it_waits_for_systemcalc_but_not_for_ever(bench: Any) -> None:
    log = Log(bench)
    bench.start("settings")
    log.take()
    published = publisher(bench, patience=60.0)
    for now in (0.0, 30.0, 59.0):
        published.publish(virtual_battery(), now)
    assert log.take() == []
    published.publish(virtual_battery(), 60.0)
    assert log.take() == [("owner", True)]


def test_a_machine_without_venus_does_not_wait(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packbank.outputs.venus.service.on_venus", lambda: False)
    published = publisher(bench)
    published.publish(virtual_battery(), 0.0)
    assert published.service.registered
    assert published.service.device_instance == 10


def test_venus_before_its_own_services_waits(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packbank.outputs.venus.service.on_venus", lambda: True)
    published = publisher(bench, patience=5.0)
    published.publish(virtual_battery(), 0.0)
    assert not published.service.registered
    bench.start("settings")
    bench.start("system")
    published.publish(virtual_battery(), 1.0)
    assert published.service.registered


def test_a_taken_name_says_by_whom(bench: Any) -> None:
    publisher(bench).publish(virtual_battery(), 0.0)
    with pytest.raises(LinkError, match=r"taken by process \d+.*stop it"):
        publisher(bench).publish(virtual_battery(), 0.0)


def test_the_instance_is_kept_and_unique(bench: Any) -> None:
    bench.start("settings")
    bench.start("system")
    shunt = bench.bus()
    row = {"path": "/Settings/Devices/shunt/ClassAndVrmInstance", "default": "battery:10"}
    shunt.call(SETTINGS, "/", "AddSettings", "aa{sv}", [row], interface="com.victronenergy.Settings")
    for _ in range(2):
        published = publisher(bench)
        published.publish(virtual_battery(), 0.0)
        assert bench.ask(bench.connect(), NAME, "/DeviceInstance", "GetValue") == 11
        published.close()


def test_an_instance_changed_by_the_user_leaves_and_comes_back(bench: Any) -> None:
    log = Log(bench)
    bench.start("settings")
    bench.start("system")
    published = publisher(bench)
    published.publish(virtual_battery(), 0.0)
    log.take()
    path = DEVICE + "ClassAndVrmInstance"
    assert bench.ask(log.connection, SETTINGS, path, "SetValue", "v", "battery:42") == 0
    bench.until(lambda: not published.service.registered)
    published.publish(virtual_battery(), 1.0)
    assert [event for event in log.take() if event[0] == "owner"] == [("owner", False), ("owner", True)]
    assert bench.ask(log.connection, NAME, "/DeviceInstance", "GetValue") == 42


def test_the_custom_name_is_written_and_kept(bench: Any) -> None:
    bench.start("settings")
    bench.start("system")
    client = bench.connect()
    published = publisher(bench)
    published.publish(virtual_battery(), 0.0)
    assert bench.ask(client, NAME, "/CustomName", "SetValue", "v", "Cellar") == 0
    assert bench.ask(client, NAME, "/CustomName", "SetValue", "v", "x" * 65) == 2
    published.close()
    again = publisher(bench)
    again.publish(virtual_battery(), 0.0)
    assert bench.ask(client, NAME, "/CustomName", "GetValue") == "Cellar"
    assert bench.ask(client, NAME, "/CustomName", "SetValue", "v", "") == 0
    assert bench.ask(client, NAME, "/CustomName", "GetValue") == ""
    assert bench.ask(client, SETTINGS, DEVICE + "CustomName", "SetValue", "v", "Attic") == 0
    bench.until(lambda: bench.ask(client, NAME, "/CustomName", "GetValue") == "Attic")


@pytest.mark.parametrize(
    ("path", "value", "answer", "controls"),
    [
        ("/Settings/MaxChargeCurrent", 80, 0, Controls(charge_current=80.0)),
        ("/Settings/MaxChargeCurrent", 12.5, 0, Controls(charge_current=12.5)),
        ("/Settings/MaxDischargeCurrent", 0, 0, Controls(discharge_current=0.0)),
        ("/Settings/MaxChargeVoltage", 54.4, 0, Controls(charge_voltage=54.4)),
        ("/Settings/MaxChargeVoltage", 3.0, 2, None),
        ("/Settings/MaxChargeCurrent", -2, 2, None),
        ("/Settings/MaxChargeCurrent", float("nan"), 2, None),
        ("/Settings/MaxChargeCurrent", "much", 2, None),
        ("/Settings/MaxChargeCurrent", dbus.Array([], signature="i"), 2, None),
        ("/Io/ForceChargingOff", 1, 0, Controls(charge_off=True)),
        ("/Io/ForceChargingOff", True, 0, Controls(charge_off=True)),
        ("/Io/ForceDischargingOff", 1.0, 0, Controls(discharge_off=True)),
        ("/Io/ForceChargingOff", 2, 2, None),
        ("/Soc", 50, 1, None),
        ("/Settings/ResetSoc", 50, 1, None),  # no counter runs
    ],
)
def test_writes_are_judged(bench: Any, path: str, value: object, answer: int, controls: Controls | None) -> None:
    heard: list[Controls] = []
    publisher(bench, on_controls=heard.append).publish(virtual_battery(), 0.0)
    client = bench.connect()
    assert bench.ask(client, NAME, path, "SetValue", "v", value) == answer
    assert heard == ([controls] if controls else [])
    if controls:
        assert bench.ask(client, NAME, path, "GetValue") == pytest.approx(float(value))  # type: ignore[arg-type]


def test_wishes_outlive_a_restart_in_localsettings(bench: Any) -> None:
    bench.start("settings")
    bench.start("system")
    client = bench.connect()
    published = publisher(bench)
    published.publish(virtual_battery(), 0.0)
    assert bench.ask(client, NAME, "/Settings/MaxChargeCurrent", "SetValue", "v", 55) == 0
    published.close()
    heard: list[Controls] = []
    publisher(bench, on_controls=heard.append).publish(virtual_battery(), 0.0)
    assert heard[-1] == Controls(charge_current=55.0)
    assert bench.ask(client, NAME, "/Settings/MaxChargeCurrent", "GetValue") == 55.0
    assert bench.ask(client, SETTINGS, DEVICE + "MaxChargeCurrent", "SetValue", "v", -1.0) == 0
    bench.until(lambda: heard[-1] == Controls())


def test_wishes_without_localsettings_are_the_daemons(bench: Any) -> None:
    publisher(bench, controls=Controls(charge_off=True)).publish(virtual_battery(), 0.0)
    assert bench.ask(bench.connect(), NAME, "/Io/ForceChargingOff", "GetValue") == 1


def test_wishes_without_localsettings_outlive_a_lost_bank(bench: Any) -> None:
    heard: list[Controls] = []
    published = publisher(bench, on_controls=heard.append, leave_after=0.0)
    published.publish(virtual_battery(), 0.0)
    client = bench.connect()
    assert bench.ask(client, NAME, "/Settings/MaxChargeCurrent", "SetValue", "v", 55) == 0
    assert bench.ask(client, NAME, "/CustomName", "SetValue", "v", "Cellar") == 0
    published.publish(lost_battery(), 1.0)
    assert not published.service.registered
    published.publish(virtual_battery(), 2.0)
    assert heard == [Controls(charge_current=55.0)]
    assert bench.ask(client, NAME, "/Settings/MaxChargeCurrent", "GetValue") == 55.0
    assert bench.ask(client, NAME, "/CustomName", "GetValue") == "Cellar"


def test_a_localsettings_that_comes_late_is_given_what_the_user_wished(bench: Any) -> None:
    heard: list[Controls] = []
    published = publisher(bench, on_controls=heard.append, leave_after=0.0)
    published.publish(virtual_battery(), 0.0)
    client = bench.connect()
    assert bench.ask(client, NAME, "/Settings/MaxChargeCurrent", "SetValue", "v", 55) == 0
    published.publish(lost_battery(), 1.0)
    bench.start("settings")
    bench.start("system")
    published.publish(virtual_battery(), 2.0)
    assert heard == [Controls(charge_current=55.0)]
    assert bench.ask(client, SETTINGS, DEVICE + "MaxChargeCurrent", "GetValue") == 55.0


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
    published.publish(virtual_battery(), 0.0)
    assert not published.service.registered
    settings.send_signal(signal.SIGCONT)
    published.publish(virtual_battery(), 1.0)
    assert published.service.device_instance == 42
    settings.send_signal(signal.SIGSTOP)
    published.service.leave("test")
    published.publish(virtual_battery(), 61.0)
    assert published.service.registered
    assert published.service.device_instance == 42
    assert "does not answer" in caplog.text


def test_things_done_once(bench: Any) -> None:
    done: list[tuple[str, float]] = []
    actions = Actions(
        reset_soc=lambda value: done.append(("soc", value)), clear_history=lambda value: done.append(("clear", value))
    )
    publisher(bench, actions=actions).publish(virtual_battery(), 0.0)
    client = bench.connect()
    answers = [
        bench.ask(client, NAME, path, "SetValue", "v", value)
        for path, value in (
            ("/Settings/ResetSoc", 80),
            ("/Settings/ResetSoc", 101),
            ("/History/Clear", 1),
            ("/History/Clear", 1),
            ("/Settings/TopBalance", 1),
        )
    ]
    assert answers == [0, 2, 0, 0, 1]
    assert done == [("soc", 80.0), ("clear", 1.0), ("clear", 1.0)]
    assert bench.ask(client, NAME, "/History/CanBeCleared", "GetValue") == 1


def test_a_thousand_writes_are_all_taken(bench: Any) -> None:
    heard: list[Controls] = []
    publisher(bench, on_controls=heard.append).publish(virtual_battery(), 0.0)
    client = bench.connect()
    answers: list[Any] = []
    for amperes in range(1000):
        client.call_async(
            NAME, "/Settings/MaxChargeCurrent", "com.victronenergy.BusItem", "SetValue", "v", (amperes,),
            answers.append, answers.append,
        )  # fmt: skip
    bench.until(lambda: len(answers) == 1000, 10.0)
    assert set(answers) == {0}
    assert [controls.charge_current for controls in heard] == [float(amperes) for amperes in range(1000)]


def test_the_status_is_only_told_on_request(bench: Any) -> None:
    asked: list[None] = []

    def status() -> str:
        asked.append(None)
        return "{}"

    publisher(bench, status=status).publish(virtual_battery(), 0.0)
    client = bench.connect()
    assert "/Debug/Status" not in bench.ask(client, NAME, "/", "GetItems")
    assert asked == []
    assert bench.ask(client, NAME, "/Debug/Status", "GetValue") == "{}"


def test_limits_never_become_unknown(bench: Any) -> None:
    published = publisher(bench)
    published.publish(virtual_battery(), 0.0)
    nan = _limit(float("nan"))
    unknown = virtual_battery(charge_voltage_limit=nan, charge_current_limit=nan, discharge_current_limit=nan)
    published.publish(unknown, 10.0)
    items = bench.ask(bench.connect(), NAME, "/Info", "GetValue")
    assert items["MaxChargeVoltage"] == 55.2
    assert items["MaxChargeCurrent"] == items["MaxDischargeCurrent"] == 0.0


def test_quantities_of_all_paths_have_a_known_type() -> None:
    assert {path.quantity.kind for path in all_paths().values()} == set(SIGNATURES)
    assert all(path.quantity in Quantity for path in all_paths().values())
