from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.sim import events
from packbank.sim.bank import BankSpec, Odd, PhysicalBank
from packbank.sim.inverter import Inverter, InverterSpec
from packbank.sim.judge import FLOOR, TOP_BALANCE, Judge
from packbank.sim.meter import Meter
from packbank.sim.oracle import MARGIN, ORACLE, Oracle
from packbank.sim.policy import PACKBANK, Limits, Moment, n_min, policy
from packbank.sim.scenario import Scenario
from packbank.sim.scenarios import SCENARIOS
from packbank.sim.scenarios_sensors import IN_EVERY_PLACE
from packbank.sim.trial import Run
from packbank.sim.weather import FULL_LOAD, FULL_SUN, Profile, steps
from packbank.sim.wire_bank import demo_spec

ALONE = BankSpec(
    packs=2,
    cell_capacity_spread=0,
    cell_soc_spread=0,
    cell_age_spread=0,
    wiring_spread=0,
    sensor_gain=0,
    sensor_offset=0,
    sensor_noise=0,
)
CVL = 16 * 3.45
QUICK = Scenario(
    name="quick",
    summary="load, then sun",
    bank=BankSpec(oldest=1.3),
    profile=Profile(points=steps((0, 0, 0), (10, 0, FULL_LOAD), (60, 0, 0), (75, FULL_SUN, 0), (130, 0, 0))),
    seconds=130,
)


# Of the rows that put a wrong sensor in every place one is enough here.
PLAYED = [name for name, row in SCENARIOS.items() if row not in IN_EVERY_PLACE or name == "constant-4"]


@pytest.mark.parametrize("name", PLAYED)
def test_the_oracle_plays_the_beginning_of_every_scenario_without_a_trip_of_its_own(name: str) -> None:
    scenario = SCENARIOS[name]
    result = Run(scenario, ORACLE, 5, 1).play(90)
    colder = scenario.bank.ambient - scenario.bank.ambient_spread < 0
    assert result.trips == 0 or colder
    assert result.use is None or result.use > 0.8


@pytest.mark.parametrize("name", PLAYED)
def test_our_policy_plays_the_beginning_of_every_scenario(name: str) -> None:
    run = Run(SCENARIOS[name], PACKBANK, 5, 1)
    result = run.play(40)
    assert np.isfinite([run.limits.cvl, run.limits.ccl, run.limits.dcl]).all()
    assert result.charge > 0


def test_the_oracle_uses_nearly_all_and_ours_no_more() -> None:
    best = Run(QUICK, ORACLE, 4, 2).play(QUICK.seconds)
    ours = Run(QUICK, PACKBANK, 4, 2).play(QUICK.seconds)
    assert best.trips == 0
    assert best.worst < 0.01
    assert best.use is not None
    assert ours.use is not None
    assert 1 - 8 * MARGIN < best.use < 1
    assert ours.use < best.use + 2 * MARGIN


def test_adding_the_limits_up_overloads_packs_that_differ() -> None:
    result = Run(SCENARIOS["mixed"], "sum", 4, 1).play(120)
    assert result.worst > 0.2
    assert result.over_20 > 10


def test_the_same_seed_gives_the_same_result_and_another_another() -> None:
    results = [Run(SCENARIOS["mixed"], PACKBANK, 4, seed).play(90) for seed in (3, 3, 4)]
    assert results[0] == results[1]
    assert replace(results[2], seed=3) != results[0]


def test_a_limit_that_is_exceeded_is_seen_in_the_direction_of_each_pack() -> None:
    bank = PhysicalBank(ALONE)
    judge = Judge(bank, PackSettings())
    network = bank.step(1.0, 220.0)
    assert judge.excess(network, CVL) == pytest.approx([0.1, 0.1], abs=0.001)
    network = bank.step(1.0, -330.0)
    assert judge.excess(network, CVL) == pytest.approx([0.1, 0.1], abs=0.001)


def test_a_tiny_limit_is_measured_against_part_of_what_the_bms_allows() -> None:
    bank = PhysicalBank(replace(ALONE, soc=99.4))
    network = bank.step(1.0, 20.0)
    judge = Judge(bank, PackSettings())
    own = judge.charge.by_cell(bank.cell_voltages.max(axis=0))
    assert own.max() < 5.0
    assert judge.excess(network, CVL) == pytest.approx((10.0 - own) / (FLOOR * 100.0), abs=0.01)


def test_near_a_protection_of_the_bms_nothing_is_allowed_whatever_the_curves_say() -> None:
    bank = PhysicalBank(ALONE)
    judge = Judge(
        bank, PackSettings(temperatures_while_charging=(-20.0, 60.0), max_charge_current_t_fraction=(1.0, 1.0))
    )
    cold = judge.charge.by_heat(np.array([0.5, 3.0]), np.array([20.0, 20.0]))
    assert cold.tolist() == [0.0, 50.0]


def test_a_top_balance_allows_a_little_beyond_the_charge_curve_and_no_more() -> None:
    bank = PhysicalBank(replace(ALONE, soc=99.4))
    judge = Judge(bank, PackSettings())
    for current, allowed in ((2 * 100.0 * TOP_BALANCE, True), (4 * 100.0 * TOP_BALANCE, False)):
        network = bank.step(1.0, current)
        assert judge.excess(network, CVL).max() > 0.05
        assert (judge.excess(network, 16 * 3.62).max() <= 0.01) == allowed


def test_what_packs_exchange_among_themselves_is_no_excess() -> None:
    bank = PhysicalBank(replace(ALONE, soc=94.0, soc_spread=5.7))
    network = bank.step(1.0, 0.0)
    into = bank.currents.max()
    cold = Judge(bank, PackSettings(max_battery_charge_current=into / 2))
    assert cold.excess(network, CVL).max() <= 0.0
    network = bank.step(1.0, 200.0)
    assert cold.excess(network, CVL).max() > 0.5


@pytest.mark.parametrize("link", [0.0, 2e-4])
def test_the_best_current_is_where_the_first_pack_reaches_its_limit(link: float) -> None:
    bank = PhysicalBank(replace(ALONE, packs=3, oldest=2.0, soc=40.0, link=link))
    judge = Judge(bank, PackSettings())
    for side in (judge.charge, judge.discharge):
        bank.step(1.0, side.sign * judge.best(side, 1.0, 60.0)[0])
        assert (side.sign * bank.currents).max() == pytest.approx(side.ceiling[0], rel=0.002)


def test_a_pack_that_is_too_cold_for_any_charge_lets_the_best_current_be_none() -> None:
    bank = PhysicalBank(replace(ALONE, packs=3, odd=(Odd(ambient=-24.5),)))
    judge = Judge(bank, PackSettings())
    assert judge.best(judge.charge, 1.0, 60.0)[0] == pytest.approx(0.0, abs=1.0)
    bank.charge_enabled[bank.special] = False
    assert judge.best(judge.charge, 1.0, 60.0)[0] == pytest.approx(200.0, rel=0.05)


def test_the_best_current_knows_what_a_closing_pack_will_take() -> None:
    bank = PhysicalBank(replace(ALONE, packs=4, soc=70.0, odd=(Odd(soc=-10.0, connected=False),)))
    judge = Judge(bank, PackSettings())
    without, _ = judge.best(judge.charge, 0.1, 60.0)
    closing = np.arange(4) == bank.special
    soon, _ = judge.best(judge.charge, 0.1, 60.0, closing)
    assert soon < 0.9 * without
    events.close(bank, Inverter(InverterSpec(charge=1, discharge=1)))
    bank.step(0.1, soon)
    assert bank.currents[bank.special] == pytest.approx(100.0, rel=0.01)


def test_an_oracle_with_a_reserve_keeps_room_for_the_loss_of_a_pack_or_for_the_loads_but_not_for_both() -> None:
    bank = PhysicalBank(replace(ALONE, packs=4))
    judge = Judge(bank, PackSettings())
    limits = [
        Oracle(bank, judge, PackSettings(), None, reserve).step(bank.rows(), Moment(0.0, 0.0, loads)).ccl
        for reserve, loads in ((0, 0.0), (0, 80.0), (1, 0.0), (1, 80.0), (1, 150.0))
    ]
    full = 400.0 * (1 - MARGIN)
    assert limits == pytest.approx([full, full - 80, full * 3 / 4, full * 3 / 4, full - 150], rel=0.001)


def meter() -> Meter:
    bank = PhysicalBank(ALONE)
    return Meter(bank, Judge(bank, PackSettings()), 0.0)


def test_turns_count_where_a_limit_turns_notably() -> None:
    one = meter()
    for ccl in (0, 200, 199, 201, 150, 100, 140, 200, 202, 100):
        one.published(Limits(CVL, float(ccl), 300.0))
    one._bank.time = 60.0
    assert one.turns() == 3


def test_recovery_counts_from_the_first_full_load_until_the_limit_stays_near_the_best() -> None:
    one = meter()
    one._looks[1.0] = [(100.0 + 3 * k, ratio) for k, ratio in enumerate([1, 1, 0.3, 0.5, 0.96] + 20 * [0.99])]
    one._looks[-1.0] = [(300.0 + 3 * k, 0.99) for k in range(20)]
    assert one.recovery() == 12.0
    one._looks[1.0] = [(100.0 + 3 * k, 0.5) for k in range(20)]
    assert one.recovery() == 57.0
    assert meter().recovery() is None


def test_recovery_is_held_against_what_can_be_known_of_lost_packs_and_beside_the_room_for_loads() -> None:
    bank = PhysicalBank(replace(ALONE, packs=4))
    judge = Judge(bank, PackSettings())
    meter = Meter(bank, judge, 0.0)
    room, limits, best = 200.0, Limits(CVL, 0.0, 0.0), 0.0
    for second in range(0, 120, 3):
        bank.telemetry.silent[0] = second >= 30
        best = judge.best(judge.charge, 1.0, CVL)[0]
        limits = Limits(CVL, 0.97 * best * (1.0 if second < 60 else 0.75) - room, 0.0)  # lost from 60 s on
        meter.compare(1000.0, limits, CVL, room)
        bank.step(3.0, 0.0)
    assert limits.ccl < 0.95 * (0.75 * best - room), "a per cent of the bank is three of what the loads leave"
    assert meter.recovery() == 0.0


def test_a_limit_that_rises_while_a_pack_is_held_is_seen() -> None:
    one = meter()
    one._bank.telemetry.silent[0] = True
    for second, ccl in enumerate((100, 100, 100, 100, 100, 100, 100, 100, 90, 110, 110)):
        one._bank.time = float(second)
        one.published(Limits(CVL, float(ccl), 300.0))
    assert one.rise == pytest.approx(20 / 200)
    assert one.cvl_rise == 0.0


def test_a_cvl_that_rises_while_a_pack_is_held_is_seen() -> None:
    one = meter()
    one._bank.telemetry.silent[0] = True
    for second, cvl in enumerate(10 * [53.0] + [53.3]):
        one._bank.time = float(second)
        one.published(Limits(cvl, 100.0, 300.0))
    assert one.cvl_rise == pytest.approx(0.3)


def test_only_what_is_exported_below_the_voltage_at_the_start_counts() -> None:
    one = meter()
    bank = one._bank
    start = bank.voltage
    for current, draw in ((-90.0, 0.0), (-90.0, 60.0), (50.0, 0.0)):
        network = bank.step(36.0, current)
        one.step(36.0, network, CVL, draw)
    assert bank.voltage > start
    assert one.exported_below == pytest.approx((90 + 30) / 100)
    assert one.drawn == pytest.approx(1.8)


def test_n_min_multiplies_the_smallest() -> None:
    assert n_min([100.0, 40.0, 80.0]) == 120.0
    assert n_min([]) == 0.0


def test_events_reach_the_pack() -> None:
    bank, inverter = PhysicalBank(BankSpec(packs=6)), Inverter(InverterSpec(charge=1, discharge=1))
    for happens in (events.silence, events.open_charge, events.open_discharge):
        happens(bank, inverter)
    bank.step(1.0, 0.0)
    assert np.flatnonzero(bank.telemetry.silent).tolist() == [bank.special]
    assert np.flatnonzero(~bank.charge_on).tolist() == [bank.special]
    assert np.flatnonzero(~bank.discharge_on).tolist() == [bank.special]
    for happens in (events.silence_all, events.close, events.answer):
        happens(bank, inverter)
    assert not bank.telemetry.silent.any()
    assert bank.charge_on.all()


@pytest.mark.parametrize("each", [20.0, -20.0])
@pytest.mark.parametrize("packs", [3, 15])
def test_the_first_current_that_packs_are_seen_to_carry_lowers_no_limit(packs: int, each: float) -> None:
    bank = PhysicalBank(demo_spec(packs, 16, 1))
    ours = policy(PACKBANK, packs, PackSettings(), BankSettings())
    limits = []
    for second in range(30):
        limits.append(ours.step(bank.rows(), Moment(bank.time, 1e9)))
        for _ in range(10):
            bank.step(0.1, each * packs if second >= 15 else 0.0)
    rested, after = limits[14], limits[15:]
    assert min(limit.ccl for limit in after) > 0.98 * rested.ccl > 25.0 * packs
    assert min(limit.dcl for limit in after) > 0.98 * rested.dcl > 35.0 * packs
    assert after[-1].ccl > 1.2 * rested.ccl


def test_clouds_and_appliances_change_the_powers_within_their_bounds() -> None:
    profile = Profile(points=((0, 1.0, 0.5), (3600, 1.0, 0.5)), clouds=0.6, appliances=0.2)
    sun, load = profile.fractions(3600, seed=1)
    assert sun.max() <= 1.0
    assert sun.min() >= 0.4
    assert len(set(sun)) > 20
    assert 0.4 <= load.min() < load.max() <= 0.6


def test_steps_keep_each_value_until_the_next() -> None:
    sun, load = Profile(points=steps((0, 0, 1), (10, 2, 0), (20, 0, 0))).fractions(20, seed=0)
    assert sun.tolist() == 10 * [0.0] + 10 * [2.0]
    assert load.tolist() == 10 * [1.0] + 10 * [0.0]
