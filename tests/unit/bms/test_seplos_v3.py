"""Seplos V3 packs; tests named ``test_incumbent_...`` show right what dbus-serialbattery gets wrong."""

from __future__ import annotations

import numpy as np
import pytest

from ascii_bms import decoded, raised, real, reasons
from other_bms import ask, blank, pack_row
from packbank.bms.modbus import seal
from packbank.bms.seplos_v3 import SeplosV3
from packbank.bms.seplos_v3_fields import ALARMS, HEADER
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.responder_seplos_v3 import SeplosV3Responder
from shared import needs_shared


def frame(question: str, cells: int = 16, address: int = 1, sensors: int = 4, **changes: float) -> bytes:
    return SeplosV3Responder(address, sensors=sensors).frame(question, pack_row(cells, **changes))


def changed(data: bytes, at: int, new: bytes) -> bytes:
    """The frame with other bytes there, counted behind its header, and a right CRC."""
    at += HEADER
    return seal(data[:at] + new + data[at + len(new) : -2])


@pytest.mark.parametrize(("place", "what"), ALARMS.items(), ids=str)
def test_incumbent_reads_alarms_from_the_switches(place: tuple[int, int], what: tuple[str, Alarm, int]) -> None:
    (byte, mask), (name, alarm, level) = place, what
    data = changed(frame("bits"), byte, bytes((mask,)))
    assert raised(decoded(SeplosV3(), "bits", 1, data)) == {alarm: level}
    assert SeplosV3().describe(data).values["alarms"] == [name]


def test_states_are_no_alarms() -> None:
    data = frame("bits")
    for byte, mask in ((8, 0x3F), (15, 0x0F), (16, 0xFF), (0, 0xFF), (3, 0xFF), (6, 0xFF)):
        data = changed(data, byte, bytes((mask,)))
    row = decoded(SeplosV3(), "bits", 1, data)
    assert raised(row) == {}
    assert (row[Column.BALANCING], row[Column.HEATING]) == (2, 1)


@pytest.mark.parametrize("cell", range(16))
def test_incumbent_reads_what_is_balanced_from_other_coils(cell: int) -> None:
    data = changed(frame("bits"), 6 + cell // 8, bytes((1 << cell % 8,)))
    assert decoded(SeplosV3(), "bits", 1, data)[Column.BALANCING] == 2
    for at in (*range(6), *range(8, 18)):
        other = changed(frame("bits"), at, b"\xff")
        assert decoded(SeplosV3(), "bits", 1, other)[Column.BALANCING] == 0


@pytest.mark.parametrize("mask", range(4))
def test_switches_are_the_mosfets(mask: int) -> None:
    row = decoded(SeplosV3(), "bits", 1, changed(frame("bits"), 15, bytes((mask,))))
    assert (row[Column.DISCHARGE_MOSFET], row[Column.CHARGE_MOSFET]) == (mask & 1, mask >> 1)


def test_incumbent_reads_temperatures_a_tenth_too_high() -> None:
    data = changed(frame("cells"), 32, (2731).to_bytes(2) + (2981).to_bytes(2))
    row = decoded(SeplosV3(), "cells", 1, data)
    assert (row[Column.TEMPERATURE_1], row[Column.TEMPERATURE_2]) == (0.0, 25.0)


@pytest.mark.parametrize("sensors", [1, 2, 3, 4])
def test_a_sensor_that_is_not_there_is_no_pack_at_0_degc(sensors: int) -> None:
    row = pack_row(temperature_4=21.0, temperature_5=22.0)
    read, _ = ask(SeplosV3(), SeplosV3Responder(1, sensors=sensors), row)
    columns = [Column.TEMPERATURE_1, Column.TEMPERATURE_2, Column.TEMPERATURE_4, Column.TEMPERATURE_5]
    assert list(np.isfinite(read[columns])) == [place < sensors for place in range(4)]
    assert read[Column.TEMPERATURE_1] == 24.0


@pytest.mark.parametrize("cells", [8, 15, 16])
def test_words_behind_the_last_cell_are_none(cells: int) -> None:
    row, _ = ask(SeplosV3(), SeplosV3Responder(2), pack_row(cells))
    assert np.isfinite(row[CELL_VOLTAGES]).sum() == row[Column.CELL_COUNT] == cells
    assert row[Column.CELL_CHARGE_REQUEST] == pytest.approx(3.6, abs=0.001)
    assert (row[Column.CELL_OVP], row[Column.CELL_UVP]) == (3.65, 2.7)


def test_a_cell_at_0_v_between_others_is_a_cell() -> None:
    row = decoded(SeplosV3(), "cells", 1, changed(frame("cells"), 4, b"\0\0"))
    assert row[CELL_VOLTAGES][2] == 0.0
    assert np.isfinite(row[CELL_VOLTAGES]).sum() == 16


@needs_shared
def test_a_bank_s_values_are_no_cells_although_they_are_as_long() -> None:
    assert reasons(SeplosV3(), "cells", 0, real("seplosv3-008")) == ["layout"]
    late = real("seplosv3-008") + frame("cells", address=0)
    assert decoded(SeplosV3(), "cells", 0, late)[CELL_VOLTAGES][0] == pytest.approx(3.31)


def test_the_halves_of_the_settings_are_not_taken_for_each_other() -> None:
    first, second = frame("protections"), frame("wishes")
    assert reasons(SeplosV3(), "protections", 1, second) == ["layout"]
    assert reasons(SeplosV3(), "wishes", 1, first) == ["layout"]
    assert SeplosV3().describe(first).values["cell_count"] == 16


@needs_shared
def test_real_settings() -> None:
    row = blank()
    row[Column.CELL_COUNT] = 16
    data = seal(b"\x01" + real("seplosv3-020")[1:-2])
    SeplosV3().decode(1, "wishes", data, row, Identity())
    assert row[Column.CELL_CHARGE_REQUEST] == pytest.approx(3.6)
    assert row[Column.NOMINAL_CAPACITY] == 330.0
    assert reasons(SeplosV3(), "wishes", 1, data) == []


def test_the_charge_voltage_waits_for_the_cells() -> None:
    row = decoded(SeplosV3(), "wishes", 1, frame("wishes"))
    assert np.isnan(row[Column.CELL_CHARGE_REQUEST])


@pytest.mark.parametrize(
    ("question", "data", "why"),
    [
        ("pack", seal(b"\x01\x84\x02"), ["refused"]),
        ("bits", seal(b"\x01\x81\x02"), ["refused"]),
        ("bits", seal(b"\x01\x84\x02"), []),
        ("pack", frame("cells"), []),
        ("pack", frame("pack", address=2), []),
        ("pack", frame("pack")[:-1], ["truncated"]),
        ("pack", frame("pack")[:-1] + b"\0", ["sum16"]),
        ("cells", changed(frame("cells"), 0, bytes(32)), ["empty"]),
        ("pack", SeplosV3().exchange("pack", 1).request, []),
    ],
)
def test_what_is_no_answer(question: str, data: bytes, why: list[str]) -> None:
    assert reasons(SeplosV3(), question, 1, data) == why


def test_address_0_is_a_pack() -> None:
    assert SeplosV3().exchange("pack", 0).request.hex() == seal(bytes.fromhex("000410000011")).hex()
    assert decoded(SeplosV3(), "pack", 0, frame("pack", address=0))[Column.SOC] == 61
    assert "DIP" in SeplosV3().explain_address(16)
    with pytest.raises(ValueError, match="0x0F"):
        SeplosV3().exchange("pack", 16)


def test_nothing_is_ever_written() -> None:
    protocol = SeplosV3()
    assert {protocol.exchange(question, 1).request[1] for question in protocol.asked} == {1, 4}
