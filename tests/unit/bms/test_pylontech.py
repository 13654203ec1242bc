"""Pylontech packs: what a module is, and what it allows."""

from __future__ import annotations

import numpy as np
import pytest

from ascii_bms import decoded, info_of, raised, real, reasons, resealed, with_bit
from other_bms import ask, blank, pack_row
from packbank.bms.pace import Pace
from packbank.bms.protocol import Topic
from packbank.bms.pylontech import Pylontech
from packbank.bms.pylontech_fields import ALARMS, LARGE, SMALL
from packbank.cext.envelope import seal
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.sim.responder_pylontech import PylontechResponder
from shared import needs_shared

LIMITS = bytes.fromhex("02D002AFC80172FE8EC0")  # of a US3000C: 53.25 V, 45 V, 37 A, -37 A, both allowed


def limits(info: bytes = LIMITS, cells: float = 15) -> tuple[float, float, float]:
    row = blank()
    row[Column.CELL_COUNT] = cells
    decoded(Pylontech(), "limits", 2, seal(0x20, 2, 0x46, 0, info), row)
    charge, discharge, voltage = row[
        [Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT, Column.CELL_CHARGE_REQUEST]
    ]
    return charge, discharge, voltage


def test_limits_are_in_tenths_of_an_ampere_and_volts_of_the_module() -> None:
    """python-pylontech divided by 100 for years."""
    charge, discharge, voltage = limits()
    assert (charge, discharge) == (37.0, 37.0)
    assert voltage == pytest.approx(3.55)


def test_what_is_not_allowed_is_0_a_whatever_stands_there() -> None:
    assert limits(LIMITS[:-1] + b"\x40")[:2] == (0.0, 37.0)
    assert limits(LIMITS[:-1] + b"\x80")[:2] == (37.0, 0.0)
    assert limits(LIMITS[:-1] + b"\x00")[:2] == (0.0, 0.0)


def test_a_full_module_allows_no_charge() -> None:
    assert limits(bytes.fromhex("02D002AFC80000FCE040"))[:2] == (0.0, 80.0)


def test_without_the_number_of_cells_the_voltage_stays_unknown() -> None:
    charge, discharge, voltage = limits(cells=np.nan)
    assert (charge, discharge) == (37.0, 37.0)
    assert np.isnan(voltage)


def test_limits_are_asked_with_every_status() -> None:
    assert "limits" in Pylontech.questions[Topic.STATUS]
    assert Pylontech.reports_limits


@pytest.mark.parametrize(
    "info", ["02D002AFC8FFFFFE8EC0", "02D002AFC801720001C0", "03D002AFC80172FE8EC0", "02D002AFC80172FE8E"]
)
def test_other_signs_numbers_and_lengths_are_no_limits(info: str) -> None:
    exchange = Pylontech().exchange("limits", 2)
    assert not exchange.feed(seal(0x20, 2, 0x46, 0, bytes.fromhex(info)))


@pytest.mark.parametrize(("kind", "full"), [(SMALL, 50.0), (LARGE, 74.0), (LARGE, 148.0)])
def test_capacities_of_16_and_of_24_bits(kind: int, full: float) -> None:
    row = pack_row(15, full_capacity=full, remaining_capacity=full / 2, cycles=300)
    read, identity = ask(Pylontech(), PylontechResponder(3, kind=kind), row)
    assert (read[Column.FULL_CAPACITY], read[Column.REMAINING_CAPACITY], read[Column.SOC]) == (full, full / 2, 50.0)
    assert (read[Column.CYCLES], read[Column.CELL_COUNT]) == (300, 15)
    assert (identity.model, identity.serial, identity.software) == ("US3000C", "SIM00000003", "1.3-0.6.9")


@needs_shared
def test_incumbent_takes_itel_for_pylontech_and_a_current_for_a_tenth() -> None:
    """Both have VER 20, a count of 2 and four bytes behind it; only the capacity can be one or the other's."""
    assert reasons(Pylontech(), "analog", 2, real("pace-006")) == ["layout"]
    us2000 = resealed(real("pylontech-013"), b"\0\2" + info_of(real("pylontech-013"))[2:], address=2)
    assert decoded(Pylontech(), "analog", 2, us2000)[Column.FULL_CAPACITY] == 50.0
    pace = Pace()
    for _ in range(2):
        assert not pace.exchange("analog", 2).feed(us2000)


@needs_shared
def test_of_five_cell_sensors_the_coldest_and_the_hottest_count() -> None:
    row = decoded(Pylontech(), "analog", 2, real("pylontech-002"))
    columns = [Column.TEMPERATURE_MOS, Column.TEMPERATURE_1, Column.TEMPERATURE_2]
    assert row[columns] == pytest.approx([34.0, 28.9, 29.7])
    assert row[[Column.TEMPERATURE_4, Column.TEMPERATURE_5]] == pytest.approx([29.2, 30.3])


@pytest.mark.parametrize(("bit", "what"), ALARMS.items(), ids=str)
@needs_shared
def test_each_alarm_alone_in_a_real_frame(bit: tuple[int, int], what: tuple[str, Alarm, int]) -> None:
    row = decoded(Pylontech(), "alarm", 2, with_bit(real("pylontech-017"), 2 + 1 + 15 + 1 + 5 + bit[0], bit[1]))
    assert raised(row) == {what[1]: what[2]}
    assert (row[Column.CHARGE_MOSFET], row[Column.DISCHARGE_MOSFET]) == (1, 1)


@pytest.mark.parametrize(
    ("at", "state", "expected"),
    [
        (3, 0x01, {Alarm.LOW_CELL_VOLTAGE: 1}),
        (17, 0x02, {Alarm.HIGH_CELL_VOLTAGE: 1}),
        (19, 0x02, {Alarm.HIGH_TEMPERATURE: 1}),
        (23, 0x01, {Alarm.LOW_TEMPERATURE: 1}),
        (3, 0xF0, {}),
    ],
)
@needs_shared
def test_the_state_of_each_cell_and_sensor_is_a_warning(at: int, state: int, expected: dict[Alarm, int]) -> None:
    assert raised(decoded(Pylontech(), "alarm", 2, with_bit(real("pylontech-017"), at, state))) == expected


@needs_shared
def test_an_answer_about_all_modules_is_none_about_one() -> None:
    assert reasons(Pylontech(), "analog", 2, real("pylontech-008")) == ["layout"]


def test_a_pack_that_does_not_know_0x92_is_read_without_limits() -> None:
    pylontech = Pylontech()
    exchange = pylontech.exchange("limits", 2)
    assert not exchange.feed(b"~20024604" + b"0000" + b"FDAE\r")
    assert [error.reason for error in exchange.rejected] == ["refused"]
    assert pylontech.may_lack(2, "limits")
    assert not pylontech.may_lack(2, "analog")


def test_addresses_begin_at_2() -> None:
    assert "0x02" in Pylontech().explain_address(1)
    assert Pylontech().exchange("analog", 2).request == b"~20024642E00202FD33\r"
    assert Pylontech().exchange("limits", 2).request == b"~20024692E00202FD2E\r"


def test_a_24_v_module_has_8_cells() -> None:
    read, _ = ask(Pylontech(), PylontechResponder(2), pack_row(8))
    assert np.isfinite(read[CELL_VOLTAGES]).sum() == 8
    assert read[Column.CELL_CHARGE_REQUEST] == pytest.approx(3.55)
