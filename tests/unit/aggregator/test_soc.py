from __future__ import annotations

from math import isnan

import pytest

from bank_rows import Rig, set_cell, set_cells
from packbank.aggregator.settings import BankSettings, SocMode
from packbank.model.columns import Column
from packbank.model.controls import External

NAN = float("nan")


def unequal(settings: BankSettings | None = None) -> Rig:
    """100 Ah at 20 %, 300 Ah at 60 %; the first cannot discharge."""
    rig = Rig(2, settings)
    rig.rows[:, Column.FULL_CAPACITY] = [100.0, 300.0]
    rig.rows[:, Column.SOC] = [20.0, 60.0]
    rig.rows[:, Column.REMAINING_CAPACITY] = [20.0, 180.0]
    rig.rows[0, Column.DISCHARGE_MOSFET] = 0.0
    return rig


@pytest.mark.parametrize(
    ("mode", "soc", "remaining"),
    [(SocMode.CAPACITY, 50.0, 200.0), (SocMode.MINIMUM, 20.0, 80.0), (SocMode.USABLE, 60.0, 180.0)],
)
def test_three_ways_to_one_soc(mode: SocMode, soc: float, remaining: float) -> None:
    battery = unequal(BankSettings(soc_mode=mode)).step()
    assert battery.soc == pytest.approx(soc)
    assert battery.remaining_capacity == pytest.approx(remaining)
    assert battery.installed_capacity == pytest.approx(400.0)


def test_usable_falls_back_when_no_pack_can_discharge() -> None:
    rig = unequal(BankSettings(soc_mode=SocMode.USABLE))
    rig.rows[1, Column.DISCHARGE_MOSFET] = 0.0
    assert rig.step().soc == pytest.approx(50.0)


def test_consumed_is_negative() -> None:
    assert unequal().step().consumed_ah == pytest.approx(-200.0)


def test_a_pack_that_does_not_know_its_soc_does_not_make_it_zero() -> None:
    rig = Rig(2)
    rig.rows[0, Column.SOC] = NAN
    assert rig.step().soc == 50.0
    rig.rows[1, Column.SOC] = NAN
    assert isnan(rig.step().soc)


def test_a_lost_pack_stays_installed_and_counts_in_soc_only_if_asked() -> None:
    for counted, soc in ((False, 60.0), (True, 45.0)):
        rig = unequal(BankSettings(soc_counts_lost_packs=counted))
        rig.run(3)
        rig.silent = {0}
        battery = rig.run(40)
        assert battery.soc == pytest.approx(soc)
        assert battery.installed_capacity == pytest.approx(400.0)
        assert battery.remaining_capacity == pytest.approx(180.0)


def test_an_external_soc_wins() -> None:
    rig = unequal(BankSettings(soc_calculation=True))
    rig.external = External(soc=77.0)
    battery = rig.step()
    assert battery.soc == 77.0
    assert battery.remaining_capacity == pytest.approx(308.0)


def test_the_counter_starts_at_the_packs_soc_and_counts_the_external_current() -> None:
    rig = Rig(2, BankSettings(soc_calculation=True))
    rig.rows[:, Column.CURRENT] = 28.0
    assert rig.step().soc == 50.0
    assert rig.run(3600, every=10).soc == pytest.approx(60.0)
    rig.external = External(current=-56.0)
    assert rig.run(3600, every=10).soc == pytest.approx(50.0)


def test_the_counter_is_full_when_the_bank_is_and_empty_when_a_cell_stays_low() -> None:
    rig = Rig(
        2, BankSettings(soc_calculation=True, switch_to_float_wait_for_sec=30.0, switch_to_bulk_soc_threshold=0.0)
    )
    set_cells(rig.rows, slice(None), 3.45)
    rig.rows[:, Column.CURRENT] = 0.5
    assert rig.run(40).soc == pytest.approx(100.0, abs=0.1)
    rig.rows[:, Column.CURRENT] = -20.0
    set_cell(rig.rows, 0, 1, 2.85)
    assert rig.run(50).soc > 99.0
    set_cell(rig.rows, 0, 1, 3.20)
    rig.step()
    set_cell(rig.rows, 0, 1, 2.85)
    assert rig.run(50).soc > 99.0  # the wait began anew
    assert rig.run(15).soc == 0.0


def test_the_user_may_set_the_counter_and_a_restart_keeps_it() -> None:
    rig = Rig(2, BankSettings(soc_calculation=True))
    rig.step()
    rig.bank.reset_soc(88.0)
    assert rig.step().soc == 88.0
    assert Rig(2, BankSettings(soc_calculation=True), state=rig.bank.state()).step().soc == 88.0


def test_time_to_go_ends_at_the_warning_and_is_unknown_while_charging() -> None:
    rig = Rig(2)
    rig.rows[:, Column.CURRENT] = -28.0
    assert rig.step().time_to_go == pytest.approx(0.3 * 560.0 / 56.0 * 3600.0)
    rig.rows[:, Column.CURRENT] = 28.0
    assert isnan(rig.run(600).time_to_go)
    idle = Rig(2)
    idle.rows[:, Column.CURRENT] = -0.1
    assert isnan(idle.step().time_to_go)
    slow = Rig(2)
    slow.rows[:, Column.CURRENT] = -0.3
    assert slow.step().time_to_go == 864000.0
