from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from packbank.config.model import ServiceConfig
from packbank.model.battery import Presence
from packbank.model.bus_stats import BusState
from packbank.model.columns import Alarm
from packbank.model.snapshot import Snapshot
from packbank.outputs.venus.bank import BankOutput
from packbank.outputs.venus.item import Item
from packbank.outputs.venus.items import Items
from packbank.sources.serial.statistics import Statistics
from virtual_battery import pack_view, snapshot

SETTINGS = "com.victronenergy.settings"


class Page:
    """``packbank doctor`` as a user calls it; the test's own services answer meanwhile."""

    def __init__(self, bench: Any) -> None:
        command = [sys.executable, "-m", "packbank", "doctor"]
        environment = os.environ | {"DBUS_SESSION_BUS_ADDRESS": bench.address}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        bench.until(lambda: process.poll() is not None, 20.0)
        self.text, self.errors = process.communicate()
        self.code = process.returncode

    def wrong(self) -> list[str]:
        return [line.removeprefix("  WRONG ") for line in self.text.splitlines() if line.startswith("  WRONG")]


def publish(bench: Any, shown: Snapshot | None = None, **options: Any) -> BankOutput:
    output = BankOutput(ServiceConfig(), connection="RS485, 1 bus", bus=bench.bus(), send=lambda _: None, **options)
    output.show(shown or snapshot())
    return output


@pytest.fixture
def venus(bench: Any) -> Any:
    bench.start("settings")
    bench.start("system")
    return bench


def follow(bench: Any, dvcc: int = 1) -> None:
    """Wait until the system has seen the battery, and set the DVCC switch."""
    client = bench.connect()
    assert bench.ask(client, SETTINGS, "/Settings/Services/Bol", "SetValue", "v", dvcc) == 0
    bench.until(lambda: bench.ask(client, "com.victronenergy.system", "/ActiveBmsService", "GetValue"))


def test_all_is_right(venus: Any) -> None:
    done = Statistics("a", "p").snapshot(60.0, 115200)
    done = replace(done, state=BusState.POLLING, requests=9, answers=9, round_time=1.2)
    publish(venus, snapshot(buses=(done,)))
    follow(venus)
    page = Page(venus)
    assert (page.code, page.wrong(), page.errors) == (0, [], "")
    for line in ("DVCC is on", "follows the limits of packbank", "SoC and current from packbank", "bus a (p): polling"):
        assert line in page.text
    assert "2/2 packs" in page.text


def test_dvcc_off(venus: Any) -> None:
    publish(venus)
    follow(venus, dvcc=0)
    page = Page(venus)
    assert page.code == 1
    assert page.wrong() == ["DVCC is off: the limits of the battery reach nobody"]


def test_lost_packs_and_alarms_are_named(venus: Any) -> None:
    packs = (pack_view("pack 1", alarms={Alarm.CELL_IMBALANCE: 2}), pack_view("pack 2", presence=Presence.LOST))
    alarms = {Alarm.CELL_IMBALANCE: 2, Alarm.BMS_CABLE: 1}
    publish(venus, snapshot(packs=packs, alarms=alarms, online=1, offline=1))
    follow(venus)
    page = Page(venus)
    assert len(page.wrong()) == 2
    assert page.wrong()[0].startswith("1/2 packs, pack 2 lost")
    assert page.wrong()[1].startswith("alarm CellImbalance")
    assert "-> look at pack 1\n" in page.text


def test_a_pack_of_unknown_limits_is_named_with_the_key(venus: Any) -> None:
    publish(venus, snapshot(packs=(pack_view("pack 1"), pack_view("pack 2", charge_estimated=True))))
    follow(venus)
    page = Page(venus)
    assert page.wrong() == ["pack 2: its charge current limit is not known and taken from other packs"]
    assert "-> set MAX_BATTERY_CHARGE_CURRENT for it" in page.text


def test_another_bms_that_the_system_follows(venus: Any) -> None:
    other = venus.bus()
    items = Items(other)
    values = {"/DeviceInstance": 1, "/Info/MaxChargeVoltage": 56.0}
    items.store({path: Item(value, str(value)) for path, value in values.items()})
    assert other.own("com.victronenergy.battery.ttyUSB0")
    publish(venus)
    follow(venus)
    page = Page(venus)
    assert page.wrong() == ["systemcalc follows the limits of com.victronenergy.battery.ttyUSB0"]
    assert "com.victronenergy.battery.ttyUSB0 also has a charge voltage" in page.text


def test_a_second_battery_with_our_number(venus: Any) -> None:
    other = venus.bus()
    Items(other).store({"/DeviceInstance": Item(10, "10")})
    assert other.own("com.victronenergy.battery.ttyUSB0")
    publish(venus)
    follow(venus)
    assert Page(venus).wrong() == [
        "com.victronenergy.battery.ttyUSB0 has our device instance 10: systemcalc mixes the two up"
    ]


def test_packbank_does_not_run(venus: Any) -> None:
    page = Page(venus)
    assert page.code == 1
    assert page.wrong()[0].startswith("DVCC is off")  # as it is on a new GX
    assert "packbank does not run" in page.wrong()[1]


def test_a_machine_that_is_no_venus_os(bench: Any) -> None:
    publish(bench)
    page = Page(bench)
    assert page.code == 0
    assert "this is no Venus OS" in page.text


def test_a_system_that_never_started(bench: Any) -> None:
    bench.start("settings")
    publish(bench, patience=0.0)
    wrong = Page(bench).wrong()
    assert any(line.startswith("com.victronenergy.system is not on the D-Bus") for line in wrong)
