"""Daly boards; tests named ``test_incumbent_...`` show right what dbus-serialbattery gets wrong."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from daly_samples import burst, counted, decoded, raised, reply

from other_bms import answered, ask, blank, pack_row
from packbank.bms.daly import FORGET_AFTER, Daly
from packbank.bms.daly_fields import ALARMS
from packbank.bms.memory import PATIENCE, RARELY
from packbank.bms.protocol import Topic
from packbank.cext.a5 import find_a5
from packbank.errors import FrameError
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.responder_daly import DalyResponder

READ_PACK = "A54090080000000000000000"


def test_board_numbers_are_asked_from_0x40_on_and_answer_as_themselves() -> None:
    daly = Daly()
    for board in daly.addresses:
        exchange = daly.exchange("pack", board)
        assert exchange.request[:4] == bytes((0xA5, 0x40 + board - 1, 0x90, 8))
        assert exchange.request[12] == sum(exchange.request[:12]) & 0xFF
        assert exchange.feed(reply(board, 0x90, "00820000753001F4"))


@pytest.mark.parametrize("address", [0, 17, 0x40])
def test_other_board_numbers_are_refused_with_the_remedy(address: int) -> None:
    assert "BmsMonitor" in Daly().explain_address(address)
    with pytest.raises(ValueError, match="no Daly board number"):
        Daly().exchange("pack", address)


def test_incumbent_cannot_find_firmware_that_hears_0x80_only() -> None:
    daly, old, row = Daly(), DalyResponder(1, old_firmware=True), pack_row()
    tries = [daly.exchange("pack", 1) for _ in range(2)]
    assert [answered(exchange, old, row) for exchange in tries] == [False, True]
    assert {daly.exchange("pack", 1).request[1] for _ in range(4)} == {0x80}


def test_a_board_that_answered_at_0x40_is_asked_nowhere_else() -> None:
    daly, row = Daly(), pack_row()
    assert answered(daly.exchange("pack", 1), DalyResponder(1), row)
    assert {daly.exchange("pack", 1).request[1] for _ in range(4)} == {0x40}


def test_a_board_that_was_silent_for_long_may_be_another_one() -> None:
    daly, row = counted(16), pack_row(4)
    old = DalyResponder(1, old_firmware=True)
    tries = [answered(daly.exchange("pack", 1), old, row) for _ in range(FORGET_AFTER + 3)]
    assert tries[-1]
    assert not any(tries[:FORGET_AFTER])
    assert next(daly.questions_to(1, Topic.STATUS)) == "counts"
    assert daly.may_lack(1, "alarms")


@pytest.mark.parametrize("current", [-3000.0, -276.8, -100.0, 0.0, 276.7, 400.0])
def test_incumbent_refuses_large_discharge_currents_and_smooths_steps(current: float) -> None:
    raw = round(30000 - 10 * current)
    if not 0 <= raw <= 0xFFFF:
        pytest.skip("not on the wire")
    row = decoded(Daly(), "pack", reply(1, 0x90, f"02120000{raw:04x}01F4"))
    assert row[Column.CURRENT] == current
    assert row[Column.POWER] == pytest.approx(53.0 * current)


@pytest.mark.parametrize("cells", [2, 24, 32])
def test_incumbent_refuses_packs_below_8_and_above_70_volts(cells: int) -> None:
    row = pack_row(cells)
    assert not 8 <= row[Column.VOLTAGE] <= 70
    read, _ = ask(Daly(), DalyResponder(1), row)
    assert read[Column.VOLTAGE] == row[Column.VOLTAGE]
    assert np.isfinite(read[CELL_VOLTAGES]).sum() == cells


@pytest.mark.parametrize("cell", range(16))
def test_incumbent_sees_only_cell_9_balance(cell: int) -> None:
    data = (1 << cell).to_bytes(8, "little").hex()
    assert decoded(Daly(), "balance", reply(1, 0x97, data))[Column.BALANCING] == 2
    assert decoded(Daly(), "balance", reply(1, 0x97, "00"))[Column.BALANCING] == 0


@pytest.mark.parametrize(("bit", "level"), [(2, 1), (3, 2)])
def test_incumbent_calls_a_low_cell_a_high_voltage(bit: int, level: int) -> None:
    row = decoded(Daly(), "alarms", reply(1, 0x98, f"{1 << bit:02x}"))
    assert raised(row) == {Alarm.LOW_CELL_VOLTAGE: level}


@pytest.mark.parametrize("place", sorted(ALARMS))
def test_incumbent_ignores_five_of_the_seven_alarm_bytes(place: tuple[int, int]) -> None:
    byte, bit = place
    _, alarm, level = ALARMS[place]
    row = decoded(Daly(), "alarms", reply(1, 0x98, "00" * byte + f"{1 << bit:02x}"))
    assert row[Column.ALARM_BITS] == 1 << (8 * byte + bit)
    assert raised(row) == ({} if alarm is None else {alarm: level})


def test_every_bit_of_the_document_is_in_the_table() -> None:
    documented = {(byte, bit) for byte in range(7) for bit in range(8)} - {(3, bit) for bit in range(4, 8)}
    documented -= {(6, bit) for bit in range(5, 8)}
    assert set(ALARMS) == documented


@pytest.mark.parametrize("noise", ["A5", "0000", "A5A5A5", "A50190", "A5019008", "FFFF", "A501950801"])
def test_incumbent_loses_a_frame_behind_a_stray_start_byte(noise: str) -> None:
    exchange = Daly().exchange("pack", 1)
    assert exchange.feed(bytes.fromhex(noise) + reply(1, 0x90, "00720000753001EF"))


def test_an_echo_is_no_answer_and_says_how_to_stop_the_sleep() -> None:
    exchange = Daly().exchange("pack", 1)
    assert not exchange.feed(exchange.request)
    assert not exchange.feed(b"")
    error = exchange.rejected[0]
    assert error.reason == "asleep"
    for advice in ("'Sleep time(S)' to 65535", "BmsMonitor", "board number", "'Battery code'"):
        assert advice in str(error)


def test_an_adapter_that_echoes_does_no_harm() -> None:
    exchange = Daly().exchange("pack", 1)
    assert exchange.feed(exchange.request + reply(1, 0x90, "00820000753001F4"))
    assert exchange.rejected == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(2, 0x90, "00820000753001F4"), None),  # another board's
        (reply(1, 0x91, "0CB5020CB201"), None),  # another command's
        (reply(1, 0x90, "00820000753001F4")[:-1] + b"\x00", "sum8"),
        (reply(0, 0x90, "00820000753001F4"), "board"),
        (reply(1, 0x90, "00820000753001F4")[:-1], "sum8"),  # broken off, and something else behind it
    ],
)
def test_what_is_not_the_answer_is_not_taken_for_it(answer: bytes, reason: str | None) -> None:
    exchange = Daly().exchange("pack", 1)
    assert not exchange.feed(answer)
    assert not exchange.feed(bytes(13))
    assert [error.reason for error in exchange.rejected] == ([reason] if reason else [])


def test_incumbent_read_a_late_answer_as_the_next_commands() -> None:
    daly = counted(16)
    exchange = daly.exchange("state", 1)
    late = reply(1, 0x90, "021C000076560286")
    assert exchange.feed(late + reply(1, 0x93, "0101012B00003A02"))
    row = blank()
    daly.decode(1, "state", exchange.answer, row, Identity())
    assert row[Column.REMAINING_CAPACITY] == pytest.approx(14.85)


def test_cells_stand_where_their_frame_number_says_and_stale_slots_are_cut() -> None:
    frames = burst(1, (3301, 3302, 3303), (3304, 3305, 3306), (3307, 3308, 3306))
    row = decoded(counted(8), "cells", frames[26:] + frames[:26])
    np.testing.assert_allclose(row[CELL_VOLTAGES][:8], np.arange(3301, 3309) / 1000)
    assert np.isnan(row[CELL_VOLTAGES][8:]).all()


def test_a_burst_that_counts_from_0_as_documented_is_read_as_well() -> None:
    parts = [reply(1, 0x95, f"{number:02x}0CE50CE60CE7") for number in range(2)]
    row = decoded(counted(6), "cells", b"".join(parts))
    np.testing.assert_allclose(row[CELL_VOLTAGES][:6], [3.301, 3.302, 3.303] * 2)


def test_incumbent_made_a_cell_of_minus_23_volts_from_a_burst_with_lost_bytes() -> None:
    frames = burst(1, (3301, 3302, 3303), (3304, 3305, 3306))
    exchange = counted(6).exchange("cells", 1)
    assert not exchange.feed(frames[:20] + reply(1, 0x90, "021C000076560286"))
    assert not exchange.feed(b"")
    assert [error.reason for error in exchange.rejected] == ["sum8"]


def test_the_rest_of_a_burst_is_waited_for_once_it_was_seen() -> None:
    daly = counted(3)
    whole = burst(1, *[(3300, 3300, 3300)] * 16)
    assert daly.exchange("cells", 1).feed(whole[:13])
    assert not daly.exchange("temperatures", 1).feed(whole[13:])
    again = daly.exchange("cells", 1)
    assert again.expected == 16
    assert again.answer_time > 16 * 13 * 10 / 9600
    assert not again.feed(whole[:-13])
    assert again.feed(whole[-13:])


def test_a_burst_that_was_thought_longer_ends_with_the_silence() -> None:
    daly = counted(3)
    whole = burst(1, *[(3300, 3300, 3300)] * 16)
    assert daly.exchange("cells", 1).feed(whole)
    exchange = daly.exchange("cells", 1)
    assert not exchange.feed(whole[:13])
    assert exchange.feed(b"")
    assert daly.exchange("cells", 1).expected == 1


def test_incumbent_reads_no_single_temperature() -> None:
    answer = reply(1, 0x96, "01383900FF003C00")
    row = decoded(counted(16, 2), "temperatures", answer)
    assert (row[Column.TEMPERATURE_1], row[Column.TEMPERATURE_2]) == (16.0, 17.0)
    assert np.isnan(row[[Column.TEMPERATURE_4, Column.TEMPERATURE_5]]).all()


def test_a_missing_sensor_is_not_40_below() -> None:
    assert np.isnan(decoded(counted(16, 1), "temperatures", reply(1, 0x96, "0100"))[Column.TEMPERATURE_1])


def test_of_more_sensors_than_columns_the_extremes_count() -> None:
    row = decoded(counted(16, 7), "temperatures", reply(1, 0x96, "01" + bytes([60, 61, 62, 30, 90, 0, 63]).hex()))
    columns = [Column.TEMPERATURE_1, Column.TEMPERATURE_2, Column.TEMPERATURE_4, Column.TEMPERATURE_5]
    assert list(row[columns]) == [20.0, 21.0, -10.0, 50.0]


def test_incumbent_fails_on_boards_that_answer_few_commands() -> None:
    daly, row, known = Daly(), pack_row(), {0x90, 0x94, 0x95}
    responder = DalyResponder(1)
    responder.codes = known
    read, _ = ask(daly, responder, row)
    assert read[Column.VOLTAGE] == row[Column.VOLTAGE]
    assert np.isnan(read[[Column.CHARGE_MOSFET, Column.TEMPERATURE_1, Alarm.LOW_SOC.column]]).all()
    for _ in range(PATIENCE):
        ask(daly, responder, row)
    asked = [tuple(daly.questions_to(1, Topic.STATUS)) for _ in range(2 * RARELY)]
    assert asked.count(("pack", "cells")) == 2 * RARELY - 2
    assert not daly.may_lack(1, "cells")


def test_what_a_board_used_to_report_it_must_report() -> None:
    daly = Daly()
    assert daly.may_lack(1, "alarms")
    assert answered(daly.exchange("alarms", 1), DalyResponder(1), pack_row())
    assert not daly.may_lack(1, "alarms")
    assert daly.may_lack(2, "alarms")


def test_the_cell_count_is_asked_before_the_cells() -> None:
    daly = Daly()
    assert next(daly.questions_to(1, Topic.STATUS)) == "counts"
    assert "counts" not in counted(4).questions_to(1, Topic.STATUS)


@pytest.mark.parametrize("wrong", [1, 14, 20, 32, 33, 255])
def test_a_wrong_cell_count_does_not_last(wrong: int) -> None:
    daly, row = counted(wrong), pack_row(16)
    for _ in range(RARELY + 1):
        reported, complete = blank(), True
        for question in daly.questions_to(1, Topic.STATUS):
            exchange = daly.exchange(question, 1)
            complete = answered(exchange, DalyResponder(1), row) and complete
            if exchange.answer:
                daly.decode(1, question, exchange.answer, reported, Identity())
    assert complete
    assert np.isfinite(reported[CELL_VOLTAGES]).sum() == 16


@pytest.mark.parametrize("cells", [0, 33, 48])
def test_an_impossible_cell_count_is_refused(cells: int) -> None:
    with pytest.raises(FrameError, match="cells in series"):
        decoded(Daly(), "counts", reply(1, 0x94, f"{cells:02x}01"))


def test_reserved_bytes_are_never_read() -> None:
    clean, dirty = (
        decoded(counted(3), "counts", reply(1, 0x94, "0301000000" + "0002" + tail)) for tail in ("00", "FF")
    )
    np.testing.assert_array_equal(clean, dirty)


def test_the_request_is_thirteen_bytes_and_filled_as_weak_ports_like_it() -> None:
    request = Daly().exchange("pack", 1).request
    assert request == bytes.fromhex("A5409008" + "AA" * 8 + "CD")
    assert find_a5(request) == 0


def test_describe_names_requests_damage_and_bursts() -> None:
    daly = Daly()
    assert daly.describe(bytes.fromhex(READ_PACK + "7D")).values["question"] == "pack"
    assert daly.describe(bytes.fromhex(READ_PACK + "7E")).error
    assert daly.describe(b"").error == "no Daly frame"
    cells = burst(3, (3301, 3302, 3303), (3304, 3305, 3306))
    description = daly.describe(b"\0" + cells)
    assert (description.kind, description.address, description.error) == ("status", 3, "")
    assert description.values == {"cell_voltages": [3.301, 3.302, 3.303, 3.304, 3.305, 3.306]}
    assert "sum8" in daly.describe(cells[:-1]).error
    assert "incomplete" in daly.describe(cells[13:]).error


def test_texts_and_dates_make_the_identity() -> None:
    who = Identity(serial="rack 2 upper", software="W24", hardware="R32", manufactured="2021-11-30")
    _, identity = ask(Daly(), DalyResponder(4, who), pack_row())
    assert identity == who
    exchange = Daly().exchange("production", 1)
    assert exchange.feed(reply(1, 0x53, "0000000000"))
    assert Daly().decode(1, "production", exchange.answer, blank(), Identity()).manufactured == ""


def test_no_answer_is_longer_than_the_line_allows() -> None:
    line, responder = Daly.line, DalyResponder(1, old_firmware=True)
    daly = counted(16, 2)
    for question in ("pack", "cells", "temperatures"):
        exchange = daly.exchange(question, 1)
        if exchange.request[1] != 0x80:
            exchange = daly.exchange(question, 1)
        delays = [responder.answer(exchange.request, pack_row(), Random(seed))[0].delay for seed in range(20)]
        assert max(delays) < line.first_byte_timeout
