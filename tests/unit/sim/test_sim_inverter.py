from __future__ import annotations

import pytest

from packbank.sim.inverter import Inverter, InverterSpec

SPEC = InverterSpec(charge=200.0, discharge=300.0, ramp=0.1)
NAN = float("nan")


def after(inverter: Inverter, solar: float, load: float, seconds: int = 20) -> float:
    current = 0.0
    for _ in range(seconds):
        current = inverter.request(1.0, solar, load, 50.0)
        inverter.settle(current)
    return current


def test_nothing_flows_before_the_first_limits() -> None:
    assert after(Inverter(SPEC), 5000.0, 1000.0) == 0.0


def test_charge_follows_the_ccl_and_its_own_limit() -> None:
    inverter = Inverter(SPEC)
    for ccl, expected in ((80.0, 80.0), (500.0, 200.0)):
        inverter.take_limits(56.0, ccl, 100.0)
        assert after(inverter, 50_000.0, 0.0) == pytest.approx(expected)


def test_chargers_find_more_sun_slowly_and_stop_at_once() -> None:
    inverter = Inverter(SPEC)
    inverter.take_limits(56.0, 100.0, 100.0)
    assert [after(inverter, 5000.0, 0.0, 1) for _ in range(3)] == pytest.approx([20.0, 40.0, 60.0])
    assert after(inverter, 500.0, 0.0, 1) == pytest.approx(10.0)


def test_a_load_takes_from_the_packs_at_most_the_dcl() -> None:
    inverter = Inverter(SPEC)
    inverter.take_limits(56.0, 100.0, 120.0)
    assert after(inverter, 0.0, 5000.0) == pytest.approx(-100.0)
    assert after(inverter, 0.0, 9000.0) == pytest.approx(-120.0)


def test_sun_feeds_loads_beyond_the_ccl_and_a_falling_load_reaches_the_packs_until_the_next_tick() -> None:
    inverter = Inverter(SPEC)
    for _ in range(2):
        inverter.take_limits(56.0, 50.0, 100.0)
        current = after(inverter, 50_000.0, 2000.0)
    assert current == pytest.approx(50.0)  # 90 A of sun, 40 A of load
    assert after(inverter, 50_000.0, 500.0, 1) == pytest.approx(80.0)
    inverter.take_limits(56.0, 50.0, 100.0)
    assert after(inverter, 50_000.0, 500.0, 1) == pytest.approx(50.0)


def test_a_battery_that_left_stops_everything() -> None:
    inverter = Inverter(SPEC)
    inverter.take_limits(56.0, 100.0, 100.0)
    after(inverter, 5000.0, 0.0)
    inverter.take_limits(NAN, 100.0, 100.0)
    assert after(inverter, 5000.0, 0.0, 1) == 0.0
    assert after(inverter, 0.0, 5000.0, 1) == 0.0


def test_chargers_that_hold_their_voltage_remember_what_the_packs_took() -> None:
    inverter = Inverter(SPEC)
    inverter.take_limits(56.0, 200.0, 100.0)
    after(inverter, 50_000.0, 0.0)
    inverter.settle(5.0)
    assert inverter.request(1.0, 50_000.0, 0.0, 50.0) == pytest.approx(25.0)
