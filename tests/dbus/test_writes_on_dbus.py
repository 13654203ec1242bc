from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from on_dbus import NAME, Log, applied, publisher
from packbank.model.commands import ClearHistory, Command, Redetect, ResetSoc, SetControl
from packbank.outputs.venus.bindings import dbus
from packbank.outputs.venus.writes import Offers
from virtual_battery import snapshot


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
        ("/Redetect", 1, 0, Redetect()),
        ("/Redetect", 0, 2, None),
        ("/Redetect", True, 2, None),
        ("/Redetect", 2, 2, None),
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


def test_redetect_is_1_while_it_runs_then_0(bench: Any) -> None:
    """The GX offers the button while the value is 0."""
    log = Log(bench)
    output = publisher(bench)
    output.show(snapshot())
    log.take()
    assert bench.ask(log.connection, NAME, "/Redetect", "GetValue") == 0
    assert bench.ask(log.connection, NAME, "/Redetect", "SetValue", "v", 1) == 0
    assert log.take() == [("items", {"/Redetect": 1})]
    output.show(replace(snapshot(time=1.0), searching=True))
    output.show(replace(snapshot(time=2.0), searching=True))
    assert bench.ask(log.connection, NAME, "/Redetect", "GetValue") == 1
    output.show(snapshot(time=3.0))
    assert log.take()[-1] == ("items", {"/Redetect": 0})


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
