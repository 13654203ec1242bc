from __future__ import annotations

import numpy as np
import pytest

from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.pack import SETTINGS

EXACT = BankSpec(
    packs=4,
    cell_capacity_spread=0,
    cell_soc_spread=0,
    cell_age_spread=0,
    wiring_spread=0,
    sensor_gain=0,
    sensor_offset=0,
    sensor_dead_band=0,
    sensor_noise=0,
    cell_noise=0,
)


def exact(**changes: object) -> PhysicalBank:
    values = {name: getattr(EXACT, name) for name in EXACT.__dataclass_fields__} | changes
    return PhysicalBank(BankSpec(**values))


def test_equal_packs_share_equally() -> None:
    bank = exact()
    for _ in range(100):
        bank.step(1.0, 200.0)
    assert bank.currents == pytest.approx(np.full(4, 50.0))


def test_an_old_pack_takes_less() -> None:
    bank = exact(packs=2, oldest=2.5)
    bank.step(1.0, 100.0)
    assert bank.currents.sum() == pytest.approx(100.0)
    assert 1.8 < bank.currents.max() / bank.currents.min() < 2.5  # wiring does not age


def test_energy_is_conserved() -> None:
    bank = exact(packs=3, oldest=2.0, capacity_spread=0.2)
    rng = np.random.default_rng(3)
    given = stored = 0.0
    for _ in range(3000):
        before, _ = bank.cells.open_circuit()
        charge = bank.cells.charge.copy()
        bank.step(1.0, float(rng.uniform(-300, 300)))
        after, _ = bank.cells.open_circuit()
        stored += float(((before + after) / 2 * (bank.cells.charge - charge)).sum()) * 3600
        given += bank.voltage * bank.current
    assert bank.energy_lost > 0
    assert given == pytest.approx(stored + bank.energy_lost, abs=0.01 * bank.energy_lost)


def test_the_same_seed_gives_the_same_bank_and_noise() -> None:
    spec = BankSpec(packs=5, seed=4, capacity_spread=0.2, soc_spread=10)
    first, second, other = PhysicalBank(spec), PhysicalBank(spec), PhysicalBank(BankSpec(packs=5, seed=5))
    for bank in (first, second, other):
        for _ in range(50):
            bank.step(1.0, 120.0)
    assert np.array_equal(first.answers(), second.answers(), equal_nan=True)
    assert not np.array_equal(first.currents, other.currents)


def test_over_current_opens_the_charge_mosfet_after_its_delay_and_it_comes_back() -> None:
    bank = exact(packs=1)
    on = []
    for _ in range(90):
        bank.step(1.0, 130.0)
        on.append(bool(bank.answers()[0, Column.CHARGE_MOSFET]))
    delay, release = (int(SETTINGS[column]) for column in (Column.CHARGE_OCP_DELAY, Column.CHARGE_OCP_RELEASE))
    assert on.index(False) == delay - 1
    assert on.index(True, delay) == delay - 1 + release
    assert bank.trips == 2  # and trips again


def test_a_tripped_pack_reports_its_alarm_and_the_vendors_bit() -> None:
    bank = exact(packs=1)
    while not bank.trips:
        bank.step(1.0, 130.0)
    bank.step(1.0, 130.0)
    row = bank.answers()[0]
    assert row[Alarm.HIGH_CHARGE_CURRENT.column] == 2
    assert row[Alarm.HIGH_CELL_VOLTAGE.column] == 0
    assert row[Column.ALARM_BITS] == 1 << 6
    assert row[Column.CURRENT] == 0.0


def test_a_switched_off_pack_still_discharges_but_takes_no_charge() -> None:
    bank = exact(packs=2)
    bank.charge_enabled[0] = False
    bank.step(1.0, 50.0)
    assert bank.currents == pytest.approx([0.0, 50.0])
    bank.step(1.0, -250.0)
    assert bank.currents[0] < -50


def test_answers_hold_the_truth_of_a_bank_with_exact_sensors() -> None:
    bank = exact(cells=8, soc=70)
    bank.step(1.0, 80.0)
    rows = bank.answers()
    assert rows[:, Column.CURRENT] == pytest.approx(bank.currents)
    assert rows[:, CELL_VOLTAGES][:, :8] == pytest.approx(bank.cell_voltages.T, abs=0.0006)
    assert np.isnan(rows[:, CELL_VOLTAGES][:, 8:]).all()
    assert rows[:, Column.VOLTAGE] == pytest.approx(bank.cell_voltages.sum(axis=0), abs=0.005)
    assert (rows[:, Column.SOC] == 70).all()
    assert (rows[:, Column.CELL_COUNT] == 8).all()


def test_rows_are_as_old_as_the_packs_turn_on_its_bus() -> None:
    bank = exact(packs=15)
    for _ in range(10):
        bank.step(1.0, 10.0)
    age = bank.time - bank.rows()[:, Column.STATUS_TIME]
    assert age.min() >= 0
    assert age.max() <= 1.2
    assert len(set(age.round(3))) == 15


def test_a_silent_packs_row_grows_old() -> None:
    bank = exact()
    bank.step(1.0, 10.0)
    bank.telemetry.silent[2] = True
    for _ in range(10):
        bank.step(1.0, 10.0)
    age = bank.time - bank.rows()[:, Column.STATUS_TIME]
    assert age[2] > 10
    assert age[[0, 1, 3]].max() < 2


def test_a_sensors_dead_band_hides_a_small_current() -> None:
    bank = exact(packs=1, sensor_dead_band=1.0)
    bank.step(1.0, 0.9)
    assert bank.answers()[0, Column.CURRENT] == 0.0
    bank.step(1.0, 1.1)
    assert bank.answers()[0, Column.CURRENT] == pytest.approx(1.1)


def test_a_runaway_cell_leads_its_pack() -> None:
    bank = exact(packs=6, runaway_cell=5.0)
    lead = bank.cells.soc.max(axis=0) - bank.cells.soc.min(axis=0)
    assert np.argmax(lead) == bank.spec.special
    assert lead.max() == pytest.approx(5.0)
