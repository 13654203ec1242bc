from __future__ import annotations

import pytest

from bank_rows import CELLS_USED, Rig, set_cells
from packbank.aggregator.foresee import DIODE
from packbank.aggregator.settings import BankSettings
from packbank.model.battery import Cause, Presence
from packbank.model.columns import Alarm, Column

OHM = 0.00036  # of a cell
MARGIN = 1.0 + BankSettings().sensor_error


def test_nothing_is_ready_before_every_expected_pack_reported() -> None:
    rig = Rig(3)
    rig.silent = {2}
    battery = rig.step()
    assert not battery.ready
    assert [p.presence for p in battery.packs] == [Presence.FRESH, Presence.FRESH, Presence.ABSENT]
    rig.silent = set()
    assert rig.step().ready


def test_start_timeout_ends_the_wait_and_names_the_missing_pack() -> None:
    rig = Rig(3)
    rig.silent = {2}
    battery = rig.run(35)
    assert battery.ready
    assert battery.packs[2].presence is Presence.LOST
    assert (battery.online, battery.offline) == (2, 1)
    assert battery.alarms[Alarm.BMS_CABLE] == 1


def test_a_candidate_that_never_answers_is_not_missed() -> None:
    rig = Rig(3, expected=[True, True, False])
    rig.silent = {2}
    battery = rig.run(120)
    assert battery.ready
    assert battery.packs[2].presence is Presence.ABSENT
    assert battery.offline == 0
    assert battery.alarms[Alarm.BMS_CABLE] == 0


def test_without_expected_packs_everybody_gets_a_turn() -> None:
    rig = Rig(2, expected=[False, False])
    assert not rig.run(3).ready
    assert rig.run(4).ready


def test_a_pack_is_not_ready_while_its_limits_are_unknown() -> None:
    rig = Rig(2)
    rig.rows[1, Column.CHARGE_CURRENT_LIMIT] = float("nan")
    assert not rig.step().ready


def test_a_pack_on_a_slow_bus_is_not_held_between_its_turns() -> None:
    rig = Rig(2)
    rig.run(3)
    presences = []
    for _ in range(8):  # pack 2 has its turn every 7 s
        rig.silent = {1}
        presences.append([rig.step().packs[1].presence for _ in range(6)])
        rig.silent = set()
        rig.step()
    assert Presence.HELD in presences[0], "it was quick before"
    assert presences[-1] == [Presence.FRESH] * 6
    rig.silent = {1}
    assert rig.run(11).packs[1].presence is Presence.HELD, "slow is not silent, but silent is silent"


def test_no_pack_is_so_slow_that_it_is_fresh_when_it_should_be_lost() -> None:
    rig = Rig(2, BankSettings(held_after=5.0, lost_after=6.0))
    rig.run(3)
    for _ in range(8):  # pack 2 has its turn every 5 s
        rig.silent = {1}
        assert rig.run(4).packs[1].presence is not Presence.LOST
        rig.silent = set()
        rig.step()
    rig.silent = {1}
    assert rig.run(7).packs[1].presence is Presence.LOST


def test_a_long_silence_does_not_make_a_pack_slow() -> None:
    rig = Rig(2)
    rig.run(3)
    rig.silent = {1}
    rig.run(300)
    rig.silent = set()
    rig.run(30)
    rig.silent = {1}
    assert rig.run(6).packs[1].presence is Presence.HELD


def test_fresh_held_lost_by_age() -> None:
    rig = Rig(2)
    rig.run(5)
    rig.silent = {1}
    assert rig.run(4).packs[1].presence is Presence.FRESH
    assert rig.run(4).packs[1].presence is Presence.HELD
    battery = rig.run(30)
    assert battery.packs[1].presence is Presence.LOST
    assert battery.packs[1].age > BankSettings().lost_after


def test_a_held_pack_keeps_its_current_in_the_sum_and_a_lost_one_does_not() -> None:
    rig = Rig(2)
    rig.rows[:, Column.CURRENT] = [30.0, 20.0]
    assert rig.run(5).current == pytest.approx(50.0)
    rig.silent = {1}
    assert rig.run(10).current == pytest.approx(50.0)
    assert rig.run(30).current == pytest.approx(30.0)


def test_a_lost_pack_leaves_the_others_to_carry_all() -> None:
    rig = Rig(4)
    before = rig.teach().charge_current_limit.value
    rig.silent = {3}
    after = rig.run(40).charge_current_limit
    assert before == pytest.approx(400.0 / MARGIN, rel=0.06)
    assert after.value == pytest.approx(before * 3 / 4, rel=0.02)


def test_a_lost_pack_with_a_lower_limit_still_binds_unless_configured_otherwise() -> None:
    values = []
    for may_conduct in (True, False):
        rig = Rig(4, BankSettings(lost_pack_may_conduct=may_conduct))
        rig.rows[3, Column.CHARGE_CURRENT_LIMIT] = 20.0
        rig.teach()
        rig.silent = {3}
        values.append(rig.run(200).charge_current_limit)
    assert 50.0 < values[0].value <= 80.0 / MARGIN
    assert (values[0].cause, values[0].pack) == (Cause.LOST_PACK, 3)
    assert values[1].value == pytest.approx(300.0 / MARGIN, rel=0.06)


def test_a_pack_lost_full_follows_the_busbar_down_and_frees_the_charge() -> None:
    rig = Rig(4)
    rig.teach()
    set_cells(rig.rows, slice(None), 3.50)
    assert rig.run(5).charge_current_limit.value == 0.0
    rig.silent = {3}
    rig.run(40)
    set_cells(rig.rows, slice(0, 3), 3.30)
    assert rig.run(300).charge_current_limit.value == pytest.approx(300.0 / MARGIN, rel=0.06)


def test_a_returning_pack_joins_only_at_the_busbars_voltage() -> None:
    rig = Rig(3)
    rig.teach()
    rig.silent = {2}
    rig.run(40)
    rig.silent = set()
    set_cells(rig.rows, 2, 3.20)
    battery = rig.run(60)
    assert battery.packs[2].presence is Presence.JOINING
    assert battery.charge_current_limit.value == pytest.approx(200.0 / MARGIN, rel=0.06)
    assert battery.voltage == pytest.approx(52.8)
    assert battery.online == 3
    set_cells(rig.rows, 2, 3.31)
    assert rig.run(2).packs[2].presence is Presence.JOINING  # for JOIN_AFTER
    assert rig.run(3).packs[2].presence is Presence.FRESH


def test_every_return_waits_as_long_as_the_first() -> None:
    rig = Rig(3)
    rig.run(5)
    for _ in range(2):
        rig.silent = {2}
        rig.run(40)
        rig.silent = set()
        assert rig.run(2).packs[2].presence is Presence.JOINING
        assert rig.run(3).packs[2].presence is Presence.FRESH


def test_the_first_to_answer_does_not_decide_which_voltage_is_the_busbars() -> None:
    rig = Rig(4)
    set_cells(rig.rows, 0, 3.20)  # behind an open breaker
    rig.silent = {1, 2, 3}
    rig.step()
    rig.silent = set()
    battery = rig.step()
    assert battery.ready
    assert [pack.presence for pack in battery.packs] == [Presence.JOINING, *[Presence.FRESH] * 3]
    assert rig.run(60).packs[0].presence is Presence.JOINING


def test_a_returning_pack_that_carries_current_joins_at_once_and_binds() -> None:
    rig = Rig(3)
    rig.rows[2, Column.CHARGE_CURRENT_LIMIT] = 10.0
    rig.teach()
    rig.silent = {2}
    rig.run(40)
    rig.silent = set()
    set_cells(rig.rows, 2, 3.20)
    rig.rows[2, Column.CURRENT] = 8.0
    battery = rig.run(2)
    assert battery.packs[2].presence is Presence.FRESH
    assert battery.charge_current_limit.value <= 30.0 / MARGIN
    assert battery.charge_current_limit.pack == 2


def test_a_pack_behind_an_open_breaker_leaves_the_busbar() -> None:
    rig = Rig(3)
    rig.run(5)
    set_cells(rig.rows, slice(0, 2), 3.45)
    battery = rig.step()
    assert battery.packs[2].presence is Presence.JOINING
    rig.rows[2, Column.CURRENT] = 20.0  # it carries current, so it is on the busbar whatever its voltage says
    other = Rig(3)
    other.run(5)
    other.rows[:] = rig.rows
    assert other.step().packs[2].presence is Presence.FRESH


@pytest.mark.parametrize(("packs", "blocked"), [(2, 1), (4, 2), (3, 2), (8, 3)])
@pytest.mark.parametrize("switch", [Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET])
def test_a_pack_whose_switch_holds_off_the_busbar_stays_and_does_not_say_what_its_voltage_is(
    packs: int, blocked: int, switch: Column
) -> None:
    rig = Rig(packs)
    rig.teach()
    sign = 1.0 if switch is Column.CHARGE_MOSFET else -1.0
    others = slice(0, packs - blocked)
    rig.rows[packs - blocked :, switch] = 0.0
    set_cells(rig.rows, others, 3.33 + sign * 0.1)
    for current in (20.0, 0.0):
        rig.rows[others, Column.CURRENT] = sign * current
        battery = rig.run(20)
        assert {pack.presence for pack in battery.packs} == {Presence.FRESH}
        assert battery.voltage == pytest.approx((3.33 + sign * 0.1) * CELLS_USED)
        assert battery.charge_current_limit.value > 0.0
        assert battery.discharge_current_limit.value > 0.0


def test_a_pack_that_takes_no_charge_leaves_when_it_is_above_the_busbar() -> None:
    rig = Rig(3)
    rig.run(5)
    rig.rows[2, Column.CHARGE_MOSFET] = 0.0
    set_cells(rig.rows, 2, 3.45)
    assert rig.run(2).packs[2].presence is Presence.JOINING


def test_a_pack_far_below_that_takes_no_charge_costs_the_others_no_discharge() -> None:
    rig = Rig(3)
    rig.teach()
    alone = rig.run(30).discharge_current_limit.value
    rig.rows[2, Column.CHARGE_MOSFET] = 0.0
    set_cells(rig.rows, slice(0, 2), 3.40)
    rig.rows[:2, Column.CURRENT], rig.rows[2, Column.CURRENT] = 20.0, 0.0
    battery = rig.run(30)
    assert battery.discharge_current_limit.value == pytest.approx(alone * 2 / 3, rel=0.06)
    rig.rows[2, Alarm.HIGH_CHARGE_CURRENT.column] = 2.0
    rig.rows[2, Column.CHARGE_OCP_RELEASE] = 35.0
    battery = rig.run(5)
    assert battery.discharge_current_limit.cause is Cause.RESERVE, "its switch is about to close, and it takes current"
    assert battery.discharge_current_limit.value == pytest.approx(alone / 3, rel=0.06)


def test_a_weak_pack_that_takes_no_charge_counts_from_the_voltage_at_which_its_diode_conducts() -> None:
    rig = Rig(4)
    for amperes in (30.0, 60.0, 90.0, 40.0, 80.0, 20.0, 0.0):
        rig.rows[:, Column.CURRENT] = amperes
        set_cells(rig.rows, slice(None), 3.33 + amperes * OHM)
        rig.run(8)
    rig.rows[3, Column.DISCHARGE_CURRENT_LIMIT] = 20.0
    rig.rows[3, Column.CHARGE_MOSFET] = 0.0
    held_off = DIODE / (OHM * CELLS_USED * 1.8)
    limit = rig.run(60).discharge_current_limit
    assert 4 * 20.0 < limit.value < 3 * (20.0 + held_off) + 20.0
    assert limit.pack == 3
    rig.rows[:, Column.CURRENT] = [-60.0, -60.0, -60.0, -25.0]  # a diode that conducts already holds nothing off
    set_cells(rig.rows, slice(0, 3), 3.33 - 60.0 * OHM)
    set_cells(rig.rows, 3, 3.33 - 25.0 * OHM)
    assert rig.run(30).discharge_current_limit.value <= 205.0, "what flows, and no more"


def test_a_blocked_pack_leaves_only_its_direction() -> None:
    rig = Rig(4)
    rig.teach()
    rig.rows[1, Column.CHARGE_MOSFET] = 0.0
    battery = rig.run(5)
    assert battery.charge_current_limit.value == pytest.approx(300.0 / MARGIN, rel=0.06)
    # It discharges through the body diode of its open switch, or not: no more than the others stand by themselves.
    assert battery.discharge_current_limit.value == pytest.approx(450.0 / MARGIN, rel=0.06)
    assert (battery.blocking_charge, battery.blocking_discharge) == (1, 0)
    assert battery.packs[1].blocks_charge
    assert not battery.packs[1].blocks_discharge


def test_charging_switched_off_by_the_user_blocks_too() -> None:
    rig = Rig(2)
    rig.rows[0, Column.CHARGE_ENABLED] = 0.0
    assert rig.run(5).blocking_charge == 1


def test_when_every_pack_blocks_the_limit_is_zero() -> None:
    rig = Rig(2)
    rig.rows[:, Column.DISCHARGE_MOSFET] = 0.0
    battery = rig.run(5)
    assert battery.discharge_current_limit.value == 0.0
    assert battery.discharge_current_limit.cause is Cause.BLOCKED
    assert not battery.allow_to_discharge
    assert battery.allow_to_charge


def test_a_pack_that_says_blocked_but_conducts_still_binds() -> None:
    rig = Rig(3)
    rig.rows[2, Column.CHARGE_CURRENT_LIMIT] = 10.0
    rig.teach()
    rig.rows[2, Column.CHARGE_MOSFET] = 0.0
    assert rig.run(30).charge_current_limit.value == pytest.approx(200.0 / MARGIN, rel=0.06)
    rig.rows[2, Column.CURRENT] = 9.0
    assert rig.step().charge_current_limit.value <= 30.0 / MARGIN


def test_the_whole_bank_lost_is_lost_with_limits_zero_and_comes_back() -> None:
    rig = Rig(3)
    rig.run(5)
    rig.silent = {0, 1, 2}
    battery = rig.run(40)
    assert battery.lost
    assert battery.charge_current_limit.value == battery.discharge_current_limit.value == 0.0
    assert battery.charge_voltage_limit.value != battery.charge_voltage_limit.value  # NaN: nobody conducts
    assert battery.alarms[Alarm.BMS_CABLE] == 2
    rig.silent = set()
    battery = rig.run(90)
    assert not battery.lost
    assert battery.charge_current_limit.value > 0.0


def test_all_but_one_pack_lost_leaves_that_one() -> None:
    rig = Rig(3)
    rig.run(5)
    rig.silent = {0, 1}
    battery = rig.run(40)
    assert battery.online == 1
    assert battery.charge_current_limit.value == pytest.approx(100.0 / MARGIN, rel=0.06)
    assert battery.charge_voltage_limit.value == pytest.approx(55.2)
