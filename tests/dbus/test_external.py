from __future__ import annotations

import math
from typing import Any

import pytest

from packbank.config.outputs import SYSTEM
from packbank.errors import ConfigError
from packbank.model.catalogue import Value
from packbank.model.controls import External
from packbank.outputs.venus.external import ACTIVE_BATTERY, ExternalSource
from packbank.outputs.venus.item import Item
from packbank.outputs.venus.items import Items

OWN = "com.victronenergy.battery.packbank"
SHUNT = "com.victronenergy.battery.ttyUSB1"


class Service:
    """Another service on the bus, with values that a test may change."""

    def __init__(self, bench: Any, name: str, values: dict[str, Value]) -> None:
        self.bus = bench.bus()
        self.items = Items(self.bus)
        self.items.store({path: Item(value, str(value)) for path, value in values.items()})
        assert self.bus.own(name)

    def set(self, path: str, value: Value) -> None:
        self.items.announce({path: Item(value, str(value))})


def source(bench: Any, current_from: str = SHUNT, soc_from: str = SHUNT) -> ExternalSource:
    return ExternalSource(bench.bus(), current_from, soc_from, OWN)


def test_values_are_read_at_once_and_follow_the_signals(bench: Any) -> None:
    shunt = Service(bench, SHUNT, {"/Dc/0/Current": -12.5, "/Soc": 81.0})
    read = source(bench)
    bench.until(lambda: read.read(10) == External(current=-12.5, soc=81.0))
    shunt.set("/Dc/0/Current", 7.0)
    bench.until(lambda: read.read(10).current == 7.0)
    shunt.bus.signal("/Soc", "PropertiesChanged", "a{sv}", {"Value": 82.0, "Text": "82%"})  # an older driver
    bench.until(lambda: read.read(10).soc == 82.0)


def test_a_source_that_comes_late_leaves_and_returns(bench: Any) -> None:
    read = source(bench, soc_from="")
    bench.settle()
    assert math.isnan(read.read(10).current)
    shunt = Service(bench, SHUNT, {"/Dc/0/Current": 3.0, "/Soc": 50.0})
    bench.until(lambda: read.read(10).current == 3.0)
    assert math.isnan(read.read(10).soc)  # not asked for
    shunt.bus.close()
    bench.until(lambda: math.isnan(read.read(10).current))
    Service(bench, SHUNT, {"/Dc/0/Current": 4.0})
    bench.until(lambda: read.read(10).current == 4.0)


def test_a_value_that_becomes_invalid_is_none_of_ours(bench: Any) -> None:
    shunt = Service(bench, SHUNT, {"/Dc/0/Current": 3.0, "/Soc": 50.0})
    read = source(bench)
    bench.until(lambda: read.read(10).soc == 50.0)
    shunt.set("/Soc", None)
    bench.until(lambda: math.isnan(read.read(10).soc))
    assert read.read(10).current == 3.0


def test_systemcalc_is_a_source_only_while_it_follows_another_battery(bench: Any) -> None:
    values: dict[str, Value] = {"/Dc/Battery/Current": 9.0, "/Dc/Battery/Soc": 60.0}
    system = Service(bench, SYSTEM, values | {ACTIVE_BATTERY: "com.victronenergy.battery/10"})
    read = source(bench, SYSTEM, SYSTEM)
    bench.until(lambda: read.read(3) == External(current=9.0, soc=60.0))
    assert math.isnan(read.read(10).current)
    system.set(ACTIVE_BATTERY, "com.victronenergy.battery/2")
    bench.until(lambda: read.read(10).current == 9.0)


@pytest.mark.parametrize("name", [OWN, "com.victronenergy.vebus.ttyO1", "SmartShunt"])
def test_names_that_cannot_be_a_source_are_refused(bench: Any, name: str) -> None:
    with pytest.raises(ConfigError, match=f"CURRENT_FROM = {name}"):
        source(bench, current_from=name)


def test_no_source_is_no_value(bench: Any) -> None:
    read = source(bench, "", "")
    assert math.isnan(read.read(10).current)
    assert math.isnan(read.read(10).soc)


def test_running_loads_are_amperes_at_the_batterys_voltage(bench: Any) -> None:
    values: dict[str, Value] = {"/Dc/Battery/Voltage": 50.0, "/Ac/ConsumptionOnOutput/L1/Power": 2000.0}
    system = Service(bench, SYSTEM, values | {"/Dc/System/Power": 500.0})
    read = ExternalSource(bench.bus(), "", "", OWN, loads_from_system=True)
    bench.until(lambda: read.read(10).loads == 50.0)
    system.set("/Ac/ConsumptionOnOutput/L1/Power", 0.0)
    bench.until(lambda: read.read(10).loads == 10.0)
    system.set("/Dc/Battery/Voltage", None)
    bench.until(lambda: math.isnan(read.read(10).loads))


def test_loads_are_not_asked_for_without_the_key(bench: Any) -> None:
    Service(bench, SYSTEM, {"/Dc/Battery/Voltage": 50.0, "/Ac/ConsumptionOnOutput/L1/Power": 2000.0})
    read = source(bench, "", "")
    bench.settle()
    assert math.isnan(read.read(10).loads)
