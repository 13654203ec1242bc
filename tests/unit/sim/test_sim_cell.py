from __future__ import annotations

import numpy as np
import pytest

from packbank.sim.cell import (
    HYSTERESIS,
    HYSTERESIS_SPAN,
    OHMIC,
    OPEN_CIRCUIT,
    POLARISATION,
    POLARISATION_TIME,
    Cells,
)

WARM = np.array([25.0])


def one_cell(soc: float, capacity: float = 280.0, age: float = 1.0) -> Cells:
    return Cells(np.array([[capacity]]), np.array([[soc]]), np.array([[age]]))


@pytest.mark.parametrize(("soc", "volts"), OPEN_CIRCUIT[1:-1])
def test_the_curve_passes_through_its_points(soc: float, volts: float) -> None:
    voltage, slope = one_cell(soc).open_circuit()
    assert voltage[0, 0] == pytest.approx(volts, abs=1e-6)
    assert slope[0, 0] > 0


def test_charge_is_the_integral_of_the_current() -> None:
    cell = one_cell(50.0)
    for _ in range(3600):
        cell.source(1.0, WARM)
        cell.integrate(1.0, np.array([28.0]), np.zeros((1, 1)))
    assert cell.soc[0, 0] == pytest.approx(60.0)


def test_voltage_relaxes_to_ohmic_and_polarisation() -> None:
    cell = one_cell(45.0)
    _, at_once = cell.source(1e-3, WARM)
    assert at_once[0, 0] == pytest.approx(OHMIC, rel=1e-2)
    for _ in range(int(5 * max(POLARISATION_TIME))):
        cell.source(1.0, WARM)
        cell.integrate(1.0, np.array([1.0]), np.zeros((1, 1)))
    assert cell.polarisation[:, 0, 0] == pytest.approx(POLARISATION, rel=0.01)
    for _ in range(int(2 * min(POLARISATION_TIME))):
        cell.source(1.0, WARM)
        cell.integrate(1.0, np.zeros(1), np.zeros((1, 1)))
    fast, slow = cell.polarisation[:, 0, 0] / POLARISATION
    assert fast < 0.2
    assert slow > 0.8


def test_the_curve_after_charging_lies_above_the_one_after_discharging() -> None:
    cell = one_cell(45.0)
    for sign in (1, -1):
        for _ in range(100):
            cell.source(60.0, WARM)
            cell.integrate(60.0, np.array([sign * 280.0 * 3 * HYSTERESIS_SPAN * 36 / 60]), np.zeros((1, 1)))
        assert cell.hysteresis[0, 0] == pytest.approx(sign * HYSTERESIS, rel=0.1)


def test_a_nearly_empty_cell_has_more_resistance() -> None:
    half, empty = (one_cell(soc).source(1e-3, WARM)[1][0, 0] for soc in (50.0, 5.0))
    assert 1.3 * half < empty < 2 * half


def test_cold_and_age_raise_the_resistance() -> None:
    warm, cold, old = (
        cell.source(1e-3, np.array([temperature]))[1][0, 0]
        for cell, temperature in ((one_cell(45), 25.0), (one_cell(45), 0.0), (one_cell(45, age=2.5), 25.0))
    )
    assert cold == pytest.approx(2.0 * warm, rel=0.03)
    assert old == pytest.approx(2.5 * warm, rel=0.01)


@pytest.mark.parametrize("step", [1.0, 30.0])
def test_a_long_step_is_stable_on_the_knee(step: float) -> None:
    cell = one_cell(99.2)
    for _ in range(int(1800 / step)):
        voltage, resistance = cell.source(step, WARM)
        current = (3.50 - voltage[0]) / resistance[0]  # held at a constant voltage
        cell.integrate(step, current, np.zeros((1, 1)))
    assert abs(current[0]) < 1.0
    assert cell.open_circuit()[0][0, 0] == pytest.approx(3.50, abs=0.002)
