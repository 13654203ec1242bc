"""What lost packs are taken for: their temperatures, for hours and over a restart."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bank_rows import Rig, set_cells, set_temperature
from packbank.model.battery import Cause, VirtualBattery
from packbank.model.columns import Column

HOUR = 3600.0


def rig_of(*degrees: float) -> Rig:
    """A bank that has learned how its packs share, each at its own temperature."""
    rig = Rig(len(degrees))
    rig.teach()
    for pack, value in enumerate(degrees):
        set_temperature(rig.rows, pack, value)
    rig.run(60)
    return rig


def hours(rig: Rig, count: float) -> VirtualBattery:
    return rig.run(count * HOUR, every=300.0)


def warm(rig: Rig, packs: list[int], degrees: float, count: float) -> VirtualBattery:
    """Warm ``packs`` evenly by ``degrees`` within ``count`` hours."""
    sensors = [Column.TEMPERATURE_1, Column.TEMPERATURE_2, Column.TEMPERATURE_4, Column.TEMPERATURE_5]
    steps = int(count * 12)
    for _ in range(steps):
        rig.rows[np.ix_(packs, sensors)] += degrees / steps
        battery = rig.step(300.0)
    return battery


def test_a_pack_lost_at_dawn_does_not_stop_the_afternoon() -> None:
    rig = rig_of(-0.5, 0.5, 0.5, 0.5)
    rig.silent = {0}
    limit = rig.run(60).charge_current_limit
    assert (limit.value, limit.pack) == (0.0, 0)
    battery = warm(rig, [1, 2, 3], 20.0, 6.0)
    assert battery.packs[0].charge_limit == 100.0
    assert battery.charge_current_limit.value > 250.0


def test_a_pack_that_was_colder_than_the_others_is_so_for_an_hour_and_not_for_a_day() -> None:
    rig = rig_of(2.0, 25.0, 25.0, 25.0)
    rig.silent = {0}
    before = rig.run(60).packs[0].charge_limit
    assert before == pytest.approx(25.0, abs=0.1)
    assert hours(rig, 0.25).packs[0].charge_limit < before + 1.0
    assert hours(rig, 0.75).packs[0].charge_limit < before + 5.0
    assert 50.0 < hours(rig, 5.0).packs[0].charge_limit < 100.0
    assert hours(rig, 18.0).packs[0].charge_limit == 100.0


def test_the_others_temperatures_move_a_lost_pack_at_once() -> None:
    rig = rig_of(15.0, 25.0, 25.0)
    rig.silent = {0}
    assert rig.run(60).packs[0].charge_limit == 100.0
    warm(rig, [1, 2], -12.0, 0.5)
    assert rig.step().packs[0].charge_limit == pytest.approx(38.0, abs=5.0)  # at 3 degC


def test_a_pack_in_a_cold_shed_does_not_take_the_temperature_of_a_warm_one() -> None:
    rig = rig_of(2.0, 2.5, 25.0, 25.0)
    rig.silent = {0}
    assert hours(rig, 24.0).packs[0].charge_limit == pytest.approx(29.0, abs=1.0)  # as the other in the shed


def test_a_shed_whose_cable_is_cut_stays_cold_for_the_first_hour() -> None:
    rig = rig_of(2.0, 2.0, 25.0, 25.0)
    rig.silent = {0}
    rig.run(2)
    rig.silent = {0, 1}
    battery = hours(rig, 1.0)
    assert [battery.packs[pack].charge_limit < 30.0 for pack in (0, 1)] == [True, True]


def test_a_sensor_of_a_fresh_pack_that_falls_silent_warms_no_lost_one() -> None:
    rig = rig_of(2.0, 2.0, 25.0)
    rig.rows[1, [Column.TEMPERATURE_2, Column.TEMPERATURE_4, Column.TEMPERATURE_5]] = 25.0
    rig.silent = {0}
    rig.run(60)
    rig.rows[1, Column.TEMPERATURE_1] = np.nan
    assert rig.run(60).packs[0].charge_limit == pytest.approx(25.0, abs=0.5)


def test_hot_mosfets_of_a_lost_pack_cool_down_within_minutes() -> None:
    rig = rig_of(25.0, 25.0, 25.0)
    rig.rows[0, Column.TEMPERATURE_MOS] = 91.0
    assert rig.run(30).charge_current_limit.value == 0.0
    rig.silent = {0}
    limit = rig.run(30).charge_current_limit
    assert (limit.value, limit.pack) == (0.0, 0)
    battery = rig.run(60)
    assert battery.charge_current_limit.cause in {Cause.LOST_PACK, Cause.RAMP}
    assert "MOSFETs as last seen, 91 degC, 2 min ago, taken for 79 degC" in battery.charge_current_limit.detail
    assert rig.run(600).charge_current_limit.value > 180.0


def test_the_reason_says_of_which_temperature_a_lost_pack_is_taken() -> None:
    rig = rig_of(14.0, 14.0, 14.0)
    set_temperature(rig.rows, 0, 3.0)
    rig.run(60)
    rig.silent = {0}
    limit = rig.run(60).charge_current_limit
    assert (limit.cause, limit.pack, limit.detail) == (Cause.LOST_PACK, 0, "battery as last seen, 3 degC")
    detail = hours(rig, 3.0).charge_current_limit.detail
    assert detail == "battery as last seen, 3 degC, 3.0 h ago, taken for 4 degC"


def restarted(rig: Rig) -> Rig:
    """The bank after a restart: what is lost has never answered in this run."""
    again = Rig(len(rig.rows), state=json.loads(json.dumps(rig.bank.state(), allow_nan=False)))
    again.rows[:] = rig.rows
    again.rows[list(rig.silent)] = np.nan
    again.silent = rig.silent
    return again


def test_a_restart_frees_the_bank_of_no_lost_pack_and_its_age_goes_on() -> None:
    rig = rig_of(2.0, 25.0, 25.0, 25.0)
    rig.silent = {0}
    before = hours(rig, 3.0)
    again = restarted(rig)
    battery = again.run(60)
    assert battery.packs[0].age == pytest.approx(before.packs[0].age + 60.0, abs=2.0)
    assert battery.packs[0].charge_limit == pytest.approx(before.packs[0].charge_limit, abs=0.5)
    assert 0.0 < battery.charge_current_limit.value <= before.charge_current_limit.value
    assert hours(again, 3.0).packs[0].charge_limit == pytest.approx(hours(rig, 3.0).packs[0].charge_limit, abs=0.5)
    again.silent = set()
    again.rows[0] = rig.rows[0]
    set_temperature(again.rows, 0, 3.0)
    assert again.run(60).packs[0].charge_limit == pytest.approx(100.0 / 3.0)


def test_a_restored_pack_follows_the_busbar() -> None:
    rig = rig_of(25.0, 25.0, 25.0)
    set_cells(rig.rows, slice(None), 3.50)
    rig.run(5)
    rig.silent = {0}
    assert rig.run(60).packs[0].charge_limit == 0.0
    again = restarted(rig)
    set_cells(again.rows, slice(1, 3), 3.30)
    assert again.run(60).packs[0].charge_limit == 100.0


@pytest.mark.parametrize("damage", [{"pack 1": {}}, {"pack 1": 3}, [1]])
def test_a_damaged_state_of_a_lost_pack_is_refused_whole(damage: object) -> None:
    rig = rig_of(25.0, 25.0)
    assert "damaged" in Rig(2, state=rig.bank.state() | {"lost": damage}).bank.state_error


def test_a_lost_pack_that_is_no_longer_configured_is_left_out() -> None:
    rig = rig_of(25.0, 2.0)
    rig.silent = {1}
    rig.run(60)
    alone = Rig(1, state=rig.bank.state())
    assert not alone.bank.state_error
    assert alone.run(60).charge_current_limit.value > 90.0


def test_a_pack_lost_for_days_is_no_more_unknown_than_after_hours() -> None:
    rig = rig_of(25.0, 25.0, 25.0, 25.0)
    rig.silent = {0}
    first = rig.run(60).charge_current_limit.value
    limit = rig.run(4 * 24 * HOUR, every=1800.0).charge_current_limit
    assert limit.pack != 0  # nothing has flowed for days, so the others are known less well, too
    assert limit.value > 0.7 * first
