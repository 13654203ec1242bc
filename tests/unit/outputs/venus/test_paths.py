from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path as File
from typing import Any

import pytest

from packbank.model.battery import Limit, Presence
from packbank.model.columns import Alarm
from packbank.outputs.venus.document import document
from packbank.outputs.venus.pack_paths import PACK
from packbank.outputs.venus.path import Item, Path, Quantity, Rate
from packbank.outputs.venus.paths import ALARM_MEANINGS, BANK, IDENTITY, MODULE, MODULES, Module, modules
from virtual_battery import lost_battery, pack_view, virtual_battery

ROOT = File(__file__).parents[4]
BY_NAME = {path.name: path for path in BANK}


def item(name: str, **changes: Any) -> Item:
    return BY_NAME[name].item(virtual_battery(**changes))


def test_the_page_is_current() -> None:
    written = (ROOT / "docs/dbus.md").read_text()
    assert written == document(), "run: python -m packbank.outputs.venus.document > docs/dbus.md"


def test_the_tables_need_no_dbus() -> None:
    program = "import sys; sys.modules['dbus'] = sys.modules['gi'] = None; import packbank.outputs.venus.document"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_dbus_the_error_names_the_extra() -> None:
    program = "import sys; sys.modules['dbus'] = None; import packbank.outputs.venus.battery"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert "ConfigError" in done.stderr
    assert "packbank[venus]" in done.stderr


@pytest.mark.parametrize("table", [IDENTITY, BANK, MODULE, PACK])
def test_no_path_stands_twice(table: tuple[Path[Any], ...]) -> None:
    names = [path.name for path in table]
    assert len(names) == len(set(names))


def test_no_pack_is_a_bms() -> None:
    assert not [path.name for path in PACK if path.name.startswith("/Info/")]


def test_every_alarm_has_a_path_and_a_meaning() -> None:
    assert set(ALARM_MEANINGS) == set(Alarm)
    assert {f"/Alarms/{alarm.venus}" for alarm in Alarm} <= set(BY_NAME)


@pytest.mark.parametrize(
    ("quantity", "value", "expected"),
    [
        (Quantity.VOLTS, 53.1249, Item(53.12, "53.12V")),
        (Quantity.CELL_VOLTS, 3.29951, Item(3.3, "3.300V")),
        (Quantity.WATTS, -655.6, Item(-656.0, "-656W")),
        (Quantity.AMPERES, -0.04, Item(0.0, "0.0A")),
        (Quantity.PERCENT, math.nan, Item(None, "---")),
        (Quantity.CELSIUS, math.inf, Item(None, "---")),
        (Quantity.NUMBER, True, Item(1, "1")),
        (Quantity.NUMBER, None, Item(None, "---")),
        (Quantity.SECONDS, 125_000.0, Item(124_980, "124980s")),
        (Quantity.TEXT, "", Item("", "")),
    ],
)
def test_rounding_and_text(quantity: Quantity, value: Any, expected: Item) -> None:
    rounded = quantity.rounded(value)
    assert Item(rounded, quantity.text(rounded)) == expected
    assert math.copysign(1, rounded) > 0 if rounded == 0.0 else True


def test_limits_are_rounded_down() -> None:
    assert item("/Info/MaxChargeCurrent", charge_current_limit=Limit(99.99)).value == 99.9
    assert item("/Info/MaxChargeCurrent", charge_current_limit=Limit(0.3)).value == 0.3  # 0.3 * 10 is below 3
    assert item("/Info/MaxChargeVoltage", charge_voltage_limit=Limit(55.199999999)).value == 55.2


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_current_limit_that_makes_no_sense_is_zero(value: float) -> None:
    assert item("/Info/MaxChargeCurrent", charge_current_limit=Limit(value)).value == 0.0
    assert item("/Info/MaxDischargeCurrent", discharge_current_limit=Limit(value)).value == 0.0


def test_a_lost_bank_allows_nothing_whatever_the_limits_say() -> None:
    battery = virtual_battery(online=0, charge_current_limit=Limit(80.0))
    assert BY_NAME["/Info/MaxChargeCurrent"].item(battery).value == 0.0


@pytest.mark.parametrize("value", [0.0, math.nan, -5.0])
def test_the_charge_voltage_is_never_zero(value: float) -> None:
    assert item("/Info/MaxChargeVoltage", charge_voltage_limit=Limit(value)).value is None


def test_time_to_go_is_ten_days_at_most() -> None:
    assert item("/TimeToGo", time_to_go=9e9).value == 864000
    assert item("/TimeToGo", time_to_go=math.nan).value is None


def test_alarms_that_no_pack_can_tell_are_invalid() -> None:
    assert item("/Alarms/LowSoc").value == 0
    assert item("/Alarms/Contactor").value is None
    assert item("/Alarms/Alarm", alarms={Alarm.LOW_SOC: 1, Alarm.BMS_CABLE: 2}).value == 2
    assert item("/Alarms/Alarm", alarms={}).value is None


def test_limits_and_alarms_do_not_wait() -> None:
    rates = {path.name: path.rate for path in BANK}
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
    levels = {path.name: path.item(shown[0]).value for path in MODULE}
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


def test_packs_are_not_looked_at_while_all_is_well() -> None:
    class Unseen(tuple[Any, ...]):
        __slots__ = ()

        def __iter__(self) -> Any:
            raise AssertionError("looked at the packs")

    assert modules(virtual_battery(packs=Unseen())) == (Module(),) * MODULES


def test_a_lost_bank_is_an_error() -> None:
    battery = lost_battery()
    assert (BY_NAME["/State"].item(battery).value, BY_NAME["/ErrorCode"].item(battery).value) == (10, 39)
    assert BY_NAME["/Alarms/BmsCable"].item(battery).value == 2
