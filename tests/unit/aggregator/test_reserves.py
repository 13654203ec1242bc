"""Room for what can happen next: packs that return, packs that leave, loads that go off."""

from __future__ import annotations

import numpy as np
import pytest

from bank_rows import Rig, set_cells
from packbank.aggregator.settings import BankSettings
from packbank.model.battery import Cause, Limit
from packbank.model.columns import Alarm, Column
from packbank.model.controls import External

MARGIN = 1.0 + BankSettings().sensor_error


def rig(delay: float = 3.0, packs: int = 4, **settings: object) -> Rig:
    made = Rig(packs, BankSettings(**settings))  # type: ignore[arg-type]
    made.rows[:, Column.CHARGE_OCP_DELAY] = delay
    made.rows[:, Column.DISCHARGE_OCP_DELAY] = 300.0
    made.rows[:, Column.CHARGE_OCP_RELEASE] = 60.0
    made.teach()
    return made


def trip(made: Rig, pack: int) -> None:
    """The BMS of ``pack`` opens its charge switch for over-current."""
    made.rows[pack, [Column.CHARGE_MOSFET, Column.CURRENT]] = 0.0
    made.rows[pack, Alarm.HIGH_CHARGE_CURRENT.column] = 2.0


def test_a_pack_that_its_bms_releases_soon_is_reckoned_with_the_current_it_will_take() -> None:
    made = rig()
    trip(made, 1)
    set_cells(made.rows, 1, 3.27)  # behind the others, so it will take more than its share
    others = made.run(30).charge_current_limit
    assert others.value == pytest.approx(300.0 / MARGIN, rel=0.06)
    limit = made.run(25).charge_current_limit
    assert (limit.cause, limit.pack, limit.detail) == (Cause.RESERVE, 1, "may return")
    assert limit.value < 0.7 * others.value


def test_a_pack_that_was_open_before_the_start_may_be_released_at_any_moment() -> None:
    made = rig()
    trip(made, 1)
    set_cells(made.rows, 1, 3.27)
    made.run(5)
    again = Rig(4, state=made.bank.state(), state_age=2.0)
    again.rows = made.rows
    assert again.run(5).charge_current_limit.detail == "may return"
    assert again.run(60).charge_current_limit.detail == "may return"
    assert again.run(90).charge_current_limit.detail != "may return"


def test_a_release_that_is_long_overdue_is_no_longer_waited_for() -> None:
    made = rig()
    trip(made, 1)
    made.run(55)
    assert made.run(90).charge_current_limit.cause is not Cause.RESERVE


def test_a_switch_that_the_user_opened_is_not_foreseen() -> None:
    made = rig()
    made.rows[1, [Column.CHARGE_ENABLED, Column.CHARGE_MOSFET]] = 0.0
    assert made.run(60).charge_current_limit.cause is not Cause.RESERVE


@pytest.mark.parametrize(("cell", "due"), [(3.50, False), (3.455, True)])
def test_an_over_voltage_is_foreseen_to_release_near_its_recovery_voltage(cell: float, due: bool) -> None:
    made = rig()
    made.rows[:, Column.CELL_OVP_RECOVERY] = 3.45
    made.rows[1, Column.CHARGE_MOSFET] = 0.0
    made.rows[1, Alarm.HIGH_CELL_VOLTAGE.column] = 2.0
    set_cells(made.rows, 1, cell)
    limit = made.run(5).charge_current_limit
    assert (limit.cause is Cause.RESERVE) == due


def test_room_for_a_pack_that_leaves_is_its_part_of_the_bank_and_named() -> None:
    without = rig().run(5).charge_current_limit
    battery = rig(reserve_packs=1).run(5)
    assert battery.charge_current_limit.value == pytest.approx(without.value * 3 / 4, rel=0.02)
    assert (battery.charge_current_limit.cause, battery.charge_current_limit.detail) == (Cause.RESERVE, "may leave")
    assert battery.discharge_current_limit.cause is not Cause.RESERVE, "its BMS waits for 300 s"


def test_no_room_for_a_pack_that_leaves_where_every_bms_waits_or_one_pack_is_all() -> None:
    assert rig(delay=20.0, reserve_packs=1).run(5).charge_current_limit.cause is not Cause.RESERVE
    assert rig(packs=1, reserve_packs=1).run(5).charge_current_limit.value > 90.0


@pytest.mark.parametrize(("delay", "room"), [(3.0, 120.0), (float("nan"), 120.0), (6.0, 0.0)])
def test_room_for_known_loads_where_a_bms_does_not_wait_for_dvcc(delay: float, room: float) -> None:
    made = rig(delay=delay)
    before = made.step().charge_current_limit.value
    made.external = External(loads=120.0)
    limit = made.run(3).charge_current_limit
    trips = before * MARGIN if room else before  # a BMS trips by the very sensor that the lines are made of
    assert limit.value == pytest.approx(trips - room, rel=0.01)
    assert limit.detail == ("loads of 120 A may go off" if room else "")


def test_a_lost_pack_whose_bms_is_hasty_keeps_the_room() -> None:
    """It may still conduct."""
    made = rig(delay=10.0)
    made.rows[1, Column.CHARGE_OCP_DELAY] = 3.0
    made.silent = {1}
    without = made.run(120).charge_current_limit.value
    made.external = External(loads=120.0)
    limit = made.run(3).charge_current_limit
    assert limit.detail == "loads of 120 A may go off"
    assert limit.value < without


def test_the_room_follows_loads_that_go_off_within_seconds() -> None:
    made = rig()
    before = made.step().charge_current_limit.value
    made.external = External(loads=120.0)
    made.run(3)
    made.external = External(loads=0.0)
    values = np.array([made.step().charge_current_limit.value for _ in range(20)])
    assert (np.diff(values) >= 0.0).all()
    assert values[0] < before - 80.0, "DVCC goes on granting for a moment what they took"
    assert values[-1] == pytest.approx(before, rel=0.02)


def test_of_several_reserves_the_larger_counts_and_not_their_sum() -> None:
    def limit(packs: int, loads: float) -> Limit:
        made = rig(reserve_packs=packs)
        made.external = External(loads=loads)
        return made.run(3).charge_current_limit

    assert limit(1, 50.0).value == pytest.approx(limit(1, 0.0).value, rel=0.01)
    assert limit(1, 200.0).value == pytest.approx(limit(0, 200.0).value, rel=0.01)
