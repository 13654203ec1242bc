from __future__ import annotations

from math import exp

import pytest

from packbank.sim.busbar import NO_EXPORT
from packbank.sim.inverter import FEED_IN_OFFSET, LAG, Inverter, InverterSpec

SPEC = InverterSpec(charge=200.0, discharge=300.0)
NAN = float("nan")


def after(inverter: Inverter, solar: float, load: float, seconds: int = 40) -> float:
    current = 0.0
    for _ in range(seconds):
        current = inverter.request(1.0, solar, load)
        inverter.settle(50.0, current)
    return current


def test_nothing_flows_before_the_first_limits() -> None:
    assert after(Inverter(SPEC), 100.0, 20.0) == 0.0


def test_charge_follows_the_ccl_and_its_own_limit() -> None:
    inverter = Inverter(SPEC)
    for ccl, expected in ((80.0, 80.0), (500.0, 200.0)):
        inverter.take_limits(56.0, ccl, 100.0)
        assert after(inverter, 1000.0, 0.0) == pytest.approx(expected, rel=1e-4)


def test_chargers_and_inverter_follow_with_a_lag_but_a_cloud_is_felt_at_once() -> None:
    inverter = Inverter(SPEC)
    inverter.take_limits(56.0, 100.0, 100.0)
    rise = [after(inverter, 1000.0, 0.0, 1) for _ in range(2)]
    assert rise == pytest.approx([100 * (1 - exp(-k / LAG)) for k in (1, 2)])
    assert after(inverter, 10.0, 0.0, 1) == 10.0


def test_a_load_takes_from_the_packs_at_most_the_dcl_and_goes_off_at_once() -> None:
    inverter = Inverter(SPEC)
    inverter.take_limits(56.0, 100.0, 120.0)
    assert after(inverter, 0.0, 100.0) == pytest.approx(-100.0)
    assert after(inverter, 0.0, 180.0) == pytest.approx(-120.0)
    assert after(inverter, 0.0, 30.0, 1) == pytest.approx(-30.0)


def test_sun_feeds_loads_beyond_the_ccl_and_a_load_that_goes_off_leaves_it_to_the_packs_until_the_next_look() -> None:
    inverter = Inverter(SPEC)
    for _ in range(3):
        inverter.take_limits(56.0, 50.0, 100.0)
        current = after(inverter, 1000.0, 40.0)
    assert current == pytest.approx(50.0, rel=1e-3)  # 90 A of sun, 40 A of load
    assert after(inverter, 1000.0, 0.0, 1) == pytest.approx(90.0, rel=1e-3)
    for _ in range(5):
        inverter.take_limits(56.0, 50.0, 100.0)
        current = after(inverter, 1000.0, 0.0, 3)
    assert current == pytest.approx(50.0, rel=0.05)


def test_a_battery_that_left_stops_everything() -> None:
    inverter = Inverter(SPEC)
    inverter.take_limits(56.0, 100.0, 100.0)
    after(inverter, 100.0, 0.0)
    inverter.take_limits(NAN, 100.0, 100.0)
    assert inverter.ceiling == 0.0
    assert after(inverter, 100.0, 0.0) == pytest.approx(0.0, abs=1e-6)
    assert after(inverter, 0.0, 100.0) == pytest.approx(0.0, abs=1e-6)


def test_chargers_that_hold_their_voltage_remember_what_the_packs_took() -> None:
    inverter = Inverter(SPEC)
    inverter.take_limits(56.0, 200.0, 100.0)
    after(inverter, 1000.0, 0.0)
    inverter.settle(56.0, 5.0)
    assert inverter.request(1.0, 1000.0, 0.0) == pytest.approx(5 + 195 * (1 - exp(-1 / LAG)))


def test_chargers_can_ignore_the_limits_for_a_while_and_with_feed_in_for_good() -> None:
    inverter = Inverter(SPEC)
    inverter.take_limits(56.0, 50.0, 100.0)
    inverter.ignore_limits(10.0)
    inverter.take_limits(56.0, 50.0, 100.0)
    assert after(inverter, 150.0, 0.0, 10) == pytest.approx(150.0, rel=0.01)
    inverter.take_limits(56.0, 50.0, 100.0)
    assert after(inverter, 150.0, 0.0) == pytest.approx(50.0)
    fed = Inverter(InverterSpec(charge=200.0, discharge=300.0, feed_in=True))
    fed.take_limits(56.0, 0.0, 100.0)
    assert after(fed, 150.0, 0.0) == pytest.approx(150.0)


def test_an_inverter_exports_above_the_cvl_down_to_the_dcl_while_the_chargers_hold_a_little_more() -> None:
    spec = InverterSpec(charge=200.0, discharge=300.0, feed_in=True, exports=80.0, charger_error=FEED_IN_OFFSET)
    inverter = Inverter(spec)
    assert inverter.export == NO_EXPORT
    inverter.take_limits(53.0, 0.0, 100.0)
    assert inverter.export == (53.0, 80.0, -100.0)
    assert inverter.ceiling == 53.4
    inverter.take_limits(NAN, 0.0, 0.0)
    assert inverter.export == NO_EXPORT


def test_chargers_whose_power_is_exported_do_not_give_less() -> None:
    inverter = Inverter(InverterSpec(charge=200.0, discharge=300.0, feed_in=True, exports=80.0, charger_error=0.4))
    inverter.take_limits(53.0, 0.0, 100.0)
    for _ in range(20):
        inverter.request(1.0, 150.0, 0.0)
        inverter.settle(53.0, 70.0)  # the rest is exported at the CVL
    assert inverter.request(1.0, 150.0, 0.0) == pytest.approx(150.0, rel=0.01)
    inverter.settle(53.4, 10.0)  # at the chargers' own voltage they give what the packs and the export take
    assert inverter.request(1e-6, 150.0, 0.0) == pytest.approx(90.0, rel=0.01)
