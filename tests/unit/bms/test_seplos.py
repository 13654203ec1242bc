"""Seplos V1/V2 packs; tests named ``test_incumbent_...`` show right what dbus-serialbattery gets wrong."""

from __future__ import annotations

import numpy as np
import pytest

from ascii_bms import decoded, info_of, raised, real, reasons, resealed, with_bit
from other_bms import answered, blank, pack_row
from packbank.bms.protocol import Topic
from packbank.bms.seplos import Seplos
from packbank.bms.seplos_fields import ALARMS
from packbank.cext.envelope import seal
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.sim.responder_seplos import SeplosResponder
from shared import needs_shared


def analog(address: int, cells: int = 16, **changes: float) -> bytes:
    return seal(0x20, address, 0x46, 0, SeplosResponder(address).info("analog", pack_row(cells, **changes)))


@pytest.mark.parametrize("cells", [4, 8, 14, 15, 16])
def test_incumbent_never_finds_packs_that_have_not_16_cells(cells: int) -> None:
    row = decoded(Seplos(), "analog", 3, analog(3, cells))
    assert row[Column.CELL_COUNT] == cells
    assert np.isfinite(row[CELL_VOLTAGES]).sum() == cells
    assert row[Column.VOLTAGE] == pytest.approx(cells * 3.3115, abs=0.1)
    Seplos().check(row, blank())


@needs_shared
def test_incumbent_never_finds_this_real_pack_of_15_cells() -> None:
    row = decoded(Seplos(), "analog", 0, real("seplos-029"))
    assert (row[Column.CELL_COUNT], row[Column.VOLTAGE], row[Column.SOC]) == (15, 50.04, 95.5)


@pytest.mark.parametrize(("bit", "what"), ALARMS.items(), ids=str)
@needs_shared
def test_each_event_alone_in_a_real_frame(bit: tuple[int, int], what: tuple[str, Alarm, int]) -> None:
    row = decoded(Seplos(), "alarm", 0, with_bit(real("seplos-011"), 2 + 1 + 16 + 1 + 6 + 3 + bit[0], bit[1]))
    assert raised(row) == {what[1]: what[2]}
    assert (row[Column.CHARGE_MOSFET], row[Column.DISCHARGE_MOSFET], row[Column.BALANCING]) == (1, 1, 0)


@needs_shared
def test_waiting_and_heating_are_no_alarms() -> None:
    frame = real("seplos-011")
    for at, mask in ((3, 0x40), (5, 0x02), (9, 0x3F), (12, 0x30)):
        frame = with_bit(frame, 29 + at, mask)
    assert raised(decoded(Seplos(), "alarm", 0, frame)) == {}


@pytest.mark.parametrize("mask", range(4))
@needs_shared
def test_switches_are_the_mosfets(mask: int) -> None:
    info = bytearray(info_of(real("seplos-011")))
    info[29 + 6] = mask
    row = decoded(Seplos(), "alarm", 0, resealed(real("seplos-011"), bytes(info)))
    assert (row[Column.DISCHARGE_MOSFET], row[Column.CHARGE_MOSFET]) == (mask & 1, mask >> 1)


def test_the_current_is_in_hundredths_and_the_voltage_too() -> None:
    row = decoded(Seplos(), "analog", 2, analog(2, current=-6.44, voltage=52.98))
    assert (row[Column.CURRENT], row[Column.VOLTAGE]) == (-6.44, 52.98)
    assert row[Column.POWER] == pytest.approx(-6.44 * 52.98)


@needs_shared
def test_what_packs_report_to_their_master_is_nobodys_answer() -> None:
    """The master asks once a second with 0x5A; the answer has the command where RTN should stand."""
    for name in ("seplos-007", "seplos-008"):
        for question in ("analog", "alarm", "maker"):
            assert reasons(Seplos(), question, 1, real(name)) == []
    assert Seplos().describe(real("seplos-008")).kind == "summary"


def test_a_pack_at_0_may_go_by_number_1_and_answers_for_no_other() -> None:
    seplos = Seplos()
    assert [seplos.exchange("analog", 0).request[13:15] for _ in range(2)] == [b"00", b"01"]
    assert seplos.ways_to_ask(1) == 1
    by_one = resealed(analog(0), b"\0\1" + info_of(analog(0))[2:])
    assert decoded(seplos, "analog", 0, by_one)[Column.CELL_COUNT] == 16
    assert reasons(seplos, "analog", 1, by_one) == []


def test_some_answer_with_number_0_whatever_they_are() -> None:
    assert (
        decoded(Seplos(), "analog", 3, resealed(analog(3), b"\0\0" + info_of(analog(3))[2:]))[Column.CELL_COUNT] == 16
    )
    other = resealed(analog(3), b"\0\4" + info_of(analog(3))[2:])
    assert reasons(Seplos(), "analog", 3, other) == []


def test_an_empty_acknowledgement_is_no_answer() -> None:
    assert reasons(Seplos(), "maker", 0, b"~200046000000FDB4\r") == ["layout"]


def test_limits_are_the_owners() -> None:
    assert not Seplos.reports_limits
    assert Topic.SETTINGS not in Seplos.questions
    exchange = Seplos().exchange("maker", 2)
    assert answered(exchange, SeplosResponder(2), pack_row())
    assert "DIP" in Seplos().explain_address(16)
