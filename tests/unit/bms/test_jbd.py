"""Classic JBD boards: what a frame is, and what of it counts."""

from __future__ import annotations

import numpy as np
import pytest

from ascii_bms import decoded, raised, real, reasons
from other_bms import ask, blank, pack_row
from packbank.bms.jbd import Jbd, seal
from packbank.bms.jbd_fields import ALARMS, PROTECTION_AT, made_on
from packbank.bms.protocol import Topic
from packbank.bms.remedies import remedy
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.responder_jbd import JbdResponder
from shared import needs_shared


def frame(question: str = "basic", cells: int = 16, *, more: bool = False, **changes: float) -> bytes:
    return JbdResponder(more=more).frame(question, pack_row(cells, **changes))


def changed(data: bytes, at: int, new: bytes) -> bytes:
    """The frame with other bytes there and a right check."""
    return seal(data[:at] + new + data[at + len(new) : -3])


def test_the_worked_request_of_the_document() -> None:
    assert Jbd().exchange("basic", 1).request.hex() == "dda50300fffd77"
    assert Jbd().exchange("cells", 1).request.hex() == "dda50400fffc77"


@pytest.mark.parametrize(("bit", "what"), ALARMS.items(), ids=str)
def test_each_protection_alone(bit: int, what: tuple[str, Alarm, int]) -> None:
    protected = changed(frame(), PROTECTION_AT, (1 << bit).to_bytes(2))
    assert raised(decoded(Jbd(), "basic", 1, protected)) == {what[1]: what[2]}
    assert Jbd().describe(protected).values["alarms"] == [what[0]]


@pytest.mark.parametrize("bit", [12, 13, 14, 15])
def test_the_owner_s_lock_and_unknown_bits_are_no_alarms(bit: int) -> None:
    assert raised(decoded(Jbd(), "basic", 1, changed(frame(), PROTECTION_AT, (1 << bit).to_bytes(2)))) == {}


@pytest.mark.parametrize("mask", range(4))
def test_the_first_bit_is_the_charge_mosfet(mask: int) -> None:
    row = decoded(Jbd(), "basic", 1, changed(frame(), 4 + 20, bytes((mask,))))
    assert (row[Column.CHARGE_MOSFET], row[Column.DISCHARGE_MOSFET]) == (mask & 1, mask >> 1)


def test_start_and_end_bytes_inside_an_answer_do_not_end_it() -> None:
    row = pack_row(4, current=-89.61)  # DCFF
    row[CELL_VOLTAGES][:4] = [3.447, 3.549, 3.447, 3.549]  # 0D77 0DDD
    row[Column.VOLTAGE], row[Column.CURRENT] = 13.99, -89.61
    noise = b"\xdd\x03\x00\x77\xdd"
    pack = JbdResponder()
    assert decoded(Jbd(), "basic", 1, noise + pack.frame("basic", row))[Column.CURRENT] == -89.61
    read = decoded(Jbd(), "cells", 1, pack.frame("cells", row))
    assert list(read[CELL_VOLTAGES][:4]) == [3.447, 3.549, 3.447, 3.549]


def test_newer_boards_say_a_full_capacity_too() -> None:
    assert decoded(Jbd(), "basic", 1, frame(more=True, full_capacity=271.5))[Column.FULL_CAPACITY] == 271.5
    assert np.isnan(decoded(Jbd(), "basic", 1, frame())[Column.FULL_CAPACITY])


@pytest.mark.parametrize("sensors", [0, 1, 3, 6])
def test_any_number_of_sensors(sensors: int) -> None:
    data = frame()
    words = b"".join((2731 + 10 * (20 + place)).to_bytes(2) for place in range(sensors))
    body = data[4:26] + bytes((sensors,)) + words
    row = decoded(Jbd(), "basic", 1, seal(data[:3] + bytes((len(body),)) + body))
    columns = [Column.TEMPERATURE_1, Column.TEMPERATURE_2, Column.TEMPERATURE_4, Column.TEMPERATURE_5]
    expected = [20, 21, 22, 25] if sensors == 6 else [20, 21, 22][:sensors]
    assert [celsius for celsius in row[columns] if np.isfinite(celsius)] == expected


def test_a_word_too_many_is_no_cell_and_a_cell_at_0_v_is_one() -> None:
    jbd, row = Jbd(), blank()
    jbd.decode(1, "basic", frame(cells=4), row, Identity())
    cells = frame("cells", 4)[4:-3]
    jbd.decode(1, "cells", seal(b"\xdd\x04\x00\x0a" + cells + b"\0\0"), row, Identity())
    assert np.isfinite(row[CELL_VOLTAGES]).sum() == 4
    jbd.check(row, blank())
    jbd.decode(1, "cells", seal(b"\xdd\x04\x00\x08" + cells[:-2] + b"\0\0"), row, Identity())
    assert row[CELL_VOLTAGES][3] == 0.0


@pytest.mark.parametrize(
    ("question", "data", "reason"),
    [
        ("basic", changed(frame(), 4 + 21, b"\0"), "layout"),
        ("basic", changed(frame(), 4 + 22, b"\x09"), "layout"),
        ("cells", seal(b"\xdd\x04\x00\x03" + b"\x0c\xe4\x0c"), "layout"),
        ("cells", seal(b"\xdd\x04\x00\x00"), "layout"),
        ("cells", seal(b"\xdd\x04\x00\x08" + bytes(8)), "empty"),
        ("basic", seal(b"\xdd\x03\x80\x00"), "refused"),
        ("basic", frame()[:-1] + b"\x78", "sum16"),
        ("basic", frame()[:-3] + b"\0\0\x77", "sum16"),
        ("basic", frame()[:-1], "truncated"),
    ],
)
def test_what_is_no_answer_is_refused(question: str, data: bytes, reason: str) -> None:
    assert reasons(Jbd(), question, 1, data) == [reason]
    assert remedy(reason)


def test_requests_and_other_registers_are_passed_over() -> None:
    request = Jbd().exchange("basic", 1).request
    for heard in (request, b"\xdd\x00\xa5\x03\x00\xff\x58\x77", frame("cells"), frame("model"), b"\xdd"):
        assert reasons(Jbd(), "basic", 1, heard) == []
    assert decoded(Jbd(), "basic", 1, request + frame())[Column.SOC] == 61


@needs_shared
def test_a_real_board_with_the_owner_s_lock() -> None:
    row = decoded(Jbd(), "basic", 1, real("jbd-024"))
    assert (row[Column.CHARGE_MOSFET], row[Column.DISCHARGE_MOSFET]) == (0, 1)
    assert raised(row) == {}


def test_limits_are_the_owners_and_factory_mode_is_never_asked_for() -> None:
    jbd = Jbd()
    reported_row, identity = ask(jbd, JbdResponder(), pack_row())
    assert not jbd.reports_limits
    assert np.isnan(reported_row[[Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT]]).all()
    assert identity.model == JbdResponder.model
    assert {jbd.exchange(question, 1).request[1] for question in jbd.asked} == {0xA5}
    assert Topic.SETTINGS not in jbd.questions


def test_there_is_one_board_on_a_port() -> None:
    assert "a port" in Jbd().explain_address(2)
    with pytest.raises(ValueError, match="jbd-up"):
        Jbd().exchange("basic", 0)


@pytest.mark.parametrize(("word", "date"), [(0x2078, "2016-03-24"), (0, ""), (0x21E1, "")])
def test_dates(word: int, date: str) -> None:
    assert made_on(word) == date
