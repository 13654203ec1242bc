"""Real frames of JBD UP, JBD and Seplos V3 packs, where ../shared/vectors is there.

``computed`` is an independent decode of the bytes.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from packbank.bms import registry
from packbank.bms.protocol import Description
from shared import SHARED, needs_shared

VECTORS = SHARED / "vectors" / "more_bms.jsonl"
pytestmark = needs_shared

OWNERS = {"jbd_up": "jbd-up", "jbd": "jbd", "seplosv3": "seplos-v3"}  # who reads the frames of a make
# Sound frames that are refused all the same, and why.
DISPUTED = {"jbd_up-035": "made up: its cells add up to 52.90 V, not to the 51.54 V that it says"}
SENSORS = ("t1", "t2", "t4", "t5")


def of(make: str, sound: bool = True) -> list[Any]:
    lines = [json.loads(line) for line in VECTORS.read_text().splitlines()] if VECTORS.is_file() else []
    return [pytest.param(line, id=line["id"]) for line in lines if line["bms"] == make and line["checksum_ok"] is sound]


def described(line: dict[str, Any]) -> Description:
    return registry.protocol(OWNERS[line["bms"]]).describe(bytes.fromhex(line["hex"]))


UP = {
    "voltage": "voltage_V",
    "current": "current_A",
    "soc": "soc",
    "soh": "soh",
    "remaining_capacity": "remaining_Ah",
    "full_capacity": "full_Ah",
    "nominal_capacity": "rated_Ah",
    "cycles": "cycles",
    "charge_mosfet": "charge_mos",
    "discharge_mosfet": "discharge_mos",
    "charge_current_limit": "charge_A",
    "discharge_current_limit": "discharge_A",
    "model": "text",
}


@pytest.mark.parametrize("line", of("jbd_up"))
def test_jbd_up_frames_say_what_their_bytes_are(line: dict[str, Any]) -> None:
    description, computed = described(line), line["computed"]
    values: Any = description.values
    assert description.address == computed["address"]
    if line["id"] in DISPUTED:
        assert description.error
        return
    assert not description.error
    if line["kind"] == "individual":
        assert values["charge_current_limit"] == computed["charge_A"]
        assert values["discharge_current_limit"] == computed["discharge_A"]
        return
    if line["kind"] != "status":
        assert description.kind == ("other" if computed["length"] else "request")
        shown = {key: computed.get(key, "") for key in ("function", "start", "end", "data")}
        assert values == shown
        return
    assert {key: values[key] for key in UP} == {key: computed[name] for key, name in UP.items()}
    assert values["cell_voltages"] == [cell / 1000 for cell in computed["cells_mV"]]
    assert values["cell_average"] == computed["cell_avg_mV"] / 1000
    sensors = dict(zip(SENSORS, computed["temps_C"], strict=True))
    assert values["temperatures"] == {"mos": computed["mos_C"], **sensors}
    assert values["flow"] == {0: 0, 1: 1, 2: -1}[computed["operation"]]
    assert values["balancing"] == (2 if int(computed["balance"], 16) else 0)
    cells = len(computed["cells_mV"])
    assert values["cell_charge_request"] == pytest.approx(computed["charge_V"] / cells, abs=1e-6)
    raised = [int(computed[key], 16).bit_count() for key in ("fault", "alarm")]
    assert len(values["alarms"]) == sum(raised)
    major = int(computed["firmware"][:2], 16)
    assert values.get("software") == (f"{major}.{int(computed['firmware'][2:], 16)}" if major else None)


JBD = {
    "voltage": "voltage_V",
    "current": "current_A",
    "soc": "soc",
    "remaining_capacity": "remaining_Ah",
    "nominal_capacity": "nominal_Ah",
    "cycles": "cycles",
    "charge_mosfet": "charge_mos",
    "discharge_mosfet": "discharge_mos",
    "cell_count": "cells",
    "manufactured": "made",
}
NO_ALARM = {"software lock", "bit 15"}


@pytest.mark.parametrize("line", of("jbd"))
def test_jbd_frames_say_what_their_bytes_are(line: dict[str, Any]) -> None:
    description, computed = described(line), line["computed"]
    values: Any = description.values
    assert not description.error
    if line["kind"] == "basic":
        assert {key: values[key] for key in JBD} == {key: computed[name] for key, name in JBD.items()}
        assert values.get("temperatures", {}) == dict(zip(SENSORS, computed["temps_C"], strict=False))
        assert values["software"] == ".".join(computed["version"])
        assert len(values["alarms"]) == len(set(computed["protection"]) - NO_ALARM)
        assert values["balancing"] == (2 if int(computed["balance"], 16) else 0)
    elif line["kind"] == "cells":
        assert values == {"cell_voltages": [cell / 1000 for cell in computed["cells_mV"]]}
    elif line["kind"] == "model":
        assert values == {"model": computed["text"]}
    else:
        assert description.kind == {"request": "request", "write": "write"}.get(line["kind"], "other")
        assert values == {"register": computed["register"], "data": computed.get("data", "")}
        assert description.address == computed.get("address", 1)


PIA = {
    "voltage": "voltage_V",
    "current": "current_A",
    "soc": "soc",
    "soh": "soh",
    "remaining_capacity": "remaining_Ah",
    "full_capacity": "total_Ah",
    "cycles": "cycles",
    "charge_current_limit": "charge_A",
    "discharge_current_limit": "discharge_A",
}
BANK = PIA | {"nominal_capacity": "rated_Ah", "charge_voltage": "charge_V", "packs": "packs"}


@pytest.mark.parametrize("line", of("seplosv3"))
def test_seplos_v3_frames_say_what_their_bytes_are(line: dict[str, Any]) -> None:
    description, computed, kind = described(line), line["computed"], line["kind"]
    values: Any = description.values
    assert not description.error
    assert description.address == computed["address"]
    if kind in ("pia", "bank"):
        names = PIA if kind == "pia" else BANK
        assert {key: values[key] for key in names} == {key: computed[name] for key, name in names.items()}
    elif kind == "pib":
        assert values["cell_voltages"] == [cell / 1000 for cell in computed["cells_mV"]]
        sensors = dict(zip(SENSORS, computed["temps_C"], strict=True))
        assert values["temperatures"] == {"mos": computed["mos_C"], **sensors}
    elif kind == "pic":
        assert values["charge_mosfet"] == computed["charge_mos"]
        assert values["discharge_mosfet"] == computed["discharge_mos"]
        assert values["alarms"] == []
    elif kind == "exception":
        assert (description.kind, f"exception {computed['exception']}" in values["meaning"]) == ("refusal", True)
    elif kind == "settings":
        assert (description.kind, values) == ("settings", {"nominal_capacity": 330.0})
    elif kind == "request":
        assert (description.kind, values) == (kind, {key: computed[key] for key in ("function", "register", "count")})
    else:
        assert values == {"function": computed["function"], "data": computed["data"]}


@pytest.mark.parametrize("line", of("seplosv3", sound=False))
def test_damaged_frames_are_refused_with_a_reason(line: dict[str, Any]) -> None:
    assert described(line).error.startswith("sum16")


@pytest.mark.parametrize(("make", "least"), [("jbd_up", 34), ("jbd", 27), ("seplosv3", 18)])
def test_the_file_is_as_large_as_it_was(make: str, least: int) -> None:
    assert len(of(make)) >= least
