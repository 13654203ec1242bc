"""Real frames of Daly, EG4 LifePower and JKBMS, where ../shared/vectors is there.

``computed`` is what the bytes are by the protocols' tables, ``decoded`` what the frame's source says of it.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import pytest

from other_bms import blank
from packbank.bms.daly import Daly
from packbank.bms.daly_frames import MOST_FRAMES, DalyExchange
from packbank.bms.eg4 import Eg4
from packbank.bms.jkbms import JkBms
from packbank.bms.protocol import Description, Exchange, Protocol
from packbank.model.columns import Column
from packbank.model.identity import Identity
from shared import SHARED, needs_shared

VECTORS = SHARED / "vectors" / "other_bms.jsonl"
pytestmark = needs_shared

# Frames whose checksum is marked wrong, yet which a good reader reads.
READ_ALL_THE_SAME = {"daly-052": "two bytes of noise stand before a sound frame: the noise is passed over"}
# Where we do not follow what a source says, and why.
DISPUTED = {
    "daly-020": "58 cycles stand in bytes 6-7; V1.0 and every other capture have the cycles in bytes 5-6",
    "daly-063": "11.3 A without its direction; above 30000 the battery discharges in every capture that reports it",
    "daly-035": "raw 0 is a missing sensor, not -40 degC, as the source's own faulty wiring shows",
    "jk-008": "decoded as it says; a poller takes 0 % and 0 cycles without an alarm for a BMS that has just started",
}

DECODED: dict[str, dict[str, object]] = {  # what the sources say, in our words
    "daly-002": {"cell_count": 3},
    "daly-004": {"voltage": 11.4, "current": 0.0},
    "daly-012": {"address": 2},
    "daly-013": {"address": 1},
    "daly-016": {"voltage": 53.0, "current": 0.0, "soc": 51.2},
    "daly-017": {"cell_delta": 0.004},
    "daly-018": {"temperatures": {"t1": 16.0, "t2": 16.0}},
    "daly-019": {"remaining_capacity": 40.96},
    "daly-020": {"cell_count": 14, "cycles": 0},
    "daly-021": {"balancing": 0},
    "daly-022": {"alarms": [], "alarm_bits": 0},
    "daly-024": {"temperatures": {"t1": 16.0, "t2": 16.0}},
    "daly-027": {"charge_mosfet": 1, "discharge_mosfet": 1, "remaining_capacity": 0.0},
    "daly-028": {"cell_count": 16},
    "daly-030": {"alarms": ["SoC low, level 2"]},
    "daly-034": {"cell_count": 7, "voltage": 28.2, "soc": 30.3},
    "daly-035": {"cell_count": 12, "charge_mosfet": 0, "discharge_mosfet": 0},
    "daly-036": {"voltage": 24.8},
    "daly-039": {"charge_mosfet": 1, "discharge_mosfet": 0},
    "daly-042": {"balancing": 2},
    "daly-043": {"alarms": ["switched off from outside"]},
    "daly-045": {"voltage": 52.8},
    "daly-050": {"alarms": ["charge over-current, level 1", "SoC high, level 1", "cell difference, level 1"]},
    "daly-052": {"cell_count": 14},
    "daly-056": {"hardware": "DL-BMS-R32-01E"},
    "daly-063": {"voltage": 76.4, "current": -11.3},
    "daly-064": {"voltage": 57.0, "current": 0.0, "soc": 49.3},
    "eg4-002": {"cell_count": 16, "current": 0.0, "soc": 88.6, "full_capacity": 100.0, "voltage": 53.05},
    "eg4-006": {"cell_count": 15, "charge_mosfet": 0, "discharge_mosfet": 1},
    "eg4-007": {"alarms": ["cell low"]},
    "eg4-008": {"cycles": 133, "full_capacity": 180.0, "alarms": ["over-voltage", "cell high"], "charge_mosfet": 0},
    "eg4-012": {"software": "QT-YS00-16SV100A-V3.40"},
    "eg4-014": {"software": "TP-BD16S48V150-V3.1.29"},
    "jk-004": {"model": "JK-B2A24S15P", "software": "10.XW_S10.07"},
    "jk-009": {"voltage": 55.78, "current": 4.53, "soc": 100, "software": "11.XW_S11.261"},
    "jk-025": {"model": "JK_B1A24S15P", "software": "11.XW_S11.262H"},
    "jk-027": {"soc": 0, "alarms": ["pack under-voltage"], "discharge_mosfet": 0},
    "jk-028": {"alarms": ["battery cold"], "charge_mosfet": 0},
    "jk-029": {"model": "JK_B2A20S20P", "voltage": 52.28, "current": 0.0},
    "jk-033": {"model": "JK_B1A8S20P", "software": "11.XA_S11.51", "cell_count": 7},
}  # fmt: skip

PROTOCOLS: dict[str, type[Protocol]] = {"daly": Daly, "eg4_lifepower": Eg4, "jkbms": JkBms}
OTHERS = {"ascii", "modbus"}
MOSFETS = (0x40, 0x80)  # EG4's tags


@cache
def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in VECTORS.read_text().splitlines()] if VECTORS.is_file() else []


def chosen(bms: str, **wanted: object) -> list[Any]:
    picked = [line for line in lines() if line["bms"] == bms and all(line.get(k) == v for k, v in wanted.items())]
    return [pytest.param(line, id=line["id"]) for line in picked]


def described(line: dict[str, Any]) -> Description:
    return PROTOCOLS[line["bms"]]().describe(bytes.fromhex(line["hex"]))


def is_request(line: dict[str, Any]) -> bool:
    return "request" in line["kind"] or line["kind"] == "echo"


def test_the_file_is_as_large_as_it_was() -> None:
    assert len(lines()) >= 154
    assert set(DECODED) | set(DISPUTED) | set(READ_ALL_THE_SAME) <= {line["id"] for line in lines()}


@pytest.mark.parametrize("line", chosen("daly", checksum_ok=True))
def test_daly_frames_say_what_their_bytes_are(line: dict[str, Any]) -> None:
    description, computed = described(line), line["computed"]
    values = description.values
    assert not description.error
    if is_request(line):
        assert (description.kind, values["host"]) == ("request", f"{computed['src']:#04x}")
        return
    assert description.address == computed["src"]
    expected: dict[str, object] = {}
    if "V" in computed:
        expected |= {"voltage": computed["V"], "current": -computed["I_raw_minus_30000"], "soc": computed["soc"]}
    if "cell_max_mV" in computed:
        expected |= {"cell_delta": (computed["cell_max_mV"] - computed["cell_min_mV"]) / 1000}
    if "chg_mos" in computed:
        expected |= {"charge_mosfet": computed["chg_mos"], "discharge_mosfet": computed["dsg_mos"]}
        expected |= {"remaining_capacity": computed["remaining_mAh"] / 1000}
    if "cells" in computed:
        expected |= {"cell_count": computed["cells"], "cycles": computed["b5_6"]}
    if "balance_cells" in computed:
        expected |= {"balancing": 2 if computed["balance_cells"] else 0}
    if "alarm_bits" in computed:
        bits = [8 * int(byte) + int(bit) for byte, bit in (name.split(".") for name in computed["alarm_bits"])]
        expected |= {"alarm_bits": sum(1 << bit for bit in bits)}
    if "slots_mV" in computed:
        expected |= {"cell_voltages": [slot / 1000 for slot in computed["slots_mV"][: computed.get("cells", 32)]]}
    assert {key: values.get(key) for key in expected} == expected
    if "slots_degC" in computed:
        assert values.get("temperatures", {}) == temperatures(computed["slots_degC"][: computed.get("temps")])


def temperatures(slots: list[int]) -> dict[str, float]:
    """What four columns make of any number of slots, of which -40 and 215 degC are empty."""
    known = [None if slot in (-40, 215) else float(slot) for slot in slots]
    if len(known) > 4:
        rest = [value for value in known[2:] if value is not None]
        known = [*known[:2], min(rest, default=None), max(rest, default=None)]
    return {name: value for name, value in zip(("t1", "t2", "t4", "t5"), known, strict=False) if value is not None}


@pytest.mark.parametrize("line", chosen("eg4_lifepower", checksum_ok=True))
def test_eg4_frames_say_what_their_bytes_are(line: dict[str, Any]) -> None:
    description, computed = described(line), line.get("computed")
    values = description.values
    if line.get("checksum_kind") in OTHERS:
        assert description.error.split(":")[0] == line["checksum_kind"]
        return
    assert not description.error
    assert computed is not None
    assert description.address == computed["addr"]
    if is_request(line):
        assert description.kind == ("other" if computed["cmd"] == 0xDC else "request")
        assert values["command"] == f"{computed['cmd']:#04x}"
        return
    if "text" in computed:
        assert values == {"software": computed["text"]}
        return
    expected = {
        "cell_voltages": [cell / 1000 for cell in computed["cells_mV"]],
        "current": computed["I"],
        "soc": computed["soc"],
        "full_capacity": computed["cap_Ah"],
        "cycles": computed["cycles"],
        "voltage": computed["V"],
        "soh": computed["soh"],
    }
    assert {key: values[key] for key in expected} == expected
    tagged = [(int(tag, 16), float(value)) for tag, value in (text.split(":") for text in computed["temps"])]
    cells = dict(zip(("t1", "t2", "t4", "t5"), (value for tag, value in tagged if tag == 0), strict=False))
    mosfets = [("mos", value) for tag, value in tagged if tag in MOSFETS]
    assert values["temperatures"] == dict(mosfets) | cells
    off = int(computed["status_words"][1], 16)
    assert values["charge_mosfet"] == int(not off & 0x1000)
    assert values["discharge_mosfet"] == int(not off & 0x2000)


@pytest.mark.parametrize("line", chosen("jkbms", checksum_ok=True))
def test_jkbms_frames_say_what_their_bytes_are(line: dict[str, Any]) -> None:
    description, computed = described(line), line["computed"]
    values = description.values
    assert not description.error
    if is_request(line):
        assert description.kind == "request"
        return
    status = int(computed["status"], 16)
    expected = {
        "cell_voltages": [cell / 1000 for cell in computed["cells_mV"]],
        "voltage": computed["V"],
        "current": computed["I"],
        "soc": computed["soc"],
        "cycles": computed["cycles"],
        "cycle_capacity": computed["cycle_Ah"],
        "cell_count": computed["strings"],
        "alarm_bits": int(computed["alarm"], 16),
        "nominal_capacity": computed["capacity_Ah"],
        "runtime": 60 * computed["uptime_min"],
        "charge_mosfet": status & 1,
        "discharge_mosfet": status >> 1 & 1,
        "balancing": status >> 2 & 1,
        "software": computed["version"].rstrip("_"),
        "manufactured": f"20{computed['date'][:2]}-{computed['date'][2:]}",
    }
    assert {key: values[key] for key in expected} == expected
    raw = (computed["t_mos_raw"], computed["t1_raw"], computed["t2_raw"])
    assert values["temperatures"] == dict(zip(("mos", "t1", "t2"), map(float, raw), strict=True))


@pytest.mark.parametrize("name", sorted(DECODED))
def test_frames_say_what_their_sources_say(name: str) -> None:
    line = next(line for line in lines() if line["id"] == name)
    description = described(line)
    reported = dict(description.values) | {"address": description.address}
    assert {key: reported[key] for key in DECODED[name]} == DECODED[name]


@pytest.mark.parametrize("line", [p for bms in PROTOCOLS for p in chosen(bms, checksum_ok=False)])
def test_damaged_frames_are_refused(line: dict[str, Any]) -> None:
    if line["id"] in READ_ALL_THE_SAME:
        assert not described(line).error
        return
    assert described(line).error
    taken = [exchange for exchange in exchanges(line["bms"]) if accepted(line["bms"], exchange, line["hex"])]
    # Behind the damaged burst of this line stands a sound answer to 0x90.
    assert [exchange.request[2] for exchange in taken] == ([0x90] if line["id"] == "daly-058" else [])


@pytest.mark.parametrize("line", [p for bms in PROTOCOLS for p in chosen(bms, checksum_ok=True)])
def test_requests_and_strangers_are_nobodys_answer(line: dict[str, Any]) -> None:
    taken = [exchange for exchange in exchanges(line["bms"]) if accepted(line["bms"], exchange, line["hex"])]
    if is_request(line) or line.get("checksum_kind") in OTHERS:
        assert not taken
    elif described(line).kind != "other":
        assert taken, "somebody who asked for it must accept it"
        assert {exchange.address for exchange in taken} == {described(line).address}


def exchanges(bms: str) -> list[Exchange]:
    """Every question to the first two addresses; of Daly boards as they are when nothing is known of them."""
    made = []
    for protocol in (PROTOCOLS[bms](),):
        for address in islice(protocol.addresses, 2):
            for questions in protocol.questions.values():
                made += [protocol.exchange(question, address) for question in questions]
            if isinstance(protocol, Daly):
                made += [protocol.exchange(name, address) for name in ("cell extremes", "temperature extremes")]
    return made


def accepted(bms: str, exchange: Exchange, text: str) -> bool:
    """Whether the answer is taken, in chunks of seven bytes; a burst of a board with an unknown count may be short."""
    data = bytes.fromhex(text)
    if isinstance(exchange, DalyExchange) and exchange.needed == MOST_FRAMES:
        heads = [at for at in range(len(data) - 4) if data[at] == 0xA5 and data[at + 2 : at + 4] == b"\x95\x08"]
        exchange.needed = exchange.expected = max([data[at + 4] for at in heads], default=1)
    done = any(exchange.feed(data[at : at + 7]) for at in range(0, len(data), 7)) or exchange.feed(b"")
    if done:
        PROTOCOLS[bms]().decode(exchange.address, exchange.question, exchange.answer, blank(), Identity())
    return done


def test_a_bms_that_has_just_started_knows_no_state_of_charge() -> None:
    row, exchange = blank(), JkBms().exchange("all", 1)
    assert exchange.feed(bytes.fromhex(next(line["hex"] for line in lines() if line["id"] == "jk-008")))
    JkBms().decode(1, "all", exchange.answer, row, Identity())
    assert np.isnan(row[[Column.SOC, Column.CYCLES]]).all()
