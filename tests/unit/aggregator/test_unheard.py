"""Packs of the configuration that have not answered since the start: they may carry current all the same."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bank_rows import Rig, set_temperature
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.battery import Cause, Limit, VirtualBattery
from packbank.model.columns import Column
from packbank.model.controls import External

STARTED = 31.0  # s, from START_TIMEOUT on the bank is published without them


class Started:
    """A bank whose first pack never answers; the packs divide a current by their ``weights``."""

    def __init__(
        self,
        weights: list[float],
        settings: BankSettings | None = None,
        state: dict[str, object] | None = None,
        ceiling: float | None = None,
    ) -> None:
        """``ceiling`` is what the configuration allows the first pack, A."""
        packs = [PackSettings(max_battery_charge_current=ceiling), *[PackSettings()] * (len(weights) - 1)]
        self.rig = Rig(len(weights), settings, packs, state=state)
        self.rig.rows[:, [Column.CHARGE_OCP_DELAY, Column.DISCHARGE_OCP_DELAY]] = 10.0
        self.rig.rows[0] = np.nan
        self.rig.silent = {0}
        self.part = np.array(weights) / sum(weights)

    def carry(self, current: float, seconds: float = 1.0) -> VirtualBattery:
        self.rig.rows[1:, Column.CURRENT] = current * self.part[1:]
        return self.rig.run(seconds)

    def teach(self) -> VirtualBattery:
        """Let the packs that answer show how they share."""
        self.carry(0.0, STARTED)
        for each in (30.0, 60.0, 20.0, 50.0, 0.0):
            battery = self.carry(each * len(self.part), 20)
        return battery


def limits_of(battery: VirtualBattery) -> tuple[Limit, Limit]:
    return battery.charge_current_limit, battery.discharge_current_limit


@pytest.mark.parametrize(("packs", "stronger"), [(2, 1.8), (4, 1.8), (8, 1.4), (16, 1.4)])
@pytest.mark.parametrize("direction", [0, 1])
def test_it_is_kept_within_its_limit(packs: int, stronger: float, direction: int) -> None:
    bank = Started([stronger] + [1.0] * (packs - 1))
    battery, sign, own = bank.teach(), (1.0, -1.0)[direction], (100.0, 150.0)[direction]
    for _ in range(60):
        current = limits_of(battery)[direction].value
        assert current * bank.part[0] <= own
        battery = bank.carry(sign * current)
    assert current > 0.7 * own * (packs - 1)


@pytest.mark.parametrize("packs", [2, 4, 16, 60])
def test_what_it_costs_is_bounded_and_no_limit_is_higher_for_it(packs: int) -> None:
    weights = [1.0] * packs
    trusting = BankSettings(lost_pack_may_conduct=False)
    kept, freed = (limits_of(Started(weights, settings).teach()) for settings in (None, trusting))
    for of_kept, of_freed in zip(kept, freed, strict=True):
        assert 0.68 * of_freed.value <= of_kept.value <= of_freed.value


def test_it_costs_less_where_an_earlier_run_knew_it() -> None:
    before = Rig(16)
    before.teach()
    state = json.loads(json.dumps(before.bank.state()))
    known, unknown = (limits_of(Started([1.0] * 16, state=of).teach()) for of in (state, None))
    freed = limits_of(Started([1.0] * 16, BankSettings(lost_pack_may_conduct=False)).teach())
    for of_known, of_unknown, of_freed in zip(known, unknown, freed, strict=True):
        assert 1.1 * of_unknown.value < of_known.value <= of_freed.value
        assert of_known.value > 0.85 * of_freed.value


def test_it_costs_no_more_after_days() -> None:
    bank = Started([1.0] * 16)
    first = limits_of(bank.teach())
    later = limits_of(bank.rig.run(5 * 86400.0, every=1800.0))
    assert later[0].value > 0.95 * first[0].value
    assert later[1].value > 0.95 * first[1].value


def test_the_reason_says_so() -> None:
    limit = limits_of(Started([1.0] * 16).teach())[0]
    assert limit.cause in {Cause.LOST_PACK, Cause.RAMP}
    assert limit.pack == 0
    assert limit.detail == "has not answered yet, taken for one of the others"


def test_what_the_configuration_allows_it_holds() -> None:
    usual, lower = (limits_of(Started([1.0] * 4, ceiling=ceiling).teach())[0].value for ceiling in (None, 20.0))
    assert lower < 0.5 * usual


def test_a_pack_that_is_open_and_allows_nothing_is_no_measure_for_it() -> None:
    bank = Started([1.0] * 4)
    before = limits_of(bank.teach())[0].value
    set_temperature(bank.rig.rows, 1, -5.0)
    bank.rig.rows[1, Column.CHARGE_MOSFET] = 0.0
    assert limits_of(bank.carry(0.0, 60))[0].value > 0.5 * before


def test_the_room_that_is_kept_for_loads_is_that_of_packs_that_answer() -> None:
    bank = Started([1.0] * 4)
    bank.rig.external = External(loads=100.0)
    patient = limits_of(bank.teach())[0]
    bank.rig.rows[1:, Column.CHARGE_OCP_DELAY] = 3.0
    hasty = limits_of(bank.carry(0.0, 30))[0]
    assert patient.cause is not Cause.RESERVE
    assert hasty.cause is Cause.RESERVE
    assert 0.5 * patient.value < hasty.value < patient.value


def test_when_it_answers_it_is_a_pack_like_the_others() -> None:
    bank = Started([1.0] * 4)
    before = limits_of(bank.teach())
    fresh = Rig(4)
    bank.rig.rows[0] = fresh.rows[0]
    bank.rig.silent = set()
    bank.rig.teach()
    after = limits_of(bank.rig.run(120))
    assert [limit.cause is Cause.LOST_PACK for limit in after] == [False, False]
    assert after[0].value > 1.2 * before[0].value
