"""What a simulated pack with binary frames says, its protocol reads back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from other_bms import ask, check_alarms, check_hearing, pack_row
from packbank.bms import jbd_fields, jbd_up_fields, registry, seplos_v3_fields
from packbank.bms.framed import FramedProtocol
from packbank.bms.protocol import Protocol, Topic
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.responder import Responder, responder

NAMES = [name for name in registry.NAMES if isinstance(registry.protocol(name), FramedProtocol)]
COMMON = (
    Column.VOLTAGE,
    Column.CURRENT,
    Column.SOC,
    Column.REMAINING_CAPACITY,
    Column.CYCLES,
    Column.CHARGE_MOSFET,
    Column.DISCHARGE_MOSFET,
    Column.CELL_COUNT,
)
ALARMS: Mapping[str, Mapping[Any, tuple[str, Alarm, int]]] = {
    "jbd-up": jbd_up_fields.ALARMS,
    "jbd": jbd_fields.ALARMS,
    "seplos-v3": seplos_v3_fields.ALARMS,
}  # of each family: place -> name, alarm, level


def family(name: str) -> tuple[Protocol, Responder]:
    protocol = registry.protocol(name)
    address = protocol.addresses[0]
    return protocol, responder(name, address, Identity(model="JBD48100000", software="12.4", serial="AB17"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cells", [8, 15, 16])
def test_a_pack_is_read_back_whole(name: str, cells: int) -> None:
    protocol, pack = family(name)
    row = pack_row(cells, temperature_4=21.0, temperature_5=22.0)
    read, identity = ask(protocol, pack, row)
    np.testing.assert_allclose(read[list(COMMON)], row[list(COMMON)], atol=0.0051)
    np.testing.assert_allclose(read[CELL_VOLTAGES], row[CELL_VOLTAGES], atol=1e-9)
    np.testing.assert_allclose(read[list(BATTERY_TEMPERATURES)], row[list(BATTERY_TEMPERATURES)], atol=0.051)
    assert read[Column.POWER] == pytest.approx(read[Column.VOLTAGE] * read[Column.CURRENT])
    assert bool(identity.model) == (name != "seplos-v3")
    limits = read[[Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT]]
    assert list(limits) == [100.0, 150.0] if protocol.reports_limits else np.isnan(limits).all()


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_any_values_come_back(name: str, data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.integers(2000, 4200), min_size=1, max_size=16))
    current = data.draw(st.integers(-32768, 32767)) / 100
    sensors = data.draw(st.lists(st.integers(-39, 100), min_size=4, max_size=4))
    full = data.draw(st.integers(10, 600))
    remaining = data.draw(st.integers(0, full))
    protocol, pack = family(name)
    row = pack_row(len(cells), current=current, remaining_capacity=remaining, full_capacity=full)
    row[CELL_VOLTAGES][: len(cells)] = np.array(cells) / 1000
    row[Column.VOLTAGE] = sum(cells) / 1000
    row[Column.SOC] = 100.0 * remaining / full
    row[list(BATTERY_TEMPERATURES)] = sensors
    read, _ = ask(protocol, pack, row)
    np.testing.assert_array_equal(read[CELL_VOLTAGES], row[CELL_VOLTAGES])
    np.testing.assert_allclose(read[list(BATTERY_TEMPERATURES)], sensors, atol=1e-9)
    assert read[Column.CURRENT] == pytest.approx(current, abs=1e-9)
    assert read[Column.SOC] == pytest.approx(row[Column.SOC], abs=0.51)  # some have whole percent


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_every_alarm_that_a_family_can_raise_comes_through(name: str) -> None:
    raises = {(alarm, level) for _, alarm, level in ALARMS[name].values()}
    assert len(raises) >= 4
    check_alarms(*family(name), raises)


@pytest.mark.parametrize("name", NAMES)
def test_only_whole_questions_to_this_pack_are_heard(name: str) -> None:
    protocol, pack = family(name)
    request = protocol.exchange(protocol.questions[Topic.STATUS][0], pack.address).request
    check_hearing(pack, request)
    for other in protocol.addresses[1:2]:
        assert not pack.wants(protocol.exchange(protocol.questions[Topic.STATUS][0], other).request)
