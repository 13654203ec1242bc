from __future__ import annotations

import numpy as np
import pytest

from packbank.model.columns import Column
from packbank.sim.pack import PROTECTIONS, SETTINGS, Balancer, Counter, Heat, Protections, Reading, settings_matrix

QUIET = {
    Reading.HIGHEST_CELL: 3.30,
    Reading.LOWEST_CELL: 3.29,
    Reading.CHARGE_CURRENT: 0.0,
    Reading.DISCHARGE_CURRENT: 0.0,
    Reading.TEMPERATURE: 25.0,
    Reading.TEMPERATURE_MOS: 30.0,
}


def settings() -> np.ndarray:
    return settings_matrix(2, 16, np.full(2, 280.0))


def readings(**changed: float) -> np.ndarray:
    """Two packs; the changed readings are the first one's."""
    values = np.array([[QUIET[reading]] * 2 for reading in Reading])
    for name, value in changed.items():
        values[Reading[name.upper()], 0] = value
    return values


@pytest.mark.parametrize("protection", PROTECTIONS, ids=lambda p: f"{p.alarm.venus}-{p.bit}")
def test_each_protection_trips_after_its_delay_and_releases(protection: object) -> None:
    index = PROTECTIONS.index(protection)
    p = PROTECTIONS[index]
    delay = SETTINGS[p.delay] if isinstance(p.delay, Column) else p.delay
    beyond = {p.reading.name: SETTINGS[p.trip] + (0.1 if p.above else -0.1)}
    state = Protections(settings())
    for _ in range(int(delay) - 1):
        assert not state.step(1.0, readings(**beyond))[index].any()
    assert state.step(1.0, readings(**beyond))[index].tolist() == [True, False]
    assert state.charge_off[0] >= p.blocks_charge  # a discharge temperature is beyond the charge one too
    assert state.discharge_off[0] >= p.blocks_discharge
    assert not state.charge_off[1]
    assert not state.discharge_off[1]
    for _ in range(int(SETTINGS[p.release]) - 1 if p.release.unit == "s" else 0):
        state.step(1.0, readings())
        assert state.active[index, 0]
    state.step(1.0, readings())
    assert not state.active.any()
    assert not state.charge_off.any()
    assert not state.discharge_off.any()


def test_over_voltage_holds_until_its_release_voltage() -> None:
    state = Protections(settings())
    for _ in range(2):
        state.step(1.0, readings(highest_cell=3.66))
    state.step(1.0, readings(highest_cell=SETTINGS[Column.CELL_OVP_RECOVERY] + 0.001))
    assert state.charge_off[0]
    state.step(1.0, readings(highest_cell=SETTINGS[Column.CELL_OVP_RECOVERY] - 0.001))
    assert not state.charge_off[0]


def test_a_spike_shorter_than_the_delay_does_not_trip() -> None:
    state, delay = Protections(settings()), int(SETTINGS[Column.CHARGE_OCP_DELAY])
    for second in range(60):
        state.step(1.0, readings(charge_current=130.0 if second % delay else 0.0))
    assert not state.charge_off.any()


def test_one_packs_trip_does_not_reset_anothers_delay() -> None:
    state = Protections(settings())
    values = readings(highest_cell=3.7)
    for _ in range(2):
        state.step(1.0, values)
    values[Reading.CHARGE_CURRENT, 1] = 110.0
    delay = int(SETTINGS[Column.CHARGE_OCP_DELAY])
    tripped = [bool(state.step(1.0, values)[:, 1].any()) for _ in range(delay)]
    assert tripped == [False] * (delay - 1) + [True]


def test_heat_settles_at_loss_over_cooling() -> None:
    heat = Heat(np.array([20.0]))
    for _ in range(4000):
        heat.step(60.0, np.array([60.0]), np.array([100.0]))
    assert heat.cells[0] == pytest.approx(30.0, abs=0.1)
    assert heat.mos[0] > heat.cells[0] + 5


def test_the_balancer_moves_charge_from_the_highest_to_the_lowest_cell() -> None:
    balancer = Balancer(settings(), 3)
    voltages = np.array([[3.45, 3.30], [3.42, 3.30], [3.43, 3.34]])
    current = balancer.step(1.0, voltages)
    assert current[:, 0].tolist() == [-2.0, 2.0, 0.0]
    assert not current[:, 1].any()  # too low to balance
    assert current.sum() == 0.0


def test_the_counter_counts_and_is_set_right_at_both_ends() -> None:
    counter = Counter(settings(), np.full(2, 280.0), np.full(2, 50.0))
    for _ in range(3600):
        counter.step(1.0, np.array([28.0, -28.0]), np.full(2, 3.3), np.full(2, 3.2))
    assert counter.soc.tolist() == [60.0, 40.0]
    counter.step(1.0, np.zeros(2), np.array([3.45, 3.2]), np.array([3.44, 2.89]))
    assert counter.soc.tolist() == [100.0, 0.0]


def test_a_timed_release_is_known_in_advance() -> None:
    state = Protections(settings())
    delay, release = (int(SETTINGS[c]) for c in (Column.CHARGE_OCP_DELAY, Column.CHARGE_OCP_RELEASE))
    for _ in range(delay):
        state.step(1.0, readings(charge_current=130.0))
    assert state.charge_off.tolist() == [True, False]
    assert not state.released_within(5.0).any()
    for _ in range(release - 5):
        state.step(1.0, readings())
    assert state.released_within(5.0).tolist() == [True, False]
