"""JKBMS over 4E57; tests named ``test_incumbent_...`` show right what dbus-serialbattery gets wrong."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from other_bms import ask, blank, pack_row
from packbank.bms.jkbms import JkBms
from packbank.bms.jkbms_fields import ALARMS as BITS
from packbank.bms.jkbms_fields import IDS, ids
from packbank.bms.jkbms_frames import ANSWER, READ_ALL, REQUEST, conceal, seal
from packbank.bms.protocol import Row, Topic
from packbank.cext.checksum import sum16
from packbank.errors import FrameError
from packbank.model.columns import ALARMS, CELL_VOLTAGES, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.responder_jkbms import PASSWORD, JkBmsResponder, record_of

CELLS = "7906 010CE5 020CE6"
ESSENTIAL = f"{CELLS} 83029A 840000 8532"


def answer(data: str, **header: int) -> bytes:
    return seal(header.get("command", READ_ALL), 0, header.get("kind", ANSWER), bytes.fromhex(data))


def whole() -> bytes:
    request = JkBms().exchange("all", 1).request
    return JkBmsResponder().answer(request, pack_row(), Random(1))[0].data


def decoded(data: bytes) -> Row:
    exchange, row = JkBms().exchange("all", 1), blank()
    assert exchange.feed(data)
    JkBms().decode(1, "all", exchange.answer, row, Identity())
    return row


def raised(row: Row) -> dict[Alarm, float]:
    return {alarm: row[alarm.column] for alarm in Alarm if row[alarm.column] > 0}


def resealed(frame: bytes) -> bytes:
    return frame[:-2] + sum16(frame[:-4]).to_bytes(2)


def test_the_question_is_the_known_one() -> None:
    assert JkBms().exchange("all", 1).request.hex() == "4e5700130000000006030000000000006800000129"


def test_one_answer_reports_every_topic() -> None:
    assert {JkBms.questions[topic] for topic in Topic} == {("all",)}


@pytest.mark.parametrize("address", [0, 2, 16])
def test_there_is_one_bms_a_port(address: int) -> None:
    assert "one BMS a port" in JkBms().explain_address(address)
    with pytest.raises(ValueError, match="no address"):
        JkBms().exchange("all", address)
    with pytest.raises(ValueError, match="no question"):
        JkBms().exchange("cells", 1)


@pytest.mark.parametrize("tail", ["", "DF", "FF", "0000FF", "4E57", "4E570113"])
@pytest.mark.parametrize("head", ["", "00", "4E", "4E57", "4E57FFFF00000000060001"])
def test_incumbent_loses_a_frame_to_one_stray_byte(head: str, tail: str) -> None:
    exchange = JkBms().exchange("all", 1)
    assert exchange.feed(bytes.fromhex(head) + whole() + bytes.fromhex(tail)) or exchange.feed(b"")


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (answer(ESSENTIAL, command=0x02), "type"),
        (answer(ESSENTIAL, kind=2), "type"),
        (answer(ESSENTIAL, kind=REQUEST), None),
        (resealed(answer(ESSENTIAL)[:7] + b"\x05" + answer(ESSENTIAL)[8:]), "terminal"),
        (answer(ESSENTIAL)[:-1] + b"\x00", "sum16"),
        (answer(ESSENTIAL)[:-5] + b"\x67" + answer(ESSENTIAL)[-4:], "sum16"),
        (answer(ESSENTIAL)[:-6], "truncated"),
    ],
)
def test_incumbent_checks_neither_terminal_nor_command_nor_type(frame: bytes, reason: str | None) -> None:
    exchange = JkBms().exchange("all", 1)
    assert not exchange.feed(frame)
    assert not exchange.feed(b"")
    assert [error.reason for error in exchange.rejected] == ([reason] if reason else [])


def test_incumbent_waits_16_seconds_for_the_rest_of_a_short_frame() -> None:
    exchange, line = JkBms().exchange("all", 1), JkBms.line
    assert not exchange.feed(whole()[:63])
    assert not exchange.feed(b"")
    assert line.first_byte_timeout + line.idle_timeout + 2 * exchange.answer_time < 0.5


def test_our_own_question_come_back_is_no_answer() -> None:
    exchange = JkBms().exchange("all", 1)
    assert not exchange.feed(exchange.request)
    assert exchange.feed(whole())
    assert exchange.rejected == []


def test_incumbent_never_finds_firmware_without_the_newer_ids() -> None:
    row = pack_row(current=-7.5)
    read, identity = ask(JkBms(), JkBmsResponder(version=0), row)
    assert read[Column.CURRENT] == -7.5
    assert read[Column.VOLTAGE] == row[Column.VOLTAGE]
    assert np.isnan(read[Column.FULL_CAPACITY])
    assert identity.software == "11.XW_S11.26"


@pytest.mark.parametrize(
    ("raw", "version", "amperes"),
    [
        ("07D0", "C001", -20.0),
        ("87D0", "C001", 20.0),
        ("0000", "C001", 0.0),
        ("8000", "C001", 0.0),
        ("2710", "C000", 0.0),
        ("2710", "", 0.0),
        ("2AF8", "", -10.0),
        ("2328", "", 10.0),
    ],
)
def test_the_protocol_version_says_what_the_current_means(raw: str, version: str, amperes: float) -> None:
    row = decoded(answer(f"{CELLS} 83029A 84{raw} 8532 {version}"))
    assert row[Column.CURRENT] == amperes
    assert row[Column.POWER] == pytest.approx(6.66 * amperes)
    assert not np.signbit(row[Column.CURRENT]) or amperes < 0


@pytest.mark.parametrize(("raw", "celsius"), [(0, 0), (25, 25), (99, 99), (100, -1), (101, -2), (140, -41)])
def test_temperatures_below_zero_are_those_of_the_app(raw: int, celsius: float) -> None:
    row = decoded(answer(f"{CELLS} 80{raw:04x} 81{raw:04x} 82{raw:04x} 83029A 840000 8532"))
    columns = [Column.TEMPERATURE_MOS, Column.TEMPERATURE_1, Column.TEMPERATURE_2]
    assert list(row[columns]) == [celsius] * 3


def test_an_impossible_temperature_is_unknown() -> None:
    assert np.isnan(decoded(answer(f"{CELLS} 8100FF 83029A 840000 8532"))[Column.TEMPERATURE_1])


@pytest.mark.parametrize("status", range(16))
def test_incumbent_misreads_the_mosfets_when_bit_3_is_set(status: int) -> None:
    row = decoded(answer(f"{ESSENTIAL} 8C{status:04x}"))
    columns = [Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET, Column.BALANCING]
    assert list(row[columns]) == [status & 1, status >> 1 & 1, status >> 2 & 1]


def test_incumbent_keeps_the_old_voltage_of_a_lost_cell() -> None:
    row = blank()
    for cells in ("7906 010CE5 020CE6", "7906 010CE5 020000"):
        exchange = JkBms().exchange("all", 1)
        assert exchange.feed(answer(f"{cells} 83029A 840000 8532"))
        JkBms().decode(1, "all", exchange.answer, row, Identity())
    assert row[CELL_VOLTAGES][1] == 0.0


@pytest.mark.parametrize("bit", range(14))
def test_incumbent_ignores_alarm_bits_and_their_levels(bit: int) -> None:
    row = decoded(answer(f"{ESSENTIAL} 8B{1 << bit:04x}"))
    _, alarm, level = BITS[bit]
    assert raised(row) == {alarm: level}
    assert row[Column.ALARM_BITS] == 1 << bit


def test_limits_are_those_of_the_over_current_protection() -> None:
    row = decoded(answer(f"{ESSENTIAL} 9700C8 980005 990064"))
    assert (row[Column.DISCHARGE_CURRENT_LIMIT], row[Column.CHARGE_CURRENT_LIMIT]) == (200.0, 100.0)


def test_cold_limits_are_signed() -> None:
    row = decoded(answer(f"{ESSENTIAL} A5FFEC A70005 A8FFF6"))
    columns = [Column.CHARGE_UTP, Column.DISCHARGE_UTP, Column.DISCHARGE_UTP_RECOVERY]
    assert list(row[columns]) == [-20.0, 5.0, -10.0]


def test_an_id_inside_a_value_is_not_taken_for_one() -> None:
    row = decoded(answer(f"{CELLS} 83029A 8485C3 854D C001"))
    assert (row[Column.CURRENT], row[Column.SOC]) == (14.75, 77.0)


def test_what_is_not_reported_is_unknown() -> None:
    row = decoded(answer(ESSENTIAL))
    assert np.isnan(row[[Column.CHARGE_MOSFET, Column.CYCLES, Column.TEMPERATURE_1, Column.NOMINAL_CAPACITY]]).all()
    assert np.isnan(row[ALARMS]).all()


@pytest.mark.parametrize(
    ("soc", "cycles", "alarm", "known"),
    [(0, 0, 0, False), (0, 0, 1, True), (0, 0, 8, True), (0, 3, 0, True), (5, 0, 0, True)],
)
def test_zero_percent_right_after_a_start_is_not_known(soc: int, cycles: int, alarm: int, known: bool) -> None:
    row = decoded(answer(f"{CELLS} 83029A 840000 85{soc:02x} 87{cycles:04x} 8B{alarm:04x}"))
    assert np.isfinite(row[Column.SOC]) == known


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (f"{CELLS} 83029A 8532", "id 0x84 is missing"),
        ("83029A 840000 8532", "id 0x79 is missing"),
        (f"{CELLS} 83029A 840000 85", "past the end"),
        ("7906 010CE5 030CE6 83029A 840000 8532", "numbered"),
        ("7905 010CE502 83029A 840000 8532", "more than there can be"),
        (f"{ESSENTIAL} F10001 C001", "unknown id 0xf1 before the protocol version"),
    ],
)
def test_lists_that_cannot_be_are_refused(data: str, why: str) -> None:
    exchange = JkBms().exchange("all", 1)
    assert exchange.feed(answer(data))
    with pytest.raises(FrameError, match=why):
        JkBms().decode(1, "all", exchange.answer, blank(), Identity())


def test_an_unknown_id_behind_the_version_spoils_nothing() -> None:
    assert decoded(answer(f"{ESSENTIAL} C001 C10203"))[Column.SOC] == 50


@pytest.mark.parametrize(
    ("factory", "identity"),
    [
        ("Input UserdaJK_B1A20S15P", Identity(model="JK_B1A20S15P", name="shed")),
        ("upper rack\0\0JK_B2A8S20P\0", Identity(model="JK_B2A8S20P", name="upper rack")),
        ("BT3072020120000200521001", Identity(serial="BT3072020120000200521001", name="shed")),
    ],
)
def test_the_factorys_text_is_a_name_and_a_model_or_a_serial_number(factory: str, identity: Identity) -> None:
    exchange = JkBms().exchange("all", 1)
    assert exchange.feed(answer(f"{ESSENTIAL} B4{b'shed'.ljust(8, bytes(1)).hex()} BA{factory.encode().hex()}"))
    assert JkBms().decode(1, "all", exchange.answer, blank(), Identity()) == identity


def test_the_password_leaves_neither_in_captures_nor_in_descriptions() -> None:
    data, jkbms = whole(), JkBms()
    assert PASSWORD in data
    concealed = jkbms.conceal(data)
    assert PASSWORD not in concealed
    assert len(concealed) == len(data)
    assert PASSWORD.decode() not in repr(jkbms.describe(data))
    np.testing.assert_array_equal(decoded(concealed), decoded(data))
    assert not any(conceal(seal(0x05, 0x02, 0x00, b"\xb2" + PASSWORD.ljust(10, b"\0"))))
    question = jkbms.exchange("all", 1).request
    assert conceal(question) == question


def damaged() -> Iterator[bytes]:
    """Every bit of the head wrong, every beginning lost, cut at every place near the password, bytes lost and added."""
    data = whole()
    password = data.index(PASSWORD)
    yield from (data[: bit // 8] + bytes((data[bit // 8] ^ 1 << bit % 8,)) + data[bit // 8 + 1 :] for bit in range(88))
    yield from (data[cut:] for cut in range(1, password))
    yield from (data[:cut] for cut in range(password + 3, len(data)))
    yield from (data[:at] + b"\xb1" + data[at:] for at in range(password))
    yield from (data[:at] + data[at + 1 :] for at in range(password))


def test_no_damage_brings_the_password_to_light() -> None:
    for data in damaged():
        shown = conceal(data)
        assert len(shown) == len(data)
        assert PASSWORD[:3] not in shown
        assert PASSWORD[3:] not in shown


def test_a_password_is_hidden_wherever_it_stands_in_the_list() -> None:
    value = PASSWORD.ljust(10, b"\0")
    alone = answer(f"{ESSENTIAL} B2{value.hex()} B300")
    assert PASSWORD not in conceal(alone)
    assert np.array_equal(decoded(conceal(alone)), decoded(alone), equal_nan=True)
    assert PASSWORD not in conceal(answer(f"{ESSENTIAL} C001 F7 B2{value.hex()}")), "behind an id that nobody knows"


def test_the_table_has_every_id_of_the_document_once() -> None:
    assert [tag for tag, *_ in IDS] == sorted({0x79, *range(0x80, 0xC1)} - {0x88, 0x8D})
    assert len(ids().roll(record_of(pack_row(16), Identity()))) == 291 - 20


def test_describe_names_requests_and_damage() -> None:
    jkbms = JkBms()
    assert jkbms.describe(jkbms.exchange("all", 1).request).values == {"command": "read all"}
    assert jkbms.describe(whole()[:-1]).error.startswith("truncated")
    assert jkbms.describe(b"").error.startswith("unknown")
    assert jkbms.describe(answer("83029A")).error.startswith("ids")
