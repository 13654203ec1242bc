"""Daren packs; tests named ``test_incumbent_...`` show right what dbus-serialbattery gets wrong."""

from __future__ import annotations

import numpy as np
import pytest

from ascii_bms import decoded, info_of, raised, real, reasons, resealed, with_bit
from other_bms import answered, ask, blank, pack_row
from packbank.bms.daren import Daren
from packbank.bms.daren_fields import ALARMS
from packbank.bms.protocol import Topic
from packbank.cext.envelope import seal
from packbank.errors import FrameError
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.responder_daren import DarenResponder
from shared import needs_shared

WORDS_AT = 6 + 32 + 7 + 8  # in INFO, of 16 cells and four sensors


def analog(address: int = 1, cells: int = 16, **changes: float) -> bytes:
    return seal(0x22, address, 0x4A, 0, DarenResponder(address).info("analog", pack_row(cells, **changes)))


@pytest.mark.parametrize("cells", [8, 13, 15, 16])
def test_incumbent_reads_16_cells_and_4_sensors_at_fixed_places(cells: int) -> None:
    row = decoded(Daren(), "analog", 1, analog(cells=cells))
    assert np.isfinite(row[CELL_VOLTAGES]).sum() == cells == row[Column.CELL_COUNT]
    Daren().check(row, blank())


@needs_shared
def test_incumbent_has_no_place_for_two_sensors() -> None:
    row = decoded(Daren(), "analog", 1, real("daren-013"))
    assert row[list(BATTERY_TEMPERATURES)][:2] == pytest.approx([20.0, 19.0])
    assert np.isnan(row[list(BATTERY_TEMPERATURES)][2:]).all()
    assert row[Column.VOLTAGE] == 53.19


@needs_shared
def test_incumbent_cuts_capacities_to_whole_ampere_hours() -> None:
    row = decoded(Daren(), "analog", 1, real("daren-004"))
    assert (row[Column.REMAINING_CAPACITY], row[Column.FULL_CAPACITY]) == (102.68, 102.92)


def test_incumbent_asks_three_questions_with_sleeps_for_a_status() -> None:
    assert Daren.questions[Topic.STATUS] == ("analog",)
    assert Daren.steady_question == "analog"


@needs_shared
def test_incumbent_calls_led_and_buzzer_a_failure() -> None:
    frame = with_bit(real("daren-004"), WORDS_AT + 19 + 1, 0x60)
    assert raised(decoded(Daren(), "analog", 1, frame)) == {}


@pytest.mark.parametrize(("bit", "what"), ALARMS.items(), ids=str)
@needs_shared
def test_each_bit_alone_in_a_real_frame(bit: tuple[int, int], what: tuple[str, Alarm, int]) -> None:
    frame = with_bit(real("daren-004"), WORDS_AT + bit[0], bit[1])
    assert raised(decoded(Daren(), "analog", 1, frame)) == {what[1]: what[2]}
    assert Daren().describe(frame).values["alarms"] == [what[0]]


@needs_shared
def test_what_is_balanced_is_behind_the_words() -> None:
    assert decoded(Daren(), "analog", 1, with_bit(real("daren-004"), WORDS_AT + 23 + 9, 0x04))[Column.BALANCING] == 2
    assert decoded(Daren(), "analog", 1, real("daren-004"))[Column.BALANCING] == 0


@pytest.mark.parametrize(("bits", "on"), [(0, 0.0), (1, np.nan), (2, np.nan), (3, 1.0)])
@needs_shared
def test_one_mosfet_alone_is_unknown_because_documents_differ(bits: int, on: float) -> None:
    info = bytearray(info_of(real("daren-004")))
    info[WORDS_AT + 22] = info[WORDS_AT + 22] & 0xFC | bits
    row = decoded(Daren(), "analog", 1, resealed(real("daren-004"), bytes(info)))
    np.testing.assert_array_equal(row[[Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET]], [on, on])


@needs_shared
def test_a_current_that_contradicts_its_direction_is_refused() -> None:
    row = decoded(Daren(), "analog", 1, real("daren-005"))
    assert (row[Column.CURRENT], row[Column.FLOW]) == (-11.16, -1)
    Daren().check(row, blank())
    row[Column.CURRENT] *= -1
    with pytest.raises(FrameError, match="INVERT_CURRENT_MEASUREMENT"):
        Daren().check(row, blank())


@pytest.mark.parametrize(
    ("soc", "remaining", "expected"), [(1.0, 280.0, 100.0), (0.64, 179.2, 64.0), (0.64, 1.8, 0.64)]
)
def test_a_charge_in_whole_percent_is_known_by_the_capacities(soc: float, remaining: float, expected: float) -> None:
    row = decoded(Daren(), "analog", 1, analog(soc=soc, remaining_capacity=remaining))
    assert row[Column.SOC] == pytest.approx(expected)


def test_the_charge_limit_bounds_what_the_owner_writes() -> None:
    row, identity = ask(Daren(), DarenResponder(2, Identity(model="16S100JC25", serial="DR-1")), pack_row())
    assert row[Column.CHARGE_CURRENT_LIMIT] == 120.0
    assert np.isnan(row[Column.DISCHARGE_CURRENT_LIMIT])
    assert not Daren.reports_limits
    assert (identity.model, identity.hardware, identity.serial) == ("16S100JC25", "STD08", "DR-1")


@pytest.mark.parametrize(("at", "word"), [(1, 0), (3, 0x0E43), (15, 0), (15, 40), (9, 0), (17, 99)])
def test_parameters_that_make_no_sense_are_not_taken(at: int, word: int) -> None:
    info = bytearray(DarenResponder(1).info("parameters", pack_row()))
    assert reasons(Daren(), "parameters", 1, seal(0x22, 1, 0x4A, 0, bytes(info))) == []
    info[at : at + 2] = word.to_bytes(2)
    assert reasons(Daren(), "parameters", 1, seal(0x22, 1, 0x4A, 0, bytes(info))) == ["layout"]


def test_incumbent_makes_five_digits_of_a_length_whose_digits_add_up_to_16() -> None:
    """LENID 0x0C4 and the like: the answer is good, and its check digit 0."""
    for size in range(1, 250):
        frame = seal(0x22, 1, 0x4A, 0, bytes(size))
        assert len(frame) == 18 + 2 * size
        exchange = Daren().exchange("maker", 1)
        exchange.feed(frame)
        assert "check" not in [error.reason for error in exchange.rejected]


def test_all_cells_at_0_v_are_no_pack() -> None:
    row = pack_row(voltage=0.0)
    row[CELL_VOLTAGES][:16] = 0.0
    assert reasons(Daren(), "analog", 1, seal(0x22, 1, 0x4A, 0, DarenResponder(1).info("analog", row))) == ["empty"]


def test_addresses_and_the_masters_switches() -> None:
    assert Daren().exchange("analog", 1).request == b"~22014A42E00201FD28\r"
    assert "5 and 6" in Daren().explain_address(0)
    exchange = Daren().exchange("analog", 3)
    assert not answered(exchange, DarenResponder(4), pack_row())
    assert not exchange.feed(analog(4))
