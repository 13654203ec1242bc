"""EG4 LifePower packs; tests named ``test_incumbent_...`` show right what dbus-serialbattery gets wrong."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from other_bms import answered, ask, blank, pack_row
from packbank.bms.eg4 import COMMANDS, Eg4, seal
from packbank.bms.eg4_fields import ALARMS as BITS
from packbank.bms.memory import FORGET_AFTER
from packbank.bms.protocol import Answer, Row, Topic
from packbank.errors import FrameError
from packbank.model.columns import ALARMS, CELL_VOLTAGES, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.responder_eg4 import Eg4Responder, groups_of
from packbank.sources.serial.record import Record


def frame(address: int, command: int, payload: bytes, start: int = 0x7E) -> bytes:
    return seal(bytes((start, address, command, len(payload))) + payload)


def groups(*parts: str) -> bytes:
    """The essential groups of four cells at rest, and ``parts``."""
    return bytes.fromhex("01040CE50CE60CE70CE8 02017530 03011388 08010528" + "".join(parts))


def decoded(payload: bytes) -> Row:
    exchange, row = Eg4().exchange("status", 1), blank()
    assert exchange.feed(frame(1, 0x01, payload))
    Eg4().decode(1, exchange.question, exchange.answer, row, Identity())
    return row


def raised(row: Row) -> dict[Alarm, float]:
    return {alarm: row[alarm.column] for alarm in Alarm if row[alarm.column] > 0}


@pytest.mark.parametrize("address", range(1, 16))
@pytest.mark.parametrize("question", sorted(COMMANDS))
def test_incumbent_sends_wrong_check_bytes_to_half_of_the_addresses(address: int, question: str) -> None:
    eg4, starts = Eg4(), set()
    for _ in range(2):
        request = eg4.exchange(question, address).request
        body = request[:-2]
        total, mixed = sum(body) & 0xFF, 0
        for byte in body:
            mixed ^= byte
        assert request == bytes((body[0], address, COMMANDS[question], 0, total ^ mixed, 0x0D))
        starts.add(body[0])
    assert starts == {0x7E, 0x7C}


def test_incumbent_asks_7c_units_in_vain() -> None:
    eg4, unit, row = Eg4(), Eg4Responder(1, start=0x7C), pack_row()
    assert [answered(eg4.exchange("status", 1), unit, row) for _ in range(2)] == [False, True]
    assert {eg4.exchange("status", 1).request[0] for _ in range(4)} == {0x7C}


def test_a_pack_that_was_silent_for_long_may_be_another_one() -> None:
    eg4, row = Eg4(), pack_row()
    assert answered(eg4.exchange("status", 1), Eg4Responder(1), row)
    assert eg4.ways_to_ask(1) == 1
    tries = [answered(eg4.exchange("status", 1), Eg4Responder(1, start=0x7C), row) for _ in range(FORGET_AFTER + 3)]
    assert tries[-1]
    assert not any(tries[:FORGET_AFTER])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (frame(9, 0x01, groups()), None),  # another pack's
        (frame(1, 0x33, b"QT-YS00"), None),  # another command's
        (frame(1, 0x01, groups())[:-2] + b"\x00\x0d", "check"),
        (frame(1, 0x01, groups())[:-1] + b"\x0a", "check"),
        (frame(1, 0x01, groups())[:20], "truncated"),
        (frame(1, 0x01, b"\x02"), "refused"),
        (frame(1, 0x01, b""), None),  # our own request
    ],
)
def test_incumbent_checks_neither_check_byte_nor_address_nor_command(answer: bytes, reason: str | None) -> None:
    exchange = Eg4().exchange("status", 1)
    assert not exchange.feed(answer)
    assert not exchange.feed(b"")
    assert [error.reason for error in exchange.rejected] == ([reason] if reason else [])


def test_a_refusal_is_reported_by_name() -> None:
    exchange = Eg4().exchange("status", 1)
    exchange.feed(frame(1, 0x01, b"\x04"))
    assert "error 4 (command)" in str(exchange.rejected[0])


def test_incumbent_takes_a_late_answer_for_the_next_packs() -> None:
    exchange, row = Eg4().exchange("status", 2), blank()
    late = frame(1, 0x01, groups())
    assert exchange.feed(late + frame(2, 0x01, groups("07010007")))
    Eg4().decode(2, exchange.question, exchange.answer, row, Identity())
    assert row[Column.CYCLES] == 7


def test_incumbent_waits_16_seconds_for_the_rest_of_a_broken_answer() -> None:
    exchange = Eg4().exchange("status", 1)
    line, answer = Eg4.line, frame(1, 0x01, groups_of(pack_row()))
    assert not exchange.feed(answer[:50])
    assert not exchange.feed(b"")
    assert line.first_byte_timeout + line.idle_timeout + 2 * exchange.answer_time < 1.0


def test_a_broken_answer_hides_no_whole_one() -> None:
    exchange, answer = Eg4().exchange("status", 1), frame(1, 0x01, groups_of(pack_row()))
    assert exchange.feed(answer[:50] + answer)
    exchange = Eg4().exchange("status", 1)
    assert not exchange.feed(answer[:7])
    assert exchange.feed(answer + bytes(300))


@pytest.mark.parametrize("cells", [4, 8, 15, 16, 32])
def test_incumbent_expects_ten_groups_of_six_temperatures(cells: int) -> None:
    payload = groups_of(pack_row(cells))
    row = decoded(payload)
    assert np.isfinite(row[CELL_VOLTAGES]).sum() == row[Column.CELL_COUNT] == cells
    short = decoded(groups("05030049 0048204B".replace(" ", "")))
    assert (short[Column.TEMPERATURE_1], short[Column.TEMPERATURE_2]) == (23.0, 22.0)
    assert np.isnan(short[[Column.TEMPERATURE_4, Column.TEMPERATURE_MOS]]).all()


def test_temperatures_are_distinguished_by_their_tags_not_their_places() -> None:
    row = decoded(groups("0505", "2030", "8042", "003C", "0037", "4041"))
    assert row[Column.TEMPERATURE_MOS] == 16.0
    assert (row[Column.TEMPERATURE_1], row[Column.TEMPERATURE_2]) == (10.0, 5.0)


def test_cells_keep_fourteen_bits_of_voltage() -> None:
    row = decoded(bytes.fromhex("0103 8D20CDE34CE4 02017530 03011388 08010528"))
    np.testing.assert_allclose(row[CELL_VOLTAGES][:3], [3.360, 3.555, 3.300])


@pytest.mark.parametrize(
    ("raw", "amperes"), [(0x7530, 0.0), (0x7354, 4.76), (0x84A7, -39.59), (0xFFFF, -355.35), (0, 300.0)]
)
def test_a_raw_current_below_30000_charges(raw: int, amperes: float) -> None:
    row = decoded(bytes.fromhex(f"01010CE5 0201{raw:04x} 03011388 08010149"))
    assert row[Column.CURRENT] == amperes


@pytest.mark.parametrize("place", sorted(BITS))
def test_incumbent_knows_five_alarm_bits(place: tuple[int, int]) -> None:
    byte, mask = place
    _, alarms, level = BITS[place]
    status = bytearray(10)
    status[byte] = mask
    assert raised(decoded(groups("0605", status.hex()))) == dict.fromkeys(alarms, level)


def test_incumbent_calls_every_over_current_a_charging_one() -> None:
    discharge = decoded(groups("0605", "00" * 9 + "20"))
    assert raised(discharge) == {Alarm.HIGH_DISCHARGE_CURRENT: 1}
    charge = decoded(groups("0605", "00" * 9 + "10"))
    assert raised(charge) == {Alarm.HIGH_CHARGE_CURRENT: 1}


@pytest.mark.parametrize(
    ("word", "charge", "discharge"), [("0000", 1, 1), ("1000", 0, 1), ("2000", 1, 0), ("3000", 0, 0)]
)
def test_incumbent_does_not_read_the_mosfets(word: str, charge: int, discharge: int) -> None:
    row = decoded(groups("0605", "0000", word, "000000000000"))
    assert (row[Column.CHARGE_MOSFET], row[Column.DISCHARGE_MOSFET]) == (charge, discharge)


def test_what_is_not_reported_is_unknown() -> None:
    row = decoded(groups())
    unknown = [Column.CHARGE_MOSFET, Column.HEATING, Column.SOH, Column.CYCLES, Column.CHARGE_CURRENT_LIMIT]
    assert np.isnan(row[unknown]).all()
    assert np.isnan(row[ALARMS]).all()
    assert np.isnan(decoded(groups("0602", "00000000"))[ALARMS]).all()


@pytest.mark.parametrize("tail", ["11010000", "7F", "20FF"])
def test_an_unknown_group_ends_the_list_and_spoils_nothing(tail: str) -> None:
    assert decoded(groups("07010009", tail))[Column.CYCLES] == 9


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("02017530", "group 0x01 is missing"),
        ("01010CE5 03011388", "group 0x02 is missing"),
        ("01010CE5 020175", "past the end"),
        ("01FF", "more than there can be"),
        ("01000201753003011388 08010000", "group 0x01 is missing"),
    ],
)
def test_groups_that_cannot_be_are_refused(payload: str, why: str) -> None:
    with pytest.raises(FrameError, match=why):
        decoded(bytes.fromhex(payload))


def test_silence_is_nobodys_protocol() -> None:
    exchange = Eg4().exchange("status", 1)
    assert not exchange.feed(b"")
    assert not exchange.feed(b"\x00\x03\x01\xff" * 10)
    assert not exchange.feed(b"")
    assert exchange.rejected == []


def test_a_pack_may_keep_its_barcode_to_itself() -> None:
    eg4 = Eg4()
    assert eg4.may_lack(1, "barcode")
    assert not eg4.may_lack(1, "status")
    assert Topic.SETTINGS not in eg4.questions


def test_a_barcode_may_hold_bytes_that_are_no_text() -> None:
    exchange = Eg4().exchange("barcode", 1)
    assert exchange.feed(frame(1, 0x42, b"LFP\xff\x01 7\0rest"))
    assert Eg4().decode(1, "barcode", exchange.answer, blank(), Identity()).serial == "LFP?? 7"


@pytest.mark.parametrize(
    ("address", "remedy"), [(0, "all DIP switches off"), (16, "0x01 to 0x0F"), (99, "0x01 to 0x0F")]
)
def test_other_addresses_are_refused_with_the_remedy(address: int, remedy: str) -> None:
    assert remedy in Eg4().explain_address(address)
    with pytest.raises(ValueError, match=remedy):
        Eg4().exchange("status", address)


def test_a_delimiter_inside_an_answer_does_not_end_it() -> None:
    row = pack_row(voltage=13.64)
    row[CELL_VOLTAGES] = np.nan
    row[CELL_VOLTAGES][:4] = [3.396, 3.410, 3.340, 3.390]  # 0D44, 0D52, ...
    row[Column.VOLTAGE] = 13.53
    read, _ = ask(Eg4(), Eg4Responder(13), row)
    np.testing.assert_allclose(read[CELL_VOLTAGES][:4], row[CELL_VOLTAGES][:4])


def test_every_answer_comes_within_the_time_that_is_waited() -> None:
    responder, request = Eg4Responder(1), Eg4().exchange("status", 1).request
    delays = [responder.answer(request, pack_row(), Random(seed))[0].delay for seed in range(20)]
    assert max(delays) < Eg4.line.first_byte_timeout


def test_describe_separates_damage_from_strangers() -> None:
    eg4 = Eg4()
    assert eg4.describe(frame(1, 0x01, groups())[:-3]).error.startswith("truncated")
    assert eg4.describe(frame(1, 0x01, groups())[:-2] + b"\0\r").error.startswith("check")
    assert eg4.describe(b"hello").error.startswith("unknown")
    assert eg4.describe(b"\xff" + frame(5, 0x01, groups())).address == 5
    assert eg4.describe(frame(1, 0x01, b"\x01")).error.startswith("refused")


def status(soc: float = 61.0) -> bytes:
    """A status of a simulated pack."""
    (burst,) = Eg4Responder(1).answer(Eg4().exchange("status", 1).request, pack_row(soc=soc), Random(1))
    return burst.data


def answered_at(time: float, data: bytes) -> Answer:
    return Answer(1, Topic.STATUS, {"status": data}, time)


def test_the_check_byte_lets_half_of_all_flipped_bits_pass_and_the_values_give_the_worst_away() -> None:
    """So the document's check is: a change without a carry is the same in the sum and in the XOR of all bytes."""
    good, passed, judged = status(), 0, 0
    first = Record(Eg4()).judge(answered_at(100.0, good)).row
    assert first is not None
    for at in range(4, len(good) - 2):
        for bit in range(8):
            flipped = bytearray(good)
            flipped[at] ^= 1 << bit
            exchange = Eg4().exchange("status", 1)
            if not exchange.feed(bytes(flipped)):
                continue
            passed += 1
            record = Record(Eg4())
            record.judge(answered_at(100.0, good))
            row = record.judge(answered_at(101.0, exchange.answer)).row
            if row is not None:
                judged += 1
                assert np.nanmax(np.abs(row[CELL_VOLTAGES] - first[CELL_VOLTAGES])) <= 0.1
                assert abs(row[Column.SOC] - first[Column.SOC]) <= 5.0
                assert abs(row[Column.TEMPERATURE_1] - first[Column.TEMPERATURE_1]) <= 10.0
    share = passed / (8 * (len(good) - 6))
    assert 0.5 < share < 0.6
    assert judged < 0.55 * passed


def test_a_status_that_jumps_counts_once_another_confirms_it() -> None:
    record = Record(Eg4())
    assert record.judge(answered_at(100.0, status())).row is not None
    doubt = record.judge(answered_at(102.0, status(soc=20.0)))
    assert doubt.error is not None
    assert (doubt.error.reason, doubt.row) == ("jump", None)
    assert record.judge(answered_at(104.0, status())).row is not None, "it was a flipped bit"
    times = (106.0, 108.0, 110.0, 112.0)
    rows = [record.judge(answered_at(time, status(soc=20.0))).row for time in times]
    assert rows[0] is None
    assert rows[-1] is not None
    assert rows[-1][Column.SOC] == 20.0
