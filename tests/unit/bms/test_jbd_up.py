"""JBD UP packs; tests named ``test_incumbent_...`` show right what dbus-serialbattery gets wrong."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from ascii_bms import decoded, raised, real, reasons
from other_bms import answered, blank, pack_row
from packbank.bms.jbd_up import LIMITS, JbdUp
from packbank.bms.jbd_up_fields import ALARMS, CELLS_AT
from packbank.bms.modbus import seal
from packbank.bms.protocol import Topic
from packbank.errors import FrameError
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.responder_jbd_up import JbdUpResponder
from shared import needs_shared


def status(address: int = 2, cells: int = 16, **changes: float) -> bytes:
    return JbdUpResponder(address).frame("status", pack_row(cells, **changes))


def changed(frame: bytes, at: int, new: bytes) -> bytes:
    """The frame with other bytes there and a right CRC."""
    return seal(frame[:at] + new + frame[at + len(new) : -2])


def read(protocol: JbdUp, *questions: str, address: int = 1) -> list[float]:
    """The limits after these questions to a simulated pack, in one status."""
    row, pack = blank(), JbdUpResponder(address)
    values = pack_row(charge_current_limit=100.0, discharge_current_limit=150.0)
    asked = {question: protocol.exchange(question, address) for question in questions}
    assert all(answered(exchange, pack, values) for exchange in asked.values())
    for question, exchange in asked.items():
        protocol.decode(address, question, exchange.answer, row, Identity())
    return [float(row[column]) for column in LIMITS]


def test_the_first_pack_s_limits_are_its_own_and_never_the_bank_s() -> None:
    protocol = JbdUp()
    assert np.isnan(read(protocol, "status")).all()
    assert read(protocol, "status", "own") == [100.0, 150.0]
    assert read(protocol, "status", "own") == [100.0, 150.0]
    assert read(protocol, "status", address=2) == [100.0, 150.0]


@needs_shared
def test_real_limits_of_two_packs() -> None:
    protocol, row = JbdUp(), blank()
    for question, name in (("status", "jbd_up-027"), ("own", "jbd_up-028")):
        exchange = protocol.exchange(question, 1)
        assert exchange.feed(real(name))
        protocol.decode(1, question, exchange.answer, row, Identity())
    assert list(row[LIMITS]) == [100.0, 100.0]
    assert list(decoded(protocol, "status", 2, real("jbd_up-017"))[LIMITS]) == [100.0, 100.0]


def test_a_bank_that_forbids_charging_forbids_it_to_the_first_pack() -> None:
    protocol, row = JbdUp(), blank()
    pack, values = JbdUpResponder(1), pack_row(charge_current_limit=100.0)
    own = protocol.exchange("own", 1)
    assert answered(own, pack, values)
    forbids = changed(pack.frame("status", values), 8 + 60, b"\0\0")
    protocol.decode(1, "status", forbids, row, Identity())
    protocol.decode(1, "own", own.answer, row, Identity())
    assert row[Column.CHARGE_CURRENT_LIMIT] == 0.0


def test_only_the_first_pack_is_asked_for_what_is_its_own_and_rarely_where_it_never_answers() -> None:
    protocol = JbdUp()
    assert list(protocol.questions_to(2, Topic.STATUS)) == ["status"]
    asked = []
    for _ in range(25):
        for question in protocol.questions_to(1, Topic.STATUS):
            exchange = protocol.exchange(question, 1)
            asked.append(question)
            assert question == "own" or exchange.feed(status(1))
    assert asked.count("status") == 25
    assert 4 <= asked.count("own") <= 7
    assert protocol.may_lack(1, "own")
    assert not protocol.may_lack(1, "status")


@pytest.mark.parametrize("cells", [4, 8, 15, 16, 24])
def test_counts_say_where_everything_stands(cells: int) -> None:
    row = decoded(JbdUp(), "status", 2, status(cells=cells))
    assert np.isfinite(row[CELL_VOLTAGES]).sum() == row[Column.CELL_COUNT] == cells
    assert (row[Column.TEMPERATURE_1], row[Column.TEMPERATURE_2]) == (24.0, -5.0)
    JbdUp().check(row, blank())


@pytest.mark.parametrize("tail", [b"", b"\0" * 4, b"\0" * 12, b"\1" * 30])
def test_the_length_is_the_count_s_and_not_that_of_the_registers_asked_for(tail: bytes) -> None:
    frame = status()
    body = frame[8:-6] + tail
    longer = seal(frame[:6] + len(body).to_bytes(2) + body)
    assert decoded(JbdUp(), "status", 2, longer)[Column.SOC] == 61.0


@pytest.mark.parametrize(("place", "what"), ALARMS.items(), ids=str)
def test_each_alarm_bit_alone(place: tuple[int, int], what: tuple[str, Alarm, int]) -> None:
    (at, bit), (name, alarm, level) = place, what
    frame = changed(status(), at, (1 << bit).to_bytes(4))
    assert raised(decoded(JbdUp(), "status", 2, frame)) == {alarm: level}
    assert JbdUp().describe(frame).values["alarms"] == [name]


def test_full_is_no_alarm() -> None:
    frame = changed(changed(status(), 32, (1 << 25).to_bytes(4)), 36, (1 << 18).to_bytes(4))
    assert raised(decoded(JbdUp(), "status", 2, frame)) == {}


@pytest.mark.parametrize("current", [-2999.99, -0.01, 0.0, 0.01, 320.0])
def test_the_current_has_its_zero_at_300000(current: float) -> None:
    row = decoded(JbdUp(), "status", 2, status(current=current))
    assert row[Column.CURRENT] == pytest.approx(current, abs=1e-9)
    assert row[Column.FLOW] == np.sign(current)


@pytest.mark.parametrize(
    ("at", "new", "reason"),
    [
        (CELLS_AT, b"\0\0", "layout"),
        (CELLS_AT, b"\0\x21", "layout"),
        (CELLS_AT, b"\0\x20", "layout"),
        (CELLS_AT + 34, b"\0\xff", "layout"),
        (CELLS_AT + 2, bytes(32), "empty"),
    ],
)
def test_a_status_that_cannot_be_is_refused(at: int, new: bytes, reason: str) -> None:
    assert reasons(JbdUp(), "status", 2, changed(status(), at, new)) == [reason]


def test_damage_and_breaks_are_refused_and_others_passed_over() -> None:
    frame = status()
    assert reasons(JbdUp(), "status", 2, frame[:-1] + bytes((frame[-1] ^ 1,))) == ["sum16"]
    assert reasons(JbdUp(), "status", 2, frame[:-1]) == ["truncated"]
    assert reasons(JbdUp(), "status", 3, frame) == []
    assert reasons(JbdUp(), "own", 2, frame) == []
    request = JbdUp().exchange("status", 2).request
    assert reasons(JbdUp(), "status", 2, request) == []
    assert decoded(JbdUp(), "status", 2, request + frame)[Column.SOC] == 61.0


def test_what_a_pack_says_of_itself_must_fill_its_answer() -> None:
    frame = JbdUpResponder(1).frame("own", pack_row())
    assert reasons(JbdUp(), "own", 1, frame) == []
    assert reasons(JbdUp(), "own", 1, changed(frame, 8, b"\0\x0f")) == ["layout"]
    with pytest.raises(FrameError, match="layout"):
        JbdUp().decode(1, "own", changed(frame, 8, b"\0\0"), blank(), Identity())


def test_more_sensors_than_columns_keep_the_coldest_and_the_hottest() -> None:
    frame = status()
    at = CELLS_AT + 2 + 32
    sensors = b"".join((500 + 10 * celsius).to_bytes(2) for celsius in (20, 21, 22, 35, 3, 30))
    body = frame[8:at] + b"\0\6" + sensors + frame[at + 10 : -2]
    row = decoded(JbdUp(), "status", 2, seal(frame[:6] + len(body).to_bytes(2) + body))
    columns = [Column.TEMPERATURE_1, Column.TEMPERATURE_2, Column.TEMPERATURE_4, Column.TEMPERATURE_5]
    assert list(row[columns]) == [20, 21, 3, 35]


def test_nothing_that_changes_a_pack_is_ever_sent() -> None:
    """Register 2000 makes the discharge limit 0 for a moment on some firmware; 0x79 writes."""
    protocol = JbdUp()
    requests = [protocol.exchange(question, 1).request for question in protocol.asked]
    assert {(request[1], request[2:4]) for request in requests} == {(0x78, b"\x10\0"), (0x45, b"\0\0")}


def test_incumbent_wants_a_serial_that_packs_behind_the_first_never_say() -> None:
    identity = JbdUp().decode(3, "status", status(3), blank(), Identity())
    assert (identity.serial, identity.model) == ("", "JBD48100000")


@pytest.mark.parametrize("address", [0, 16])
def test_other_addresses_are_refused_with_the_remedy(address: int) -> None:
    assert "0x01" in JbdUp().explain_address(address)
    with pytest.raises(ValueError, match="0x01"):
        JbdUp().exchange("status", address)


def test_every_answer_comes_within_the_time_that_is_waited() -> None:
    pack, request = JbdUpResponder(1), JbdUp().exchange("status", 1).request
    assert max(pack.answer(request, pack_row(), Random(seed))[0].delay for seed in range(20)) < 1.0
