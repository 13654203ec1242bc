"""What must hold in every closed loop: charge, currents and energy balance, and machines hold their voltages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.inverter import DVCC_PERIOD, FEED_IN_OFFSET, Inverter, InverterSpec

CVL = 16 * 3.45
AGED = BankSpec(packs=5, in_turn=True, oldest=3.0, cell_age_spread=0, cell_capacity_spread=0)
MIXED = BankSpec(packs=6, capacity_spread=0.2, oldest=2.0, soc=55.0, soc_spread=8.0, link=5e-5)


class Loop:
    """A bank and its machines under fixed limits."""

    def __init__(self, spec: BankSpec, cvl: float, ccl: float = 400.0, dcl: float = 600.0, **machines: float) -> None:
        self.bank = PhysicalBank(spec)
        self.inverter = Inverter(InverterSpec(charge=1000.0, discharge=1000.0, **machines))  # type: ignore[arg-type]
        self.limits = cvl, ccl, dcl
        self.offered = 0.0

    def play(self, seconds: float, sun: float, load: float, dt: float = 0.25) -> None:
        for _ in range(round(seconds / dt)):
            if self.bank.time % DVCC_PERIOD < dt:
                self.inverter.take_limits(*self.limits)
            self.offered = self.inverter.request(dt, sun, load)
            self.bank.step(dt, self.offered, self.inverter.ceiling, self.inverter.least, self.inverter.export)
            self.inverter.settle(self.bank.voltage, self.bank.current)


def test_what_flows_into_each_pack_is_what_its_cells_gain() -> None:
    loop = Loop(replace(MIXED, soc=96.0, soc_spread=2.0, cell_soc_spread=2.0, link=0.0), CVL)
    gained = np.zeros(6)
    before = loop.bank.cells.charge.copy()
    balanced = False
    for k in range(600):
        loop.play(3.0, 300.0 + 200.0 * np.sin(k / 15), 150.0 * (k % 100 < 13), dt=3.0)
        gained += loop.bank.currents * 3 / 3600
        balanced = balanced or bool(loop.bank.balancer.current.any())
    assert balanced  # the balancer moves charge within a pack only
    assert (loop.bank.cells.charge - before).mean(axis=0) == pytest.approx(gained, abs=1e-9)


def test_the_packs_currents_add_up_to_what_the_machines_give_and_each_pack_obeys_its_resistance() -> None:
    loop = Loop(MIXED, CVL)
    for sun, load in ((300.0, 20.0), (0.0, 350.0), (100.0, 100.0)):
        loop.play(20.0, sun, load)
        network, _, _ = loop.bank.network(0.25)
        assert loop.bank.currents.sum() == pytest.approx(loop.offered, abs=1e-6)
        voltage, currents = network.carry(loop.offered, np.inf)
        shared = network.shared
        assert shared is not None
        assert voltage - shared @ currents == pytest.approx(network.source + network.resistance * currents, abs=1e-9)


@pytest.mark.parametrize("machines", [{}, {"feed_in": 1.0, "exports": 150.0, "charger_error": FEED_IN_OFFSET}])
def test_energy_that_enters_is_stored_or_lost(machines: dict[str, float]) -> None:
    loop = Loop(replace(MIXED, link=0.0), 53.3 if machines else CVL, **machines)
    bank = loop.bank
    given = stored = 0.0
    for k in range(900):
        before, charge = bank.cells.open_circuit()[0], bank.cells.charge.copy()
        loop.play(2.0, 400.0 * (k % 200 < 120), 300.0 * (k % 170 < 60), dt=2.0)
        after = bank.cells.open_circuit()[0]
        stored += float(((before + after) / 2 * (bank.cells.charge - charge)).sum()) * 3600
        given += bank.voltage * bank.current * 2.0
    assert bank.energy_lost > 1000
    assert given == pytest.approx(stored + bank.energy_lost, abs=0.01 * bank.energy_lost)


@pytest.mark.parametrize("error", [0.0, -0.2, FEED_IN_OFFSET])
def test_chargers_hold_their_voltage_and_give_less_and_less(error: float) -> None:
    loop = Loop(BankSpec(packs=3, soc=98.0), CVL, charger_error=error)
    loop.play(1500.0, 200.0, 0.0, dt=3.0)
    assert loop.bank.voltage == pytest.approx(CVL + error, abs=1e-9)
    first = loop.bank.current
    loop.play(600.0, 200.0, 0.0, dt=3.0)
    assert loop.bank.voltage == pytest.approx(CVL + error, abs=1e-9)
    assert 0 < loop.bank.current < first


def test_with_feed_in_only_a_lower_voltage_stops_the_chargers() -> None:
    loop = Loop(BankSpec(packs=3), CVL, ccl=0.0, feed_in=True)
    rest = loop.bank.voltage
    loop.play(30.0, 90.0, 0.0)
    assert loop.bank.current == pytest.approx(90.0, rel=1e-3)
    loop.limits = rest - 0.4, 0.0, 300.0
    loop.play(30.0, 90.0, 0.0)
    assert loop.bank.current == pytest.approx(0.0, abs=1e-6)
    loop.play(30.0, 90.0, 40.0)  # and then it is the packs that feed the loads
    assert loop.bank.current == pytest.approx(-40.0, rel=1e-3)


def test_an_inverter_that_exports_holds_the_bus_at_the_cvl_and_empties_the_packs_below_their_own_voltage() -> None:
    bank = BankSpec(packs=3)
    rest = PhysicalBank(bank).voltage
    for cvl, drains in ((rest + 0.05, False), (rest - 0.05, True)):
        loop = Loop(bank, cvl, ccl=0.0, feed_in=True, exports=500.0, charger_error=FEED_IN_OFFSET)
        loop.play(30.0, 90.0, 0.0)
        assert loop.bank.voltage == pytest.approx(cvl, abs=1e-9)
        assert (loop.bank.current < 0) == drains
        assert loop.offered == pytest.approx(90.0, rel=1e-3)  # all the sun, the rest goes into the grid


def test_the_special_pack_stands_in_turn_at_every_place_and_is_of_every_age() -> None:
    banks = [PhysicalBank(replace(AGED, seed=seed)) for seed in range(10)]
    ages = [bank.cells.age[0] for bank in banks]
    assert [bank.special for bank in banks] == 2 * [0, 1, 2, 3, 4]
    assert [age[bank.special] for bank, age in zip(banks, ages, strict=True)] == pytest.approx(
        2 * [1.0, 1.5, 2.0, 2.5, 3.0]
    )
    assert all(sorted(bank.places) == [0, 1, 2, 3, 4] for bank in banks)
    assert all(sorted(age) == pytest.approx([1.0, 1.5, 2.0, 2.5, 3.0]) for age in ages)
