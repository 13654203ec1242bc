from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from packbank.sim.busbar import DIODE, Export, Network, ladder

PACKS = 5
ON = np.ones(PACKS, dtype=bool)
voltages = arrays(float, PACKS, elements=st.floats(48, 56))
resistances = arrays(float, PACKS, elements=st.floats(0.004, 0.04))
masks = arrays(bool, PACKS)


def network(source: list[float], resistance: list[float], charge: list[int], discharge: list[int]) -> Network:
    return Network(np.array(source), np.array(resistance), np.array(charge, bool), np.array(discharge, bool))


def test_equal_packs_share_equally() -> None:
    bus = Network(np.full(PACKS, 53.0), np.full(PACKS, 0.01), ON, ON)
    voltage, currents = bus.carry(100.0, 60.0)
    assert currents == pytest.approx(np.full(PACKS, 20.0))
    assert voltage == pytest.approx(53.2)


def test_shares_are_inverse_to_resistance() -> None:
    _, currents = network([53, 53], [0.010, 0.025], [1, 1], [1, 1]).carry(-70.0, 60.0)
    assert currents == pytest.approx([-50.0, -20.0])


@given(voltages, resistances, masks, masks, st.floats(-2000, 2000))
def test_currents_add_up_to_the_source_or_to_what_the_packs_can_take(
    source: np.ndarray, resistance: np.ndarray, charge: np.ndarray, discharge: np.ndarray, current: float
) -> None:
    _, currents = Network(source, resistance, charge, discharge).carry(current, 1e6)
    possible = charge.any() if current > 0 else discharge.any()
    assert currents.sum() == pytest.approx(current if possible else 0.0, abs=1e-6)


@given(voltages, resistances, masks, masks, st.floats(-2000, 2000))
def test_an_open_mosfet_carries_nothing_in_its_direction(
    source: np.ndarray, resistance: np.ndarray, charge: np.ndarray, discharge: np.ndarray, current: float
) -> None:
    _, currents = Network(source, resistance, charge, discharge).carry(current, 1e6)
    assert (currents[~charge] <= 1e-9).all()
    assert (currents[~discharge] >= -1e-9).all()


def test_the_source_never_lifts_the_bus_over_its_ceiling() -> None:
    bus = network([53, 53], [0.01, 0.01], [1, 1], [1, 1])
    voltage, currents = bus.carry(400.0, 54.0)
    assert voltage == 54.0
    assert currents.sum() == pytest.approx(200.0)


def test_a_ceiling_below_the_packs_stops_the_source_and_draws_nothing() -> None:
    _, currents = network([53, 53], [0.01, 0.01], [1, 1], [1, 1]).carry(400.0, 50.0)
    assert currents.sum() == pytest.approx(0.0, abs=1e-6)


def test_a_pack_with_its_charge_mosfet_off_discharges_through_a_diode() -> None:
    both = network([53, 53], [0.01, 0.01], [1, 0], [1, 1])
    _, little = both.carry(-50.0, 60.0)
    assert little == pytest.approx([-50.0, 0.0])
    _, much = both.carry(-270.0, 60.0)
    assert much == pytest.approx([-135 - DIODE / 0.02, -135 + DIODE / 0.02])


def test_packs_at_different_voltages_exchange_current_at_rest() -> None:
    _, currents = network([53.2, 53.0], [0.01, 0.01], [1, 1], [1, 1]).carry(0.0, 60.0)
    assert currents == pytest.approx([-10.0, 10.0])


@given(voltages, resistances, masks, masks, st.tuples(st.floats(-2000, 2000), st.floats(0, 1e-3)))
def test_a_bus_with_resistance_obeys_the_laws_of_kirchhoff_and_of_diodes(
    source: np.ndarray, resistance: np.ndarray, charge: np.ndarray, discharge: np.ndarray, flow: tuple[float, float]
) -> None:
    current, link = flow
    shared = ladder(PACKS, link)
    voltage, currents = Network(source, resistance, charge, discharge, shared).carry(current, 1e6)
    possible = charge.any() if current > 0 else discharge.any()
    assert currents.sum() == pytest.approx(current if possible else 0.0, abs=1e-6)
    assert (currents[~charge] <= 1e-9).all()
    assert (currents[~discharge] >= -1e-9).all()
    at_pack = voltage - (np.zeros(PACKS) if shared is None else shared @ currents)
    drop = DIODE * (charge & ~discharge) - DIODE * (discharge & ~charge)
    flows = np.abs(currents) > 1e-9
    assert at_pack[flows] == pytest.approx((source + drop + resistance * currents)[flows], abs=1e-6)


def test_the_way_to_the_source_is_shared_as_far_as_the_nearer_pack() -> None:
    shared = ladder(3, 0.002)
    assert shared is not None
    assert shared.tolist() == pytest.approx(np.array([[2, 2, 2], [2, 4, 4], [2, 4, 6]]) / 1000)
    assert ladder(3, 0.0) is None


@pytest.mark.parametrize(
    ("export", "ceiling", "held", "flows"),
    [
        (Export(52.5, 500.0, -400.0), 60.0, 52.5, -100.0),  # brought down to its voltage
        (Export(50.0, 500.0, -400.0), 60.0, 51.0, -400.0),  # as far as the packs may give
        (Export(50.0, 150.0, -400.0), 60.0, 52.75, -50.0),  # as far as it can export
        (Export(52.5, 500.0, 0.0), 60.0, 53.0, 0.0),  # the packs may give nothing
        (Export(54.0, 500.0, -400.0), 60.0, 53.5, 100.0),  # the bus is lower anyway
        (Export(52.5, 50.0, -400.0), 53.2, 53.2, 40.0),  # the chargers hold what it does not take
        (Export(50.0, 150.0, -400.0), 52.0, 52.25, -150.0),  # the chargers stop, and it goes on
    ],
)
def test_an_inverter_that_exports_brings_the_bus_down_as_far_as_it_can(
    export: Export, ceiling: float, held: float, flows: float
) -> None:
    bus = network([53, 53], [0.01, 0.01], [1, 1], [1, 1])
    voltage, currents = bus.carry(100.0, ceiling, 0.0, export)
    assert voltage == pytest.approx(held)
    assert currents.sum() == pytest.approx(flows)


def test_loads_are_the_packs_alone_where_the_bus_is_above_the_voltage_of_the_chargers() -> None:
    bus = network([53, 53], [0.01, 0.01], [1, 1], [1, 1])
    voltage, currents = bus.carry(60.0, 50.0, least=-40.0)  # 100 A of sun, 40 A of loads
    assert currents.sum() == pytest.approx(-40.0)
    assert voltage == pytest.approx(52.8)
    _, currents = bus.carry(60.0, 52.9, least=-40.0)
    assert currents.sum() == pytest.approx(-20.0)
