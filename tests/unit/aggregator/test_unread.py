"""Packs whose current nobody reads, and whose switches open and close."""

from __future__ import annotations

import pytest

from packbank.model.columns import ALARMS, Alarm, Column
from parallel_packs import FAULTS, ParallelPacks

SWITCHES = [Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET]


def found(fault: str, weights: list[float], *, worked: bool = False) -> ParallelPacks:
    """Packs of which the first has a wrong sensor that has been found; ``worked``: only later was it wrong."""
    packs = ParallelPacks(weights)
    packs.rows[:, Column.CHARGE_OCP_DELAY] = 3.0
    packs.carry(0.0, 30)
    if worked:
        for each in (10.0, 30.0, 10.0, 30.0):
            packs.carry(each, 25)
    packs.sensors[0] = FAULTS[fault]
    for each in (10.0, 30.0, 10.0, 30.0):
        packs.carry(each, 25)
    return packs


def open_first(packs: ParallelPacks, each: float, seconds: int, lower: float) -> None:
    """Open the first pack's switches while the others are charged; its cells are ``lower`` V below theirs then."""
    packs.open, packs.drift[0] = {0}, -lower
    packs.rows[0, SWITCHES] = 0.0
    packs.carry(each, seconds)


def close_first(packs: ParallelPacks) -> None:
    packs.open, packs.drift[0] = set(), 0.0
    packs.rows[0, SWITCHES] = 1.0
    packs.rows[0, ALARMS] = 0.0


@pytest.mark.parametrize(("fault", "worked"), [("blind", True), ("silent", False), ("frozen", True)])
def test_what_a_pack_exchanges_after_it_closes_fades_at_the_voltage_of_the_others(fault: str, worked: bool) -> None:
    packs = found(fault, [1.0, 1.0, 1.0, 1.0], worked=worked)
    before = packs.carry(30.0, 60)
    open_first(packs, 60.0, 60, lower=0.03)
    close_first(packs)
    after = packs.carry(5.0, 10)
    assert after.charge_current_limit.value < 0.95 * before.charge_current_limit.value, "nobody knows what it takes yet"
    for _ in range(3):
        packs.carry(5.0, 150)
        battery = packs.carry(20.0, 150)
    assert battery.charge_current_limit.value >= 0.65 * before.charge_current_limit.value
    assert battery.discharge_current_limit.value >= 0.65 * before.discharge_current_limit.value


def test_an_exchange_that_the_voltage_still_shows_does_not_fade() -> None:
    packs = found("blind", [1.0, 1.0, 1.0, 1.0], worked=True)
    before = packs.carry(30.0, 60)
    open_first(packs, 60.0, 60, lower=0.03)
    close_first(packs)
    packs.drift[0] = -0.015  # its cells stay below the others': 0.24 V drive a current through its cables
    battery = packs.carry(5.0, 900)
    assert battery.charge_current_limit.value < 0.6 * before.charge_current_limit.value


@pytest.mark.parametrize("alarm", [True, False])
def test_a_pack_that_trips_carried_more_than_was_thought(alarm: bool) -> None:
    packs = found("silent", [2.5, *[1.0] * 7])
    before = packs.carry(40.0, 30)
    packs.rows[0, ALARMS.start + Alarm.HIGH_CHARGE_CURRENT] = 2.0 if alarm else 0.0
    open_first(packs, 20.0, 60, lower=0.0)
    close_first(packs)
    packs.carry(0.0, 5)
    after = packs.carry(10.0, 30)
    stronger = after.packs[0].charge_share / before.packs[0].charge_share
    assert stronger > 1.15 if alarm else stronger < 1.05
    assert not alarm or after.charge_current_limit.value < 0.9 * before.charge_current_limit.value


def test_a_pack_whose_current_is_read_learns_nothing_from_an_alarm() -> None:
    packs = ParallelPacks([1.0] * 4)
    packs.carry(0.0, 30)
    for each in (10.0, 40.0, 20.0, 60.0):
        before = packs.carry(each, 25)
    packs.rows[0, ALARMS.start + Alarm.HIGH_CHARGE_CURRENT] = 2.0
    open_first(packs, 20.0, 60, lower=0.0)
    close_first(packs)
    after = packs.carry(60.0, 60)
    assert after.packs[0].charge_share == pytest.approx(before.packs[0].charge_share, rel=0.1)
