"""The drawings of the GX's pages, from what the tables put on the D-Bus."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as Xml

import pytest

pytest.importorskip("dbus.bus", reason="the D-Bus edge is an extra: pip install packbank[venus]")

from draw_gx import Items, Row, battery_info, drawing, overview

from packbank.model.battery import Incident
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.outputs.venus.battery_info import BatteryInfo
from packbank.outputs.venus.changes import ModulePages
from packbank.outputs.venus.item import item_of
from packbank.outputs.venus.paths import BANK_PATHS
from virtual_battery import pack_view, snapshot


def shown() -> Items:
    """Everything of a bank of two, of which the second is in alarm."""
    packs = (pack_view("one"), pack_view("two", alarms={Alarm.LOW_SOC: 1}))
    bank = snapshot(packs=packs, alarms={Alarm.LOW_SOC: 1}, incidents=(Incident(Alarm.BMS_CABLE, 1_700_000_000.0),))
    rows = bank.rows.copy()
    rows[0, CELL_VOLTAGES][:4], rows[0, Column.VOLTAGE], rows[0, Column.BALANCING] = 3.3, 13.2, 0.0
    bank = replace(bank, rows=rows)
    items = {row.path: item_of(row, bank) for row in BANK_PATHS}
    items |= BatteryInfo().select(bank) | ModulePages().select(bank.battery)
    return {path: (one.value, one.text) for path, one in items.items()}


def test_the_pages_show_what_is_on_the_bus() -> None:
    info, rest = dict(battery_info(shown())), dict(overview(shown()))
    assert (info["Battery"], info["Status"], info["Voltage"]) == ("Battery #1 [one]", "Balanced", "13.20V")
    assert [info[f"Cell #{number}"] for number in range(1, 5)] == ["3.300V"] * 4
    assert "Firmware version" not in info  # it is not known, so the screen has no line for it
    assert (rest["Batteries"], rest["Module 0"], rest["Redetect Battery"]) == ("2", "two", "Press to redetect")
    assert rest["Last error"].startswith("#32 BMS cable   2023-11-14")


def test_a_drawing_is_well_formed() -> None:
    page = Xml.fromstring(
        drawing("<page>", [Row("Head"), Row("A & B", "<1>"), Row("Cell #1", "3.3"), Row("Cell #2", "3.4")])
    )
    texts = [text.text for text in page.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["<page>", "Head", "A & B", "<1>", "Cell #1", "3.3", "Cell #2", "3.4"]
