"""The pages of ``show`` and ``top``: what they say, in which widths, and of what is unknown or hostile."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from packbank.cli.pages.bank import bank_page
from packbank.cli.pages.pack import pack_page
from packbank.cli.pages.words import Line, Style, cut, duration, flowed, width_of
from packbank.model.battery import Limit, Presence
from packbank.model.catalogue import PACK, PACK_SETTINGS, Quantity, Rate, Unit
from packbank.outputs.json_lines import snapshot_dict
from served import BUS, bank, line
from virtual_battery import lost_battery, pack_view, packs_of, snapshot


def text(lines: list[Line]) -> str:
    return "\n".join(one.text for one in lines)


def test_the_bank_has_limits_with_reasons_alarms_buses_and_packs() -> None:
    page = bank_page(line(bank()), 100)
    assert text(page).splitlines()[:9] == [
        "2 of 3 packs · 53.12 V · -12.3 A · -656 W · 76.5 % · 428.6 of 560.0 Ah · empty in 1 d 10 h",
        "CVL 55.20 V: no reason known",
        "CCL 30.0 A: pack 2: cell voltage, cell 12 3.470 V, carries 50% of the current",
        "DCL 240.0 A: pack 1: BMS setting, carries 50% of the current",
        "charge stage: bulk",
        "WARNING LowSoc: the charge left is low (pack 2)",
        "ALARM BmsCable: a pack does not answer (pack 3)",
        "cells 3.301 V (P1C4) to 3.470 V (P2C12) · 20.0 °C (P1T1) to 23.5 °C (P2T2)",
        "roof: polling, round 1.070 s, 9890 answers, 10 missed, 10 retries, 4 refused",
    ]
    assert "  0x03: answers, but garbled; look at its cable" in text(page).splitlines()
    *_, head, first, second, third = text(page).splitlines()
    assert head.split()[:3] == ["#", "pack", "state"]
    assert first.startswith("1  pack 1  fresh ")
    assert " -16.8 " in second
    assert third.startswith("3  pack 3  lost ")


def test_what_is_wrong_stands_out() -> None:
    styles = {one.text.split()[0]: one.style for one in bank_page(line(bank()), 100) if one.text}
    assert styles["WARNING"] is Style.WARNING
    assert styles["ALARM"] is styles["3"] is Style.ALARM
    assert styles["1"] is Style.PLAIN


def test_a_bus_without_its_port_says_why() -> None:
    shown = replace(bank(), buses=(replace(BUS, error="/dev/ttyUSB0: no such port"),))
    (said,) = [one for one in bank_page(line(shown), 80) if one.text.startswith("roof")]
    assert said == Line("roof: /dev/ttyUSB0: no such port", Style.ALARM)


def test_no_alarm_and_no_settings_are_said() -> None:
    page = text(bank_page(line(bank(alarms={}, ready=False)), 100))
    assert "alarms: none" in page
    assert "not published: the settings of some packs are not read yet" in page


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_columns_of_the_table_fit_and_none_is_cut(width: int) -> None:
    page = text(bank_page(line(bank()), width)).splitlines()
    table = page[page.index("") + 1 :]
    assert max(map(width_of, table)) <= width
    assert all("-16.8" in row for row in table if row.startswith("2"))
    assert not any("…" in row for row in table)


def test_a_pack_has_everything() -> None:
    page = text(pack_page(line(bank()), 1, 80))
    for expected in (
        "pack 2 · pack 2 of 3 · roof/0x02 · fresh · heard 0.4 s ago",
        "53.12 V · -16.8 A · - · 70.0 % · - of - Ah",
        "CCL 30.0 A: cell voltage, cell 12 3.470 V · share 50.0% · blocks charge",
        "WARNING LowSoc: the charge left is low",
        "cells in V, and mV from mean 3.328 V; difference 0.176 V",
        " 1 3.294  -34 low",
        "12 3.470 +142 high",
        "sensor 1 21.5 °C · MOSFETs -",
        "settings, read 30.0 s ago",
        "3.650 V  cell over-voltage protection",
        "yes  charging switched on by the user",
        f"not reported by this pack: {len(PACK_SETTINGS) - 2} of {len(PACK_SETTINGS)}",
        "link: bus roof, counts since its start",
        "an hour: 5.0 retries, 5.0 missed, 2.0 refused",
        "refused of this pack: sum8 (12 instead of 34)",
    ):
        assert expected in page
    assert "length" not in page  # the refused answer of pack 3
    assert "garbled" not in page
    assert "0x03: answers, but garbled; look at its cable" in text(pack_page(line(bank()), 2, 80))


def test_who_a_pack_is() -> None:
    page = text(pack_page(line(bank()), 0, 80))
    assert "JK_PB2A16S20P  model that the BMS reports" in page
    assert "123  serial number" in page
    assert "firmware version" not in page  # not known


def test_a_pack_that_was_never_heard_is_a_page_too() -> None:
    silent = pack_view("pack 1", presence=Presence.LOST, age=float("nan"))
    battery = replace(lost_battery(), packs=packs_of([silent, silent]))
    page = text(pack_page(line(snapshot(battery)), 0, 80))
    assert "lost · never heard" in page
    assert "no values known" in page
    assert "alarms: not known" in page
    assert "cells: not known" in page
    assert "nan" not in page


def test_a_new_quantity_of_the_catalogue_appears_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    new: Quantity[Any] = Quantity("new_thing", "what was not there before", Unit.AMPERES, Rate.SLOW, lambda _: 1.0)
    monkeypatch.setattr("packbank.cli.pages.pack.PACK", (*PACK, new))
    report = line(bank())
    report["packs"][0]["new_thing"] = 1.5
    assert "1.5 A  what was not there before" in text(pack_page(report, 0, 80))


def test_an_unequal_bank_with_a_dead_cell_shows_its_place() -> None:
    rows = np.array(bank().rows)
    rows[0, 3] = np.nan
    page = text(pack_page(line(replace(bank(), rows=rows)), 0, 80))
    assert " 4 -" in page
    assert "16 3.316  +15 high" in page


def test_names_cannot_command_the_terminal() -> None:
    report = json.loads(json.dumps(snapshot_dict(bank())).replace("pack 2", "\\u001b[2Jpack\\u0007"))
    for pack in report["packs"]:
        pack["settings"] = None
    for page in (bank_page(report, 80), pack_page(report, 1, 80)):
        assert text(page).replace("\n", "").isprintable()
    assert "?[2Jpack?" in text(bank_page(report, 80))


def test_wide_names_keep_the_columns_in_line() -> None:
    report = line(bank())
    report["packs"][0]["name"] = "电池组一"
    report["packs"][1]["name"] = "the second pack from the left in the attic"
    table = text(bank_page(report, 100)).splitlines()[-4:]
    assert len({width_of(row) for row in table}) == 1
    assert "the second pack from th…" in table[2]


def test_limits_that_are_not_known() -> None:
    page = text(bank_page(line(bank(charge_voltage_limit=Limit(float("nan")))), 80))
    assert "CVL -: no reason known" in page


@pytest.mark.parametrize(
    ("seconds", "said"), [(150.0, "2 min"), (3600.0, "1 h 0 min"), (86_400.0, "1 d 0 h"), (100_000.0, "1 d 3 h")]
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_parts_flow_into_lines() -> None:
    assert flowed(["one", "two", "three"], 9, "  ") == ["one · two", "  three"]
    assert flowed(["longer than the line"], 5) == ["longer than the line"]
    assert flowed([], 5) == []


def test_cut_counts_columns() -> None:
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abcde…"
    assert cut("电池组一", 6) == "电池…"
