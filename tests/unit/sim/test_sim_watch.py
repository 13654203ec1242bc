from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.battery import VirtualBattery
from packbank.model.columns import Alarm
from packbank.sim import events
from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.inverter import Inverter, InverterSpec
from packbank.sim.policy import ABSENT, Limits, Moment, Packbank
from packbank.sim.scenario import CLOCK
from packbank.sim.watch import SensorWatch, StageWatch, ZeroWatch

PACKS = 4
AMPERE = 400.0
INVERTER = Inverter(InverterSpec(charge=1, discharge=1))
LIMITS = Limits(55.2, 400.0, 600.0)


@pytest.fixture(scope="module")
def battery() -> VirtualBattery:
    """What is really published of a bank at rest."""
    bank = PhysicalBank(BankSpec(packs=PACKS))
    policy = Packbank(PACKS, PackSettings(), BankSettings())
    for _ in range(5):
        bank.step(1.0, 0.0)
        policy.step(bank.rows(), Moment(bank.time, CLOCK + bank.time))
    assert policy.battery is not None
    return policy.battery


def alarming(battery: VirtualBattery, pack: int, alarm: Alarm) -> VirtualBattery:
    alarms = np.zeros_like(battery.packs.alarms)
    alarms[pack, alarm] = 1
    return replace(battery, packs=replace(battery.packs, alarms=alarms))


def watched() -> tuple[PhysicalBank, SensorWatch]:
    bank = PhysicalBank(BankSpec(packs=PACKS))
    return bank, SensorWatch(bank, AMPERE)


def play(bank: PhysicalBank, watch: SensorWatch, battery: VirtualBattery, *currents: float) -> None:
    for current in currents:
        bank.step(1.0, current)
        watch.look(battery)


@pytest.mark.parametrize("breaks", [events.blind, events.freeze, events.stick, events.invert, events.no_current])
def test_a_wrong_sensor_is_named_from_the_first_notable_step_on(battery: VirtualBattery, breaks: events.Event) -> None:
    bank, watch = watched()
    play(bank, watch, battery, 200.0, 0.0)  # before it is wrong no step counts
    breaks(bank, INVERTER)
    play(bank, watch, battery, *5 * [0.0], 30.0)
    assert watch.stepped_at is None
    play(bank, watch, battery, *7 * [80.0])
    assert watch.stepped_at == 9.0
    assert watch.named_after is None
    play(bank, watch, alarming(battery, (bank.special + 1) % PACKS, Alarm.INTERNAL_FAILURE), 80.0)
    assert watch.named_after is None  # another pack is none
    assert watch.false_alarms == 1
    play(bank, watch, alarming(battery, bank.special, Alarm.LOW_SOC), 80.0)
    assert watch.named_after is None  # nor is what says something else of it
    play(bank, watch, alarming(battery, bank.special, Alarm.INTERNAL_FAILURE), 80.0)
    assert watch.named_after == 9.0
    assert watch.false_alarms == 1


def test_inexact_sensors_are_not_wrong_and_a_false_alarm_counts_when_it_begins(battery: VirtualBattery) -> None:
    bank = PhysicalBank(BankSpec(packs=PACKS, sensor_gain=0.03, sensor_offset=1.0, sensor_dead_band=1.0))
    watch = SensorWatch(bank, AMPERE)
    false = alarming(battery, 1, Alarm.INTERNAL_FAILURE)
    for shown in (battery, false, false, battery, false):
        play(bank, watch, shown, 300.0)
    assert watch.stepped_at is None
    assert watch.false_alarms == 2


def test_a_pack_behind_an_open_breaker_may_be_named_and_need_not(battery: VirtualBattery) -> None:
    bank, watch = watched()
    events.open_breaker(bank, INVERTER)
    play(bank, watch, alarming(battery, bank.special, Alarm.CONTACTOR), 0.0, 200.0)
    assert watch.stepped_at is None
    assert watch.false_alarms == 0


def test_stages_are_measured(battery: VirtualBattery) -> None:
    watch = StageWatch()
    now = 0.0
    for stage, seconds, waiting in (
        ("bulk", 10, ()),
        ("absorption", 5, ()),
        ("absorption", 7, (2,)),
        ("float", 10, ()),
        ("top balance: bulk", 4, ()),
        ("top balance: absorption", 3, ()),
        ("top balance: float", 2, ()),
        ("bulk", 1, ()),
    ):
        for _ in range(seconds):
            watch.look(replace(battery, stage=stage, waiting_for=waiting), LIMITS, now)
            now += 1.0
    assert watch.absorption == 12.0
    assert watch.shortest == 3.0
    assert watch.first_absorption == 10.0
    assert watch.unnamed == 5.0
    assert (watch.top_balances, watch.top_balance) == (1, 9.0)
    assert watch.stage == "bulk"
    assert watch.seconds["float"] == 10.0


def test_a_fall_of_cvl_counts_between_two_looks_and_a_pause_counts_for_no_stage(battery: VirtualBattery) -> None:
    watch = StageWatch()
    absorbing = replace(battery, stage="absorption")
    for now, cvl in ((0.0, 55.2), (1.0, 54.9), (3.0, 55.2), (1203.0, 50.0), (1204.0, 49.9)):
        watch.look(absorbing, Limits(cvl, 0.0, 0.0), now)
    assert watch.cvl_fall == pytest.approx(0.3)
    assert watch.absorption == 4.0


def test_charge_is_looked_at_once_ccl_has_been_0_for_a_minute() -> None:
    bank = PhysicalBank(BankSpec(packs=PACKS, capacity=100.0))
    watch = ZeroWatch(bank)

    def play(seconds: int, current: float, limits: Limits) -> None:
        for _ in range(seconds):
            bank.step(1.0, current)
            watch.look(limits)

    none = Limits(55.2, 0.0, 600.0)
    play(90, 40.0, LIMITS)
    play(90, 40.0, ABSENT)
    play(50, 40.0, none)
    play(11, 4.0, none)
    assert watch.charge == pytest.approx(4.0 / 400.0, rel=0.02)
    play(5, 40.0, none)
    play(20, -40.0, none)
    assert watch.charge == pytest.approx(22.0 / 400.0, rel=0.02)
