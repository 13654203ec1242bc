"""A physical bank: packs on one busbar, stepped in simulated or in real time.

    bank = PhysicalBank(BankSpec(packs=30, seed=1))
    bank.step(1.0, current=200.0)        # a source pushes 200 A into the busbar for a second
    bank.answers()                       # what each BMS would answer now, in the schema of the matrix
    bank.rows()                          # what a poller would have of it, up to a round old
    bank.currents                        # the truth

Deterministic: the same spec gives the same bank and the same noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packbank.model.columns import CELL_RESISTANCES, CELL_VOLTAGES, Column
from packbank.sim.busbar import Network
from packbank.sim.cell import Cells
from packbank.sim.pack import (
    MOS_RESISTANCE,
    PROTECTIONS,
    Balancer,
    Counter,
    Heat,
    Protections,
    settings_matrix,
)
from packbank.sim.sensors import CurrentSensor, Telemetry

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

REPORT_EVERY = 5.0  # s, of values that change slowly


@dataclass(frozen=True, kw_only=True)
class BankSpec:
    """A bank to build. Spreads are half widths of uniform distributions unless said otherwise."""

    packs: int = 16
    cells: int = 16
    seed: int = 0
    capacity: float = 280.0  # Ah of a new pack
    capacity_spread: float = 0.0  # of the packs, fraction
    oldest: float = 1.0  # resistance factor of the oldest pack; ages lie evenly between 1 and this
    soc: float = 50.0  # %, middle of the packs
    soc_spread: float = 0.0  # points, half width, packs spread evenly over it
    cell_capacity_spread: float = 0.005
    cell_soc_spread: float = 0.3  # points
    cell_age_spread: float = 0.03
    wiring: float = 1.5e-3  # ohm from busbar to cells, without the BMS
    wiring_spread: float = 0.05
    ambient: float = 25.0  # degC
    cold_pack: float | None = None  # degC, ambient of the pack with the number `packs // 3`
    runaway_cell: float = 0.0  # points of SoC by which one cell of the pack `packs // 3` leads; it is 10 % smaller too
    sensor_gain: float = 0.005  # standard deviation
    sensor_offset: float = 0.2  # A, standard deviation
    sensor_dead_band: float = 0.4  # A
    sensor_noise: float = 0.1  # A
    cell_noise: float = 0.0005  # V
    protected: bool = True  # False: the BMS never switches off, to see what the packs themselves could do

    @property
    def special(self) -> int:
        """The pack that a scenario does something to."""
        return self.packs // 3


class PhysicalBank:
    """The packs of one busbar and their BMSes."""

    def __init__(self, spec: BankSpec) -> None:
        self.spec = spec
        self.time = 0.0
        self._rng = np.random.default_rng(spec.seed)
        capacity = spec.capacity * self._around(1.0, spec.capacity_spread)
        age = self._rng.permutation(np.linspace(1.0, spec.oldest, spec.packs))
        soc = self._rng.permutation(np.linspace(spec.soc - spec.soc_spread, spec.soc + spec.soc_spread, spec.packs))
        shape = (spec.cells, spec.packs)
        cell_capacity = capacity * self._around(1.0, spec.cell_capacity_spread, shape)
        cell_soc = soc + self._around(0.0, spec.cell_soc_spread, shape)
        if spec.runaway_cell:
            cell_capacity[2, spec.special] *= 0.9
            cell_soc[2, spec.special] += spec.runaway_cell
        self.cells = Cells(cell_capacity, cell_soc, age * self._around(1.0, spec.cell_age_spread, shape))
        self.wiring = spec.wiring * self._around(1.0, spec.wiring_spread) + MOS_RESISTANCE
        self.settings = settings_matrix(spec.packs, spec.cells, np.round(capacity))
        self.protections = Protections(self.settings)
        ambient = np.full(spec.packs, spec.ambient)
        if spec.cold_pack is not None:
            ambient[spec.special] = spec.cold_pack
        self.heat = Heat(ambient)
        self.balancer = Balancer(self.settings, spec.cells)
        self.counter = Counter(self.settings, capacity, soc)
        normal = self._rng.standard_normal((2, spec.packs))
        self.sensor = CurrentSensor(
            1 + spec.sensor_gain * normal[0], spec.sensor_offset * normal[1], spec.sensor_dead_band, spec.sensor_noise
        )
        self.telemetry = Telemetry(spec.packs)
        self.charge_enabled = np.ones(spec.packs, dtype=bool)  # the user's switches
        self.discharge_enabled = np.ones(spec.packs, dtype=bool)
        self.trips = 0
        self.currents = np.zeros(spec.packs)
        self.energy_lost = 0.0  # J, turned into heat
        self._throughput = np.zeros(spec.packs)
        self.cell_voltages, _ = self.cells.open_circuit()
        self.voltage = float(self.cell_voltages.sum(axis=0).mean())
        self._answers = self.settings.copy()
        self._report_at = 0.0
        self._on = np.zeros((2, spec.packs), dtype=bool)
        self._measure()

    def _around(self, middle: float, spread: float, shape: tuple[int, ...] | None = None) -> Array:
        return self._rng.uniform(middle - spread, middle + spread, shape or (self.spec.packs,))

    @property
    def current(self) -> float:
        """True current of the bank."""
        return float(self.currents.sum())

    @property
    def charge_on(self) -> Mask:
        """Which charge MOSFETs conduct."""
        return self.charge_enabled & ~self.protections.charge_off

    @property
    def discharge_on(self) -> Mask:
        """Which discharge MOSFETs conduct."""
        return self.discharge_enabled & ~self.protections.discharge_off

    def network(self, dt: float) -> tuple[Network, Array, Array]:
        """The packs as the busbar sees them over the next ``dt`` s, and each cell's source voltage and resistance."""
        source, resistance = self.cells.source(dt, self.heat.cells)
        network = Network(source.sum(axis=0), resistance.sum(axis=0) + self.wiring, self.charge_on, self.discharge_on)
        return network, source, resistance

    def step(self, dt: float, current: float, ceiling: float = np.inf) -> Network:
        """Let a source offer ``current`` A (negative: a load) for ``dt`` s without lifting the bus over ``ceiling`` V.

        Returns the network as it was solved. The poller's turns that fall into the step see the state before it.
        """
        self.telemetry.poll(self.time + dt, self._answers)
        network, source, resistance = self.network(dt)
        self.voltage, self.currents = network.carry(current, ceiling)
        self.cell_voltages = source + resistance * self.currents
        rested, _ = self.cells.open_circuit()
        self.cells.integrate(dt, self.currents, self.balancer.step(dt, self.cell_voltages))
        loss = self.currents * (self.cell_voltages - rested).sum(axis=0)
        self.heat.step(dt, loss, self.currents)
        self.energy_lost += float((loss + self.wiring * self.currents * self.currents).sum()) * dt
        self._throughput += np.abs(self.currents) * (dt / 3600)
        self.time += dt
        self._measure(dt)
        return network

    def _measure(self, dt: float = 0.0) -> None:
        """Let every BMS look at itself: its sensors, its counter, its protections, its answer."""
        noise = self._rng.standard_normal(self.cell_voltages.shape)
        seen = np.round(self.cell_voltages + self.spec.cell_noise * noise, 3)
        current = self.sensor.read(self.currents, self._rng)
        high, low, mean = seen.max(axis=0), seen.min(axis=0), seen.mean(axis=0)
        self.counter.step(dt, current, mean, low)
        readings = np.array([high, low, current, -current, self.heat.cells, self.heat.mos])
        if self.spec.protected:
            self.trips += int(self.protections.step(dt, readings).sum())
        row = self._answers
        row[:, CELL_VOLTAGES][:, : self.spec.cells] = seen.T
        row[:, Column.CURRENT] = current
        row[:, Column.VOLTAGE] = voltage = self.spec.cells * mean
        row[:, Column.POWER] = voltage * current
        row[:, Column.CELL_AVERAGE] = mean
        row[:, Column.CELL_DELTA] = high - low
        row[:, Column.TICKS] = self.time
        on = np.array([self.charge_on, self.discharge_on])
        if self.time >= self._report_at or not np.array_equal(on, self._on):
            self._report(row, on)

    def _report(self, row: Array, on: Mask) -> None:
        """The slower half of an answer: every few seconds, and at once when a MOSFET switches."""
        self._report_at, self._on = self.time + REPORT_EVERY, on
        temperature = np.round(self.heat.cells, 1)
        for column in (Column.TEMPERATURE_1, Column.TEMPERATURE_2, Column.TEMPERATURE_4, Column.TEMPERATURE_5):
            row[:, column] = temperature
        row[:, Column.TEMPERATURE_MOS] = row[:, Column.TEMPERATURE_3] = np.round(self.heat.mos, 1)
        row[:, Column.SOC] = self.counter.soc
        row[:, Column.REMAINING_CAPACITY] = self.counter.remaining
        row[:, Column.FULL_CAPACITY] = self.counter.capacity
        row[:, Column.SOH] = 100.0
        row[:, Column.CYCLE_CAPACITY] = self._throughput
        row[:, Column.CYCLES] = np.floor(self._throughput / (2 * self.counter.capacity))
        row[:, Column.CHARGE_MOSFET], row[:, Column.DISCHARGE_MOSFET] = on
        balance = self.balancer.current.max(axis=0)
        row[:, Column.BALANCING] = np.where(balance > 0, 2.0, 0.0)
        row[:, Column.BALANCE_CURRENT] = balance
        row[:, Column.HEATING] = row[:, Column.HEATER_CURRENT] = 0.0
        row[:, Column.RUNTIME] = np.floor(self.time)
        row[:, CELL_RESISTANCES][:, : self.spec.cells] = 0.05
        row[:, Column.CHARGE_ENABLED] = self.charge_enabled
        row[:, Column.DISCHARGE_ENABLED] = self.discharge_enabled
        self._report_alarms(row)

    def _report_alarms(self, row: Array) -> None:
        bits = np.zeros(self.spec.packs)
        for protection, active in zip(PROTECTIONS, self.protections.active, strict=True):
            row[:, protection.alarm.column] = 2.0 * active
            bits += active * float(1 << protection.bit)
        row[:, Column.ALARM_BITS] = bits

    def answers(self) -> Array:
        """What every BMS would answer now: ``(packs, COLUMNS)``; the times are the reader's to fill in."""
        return self._answers.copy()

    def rows(self) -> Array:
        """What a poller has now: each row up to a round old, stamped with its turn; ``NaN`` before its first."""
        return self.telemetry.rows.copy()
