"""What a simulated pack with the ASCII envelope says, its protocol reads back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from other_bms import ask, check_alarms, check_hearing, pack_row
from packbank.bms import daren_fields, pace_fields, pylontech_fields, registry, seplos_fields
from packbank.bms.ascii_protocol import AsciiProtocol
from packbank.bms.protocol import Protocol, Topic
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.responder import Responder, responder

NAMES = [name for name in registry.NAMES if isinstance(registry.protocol(name), AsciiProtocol)]
COMMON = (
    Column.VOLTAGE,
    Column.CURRENT,
    Column.REMAINING_CAPACITY,
    Column.FULL_CAPACITY,
    Column.CYCLES,
    Column.CHARGE_MOSFET,
    Column.DISCHARGE_MOSFET,
    Column.CELL_COUNT,
)
ALARMS = {
    "pace": pace_fields.ALARMS,
    "pylontech": pylontech_fields.ALARMS,
    "seplos": seplos_fields.ALARMS,
    "daren": daren_fields.ALARMS,
}  # of each family: place -> name, alarm, level
STATES = {  # what the states of single cells and sensors raise besides
    "pylontech": {
        (Alarm.LOW_CELL_VOLTAGE, 1),
        (Alarm.HIGH_CELL_VOLTAGE, 1),
        (Alarm.LOW_TEMPERATURE, 1),
        (Alarm.HIGH_TEMPERATURE, 1),
    }
}
CURRENT_UNIT = {"pylontech": 0.1}  # A, where it is not 0.01
HOTTEST, COLDEST = 100.0, -39.0


def family(name: str) -> tuple[Protocol, Responder]:
    protocol = registry.protocol(name)
    address = protocol.addresses[1]
    return protocol, responder(name, address, Identity(model="1101-SP76", software="P16S100A-1812-1.00", serial="AB17"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cells", [8, 15, 16])
def test_a_pack_is_read_back_whole(name: str, cells: int) -> None:
    protocol, pack = family(name)
    row = pack_row(cells, temperature_4=21.0, temperature_5=22.0, discharge_mosfet=1.0)
    read, identity = ask(protocol, pack, row)
    unit = CURRENT_UNIT.get(name, 0.01)
    np.testing.assert_allclose(read[list(COMMON)], row[list(COMMON)], atol=unit / 2)
    np.testing.assert_allclose(read[CELL_VOLTAGES], row[CELL_VOLTAGES], atol=1e-9)
    np.testing.assert_allclose(read[list(BATTERY_TEMPERATURES)], row[list(BATTERY_TEMPERATURES)], atol=0.051)
    assert read[Column.SOC] == pytest.approx(61.0, abs=0.1)
    assert read[Column.POWER] == pytest.approx(read[Column.VOLTAGE] * read[Column.CURRENT])
    assert identity.serial or identity.software


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_any_values_come_back(name: str, data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.integers(2000, 4200), min_size=1, max_size=16))
    unit = CURRENT_UNIT.get(name, 0.01)
    most = min(32767, round(1999 / unit))
    current = data.draw(st.integers(-most, most)) * unit
    sensors = data.draw(st.lists(st.integers(round(COLDEST), round(HOTTEST)), min_size=4, max_size=4))
    protocol, pack = family(name)
    full = data.draw(st.integers(10, 600))
    remaining = data.draw(st.integers(0, full))
    row = pack_row(len(cells), current=current, remaining_capacity=remaining, full_capacity=full)
    row[CELL_VOLTAGES][: len(cells)] = np.array(cells) / 1000
    row[Column.VOLTAGE] = sum(cells) / 1000
    row[Column.SOC] = 100.0 * remaining / full
    row[list(BATTERY_TEMPERATURES)] = sensors
    read, _ = ask(protocol, pack, row)
    np.testing.assert_array_equal(read[CELL_VOLTAGES], row[CELL_VOLTAGES])
    np.testing.assert_allclose(read[list(BATTERY_TEMPERATURES)], sensors, atol=1e-9)
    assert read[Column.CURRENT] == pytest.approx(current, abs=1e-9)
    assert read[Column.SOC] == pytest.approx(row[Column.SOC], abs=1.0)


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_every_alarm_that_a_family_can_raise_comes_through(name: str) -> None:
    raises = {(alarm, level) for _, alarm, level in ALARMS[name].values()} | STATES.get(name, set())
    assert len(raises) >= 4
    check_alarms(*family(name), raises)


@pytest.mark.parametrize("name", NAMES)
def test_only_whole_questions_to_this_pack_are_heard(name: str) -> None:
    protocol, pack = family(name)
    question = protocol.questions[Topic.STATUS][0]
    requests = [protocol.exchange(question, pack.address).request for _ in range(protocol.ways_to_ask(pack.address))]
    heard = [request for request in requests if pack.wants(request)]
    assert len(heard) == 1
    check_hearing(pack, heard[0])
    assert not pack.wants(protocol.exchange(question, pack.address + 1).request)
