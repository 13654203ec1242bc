"""PACE packs; tests named ``test_incumbent_...`` show right what other readers get wrong."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ascii_bms import decoded, info_of, raised, real, reasons, resealed, with_bit
from other_bms import answered, ask, blank, pack_row
from packbank.bms.pace import Pace
from packbank.bms.pace_fields import ALARMS, SOC_TAILS, TAILS
from packbank.bms.protocol import Topic
from packbank.cext.envelope import HEADER, seal
from packbank.errors import FrameError
from packbank.model.columns import ALARMS as ALARM_COLUMNS
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.model.identity import Identity
from packbank.sim.responder_pace import PaceResponder
from shared import needs_shared

WARNING_16S = info_of(seal(0x25, 2, 0x46, 0, bytes((0, 2, 16)) + bytes(16) + b"\6" + bytes(6) + bytes(12)))


def analog(address: int = 2, *, cells: int = 16, tail: int = 6, **changes: float) -> bytes:
    responder = PaceResponder(address, tail=tail)
    info = responder.info("analog", pack_row(cells, **changes))
    return seal(0x25, address, 0x46, 0, info)


@pytest.mark.parametrize(("bit", "what"), ALARMS.items(), ids=str)
@needs_shared
def test_incumbent_reads_alarms_one_character_late(bit: tuple[int, int], what: tuple[str, object, int]) -> None:
    """Each bit set alone in a real frame: that driver makes another alarm of it, or none."""
    frame = with_bit(real("pace-020"), 2 + 1 + 16 + 1 + 6 + bit[0], bit[1])
    row = decoded(Pace(), "warning", 2, frame)
    assert raised(row) == {what[1]: what[2]}
    assert (row[Column.CHARGE_MOSFET], row[Column.DISCHARGE_MOSFET], row[Column.BALANCING]) == (1, 1, 0)
    assert Pace().describe(frame).values["alarms"] == [what[0]]


@pytest.mark.parametrize(("mask", "charge", "discharge"), [(0, 1, 1), (2, 0, 1), (4, 1, 0), (6, 0, 0)])
@needs_shared
def test_incumbent_shows_mosfets_as_always_on_and_their_state_as_balancing(
    mask: int, charge: int, discharge: int
) -> None:
    info = bytearray(info_of(real("pace-020")))
    info[31] ^= mask
    row = decoded(Pace(), "warning", 2, resealed(real("pace-020"), bytes(info)))
    assert (row[Column.CHARGE_MOSFET], row[Column.DISCHARGE_MOSFET], row[Column.BALANCING]) == (charge, discharge, 0)
    info[35] |= 0x10
    assert decoded(Pace(), "warning", 2, resealed(real("pace-020"), bytes(info)))[Column.BALANCING] == 2


@needs_shared
def test_fully_charged_and_signs_of_life_are_no_alarms() -> None:
    frame = with_bit(with_bit(real("pace-020"), 30, 0x80), 31, 0x80)
    assert raised(decoded(Pace(), "warning", 2, frame)) == {}


@needs_shared
def test_incumbent_reads_another_voltage_and_current_where_five_sensors_are() -> None:
    row = decoded(Pace(), "analog", 2, real("pace-006"))  # Itel: 9.994 V and -81.44 A there
    assert (row[Column.VOLTAGE], row[Column.CURRENT]) == (57.391, 0.0)


@pytest.mark.parametrize("cells", [1, 8, 13, 15, 16, 32])
def test_incumbent_fails_on_packs_that_have_not_16_cells(cells: int) -> None:
    row = decoded(Pace(), "analog", 2, analog(cells=cells))
    assert row[Column.CELL_COUNT] == cells
    assert np.isfinite(row[CELL_VOLTAGES]).sum() == cells
    Pace().check(row, blank())


@pytest.mark.parametrize("current", [-327.68, -300.0, -245.77, -10.84, -0.01, 0.0, 0.01, 327.67])
def test_incumbent_turns_large_discharge_currents_round(current: float) -> None:
    assert decoded(Pace(), "analog", 2, analog(current=current))[Column.CURRENT] == pytest.approx(current, abs=1e-9)


@needs_shared
def test_incumbent_reads_the_first_of_several_packs_only() -> None:
    packs = Pace().describe(real("pace-016")).values["packs"]
    assert isinstance(packs, list)
    assert [pack["current"] for pack in packs] == [-10.84, -11.25]


@needs_shared
def test_incumbent_finds_the_second_pack_by_the_cell_count_and_loses_a_byte() -> None:
    info = bytearray(info_of(real("pace-016")))
    first = 2 + (len(info) - 2) // 2
    info[first - 1] = 16  # the last byte of the first pack looks like the count of the second
    packs = Pace().describe(resealed(real("pace-016"), bytes(info))).values["packs"]
    assert isinstance(packs, list)
    assert [pack["voltage"] for pack in packs] == [51.676, 51.576]


@pytest.mark.parametrize("tail", TAILS)
def test_incumbent_guesses_where_each_of_eight_packs_ends(tail: int) -> None:
    """Their common tail follows from the length of all; one driver guesses it anew in each pack and fails on eight."""
    blocks = [info_of(analog(tail=tail, current=float(number)))[2:] for number in range(8)]
    frame = seal(0x25, 1, 0x46, 0, bytes((0, 8)) + b"".join(blocks))
    packs = Pace().describe(frame).values["packs"]
    assert isinstance(packs, list)
    assert [pack["current"] for pack in packs] == list(range(8))


def test_incumbent_smooths_cells() -> None:
    pace, row = Pace(), blank()
    for volts in (3.300, 3.450, 3.299):
        info = bytearray(info_of(analog()))
        info[3:5] = round(1000 * volts).to_bytes(2)
        decoded(pace, "analog", 2, resealed(analog(), bytes(info)), row)
        assert row[CELL_VOLTAGES][0] == volts


@needs_shared
def test_incumbent_takes_the_answer_about_all_packs_for_that_of_one() -> None:
    """It begins with their number, 2, where that of the pack stands."""
    assert reasons(Pace(), "analog", 2, real("pace-016")) == ["layout"]


@needs_shared
def test_incumbent_refuses_answers_that_the_master_passes_on() -> None:
    row = decoded(Pace(), "warning", 2, real("pace-020"))  # ADR 1, number 2
    assert row[Column.CHARGE_MOSFET] == 1
    assert reasons(Pace(), "warning", 3, real("pace-020")) == []
    assert reasons(Pace(), "warning", 1, real("pace-020")) == []


@needs_shared
def test_some_boards_call_themselves_number_0() -> None:
    assert decoded(Pace(), "warning", 2, real("pace-019"))[Column.CHARGE_MOSFET] == 1


def test_a_pack_of_0_v_is_none() -> None:
    row = pack_row(voltage=0.0)
    row[CELL_VOLTAGES][:16] = 0.0
    frame = seal(0x25, 2, 0x46, 0, PaceResponder(2).info("analog", row))
    assert reasons(Pace(), "analog", 2, frame) == ["empty"]


def test_a_voltage_beyond_its_word_is_reported_by_the_cells() -> None:
    row = decoded(Pace(), "analog", 2, analog(cells=20))
    assert row[Column.VOLTAGE] == pytest.approx(20 * 3.3115, abs=0.1)
    Pace().check(row, blank())


@pytest.mark.parametrize("tail", [4, 6, 7, 14, 16, 20, 33])
def test_the_charge_is_counted_whatever_the_tail(tail: int) -> None:
    row = decoded(Pace(), "analog", 2, analog(tail=tail, soc=60.0, remaining_capacity=170.8, full_capacity=280.0))
    assert row[Column.SOC] == (60.0 if tail in SOC_TAILS else 61.0)
    assert np.isnan(row[Column.NOMINAL_CAPACITY]) == (tail == 4)
    far = decoded(Pace(), "analog", 2, analog(tail=tail, soc=90.0, remaining_capacity=170.8, full_capacity=280.0))
    assert far[Column.SOC] == 61.0  # what stands there is something else


@pytest.mark.parametrize("tail", [3, 41, 47, 60])
def test_other_tails_are_another_familys_or_another_packs(tail: int) -> None:
    info = info_of(analog(tail=6)) + bytes(60)
    assert reasons(Pace(), "analog", 2, seal(0x25, 2, 0x46, 0, info[: len(info) - 66 + tail])) == ["layout"]


def test_settings_of_one_form_are_distinguished_by_what_they_say() -> None:
    pace, responder = Pace(), PaceResponder(2)
    frames = {name: seal(0x25, 2, 0x46, 0, responder.info(name, blank())) for name in pace.questions[Topic.SETTINGS]}
    for name in frames:
        for other, frame in frames.items():
            assert reasons(pace, name, 2, frame) == ([] if name == other else ["layout"])


def test_the_currents_at_which_it_protects_bound_what_the_owner_writes() -> None:
    responder = PaceResponder(2, Identity(software="P16S200A-1B470-3.01", serial="AB 17"))
    row, identity = ask(Pace(), responder, pack_row())
    assert (row[Column.CHARGE_CURRENT_LIMIT], row[Column.DISCHARGE_CURRENT_LIMIT]) == (104.0, 105.0)
    assert not Pace.reports_limits
    assert (identity.model, identity.software, identity.serial) == ("P16S200A", "P16S200A-1B470-3.01", "AB 17")


def test_the_others_are_asked_through_the_master_once_it_has_said_how_many_they_are() -> None:
    pace, responder = Pace(), PaceResponder(1)
    assert pace.ways_to_ask(3) == 2
    exchange = pace.exchange("packs", 1)
    assert answered(exchange, responder, pack_row())
    pace.decode(1, "packs", exchange.answer[:HEADER] + b"\3", blank(), Identity())
    assert [pace.ways_to_ask(address) for address in (1, 2, 3, 4)] == [1, 3, 3, 2]
    requests = [pace.exchange("analog", 3).request for _ in range(3)]
    assert requests[2] == seal(0x25, 1, 0x46, 0x42, b"\3")
    relayed = resealed(analog(3), info_of(analog(3)), address=1)
    exchange = pace.exchange("analog", 3)
    while exchange.request != requests[2]:
        exchange = pace.exchange("analog", 3)
    assert exchange.feed(relayed)
    assert not list(pace.questions_to(3, Topic.SETTINGS)), "the master would answer about itself"
    assert list(pace.questions_to(3, Topic.STATUS)) == ["analog", "warning"]
    assert reasons(pace, "analog", 3, resealed(analog(1), info_of(analog(1)), address=1)) == []


@pytest.mark.parametrize(("version", "gap"), [(0x25, 0.050), (0x20, 0.200), (0x26, 0.200)])
def test_boards_of_other_versions_get_a_longer_pause(version: int, gap: float) -> None:
    """Some lock up when they are asked as fast as the newest."""
    pace, answer = Pace(), PaceResponder(2, tail=4 if version != 0x25 else 6).info("analog", pack_row())
    frame = seal(version, 2, 0x46, 0, answer)
    decoded(pace, "analog", 2, frame)
    assert pace.line.same_pack_gap == gap
    assert pace.line.at(9_600).same_pack_gap == gap
    assert Pace().line.same_pack_gap == 0.050


def test_addresses_are_those_of_four_switches() -> None:
    pace = Pace()
    assert [pace.explain_address(address) for address in (0, 1, 15)] == ["", "", ""]
    assert "DIP" in pace.explain_address(16)
    with pytest.raises(ValueError, match="DIP"):
        pace.exchange("analog", 16)


def test_alarms_are_unknown_until_they_are_read() -> None:
    row = decoded(Pace(), "analog", 2, analog())
    assert np.isnan(row[ALARM_COLUMNS]).all()


def test_a_frame_broken_off_is_named_in_the_description() -> None:
    frame = analog()
    for before, after in pairwise((1, 20, len(frame) - 1)):
        assert Pace().describe(frame[before:after]).error
    with pytest.raises(FrameError):
        Pace().check(decoded(Pace(), "analog", 2, analog(voltage=40.0)), blank())
