"""What must hold of limits when a pack's current sensor is wrong, whatever the packs are."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packbank.aggregator.settings import BankSettings
from packbank.model.battery import VirtualBattery
from packbank.model.columns import Alarm
from parallel_packs import FAULTS, ParallelPacks

TOLERANCE = 1.03
TRUE = 1.015  # of the best possible current
AT_ONCE = BankSettings(
    ccl_recovery_hold_sec=0.0,
    dcl_recovery_hold_sec=0.0,
    ccl_recovery_rate_a_per_sec=0.0,
    dcl_recovery_rate_a_per_sec=0.0,
)
WEIGHTS = st.lists(st.floats(0.8, 1.25), min_size=2, max_size=6)
LEVELS = st.lists(st.sampled_from([0.0, 12.0, 30.0, 55.0, 70.0, -20.0, -60.0]), min_size=2, max_size=4)


def limits(battery: VirtualBattery) -> tuple[float, float]:
    return battery.charge_current_limit.value, battery.discharge_current_limit.value


def best(packs: ParallelPacks, battery: VirtualBattery) -> tuple[float, float]:
    """Bank currents at which the first pack is truly at its own limit, charge and discharge."""
    shares = packs.currents(1.0)
    charge = np.array([pack.charge_limit for pack in battery.packs])
    discharge = np.array([pack.discharge_limit for pack in battery.packs])
    return float(np.min(charge / shares)), float(np.min(discharge / shares))


def named(battery: VirtualBattery) -> set[int]:
    return {i for i, pack in enumerate(battery.packs) if pack.alarms.get(Alarm.INTERNAL_FAILURE)}


@given(weights=WEIGHTS, pack=st.integers(0, 5), fault=st.sampled_from(list(FAULTS)), levels=LEVELS)
@example(weights=[1.0, 1.0, 1.25], pack=2, fault="inverted", levels=[30.0, 0.0])  # 1.3 % above the best
@settings(max_examples=12, deadline=None)
def test_no_limit_is_much_higher_with_a_wrong_sensor_than_with_a_right_one_or_than_is_true(
    weights: list[float], pack: int, fault: str, levels: list[float]
) -> None:
    wrong, right = ParallelPacks(weights, AT_ONCE), ParallelPacks(weights, AT_ONCE)
    pack %= len(weights)
    wrong.sensors[pack] = FAULTS[fault]
    for each in (0.0, *levels):
        for seconds in (3, 5, 6):
            battery, ideal = wrong.carry(each, seconds), right.carry(each, seconds)
            for ours, theirs, true in zip(limits(battery), limits(ideal), best(right, ideal), strict=True):
                assert ours <= max(TOLERANCE * theirs, TRUE * true) + 1.0
            assert named(battery) <= {pack}
            assert named(ideal) == set()


@given(weights=WEIGHTS, pack=st.integers(0, 5), reading=st.sampled_from([4.0, -4.0, 300.0, -300.0]), levels=LEVELS)
@settings(max_examples=8, deadline=None)
def test_nothing_rises_from_a_reading_that_is_not_believed(
    weights: list[float], pack: int, reading: float, levels: list[float]
) -> None:
    pack %= len(weights)
    same, other = ParallelPacks(weights, AT_ONCE), ParallelPacks(weights, AT_ONCE)
    for rig in (same, other):
        rig.sensors[pack] = FAULTS["blind"]
        rig.carry(0.0, 12)
        assert named(rig.carry(30.0, 14)) == {pack}
    other.sensors[pack] = lambda _: reading
    for each in levels:
        battery, still = other.carry(each, 10), same.carry(each, 10)
        for ours, theirs in zip(limits(battery), limits(still), strict=True):
            assert ours <= TOLERANCE * theirs + 0.5
