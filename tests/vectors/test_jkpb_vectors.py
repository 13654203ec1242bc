"""Real JK PB frames and bus traffic, where ../shared/vectors is there."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from packbank.bms.jkpb import JkPb
from packbank.bms.jkpb_fields import ALARM_NAMES
from packbank.bms.jkpb_frames import fill, topic_of
from packbank.bms.protocol import Answer, Request, Row, Topic
from packbank.cext.framing import Scanner, request
from packbank.model.columns import CELL_RESISTANCES, CELL_VOLTAGES, COLUMNS, Column
from packbank.model.identity import Identity
from shared import SHARED, needs_shared

VECTORS = SHARED / "vectors"
pytestmark = needs_shared

STATUS_KEYS = {
    Column.VOLTAGE: ("V", 1), Column.CURRENT: ("I", 1), Column.TEMPERATURE_MOS: ("mos", 1),
    Column.TEMPERATURE_1: ("T1", 1), Column.TEMPERATURE_2: ("T2", 1), Column.TEMPERATURE_3: ("T3", 1),
    Column.TEMPERATURE_4: ("T4", 1), Column.TEMPERATURE_5: ("T5", 1), Column.SOC: ("soc", 1), Column.SOH: ("soh", 1),
    Column.REMAINING_CAPACITY: ("remain", 1), Column.FULL_CAPACITY: ("full", 1), Column.CYCLES: ("cycles", 1),
    Column.CYCLE_CAPACITY: ("cyc_cap", 1), Column.CHARGE_MOSFET: ("chg", 1), Column.DISCHARGE_MOSFET: ("dch", 1),
    Column.BALANCING: ("bal_state", 1), Column.BALANCE_CURRENT: ("bal_A", 1), Column.HEATING: ("heat", 1),
    Column.HEATER_CURRENT: ("heatA", 1), Column.RUNTIME: ("runtime", 1), Column.TICKS: ("ticks", 0.1),
    Column.CELL_AVERAGE: ("avg", 0.001), Column.CELL_DELTA: ("delta", 0.001),
}  # fmt: skip
SETTINGS_KEYS = {
    Column.CELL_COUNT: ("cells", 1), Column.CELL_UVP: ("cell_uvp", 0.001),
    Column.CELL_UVP_RECOVERY: ("cell_uvpr", 0.001),
    Column.CELL_OVP: ("cell_ovp", 0.001), Column.CELL_OVP_RECOVERY: ("cell_ovpr", 0.001),
    Column.BALANCE_TRIGGER: ("bal_trig", 0.001), Column.BALANCE_START: ("bal_start", 0.001),
    Column.CELL_FULL: ("soc100", 0.001), Column.CELL_EMPTY: ("soc0", 0.001), Column.CELL_CHARGE_REQUEST: ("rcv", 0.001),
    Column.CELL_FLOAT_REQUEST: ("rfv", 0.001), Column.CHARGE_CURRENT_LIMIT: ("chg_A", 0.001),
    Column.CHARGE_OCP_DELAY: ("chg_ocp_dly", 1), Column.CHARGE_OCP_RELEASE: ("chg_ocpr", 1),
    Column.DISCHARGE_CURRENT_LIMIT: ("dch_A", 0.001), Column.DISCHARGE_OCP_DELAY: ("dch_ocp_dly", 1),
    Column.DISCHARGE_OCP_RELEASE: ("dch_ocpr", 1), Column.SHORT_CIRCUIT_RELEASE: ("scpr", 1),
    Column.SHORT_CIRCUIT_DELAY: ("scp_dly", 1e-6), Column.BALANCE_CURRENT_LIMIT: ("bal_A", 0.001),
    Column.CHARGE_OTP: ("cotp", 0.1), Column.CHARGE_OTP_RECOVERY: ("cotpr", 0.1), Column.DISCHARGE_OTP: ("dotp", 0.1),
    Column.DISCHARGE_OTP_RECOVERY: ("dotpr", 0.1), Column.CHARGE_UTP: ("cutp", 0.1),
    Column.CHARGE_UTP_RECOVERY: ("cutpr", 0.1), Column.MOS_OTP: ("mosotp", 0.1),
    Column.MOS_OTP_RECOVERY: ("mosotpr", 0.1),
    Column.CHARGE_ENABLED: ("chg_en", 1), Column.DISCHARGE_ENABLED: ("dch_en", 1),
    Column.BALANCE_ENABLED: ("bal_en", 1),
    Column.NOMINAL_CAPACITY: ("cap", 0.001), Column.DEVICE_ADDRESS: ("addr", 1),
}  # fmt: skip


@cache
def lines(name: str) -> list[dict[str, Any]]:
    path = VECTORS / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def frames(*kinds: str) -> list[Any]:
    return [
        pytest.param(one, id=one["id"]) for one in lines("jkpb.jsonl") if one["kind"] in kinds and one["checksum_ok"]
    ]


def empty() -> Row:
    return np.full(COLUMNS, np.nan)


def accept(vector: dict[str, Any]) -> tuple[Row, Identity]:
    """Through the exchange where an acknowledgement is there and a pack may have its address, else by hand."""
    data, row = bytes.fromhex(vector["hex"]), empty()
    topic = topic_of(data)
    assert topic is not None
    assert topic.value == vector["kind"]
    if vector.get("ack_addr"):
        exchange = JkPb().exchange(topic.value, vector["ack_addr"])
        assert exchange.feed(data)
        assert exchange.rejected == []
        identity = JkPb().decode(exchange.address, exchange.question, exchange.answer, row, Identity())
    else:
        (unit, *_) = Scanner().feed(data)
        assert unit.kind == "frame"
        identity = fill(unit.data, topic, row, Identity())
    JkPb().check(row, empty())
    return row, identity


def expect(row: Row, ours: dict[str, Any], keys: dict[Column, tuple[str, float]]) -> None:
    for column, (key, scale) in keys.items():
        wanted = ours[key] * scale
        if np.isnan(row[column]):
            assert wanted == -200.0, column  # only a sensor that is not there
        else:
            assert row[column] == pytest.approx(wanted, abs=1e-9), column


@pytest.mark.parametrize("vector", frames("status"))
def test_status(vector: dict[str, Any]) -> None:
    row, _ = accept(vector)
    ours = vector["our_decode"]
    expect(row, ours, STATUS_KEYS)
    there = [bool(int(ours["mask"], 16) >> bit & 1) for bit in range(32)]
    assert np.isfinite(row[CELL_VOLTAGES]).tolist() == there
    assert row[CELL_VOLTAGES][there].tolist() == [cell / 1000 for cell in ours["cells_mV"]]
    assert row[CELL_RESISTANCES][there][: len(ours["res_mOhm"])].tolist() == [ohm / 1000 for ohm in ours["res_mOhm"]]
    assert abs(row[Column.POWER]) == pytest.approx(ours["P"], abs=1e-9)
    assert row[Column.POWER] * row[Column.CURRENT] >= 0
    assert row[Column.ALARM_BITS] == int(ours["alarms"], 16)


@pytest.mark.parametrize("vector", frames("settings"))
def test_settings(vector: dict[str, Any]) -> None:
    row, _ = accept(vector)
    ours = vector["our_decode"]
    expect(row, ours, SETTINGS_KEYS)
    heating = bool(bytes.fromhex(vector["hex"])[293] & 0x80)
    pair = (Column.HEATING_START, Column.HEATING_STOP) if heating else (Column.BATTERY_OTA, Column.BATTERY_OTA_RECOVERY)
    assert row[list(pair)].tolist() == [ours["t284"], ours["t285"]]


@pytest.mark.parametrize("vector", frames("about"))
def test_about(vector: dict[str, Any]) -> None:
    _, identity = accept(vector)
    ours = vector["our_decode"]
    assert (identity.model, identity.hardware, identity.software) == (ours["model"], ours["hw"], ours["sw"])
    assert (identity.name, identity.runtime, identity.power_on_count) == (ours["name"], ours["runtime"], ours["pwron"])
    assert identity.manufactured.replace("-", "") == "20" + ours["date"]
    # Blanking the passcodes cut the ends of the longest serial numbers off in some of these frames.
    blanked = bytes.fromhex(vector["hex"])[98:102] == bytes(4)
    assert identity.serial == (ours["sn"][:12] if blanked else ours["sn"])


@pytest.mark.parametrize("vector", frames("request", "ack"))
def test_requests_and_acknowledgements(vector: dict[str, Any]) -> None:
    description = JkPb().describe(bytes.fromhex(vector["hex"]))
    assert description.error == ""
    assert description.kind == vector["kind"]
    decoded = vector["decoded"] or {}
    if "addr" in decoded:
        assert description.address == decoded["addr"]
    if "reg" in decoded:
        assert description.values["register"] == decoded["reg"].lower()


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(one, id=one["id"])
        for one in lines("jkpb.jsonl")
        if not one["checksum_ok"] or one.get("layout") or one["kind"] == "modbus03"
    ],
)
def test_what_is_not_jk_pb_is_refused_with_a_reason(vector: dict[str, Any]) -> None:
    description = JkPb().describe(bytes.fromhex(vector["hex"]))
    assert description.error
    assert description.values == {}


def test_there_are_names_for_every_alarm_seen() -> None:
    seen = {bit for one in lines("jkpb.jsonl") if one["kind"] == "status" for bit in range(32)
            if int(one["our_decode"]["alarms"], 16) >> bit & 1}  # fmt: skip
    assert seen == {0, 2, 4, 9, 16, 19}
    assert max(seen) < len(ALARM_NAMES)


def capture(name: str) -> list[dict[str, Any]]:
    return [one for one in lines("jkpb_bus_trace.jsonl") if one["capture"] == name]


CAPTURES = sorted({one["capture"] for one in lines("jkpb_bus_trace.jsonl")})


@pytest.mark.parametrize("name", CAPTURES)
def test_the_bus_trace_in_any_chunks_loses_nothing(name: str) -> None:
    stream = b"".join(bytes.fromhex(event["hex"]) for event in capture(name))
    wanted = [bytes.fromhex(event["hex"]) for event in capture(name)]
    bytewise, random, generator = Scanner(), Scanner(), Random(7)
    assert [unit.data for k in range(len(stream)) for unit in bytewise.feed(stream[k : k + 1])] == wanted
    found, at = [], 0
    while at < len(stream):
        step = generator.randrange(1, 700)
        found += [unit.data for unit in random.feed(stream[at : at + step])]
        at += step
    assert found == wanted


@pytest.mark.parametrize("name", CAPTURES)
def test_the_bus_trace_is_attributed(name: str) -> None:
    ear = JkPb().overhear()
    heard: list[Answer | Request] = []
    for event in capture(name):
        heard += ear.feed(b"", event["t_start_ms"] / 1000)
        heard += ear.feed(bytes.fromhex(event["hex"]), event["t_end_ms"] / 1000)
    heard += ear.feed(b"", 1e6)
    answers = [one for one in heard if isinstance(one, Answer)]
    kinds = Counter(event["kind"] for event in capture(name))
    assert len(answers) == kinds["ack"]
    assert len(heard) - len(answers) == kinds["request"]
    # One capture ends before the acknowledgement of its last frame.
    assert [error.reason for error in ear.rejected] == ["unattributed"] * (kinds["payload"] - kinds["ack"])
    previous: dict[int, Row] = {}
    for k, one in enumerate(answers):
        row = previous.get(one.address, empty()).copy()
        for question, data in one.data.items():
            JkPb().decode(one.address, question, data, row, Identity())
        if one.topic is Topic.STATUS:
            row[Column.STATUS_TIME] = k
        JkPb().check(row, previous.get(one.address, empty()))
        if one.topic is Topic.SETTINGS:
            assert row[Column.DEVICE_ADDRESS] == one.address
        previous[one.address] = row


@pytest.mark.parametrize("name", CAPTURES)
def test_the_bus_trace_answers_the_poller(name: str) -> None:
    events = capture(name)
    answered = 0
    for payload, ack in pairwise(events):
        if payload["kind"] == "payload" and ack["kind"] == "ack" and ack["hex"][:2] != "00":
            reported = bytes.fromhex(ack["hex"])
            topic = topic_of(bytes.fromhex(payload["hex"]))
            assert topic is not None
            exchange = JkPb().exchange(topic.value, reported[0])
            assert exchange.request == request(reported[0], int.from_bytes(reported[2:4]))
            assert exchange.feed(bytes.fromhex(payload["hex"] + ack["hex"]))
            answered += 1
    assert answered > 10
