from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path as File
from typing import Any

import pytest

from packbank.model.battery import History, Incident, Limit, Presence
from packbank.model.catalogue import Quantity, Rate, Unit
from packbank.model.catalogue.alarms import ALARM_TITLES
from packbank.model.columns import Alarm
from packbank.model.controls import Controls
from packbank.model.identity import Identity
from packbank.outputs.venus.document import document
from packbank.outputs.venus.item import Item, item, item_of
from packbank.outputs.venus.paths import BANK_PATHS, IDENTITY, MODULE, MODULES, PACK_PATHS, Module, modules
from virtual_battery import lost_battery, pack_view, snapshot, virtual_battery

ROOT = File(__file__).parents[4]
BY_PATH = {row.path: row for row in BANK_PATHS}


def at(path: str, **changes: Any) -> Item:
    return item_of(BY_PATH[path], snapshot(**changes))


def test_the_page_is_current() -> None:
    written = (ROOT / "docs/dbus.md").read_text()
    assert written == document(), "run: python -m packbank.outputs.venus.document > docs/dbus.md"


def test_the_tables_need_no_dbus() -> None:
    program = "import sys; sys.modules['dbus'] = sys.modules['gi'] = None; import packbank.outputs.venus.document"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_dbus_the_error_names_the_extra() -> None:
    program = "import sys; sys.modules['dbus'] = None; import packbank.outputs.venus.bank"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert "ConfigError" in done.stderr
    assert "packbank[venus]" in done.stderr


@pytest.mark.parametrize("table", [IDENTITY, BANK_PATHS, MODULE, PACK_PATHS])
def test_no_path_stands_twice(table: tuple[Quantity[Any], ...]) -> None:
    names = [row.path for row in table]
    assert len(names) == len(set(names))


def test_no_pack_is_a_bms() -> None:
    assert not [row.path for row in PACK_PATHS if row.path.startswith("/Info/")]


def test_every_alarm_has_a_path_and_a_meaning() -> None:
    assert set(ALARM_TITLES) == set(Alarm)
    assert {f"/Alarms/{alarm.venus}" for alarm in Alarm} <= set(BY_PATH)


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        (Unit.VOLTS, 53.1249, Item(53.12, "53.12V")),
        (Unit.CELL_VOLTS, 3.29951, Item(3.3, "3.300V")),
        (Unit.WATTS, -655.6, Item(-656.0, "-656W")),
        (Unit.AMPERES, -0.04, Item(0.0, "0.0A")),
        (Unit.PERCENT, math.nan, Item(None, "---")),
        (Unit.CELSIUS, math.inf, Item(None, "---")),
        (Unit.NUMBER, True, Item(1, "1")),
        (Unit.NUMBER, None, Item(None, "---")),
        (Unit.MINUTES, 125_000.0, Item(124_980, "124980s")),
        (Unit.TEXT, "", Item("", "")),
    ],
)
def test_rounding_and_text(unit: Unit, value: Any, expected: Item) -> None:
    rounded = unit.rounded(value)
    assert item(unit, value) == expected
    assert math.copysign(1, rounded) > 0 if rounded == 0.0 else True


def test_limits_are_rounded_down() -> None:
    assert at("/Info/MaxChargeCurrent", charge_current_limit=Limit(99.99)).value == 99.9
    assert at("/Info/MaxChargeCurrent", charge_current_limit=Limit(0.3)).value == 0.3  # 0.3 * 10 is below 3
    assert at("/Info/MaxChargeVoltage", charge_voltage_limit=Limit(55.199999999)).value == 55.2


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_current_limit_that_makes_no_sense_is_zero(value: float) -> None:
    assert at("/Info/MaxChargeCurrent", charge_current_limit=Limit(value)).value == 0.0
    assert at("/Info/MaxDischargeCurrent", discharge_current_limit=Limit(value)).value == 0.0


def test_a_lost_bank_allows_nothing_whatever_the_limits_say() -> None:
    assert at("/Info/MaxChargeCurrent", online=0, charge_current_limit=Limit(80.0)).value == 0.0


@pytest.mark.parametrize("value", [0.0, math.nan, -5.0])
def test_the_charge_voltage_is_never_zero(value: float) -> None:
    assert at("/Info/MaxChargeVoltage", charge_voltage_limit=Limit(value)).value is None


def test_time_to_go_is_ten_days_at_most() -> None:
    assert at("/TimeToGo", time_to_go=9e9).value == 864000
    assert at("/TimeToGo", time_to_go=math.nan).value is None


def test_alarms_that_no_pack_can_report_are_invalid() -> None:
    assert at("/Alarms/LowSoc").value == 0
    assert at("/Alarms/Contactor").value is None
    assert at("/Alarms/Alarm", alarms={Alarm.LOW_SOC: 1, Alarm.BMS_CABLE: 2}).value == 1  # 0 or 1, never a level
    assert at("/Alarms/Alarm", alarms={Alarm.LOW_SOC: 0}).value == 0
    assert at("/Alarms/Alarm", alarms={}).value is None


@pytest.mark.parametrize(
    ("alarms", "level"),
    [
        ({}, None),
        ({Alarm.HIGH_CHARGE_CURRENT: 0}, 0),
        ({Alarm.HIGH_CHARGE_CURRENT: 0, Alarm.HIGH_DISCHARGE_CURRENT: 2}, 2),
        ({Alarm.HIGH_CHARGE_CURRENT: 1, Alarm.HIGH_DISCHARGE_CURRENT: 0}, 1),
    ],
)
def test_high_current_is_the_worse_direction(alarms: dict[Alarm, int], level: int | None) -> None:
    assert at("/Alarms/HighCurrent", alarms=alarms).value == level


def test_last_errors_have_victrons_numbers_and_their_time() -> None:
    incidents = (Incident(Alarm.BMS_CABLE, 1_700_000_100.4), Incident(Alarm.LOW_CELL_VOLTAGE, 1_700_000_000.0))
    values = [
        [at(f"/Diagnostics/LastErrors/{number}/{what}", incidents=incidents).value for what in ("Error", "Time")]
        for number in range(1, 5)
    ]
    assert values == [[32, 1_700_000_100], [14, 1_700_000_000], [None, None], [None, None]]
    assert at("/Diagnostics/LastErrors/1/Error").value is None  # so the GX shows no page


def test_the_serial_is_that_of_the_first_pack_that_reports_one() -> None:
    shown = snapshot()
    serials = [("", ""), ("", "JK2"), ("JK1", "JK2")]
    snapshots = [replace(shown, identities=tuple(Identity(serial=serial) for serial in pair)) for pair in serials]
    assert [item_of(BY_PATH["/Serial"], one).value for one in snapshots] == [None, "JK2 +1", "JK1 +1"]


def test_history_begins_unknown() -> None:
    values = {path: at(path, history=History()).value for path in BY_PATH if path.startswith("/History/")}
    assert len(values) >= 18
    assert set(values.values()) == {None}


def test_limits_and_alarms_do_not_wait() -> None:
    rates = {row.path: row.rate for row in BANK_PATHS}
    assert {rate for name, rate in rates.items() if name.startswith("/Alarms/")} == {Rate.CHANGE}
    assert {name for name, rate in rates.items() if rate is Rate.LIMIT} == {
        "/Info/MaxChargeVoltage",
        "/Info/MaxChargeCurrent",
        "/Info/MaxDischargeCurrent",
    }


def test_module_pages_show_the_worst_packs_first() -> None:
    packs = [pack_view(f"pack {n}", alarms={Alarm.LOW_SOC: 2 if n == 12 else 1}) for n in range(1, 15)]
    shown = modules(virtual_battery(packs=tuple(packs), alarms={Alarm.LOW_SOC: 2, Alarm.BMS_CABLE: 0}))
    assert [module.name for module in shown] == ["pack 12", *(f"pack {n}" for n in range(1, 10))]
    levels = {row.path: row.value(shown[0]) for row in MODULE}
    assert (levels["/Id"], levels["/Alarms/LowSoc"], levels["/Alarms/BmsCable"]) == ("pack 12", 2, 0)
    assert levels["/Alarms/Contactor"] is None


def test_a_lost_pack_has_a_page_that_says_so() -> None:
    lost = pack_view("pack 3", presence=Presence.LOST, alarms={Alarm.LOW_SOC: 2})
    battery = virtual_battery(packs=(pack_view("pack 1"), lost), alarms={Alarm.BMS_CABLE: 1})
    assert modules(battery)[0] == Module("pack 3", {Alarm.BMS_CABLE: 1}, frozenset({Alarm.BMS_CABLE}))
    assert modules(battery)[1:] == (Module(),) * (MODULES - 1)


def test_without_the_cable_alarm_a_lost_pack_has_no_page() -> None:
    packs = (pack_view("pack 1", alarms={Alarm.LOW_SOC: 1}), pack_view("pack 2", presence=Presence.LOST))
    shown = modules(virtual_battery(packs=packs, alarms={Alarm.LOW_SOC: 1}))
    assert [module.name for module in shown if module.name] == ["pack 1"]


def test_packs_are_not_looked_at_while_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_at(*_: object) -> None:
        raise AssertionError("looked at the packs")

    battery = virtual_battery()
    monkeypatch.setattr(type(battery.packs), "__getitem__", looked_at)
    assert modules(battery) == (Module(),) * MODULES


def test_a_lost_bank_is_an_error() -> None:
    lost = snapshot(lost_battery())
    assert (BY_PATH["/State"].value(lost), BY_PATH["/ErrorCode"].value(lost)) == (10, 0)
    assert BY_PATH["/Alarms/BmsCable"].value(lost) == 2


@pytest.mark.parametrize("name", ["ForceChargingOff", "ForceDischargingOff"])
def test_both_spellings_of_a_path_have_the_same_value(name: str) -> None:
    field = {"ForceChargingOff": "charge_off", "ForceDischargingOff": "discharge_off"}[name]
    shown = snapshot(controls=Controls(**{field: True}))
    assert BY_PATH[f"/Io/{name}"].value(shown) == BY_PATH[f"/Settings/{name}"].value(shown) == 1
