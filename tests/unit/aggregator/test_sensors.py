"""Current sensors that are wrong: found at the first step, named, and never a reason to free a pack."""

from __future__ import annotations

import json
import operator
from functools import partial

import numpy as np
import pytest

from packbank.model.battery import Cause, Sensor, VirtualBattery
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from parallel_packs import CELL_OHM, FAULTS, ParallelPacks, noisy

NAMES = {
    "blind": Sensor.BLIND,
    "silent": Sensor.SILENT,
    "frozen": Sensor.FROZEN,
    "inverted": Sensor.INVERTED,
}


def named(battery: VirtualBattery) -> list[int]:
    """The packs in the alarm of wrong sensors."""
    return [i for i, pack in enumerate(battery.packs) if pack.alarms.get(Alarm.INTERNAL_FAILURE)]


def limits(battery: VirtualBattery) -> tuple[float, float]:
    return battery.charge_current_limit.value, battery.discharge_current_limit.value


def sensor(battery: VirtualBattery, pack: int) -> Sensor:
    return battery.packs[pack].current_sensor


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("pack", [0, 2])
def test_a_wrong_sensor_is_named_soon_after_the_first_step_of_a_tenth(fault: str, pack: int) -> None:
    packs, right = (ParallelPacks([1.0, 0.9, 1.2, 1.0]) for _ in range(2))
    packs.sensors[pack] = FAULTS[fault]
    for rig in (packs, right):
        rig.carry(0.0, 30)
    assert named(packs.carry(10.0, 2)) == []
    battery = packs.carry(10.0, 10)
    assert sensor(battery, pack) is NAMES[fault]
    assert named(battery) == [pack]
    assert battery.alarms[Alarm.INTERNAL_FAILURE] == 1
    right.carry(10.0, 12)
    for each in (60.0, 20.0, 70.0):
        battery, ideal = packs.carry(each, 25), right.carry(each, 25)
        assert all(ours <= 1.03 * theirs for ours, theirs in zip(limits(battery), limits(ideal), strict=True))
    if fault != "inverted":  # its size is right
        assert battery.charge_current_limit.cause in {Cause.SENSOR, Cause.RAMP}
        assert battery.charge_current_limit.pack == pack
    assert battery.charge_current_limit.value >= 0.65 * ideal.charge_current_limit.value
    assert battery.current == pytest.approx(4 * 70.0, rel=0.06), "the pack counts with what it carries"


def test_a_pack_without_known_cells_keeps_no_wrong_sensor_from_being_found() -> None:
    class OneWithoutCells(ParallelPacks):
        def step(self, seconds: float = 1.0) -> VirtualBattery:
            self.rows[3, CELL_VOLTAGES] = np.nan
            self.rows[3, Column.VOLTAGE] = self.rows[0, Column.VOLTAGE]
            return super().step(seconds)

    packs = OneWithoutCells([1.0, 0.9, 1.2, 1.0, 1.1])
    packs.carry(0.0, 60)
    packs.carry(20.0, 20)
    packs.sensors[1] = FAULTS["blind"]
    packs.carry(0.0, 30)
    assert sensor(packs.carry(40.0, 20), 1) is Sensor.BLIND


def test_a_wrong_sensor_that_moves_a_little_accuses_no_other() -> None:
    """It says how cells follow a current only where no other sensor does."""
    packs = ParallelPacks([1.0, 1.25])
    packs.sensors[0] = FAULTS["blind"]
    packs.carry(0.0, 12)
    assert named(packs.carry(30.0, 14)) == [0]
    packs.sensors[0] = lambda _: -4.0
    assert named(packs.carry(-20.0, 14)) == [0]
    assert sensor(packs.carry(0.0, 14), 1) is Sensor.GOOD


def test_cells_that_move_on_after_a_step_do_not_name_a_pack_that_stands_still() -> None:
    """A small pack that polarises, and carries the same all the while, beside a large one whose current still rises."""
    packs = ParallelPacks([1.0, 3.0])
    packs.rows[:, [Column.FULL_CAPACITY, Column.REMAINING_CAPACITY]] = [[100.0], [500.0]]
    packs.carry(0.0, 30)
    packs.carry(-200.0, 30)
    packs.carry(20.0, 6)
    packs.sensors[0] = lambda _: 10.0
    for second in range(1, 13):
        packs.drift[0] = 0.02 * min(1.0, second / 10.0)
        assert named(packs.carry(20.0 + 2.0 * second)) == []


def test_nobody_is_named_by_sensors_with_a_dead_band_and_errors() -> None:
    packs = ParallelPacks([1.0, 0.8, 1.3, 0.6])
    packs.sensors = {pack: noisy(pack) for pack in range(4)}
    packs.noise = np.random.default_rng(5)
    random = np.random.default_rng(6)
    for _ in range(40):
        battery = packs.carry(float(random.choice([0.0, 1.0, 2.0, 4.0, -3.0, 10.0, -40.0, 70.0])), 8)
        assert named(battery) == []
    assert {sensor(battery, pack) for pack in range(4)} == {Sensor.GOOD}


def test_a_pack_behind_an_open_breaker_carries_nothing_and_is_not_named() -> None:
    packs = ParallelPacks([1.0, 1.0, 1.0, 1.0])
    packs.open = {1}
    packs.carry(0.0, 30)
    for each in (20.0, 60.0, 5.0, -40.0):
        battery = packs.carry(each, 12)
    assert sensor(battery, 1) is Sensor.IDLE
    assert named(battery) == []
    packs.open = set()
    battery = packs.carry(30.0, 12)
    assert sensor(battery, 1) is Sensor.GOOD


def test_cells_that_rest_while_others_step_do_not_name_their_pack() -> None:
    packs = ParallelPacks([1.0, 1.0, 1.0, 1.0])
    for each in (0.0, 20.0, 0.0, 60.0):
        packs.carry(each, 20)
    packs.open = {1}
    for second in range(120):
        packs.drift[1] = -0.012 * (1.0 - np.exp(-second / 30.0))
        battery = packs.carry(60.0 - 15.0 * (second // 10 % 2))
        assert named(battery) == []


def test_before_any_step_a_reading_that_does_not_follow_frees_nobody() -> None:
    packs, without = ParallelPacks([1.0, 1.0, 1.0, 1.0]), ParallelPacks([1.0, 1.0, 1.0, 1.0])
    packs.sensors[1] = FAULTS["blind"]
    without.sensors[1] = FAULTS["silent"]
    battery, silent = packs.carry(50.0, 60), without.carry(50.0, 60)
    assert sensor(battery, 1) is Sensor.DOUBTED
    assert named(battery) == [], "the evidence is not enough"
    assert battery.charge_current_limit.cause is Cause.SENSOR
    assert 0.0 < battery.charge_current_limit.value < 3 * 100.0, "it may conduct or not"
    assert limits(battery) == pytest.approx(limits(silent), rel=0.01)


@pytest.mark.parametrize("blind", [False, True])
def test_a_pack_that_closes_is_in_doubt_only_while_its_reading_stays_where_it_is(blind: bool) -> None:
    packs = ParallelPacks([1.0, 1.0, 1.0, 1.0])
    switches, volts_an_ampere = [Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET], CELL_OHM / 1.0
    packs.rows[3, switches], packs.open = 0.0, {3}
    for each in (0.0, 30.0, 60.0):
        packs.carry(each, 30)
    packs.rows[3, switches], packs.open = 1.0, set()
    doubts = []
    for second in range(90):  # at first it presses 60 A more than its part, which fades while the bank's current rises
        extra = 60.0 * np.exp(-second / 60.0)
        packs.drift[3] = extra * volts_an_ampere
        packs.sensors[3] = FAULTS["blind"] if blind else partial(operator.add, extra)
        doubts.append(sensor(packs.carry(5.0 + 0.5 * second), 3) in (Sensor.DOUBTED, Sensor.BLIND))
    assert any(doubts) == blind
    assert not blind or all(doubts[10:])


def test_a_sensor_that_fails_under_load_keeps_what_was_learned_of_its_pack() -> None:
    packs, right = (ParallelPacks([1.0, 1.3, 1.0, 0.9]) for _ in range(2))
    for rig in (packs, right):
        for each in (0.0, 20.0, 60.0, 30.0, 60.0):
            rig.carry(each, 20)
    packs.sensors[1] = FAULTS["blind"]
    battery, ideal = packs.carry(60.0, 12), right.carry(60.0, 12)
    assert sensor(battery, 1) is Sensor.BLIND
    assert named(battery) == [1]
    assert 0.8 * limits(ideal)[0] <= limits(battery)[0] <= 1.01 * limits(ideal)[0]


def test_a_sensor_that_works_again_is_believed_after_two_steps() -> None:
    packs = ParallelPacks([1.0, 1.0, 1.0, 1.0])
    packs.sensors[1] = FAULTS["blind"]
    for each in (0.0, 40.0):
        battery = packs.carry(each, 20)
    assert named(battery) == [1]
    del packs.sensors[1]
    assert named(packs.carry(40.0, 12)) == [1], "a step of the reading alone is no evidence"
    battery = packs.carry(10.0, 12)
    assert named(battery) == [1]
    battery = packs.carry(50.0, 12)
    assert named(battery) == []
    assert sensor(battery, 1) is Sensor.GOOD


def test_a_restart_keeps_who_is_wrong() -> None:
    packs = ParallelPacks([1.0, 1.0, 1.0])
    packs.sensors[2] = FAULTS["frozen"]
    for each in (0.0, 40.0):
        packs.carry(each, 20)
    state = json.loads(json.dumps(packs.bank.state()))
    again = ParallelPacks([1.0, 1.0, 1.0], state=state)
    assert again.bank.state_error == ""
    again.sensors = packs.sensors
    battery = again.carry(40.0, 6)
    assert named(battery) == [2]
    state["sensors"]["pack 3"] = "NOBODY KNOWS"
    assert "damaged" in ParallelPacks([1.0, 1.0, 1.0], state=state).bank.state_error


@pytest.mark.parametrize("failed", [True, False], ids=["failed", "blind from the start"])
def test_days_after_a_sensor_was_found_wrong_the_bank_still_gives_what_it_did(failed: bool) -> None:
    """Nothing is learned of its pack, so what is unknown of it must not grow for ever."""
    packs, right = (ParallelPacks([1.0, 1.0, 1.0, 1.0]) for _ in range(2))
    for rig in (packs, right):
        if failed:
            rig.carry(0.0, 20), rig.carry(20.0, 20), rig.carry(50.0, 20)
        packs.sensors[1] = FAULTS["blind"]
        for _ in range(2 * 8):
            for each in (10.0, -20.0, 0.0):
                rig.carry(each)
                for _ in range(12):
                    rig.step(300.0)
        for each in (20.0, 50.0, 20.0, 50.0):
            battery = rig.carry(each, 20)
        assert named(battery) == ([1] if rig is packs else [])
        if rig is packs:
            found = limits(battery)
    assert 0.65 * limits(battery)[0] <= found[0] <= limits(battery)[0]


def test_a_blind_pack_that_carries_little_leaves_the_others_no_more_than_they_stand() -> None:
    packs, right = (ParallelPacks([0.6, 1.0, 1.0, 1.7]) for _ in range(2))
    packs.sensors[0] = FAULTS["blind"]
    for each in (0.0, 20.0, 50.0, 58.0):
        battery, ideal = packs.carry(each, 25), right.carry(each, 25)
    assert named(battery) == [0]
    assert limits(battery)[0] <= limits(ideal)[0], "what it does not carry the strong pack does"
    assert limits(battery)[0] >= 0.8 * limits(ideal)[0]


def test_a_restart_keeps_what_was_learned_of_a_pack_whose_sensor_failed() -> None:
    """A new pack among old ones: nothing but what was learned shows how much it carries."""
    packs, right = (ParallelPacks([2.5, 1.0, 1.0, 1.0]) for _ in range(2))
    for rig in (packs, right):
        for each in (0.0, 20.0, 40.0, 10.0, 40.0):
            rig.carry(each, 20)
    packs.sensors[0] = FAULTS["blind"]
    for rig in (packs, right):
        rig.carry(0.0, 20)
    assert named(packs.carry(20.0, 20)) == [0]
    right.carry(20.0, 20)
    state = json.loads(json.dumps(packs.bank.state()))
    for _ in range(2):  # restarts
        again = ParallelPacks([2.5, 1.0, 1.0, 1.0], state=state)
        again.sensors = packs.sensors
        for each in (0.0, 20.0, 40.0):
            battery, ideal = again.carry(each, 20), right.carry(each, 20)
            assert named(battery) == [0]
            assert limits(battery)[0] <= 1.02 * limits(ideal)[0]
        assert limits(battery)[0] >= 0.7 * limits(ideal)[0]
        state = json.loads(json.dumps(again.bank.state()))


@pytest.mark.parametrize("packs", [1, 2, 4])
def test_with_a_shunt_a_blind_pack_carries_what_the_others_leave_over(packs: int) -> None:
    rig, right = (ParallelPacks([1.4, *[1.0] * (packs - 1)]) for _ in range(2))
    rig.sensors[0] = FAULTS["blind"]
    for bank in (rig, right):
        bank.shunt = True
        for each in (0.0, 15.0, 60.0, 30.0, 60.0):
            battery = bank.carry(each, 25)
    battery, ideal = rig.carry(40.0, 25), right.carry(40.0, 25)
    assert named(battery) == [0]
    assert limits(battery) == pytest.approx(limits(ideal), rel=0.05)


def test_a_shunt_shows_gains_and_offsets() -> None:
    rig = ParallelPacks([1.0, 1.0, 1.0, 1.0])
    rig.shunt = True
    rig.sensors = {pack: (lambda true: true * 0.96 - 0.5) for pack in range(4)}
    for each in (0.0, 20.0, 60.0, -30.0, 50.0, 0.0, 80.0):
        battery = rig.carry(each, 20)
    packs = battery.packs
    current = rig.rows[:, Column.CURRENT]
    left = sum(pack.sensor_gain * reported + pack.sensor_offset for pack, reported in zip(packs, current, strict=True))
    assert left == pytest.approx(4 * 80.0 - current.sum(), abs=1.5)
    assert {pack.sensor_gain_error < 0.03 for pack in packs} == {True}
    error, deviation = rig.bank._sensors.shunt.error_of_sum(current)
    assert error == pytest.approx(left)
    assert deviation < 2.0
    again = ParallelPacks([1.0, 1.0, 1.0, 1.0], state=json.loads(json.dumps(rig.bank.state())))
    assert again.carry(0.0).packs[1].sensor_gain == pytest.approx(packs[1].sensor_gain, rel=0.01)
