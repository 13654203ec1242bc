"""Unknown settings and empty sensor slots in a whole bank."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bank_rows import WALL, Rig
from packbank.aggregator.slots import LONG
from packbank.model.battery import Cause, VirtualBattery
from packbank.model.columns import Column
from packbank.model.identity import Identity

NAN = float("nan")
LIMITS = [Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT]
SETTINGS = [*LIMITS, Column.SETTINGS_TIME, Column.CELL_OVP, Column.CELL_UVP, Column.CHARGE_UTP, Column.CHARGE_OTP]
MODEL = [Identity(model="JK", serial=serial) for serial in "ABC"]


class Known(Rig):
    """A rig whose packs have reported who they are."""

    def step(self, seconds: float = 1.0) -> VirtualBattery:
        self.now += seconds
        for pack in set(range(len(self.rows))) - self.silent:
            self.rows[pack, Column.STATUS_TIME] = self.now
        identities = MODEL[: len(self.rows)]
        return self.bank.step(self.rows, self.now, WALL + self.now, self.controls, self.external, identities)


def test_a_pack_that_never_reports_its_settings_keeps_the_bank_from_nothing_but_its_part() -> None:
    rig = Known(3)
    rig.rows[2, SETTINGS] = NAN
    battery = rig.run(60)
    assert battery.ready
    assert battery.charge_current_limit.value > 50.0
    assert battery.discharge_current_limit.value > 75.0
    assert [pack.charge_limit for pack in battery.packs] == [100.0, 100.0, 50.0]
    assert [pack.charge_estimated for pack in battery.packs] == [False, False, True]


def test_a_start_does_not_wait_for_settings_that_do_not_come() -> None:
    rig = Known(3)
    rig.rows[2, SETTINGS] = NAN
    assert [rig.step().ready for _ in range(6)] == [False, False, False, False, True, True]
    assert Known(3).step().ready


def test_what_a_pack_reported_before_a_restart_bounds_it_until_it_reports_again() -> None:
    rig = Known(3)
    rig.rows[2, LIMITS] = [40.0, 60.0]
    rig.run(5)
    state = json.loads(json.dumps(rig.bank.state(), allow_nan=False))
    again = Known(3, state=state)
    again.rows[2, SETTINGS] = NAN
    battery = again.run(10)
    assert (battery.packs[2].charge_limit, battery.packs[2].discharge_limit) == (40.0, 60.0)
    assert not battery.packs[2].charge_estimated
    again.rows[2, SETTINGS] = [80.0, 90.0, 1.0, 3.65, 2.6, -10.0, 65.0]
    assert again.step().packs[2].charge_limit == 80.0


def test_another_pack_at_its_place_is_not_taken_for_it() -> None:
    rig = Known(3)
    rig.rows[2, LIMITS] = [10.0, 10.0]
    rig.run(5)
    again = Rig(3, state=rig.bank.state())  # whose packs do not report their serials
    again.rows[2, SETTINGS] = NAN
    assert again.run(10).packs[2].charge_limit == 50.0


def test_a_slot_at_zero_limits_charge_and_is_named_until_warm_neighbours_show_that_it_is_empty() -> None:
    rig = Known(2)
    rig.rows[0, [Column.TEMPERATURE_4, Column.TEMPERATURE_5]] = 0.0
    battery = rig.run(60)
    limit = battery.charge_current_limit
    assert (limit.value, limit.pack, limit.cause) == (0.0, 0, Cause.TEMPERATURE)
    assert "T4, T5" in limit.detail
    assert "TEMPERATURE_SOURCE_BATTERY" in limit.detail
    assert battery.packs[0].suspect_sensors == (4, 5)
    battery = rig.run(LONG + 60.0, every=10.0)
    assert battery.packs[0].absent_sensors == (4, 5)
    assert battery.packs[0].charge_limit == 100.0
    assert battery.charge_current_limit.value > 0.0


def test_a_pack_at_zero_degrees_among_cold_ones_is_never_charged() -> None:
    rig = Known(2)
    rig.rows[:, [Column.TEMPERATURE_1, Column.TEMPERATURE_2]] = 3.0
    rig.rows[0, Column.TEMPERATURE_1] = 0.0
    assert rig.run(4 * LONG, every=30.0).charge_current_limit.value == 0.0


@pytest.mark.parametrize("damage", [{"A": 1}, {"A": [1.0, ["x"]]}, [1], "x"])
def test_damaged_settings_in_the_state_are_not_used(damage: object) -> None:
    rig = Known(2)
    rig.run(5)
    state = rig.bank.state() | {"settings": damage}
    assert "damaged" in Known(2, state=state).bank.state_error


def test_packs_of_unknown_limits_that_carry_current_share_in_the_banks_limit() -> None:
    rig = Rig(15)
    rig.rows[1:, LIMITS] = NAN
    assert rig.run(20).discharge_current_limit.value < 150.0  # at rest: nobody knows that they conduct
    rig.rows[:, Column.CURRENT] = -5.0
    rig.run(30)
    rig.rows[:, Column.CURRENT] = -30.0
    assert 15 * 60.0 < rig.run(60).discharge_current_limit.value < 15 * 75.0


def test_a_load_that_heeds_no_limit_does_not_stop_a_bank_of_unknown_limits() -> None:
    random, rig = np.random.default_rng(3), Rig(15)
    rig.rows[1:, LIMITS] = NAN
    weights, exchange = random.uniform(0.4, 1.6, 15), random.normal(0.0, 20.0, 15)
    for load in (0.0, -300.0, -1500.0, -600.0, -100.0, -300.0):
        rig.rows[:, Column.CURRENT] = exchange - exchange.mean() + load * weights / weights.sum()
        limit = rig.run(30).discharge_current_limit.value
    assert limit > 200.0
