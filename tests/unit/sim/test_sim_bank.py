from __future__ import annotations

import numpy as np
import pytest

from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.sim.bank import BankSpec, Odd, PhysicalBank
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
    assert bank.trips.tolist() == [2]  # and trips again


def test_a_tripped_pack_reports_its_alarm_and_the_vendors_bit() -> None:
    bank = exact(packs=1)
    while not bank.trips.any():
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
    for _ in range(3):
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


def test_a_leading_cell_leads_its_pack() -> None:
    bank = exact(packs=6, odd=(Odd(leading_cell=5.0),))
    lead = bank.cells.soc.max(axis=0) - bank.cells.soc.min(axis=0)
    assert np.argmax(lead) == bank.special
    assert lead.max() == pytest.approx(5.0)


def test_odd_packs_differ_and_the_seed_draws_which() -> None:
    odd = (Odd(capacity=0.5, rating=0.25, soc=-10.0, ambient=-20.0, connected=False), Odd(resistance=3.0))
    places = set()
    for seed in range(8):
        bank = exact(packs=8, seed=seed, odd=odd)
        first, second = bank.places[:2]
        places.add(bank.special)
        assert bank.counter.capacity[first] == 140.0
        assert bank.settings[first, Column.CHARGE_CURRENT_LIMIT] == 25.0
        assert bank.cells.soc[:, first].mean() == pytest.approx(40.0)
        assert bank.heat.cells[first] == 5.0
        assert np.flatnonzero(~bank.charge_on).tolist() == [first]
        assert bank.cells.age[:, second].mean() == pytest.approx(3.0)
        assert np.delete(bank.cells.age, [first, second], axis=1).max() == 1.0
    assert len(places) > 3


def test_a_daisy_chained_bus_loads_the_pack_next_to_the_source_most() -> None:
    bank = exact(packs=16, link=1e-4)
    bank.step(1.0, 800.0)
    assert (np.diff(bank.currents) < 0).all()
    assert bank.currents[0] > 1.5 * bank.currents.mean()
    assert bank.current == pytest.approx(800.0)


def test_no_bms_knows_of_an_open_breaker() -> None:
    bank = exact(packs=2)
    bank.breaker_open[0] = True
    bank.step(1.0, 80.0)
    assert bank.currents == pytest.approx([0.0, 80.0])
    assert (bank.answers()[:, Column.CHARGE_MOSFET] == 1).all()


def test_sensors_can_be_blind_frozen_inverted_or_silent_about_the_current() -> None:
    bank = exact(packs=4)
    bank.step(1.0, 200.0)
    bank.sensor.gain[0] = 0.0
    bank.sensor.frozen[1] = True
    bank.sensor.gain[2] *= -1
    bank.sensor.offset[3] = np.nan
    bank.step(1.0, -400.0)
    shown = bank.answers()[:, Column.CURRENT]
    assert shown[:3] == pytest.approx([0.0, 50.0, 100.0])
    assert np.isnan(shown[3])
    assert bank.sensor.trips_at(-1.0, np.full(4, 80.0), np.full(4, 150.0)).tolist() == [np.inf, np.inf, 80.0, np.inf]


def test_the_charge_mosfet_opens_after_the_delay_that_is_asked_for() -> None:
    for delay in (3.0, 10.0):
        bank = exact(packs=1, charge_delay=delay)
        while not bank.trips.any():
            bank.step(0.25, 110.0)
        assert bank.time == pytest.approx(delay, abs=0.3)
