"""Real frames of the families with the ASCII envelope, where ../shared/vectors is there.

``computed`` is what the bytes are by an independent decoder. Frames with a wrong checksum are refused with a reason.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from packbank.bms import registry
from packbank.bms.protocol import Description
from shared import SHARED, needs_shared

VECTORS = SHARED / "vectors" / "more_bms.jsonl"
pytestmark = needs_shared

ASCII = {
    "pace": "pace",
    "boqiang": "pace",
    "pylontech": "pylontech",
    "pylon35": "pylontech",
    "seplos": "seplos",
    "daren": "daren",
}  # who reads the frames of a make
OWNERS = ASCII | {"jbd_up": "jbd-up", "jbd": "jbd", "seplosv3": "seplos-v3"}
OTHERS = {"eg4_lifepower": "eg4"}
# Sound frames that are refused all the same, or where we do not follow ``computed``, and why.
DISPUTED = {
    "boqiang-002": "every cell is 0 V: a BMS that measures nothing, or a number without a pack",
}
# A value where we do not follow ``computed``, what we say, and why.
CORRECTED = {
    "daren-013": ("soc", 100, "105.07 of 105.07 Ah are left: this pack reports 100 in whole percent, not 1.00"),
}
NO_SENSORS = (-59.9, -60.0)  # raw 0853, which stands where no sensor is


@cache
def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in VECTORS.read_text().splitlines()] if VECTORS.is_file() else []


def of(sound: bool) -> list[Any]:
    return [
        pytest.param(line, id=line["id"]) for line in lines() if line["bms"] in ASCII and line["checksum_ok"] is sound
    ]


def described(line: dict[str, Any]) -> Description:
    return registry.protocol(OWNERS[line["bms"]]).describe(bytes.fromhex(line["hex"]))


def battery(computed: dict[str, Any]) -> dict[str, object]:
    """What our words are for an independent decode of one pack's analog values."""
    expected: dict[str, object] = {
        "cell_voltages": [cell / 1000 for cell in computed["cells_mV"]],
        "voltage": computed["voltage_V"],
        "current": computed["current_A"],
        "remaining_capacity": computed["remaining_Ah"],
        "full_capacity": computed["full_Ah"],
        "cycles": computed["cycles"],
    }
    for key, ours in {"design_Ah": "nominal_capacity", "soc": "soc", "soh": "soh"}.items():
        if key in computed:
            expected[ours] = computed[key]
    return expected


# The temperatures in the order of the frame: PACE and Seplos have the cells first, Pylontech the board.
CELLS_FIRST = ("t1", "t2", "t4", "t5", "mos")
SEPLOS_ORDER = ("t1", "t2", "t4", "t5", "", "mos")  # the fifth is ambient
BOARD_FIRST = ("mos", "t1", "t2", "t4", "t5")


def sensors(computed: list[float], order: tuple[str, ...]) -> dict[str, float]:
    """What our columns are for them; of more cells than columns the coldest and the hottest count."""
    there = [celsius for celsius in computed if celsius not in NO_SENSORS]
    if order is BOARD_FIRST and len(there) > len(order):
        there = [*there[:3], min(there[3:]), max(there[3:])]
    return {name: celsius for name, celsius in zip(order, there, strict=False) if name}


@pytest.mark.parametrize("line", of(sound=True))
def test_sound_frames_say_what_their_bytes_are(line: dict[str, Any]) -> None:
    description, computed = described(line), line["computed"]
    if line["id"] in DISPUTED:
        assert description.error
        return
    assert not description.error
    values = description.values
    assert (description.address, values["version"]) == (computed["adr"], computed["ver"])
    if line["kind"] == "request":
        assert description.kind == "request"
        assert (values["code"], values["info"]) == (f"{computed['cid2']:02X}", computed.get("info", ""))
        return
    if packs := computed.get("packs", computed.get("modules")):
        shown: Any = values.get("packs", [values])
        assert len(shown) == len(packs)
        for reported, expected in zip(shown, packs, strict=True):
            if "cell_warn" in expected:
                check_states(reported, expected)
            else:
                check_battery(reported, expected, BOARD_FIRST if "modules" in computed else CELLS_FIRST)
        return
    if "text" in computed:
        assert computed["text"].replace("?", "") == readable(str(values["info"])).strip()
    if line["id"] in CORRECTED:
        key, ours, _ = CORRECTED[line["id"]]
        assert values[key] == ours != computed[key]
        computed = computed | {key: ours}
    check_others(dict(values), computed, description.kind)
    if "info" in computed:
        assert values["info"] == computed["info"]


def readable(info: str) -> str:
    return "".join(chr(byte) for byte in bytes.fromhex(info) if 32 <= byte < 127 and byte != ord("?"))


def check_battery(reported: dict[str, Any], expected: dict[str, Any], order: tuple[str, ...]) -> None:
    ours = battery(expected)
    assert {key: reported.get(key) for key in ours} == ours
    there = sensors(expected["temps_C"], order)
    assert {name: reported["temperatures"].get(name) for name in there} == there
    assert set(reported["temperatures"]) <= {*there, "mos"}


PARAMETERS = {
    "cell_high_V": "cell_ovp",
    "cell_under_V": "cell_uvp",
    "charge_hot": "charge_otp",
    "charge_cold": "charge_utp",
    "discharge_hot": "discharge_otp",
    "discharge_cold": "discharge_utp",
}


SUMMARY = {
    "voltage_V": "voltage",
    "current_A": "current",
    "soc": "soc",
    "cycles_avg": "cycles",
    "soh_avg": "soh",
    "cell_max_pack": "highest_cell_pack",
    "cell_min_pack": "lowest_cell_pack",
    "temp_max": "hottest",
    "temp_min": "coldest",
    "mos_avg": "mos",
    "remaining_Ah": "remaining_capacity",
    "full_Ah": "full_capacity",
    "port_V": "port_voltage",
    "group": "group",
}
SEPLOS = {"rated_Ah": "nominal_capacity", "soc": "soc", "soh": "soh"}


def check_others(reported: dict[str, Any], expected: dict[str, Any], kind: str) -> None:
    """What the families have beside the frames that all of them have."""
    if "charge_enable" in expected:
        assert reported["charge_current_limit"] == (expected["charge_A"] if expected["charge_enable"] else 0.0)
        assert reported["discharge_current_limit"] == -expected["discharge_A"] * expected["discharge_enable"]
    elif "cell_high_V" in expected:
        assert {key: reported[ours] for key, ours in PARAMETERS.items()} == {key: expected[key] for key in PARAMETERS}
    elif kind == "summary" and "cell_max_mV" in expected:
        there = {key: ours for key, ours in SUMMARY.items() if key in expected}
        assert {key: reported[ours] for key, ours in there.items()} == {key: expected[key] for key in there}
        assert (reported["highest_cell"], reported["lowest_cell"]) == (
            expected["cell_max_mV"] / 1000,
            expected["cell_min_mV"] / 1000,
        )
    elif kind == "summary" and "charge_V" in expected:
        assert (reported["charge_voltage"], reported["charge_current_limit"]) == (
            expected["charge_V"],
            expected["charge_A"],
        )
        assert reported["discharge_current_limit"] == expected["discharge_A"]
    elif "charge_mos" in expected:
        assert (reported["charge_mosfet"], reported["discharge_mosfet"]) == (
            expected["charge_mos"],
            expected["discharge_mos"],
        )
        assert reported["alarms"] == []
    elif "fet_status" in expected:
        check_battery(reported, expected, CELLS_FIRST[:4])
        assert (reported["soc"], reported["soh"]) == (expected["soc"], expected["soh"])
        assert reported["temperatures"]["mos"] == expected["mos_C"]
        both = expected["fet_bit0"] & expected["fet_bit1"]
        assert (reported["charge_mosfet"], reported["discharge_mosfet"]) == (both, both)
        flow = {0: 0, 1: 1, 2: -1}[int(expected["current_status"], 16) & 3]
        assert (reported["flow"], reported["alarms"]) == (flow, [])
    elif "design_Ah" in expected:
        there = {key: reported[ours] for key, ours in SUMMARY.items() if key in expected}
        assert there == {key: expected[key] for key in there}
        assert reported["nominal_capacity"] == expected["design_Ah"]
    elif "cells_mV" in expected:
        check_battery(reported, expected, SEPLOS_ORDER)
        assert {key: reported[ours] for key, ours in SEPLOS.items()} == {key: expected[key] for key in SEPLOS}
    elif "event1" in expected:
        on = expected["on"]
        assert (reported["charge_mosfet"], reported["discharge_mosfet"]) == (
            int("charge" in on),
            int("discharge" in on),
        )
        assert reported["balancing"] == (2 if int(expected["balance"], 16) else 0)
        assert len(reported["alarms"]) == sum(len(expected[f"event{number}"]) for number in range(1, 7))


def check_states(reported: dict[str, Any], expected: dict[str, Any]) -> None:
    on = expected["instructions"]
    assert reported["charge_mosfet"] == int("charge MOS on" in on)
    assert reported["discharge_mosfet"] == int("discharge MOS on" in on)
    assert reported["balancing"] == (2 if int(expected["balance"], 16) else 0)
    raised = [expected[key] for key in ("protect1", "protect2", "fault", "warn1", "warn2")]
    assert len(reported["alarms"]) == sum(map(len, raised))


@pytest.mark.parametrize("line", of(sound=False))
def test_damaged_frames_are_refused_with_a_reason(line: dict[str, Any]) -> None:
    assert described(line).error.split(":")[0] in ("check", "truncated", "unknown")


def test_the_file_is_as_large_as_it_was() -> None:
    assert len(lines()) >= 193
    assert set(DISPUTED) <= {line["id"] for line in lines()}
