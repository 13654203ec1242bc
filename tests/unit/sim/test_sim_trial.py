from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packbank.aggregator.settings import PackSettings
from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.judge import FLOOR, TOP_BALANCE, Judge
from packbank.sim.policy import n_min
from packbank.sim.scenarios import SCENARIOS, Effect, Profile, Scenario
from packbank.sim.trial import LASTING, Result, Run, Score, best_possible, broken, trial

SUN = Profile(points=((0, 7500, 300), (2, 7500, 300)))
ALONE = BankSpec(
    packs=2,
    cell_capacity_spread=0,
    cell_soc_spread=0,
    cell_age_spread=0,
    wiring_spread=0,
    sensor_gain=0,
    sensor_offset=0,
)
QUICKER = 8
CVL = 16 * 3.45


def quick(scenario: Scenario) -> Scenario:
    """The scenario with loads, sun and events in an eighth of the time."""
    points = tuple((hour / QUICKER, sun, load) for hour, sun, load in scenario.profile.points)
    events = tuple((hour / QUICKER, effect) for hour, effect in scenario.events)
    return replace(scenario, profile=replace(scenario.profile, points=points), events=events)


@pytest.mark.parametrize("name", SCENARIOS)
def test_our_policy_passes_a_short_trial_of_every_scenario(name: str) -> None:
    scenario = quick(SCENARIOS[name])
    result, score = trial(Run(scenario, "share", 6, 1), 0.21, Score(moved=1.0))
    assert score.breach_seconds <= LASTING
    assert result.bms_trips == 0
    assert score.moved > 0
    assert not scenario.utilisation or (result.current_utilisation or 0.0) > scenario.utilisation - 0.1


def test_adding_the_limits_up_overloads_packs_that_differ() -> None:
    result, _ = trial(Run(SCENARIOS["mixed"], "sum", 4, 1), 0.1, Score(moved=1.0))
    assert result.worst_overshoot > 0.2
    assert result.overshoot_seconds > LASTING


def test_the_same_seed_gives_the_same_result_and_another_another() -> None:
    results = [trial(Run(SCENARIOS["mixed"], "share", 4, seed), 0.05, Score(moved=1.0))[0] for seed in (3, 3, 4)]
    assert results[0] == results[1]
    assert replace(results[2], seed=3) != results[0]


def test_nobody_moves_more_than_the_best_possible_within_the_limits() -> None:
    scenario = replace(SCENARIOS["mixed"], profile=SUN)
    best = best_possible(scenario, 4, 0.15, 2)
    result, score = trial(Run(scenario, "share", 4, 2), 0.15, best)
    assert best.worst_overshoot < 0.01
    assert result.energy_utilisation is not None
    assert 0.85 < result.energy_utilisation <= 1.0
    assert score.breach_seconds <= LASTING


def test_a_limit_that_is_exceeded_is_seen() -> None:
    bank = PhysicalBank(ALONE)
    judge = Judge(bank, PackSettings())
    network = bank.step(1.0, 220.0)
    assert judge.overshoot(network, CVL) == pytest.approx([0.1, 0.1], abs=0.001)
    network = bank.step(1.0, -330.0)
    assert judge.overshoot(network, CVL) == pytest.approx([0.1, 0.1], abs=0.001)


def test_a_tiny_limit_is_measured_against_part_of_what_the_bms_allows() -> None:
    bank = PhysicalBank(replace(ALONE, soc=99.4))
    network = bank.step(1.0, 20.0)
    judge = Judge(bank, PackSettings())
    own = judge.charge.limit(bank.cell_voltages.max(axis=0), bank.heat.cells, bank.heat.mos)
    assert own.max() < 5.0
    assert judge.overshoot(network, CVL) == pytest.approx((10.0 - own) / (FLOOR * 100.0), abs=0.01)


def test_a_top_balance_allows_a_little_beyond_the_charge_curve_and_no_more() -> None:
    bank = PhysicalBank(replace(ALONE, soc=99.4))
    judge = Judge(bank, PackSettings())
    for current, allowed in ((2 * 100.0 * TOP_BALANCE, True), (3 * 100.0 * TOP_BALANCE, False)):
        network = bank.step(1.0, current)
        assert judge.overshoot(network, CVL).max() > 0.05
        assert (judge.overshoot(network, 16 * 3.62).max() <= 0.01) == allowed


def test_what_packs_exchange_among_themselves_is_no_overshoot() -> None:
    bank = PhysicalBank(replace(ALONE, soc=94.0, soc_spread=5.7))
    network = bank.step(1.0, 0.0)
    into = bank.currents.max()
    cold = Judge(bank, PackSettings(max_battery_charge_current=into / 2))
    assert cold.overshoot(network, CVL).max() <= 0.0
    network = bank.step(1.0, 60.0)
    assert cold.overshoot(network, CVL).max() > 0.5


def test_the_best_current_is_where_the_first_pack_reaches_its_limit() -> None:
    bank = PhysicalBank(replace(ALONE, packs=3, oldest=2.0, soc=40.0))
    judge = Judge(bank, PackSettings())
    for side in (judge.charge, judge.discharge):
        bank.step(1.0, side.sign * judge.best(side, 1.0, 60.0))
        assert side.sign * bank.currents.min() > 0 or side.sign * bank.currents.max() > 0
        assert np.abs(bank.currents).max() == pytest.approx(side.ceiling[0], rel=0.002)


def test_n_min_multiplies_the_smallest() -> None:
    assert n_min([100.0, 40.0, 80.0]) == 120.0
    assert n_min([]) == 0.0


def test_effects_reach_the_pack() -> None:
    bank = PhysicalBank(BankSpec(packs=6))
    for effect in (Effect.SILENCE, Effect.CHARGE_OFF, Effect.DISCHARGE_OFF):
        effect.apply(bank)
    bank.step(1.0, 0.0)
    assert np.flatnonzero(bank.telemetry.silent).tolist() == [2]
    assert np.flatnonzero(~bank.charge_on).tolist() == [2]
    assert np.flatnonzero(~bank.discharge_on).tolist() == [2]
    for effect in (Effect.ALL_SILENCE, Effect.BOTH_ON, Effect.ALL_ANSWER):
        effect.apply(bank)
    assert not bank.telemetry.silent.any()
    assert bank.charge_on.all()


def test_clouds_and_appliances_change_the_powers_within_their_bounds() -> None:
    profile = Profile(points=((0, 1000, 500), (1, 1000, 500)), clouds=0.6, appliances=0.2)
    sun, load = profile.powers(3600, 10, seed=1)
    assert sun.max() <= 10_000
    assert sun.min() >= 4_000
    assert len(set(sun)) > 20
    assert 4_000 <= load.min() < load.max() <= 6_000


@pytest.mark.parametrize(
    ("changes", "breach", "fault"),
    [
        ({}, 0.0, None),
        ({}, 11.0, "over its own limit for 11 s"),
        ({"bms_trips": 2}, 0.0, "2 BMS trips"),
        ({"current_utilisation": 0.8}, 0.0, "80.0% of the best current, 97% is asked"),
    ],
)
def test_what_breaks_the_promise_is_said(changes: dict[str, object], breach: float, fault: str | None) -> None:
    scenario: Scenario = SCENARIOS["equal"]
    good = Result("equal", "share", 16, 4.0, 0, 0.01, 0.0, 0, 0.98, 0.97, 1.0, 3.0)
    faults = broken(scenario, replace(good, **changes), Score(breach_seconds=breach))  # type: ignore[arg-type]
    assert ([] if fault is None else [True]) == [fault in text for text in faults if fault]
