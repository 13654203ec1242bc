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
from packbank.sim.busbar import NO_EXPORT, Export, Network, ladder
from packbank.sim.cell import Cells
from packbank.sim.pack import (
    MOS_RESISTANCE,
    PROTECTIONS,
    SETTINGS,
    Balancer,
    Counter,
    Heat,
    Protections,
    settings_matrix,
)
from packbank.sim.sensors import ROUND, CurrentSensor, Readings

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ALARMS = tuple(dict.fromkeys(protection.alarm for protection in PROTECTIONS))
_ALARM_COLUMNS = [alarm.column for alarm in _ALARMS]
_RAISES = np.array([[float(protection.alarm is alarm) for protection in PROTECTIONS] for alarm in _ALARMS])
_BITS = np.array([float(1 << protection.bit) for protection in PROTECTIONS])


@dataclass(frozen=True, kw_only=True)
class Odd:
    """What makes one pack differ from the others. Where it hangs on the busbar is drawn by the seed."""

    capacity: float = 1.0  # factor
    rating: float = 1.0  # factor on the BMS's current limits
    resistance: float = 1.0  # factor, on cells and wiring
    soc: float = 0.0  # points
    ambient: float = 0.0  # K
    leading_cell: float = 0.0  # points of SoC by which one cell leads; it is 10 % smaller too
    gain: float = 1.0  # of its current sensor, a factor
    offset: float = 0.0  # A, of its current sensor
    reads: float = 0.0  # V, by which its BMS's voltmeter is wrong
    connected: bool = True  # its switches at the start


@dataclass(frozen=True, kw_only=True)
class BankSpec:
    """A bank to build. Spreads are half widths of uniform distributions unless said otherwise."""

    packs: int = 16
    cells: int = 16
    seed: int = 0
    capacity: float = 280.0  # Ah of a new pack
    capacity_spread: float = 0.0  # of the packs, fraction
    newest: float = 1.0  # resistance factor of the newest pack
    oldest: float = 1.0  # and of the oldest; ages lie evenly between the two
    soc: float = 50.0  # %, middle of the packs
    soc_spread: float = 0.0  # points, half width, packs spread evenly over it
    odd: tuple[Odd, ...] = ()  # as many packs are these
    in_turn: bool = False  # the special pack has place and age number `seed`, so that seeds go through all
    charge_delay: float = SETTINGS[Column.CHARGE_OCP_DELAY]  # s, of the BMS's charge over-current protection
    charge_limit: float = SETTINGS[Column.CHARGE_CURRENT_LIMIT]  # A, of the BMS of a pack of `capacity`
    discharge_limit: float = SETTINGS[Column.DISCHARGE_CURRENT_LIMIT]
    link: float = 0.0  # ohm between two packs on a daisy-chained busbar, both conductors
    cell_capacity_spread: float = 0.005
    cell_soc_spread: float = 0.3  # points
    cell_age_spread: float = 0.03
    wiring: float = 2.0e-3  # ohm from busbar to cells, without the BMS
    wiring_spread: float = 0.05
    ambient: float = 25.0  # degC
    ambient_spread: float = 0.0  # K, half width
    heater: float = 0.0  # W a pack
    warming: float = 0.0  # K an hour, of the ambient
    sensor_gain: float = 0.005  # standard deviation
    sensor_offset: float = 0.2  # A, standard deviation
    sensor_dead_band: float = 0.4  # A
    sensor_noise: float = 0.1  # A
    cell_noise: float = 0.0005  # V


class PhysicalBank:
    """The packs of one busbar and their BMSes."""

    def __init__(self, spec: BankSpec) -> None:
        self.spec = spec
        self.time = 0.0
        self._rng = np.random.default_rng(spec.seed)
        self.places = self._rng.permutation(spec.packs)  # the odd packs first
        if spec.in_turn:
            self.places = np.roll(self.places, -int(np.flatnonzero(self.places == spec.seed % spec.packs)[0]))
        capacity = spec.capacity * self._odd("capacity", 1.0) * self._around(1.0, spec.capacity_spread)
        age = self._ages() * self._odd("resistance", 1.0)
        spread = self._rng.permutation(np.linspace(-spec.soc_spread, spec.soc_spread, spec.packs))
        self.cells = self._cells(capacity, age, spec.soc + spread + self._odd("soc", 0.0))
        self.wiring = spec.wiring * self._odd("resistance", 1.0) * self._around(1.0, spec.wiring_spread)
        self.wiring += MOS_RESISTANCE
        self.shared = ladder(spec.packs, spec.link)
        self.settings = settings_matrix(spec.packs, spec.cells, np.round(capacity))
        self.settings[:, Column.CHARGE_CURRENT_LIMIT] = spec.charge_limit * self._odd("rating", 1.0)
        self.settings[:, Column.DISCHARGE_CURRENT_LIMIT] = spec.discharge_limit * self._odd("rating", 1.0)
        self.settings[:, Column.CHARGE_OCP_DELAY] = spec.charge_delay
        self.protections = Protections(self.settings)
        self.heat = Heat(spec.ambient + self._odd("ambient", 0.0) + self._around(0.0, spec.ambient_spread))
        self.balancer = Balancer(self.settings, spec.cells)
        self.counter = Counter(self.settings, capacity, self.cells.soc.mean(axis=0))
        normal = self._rng.standard_normal((2, spec.packs))
        self.sensor = CurrentSensor(
            (1 + spec.sensor_gain * normal[0]) * self._odd("gain", 1.0),
            spec.sensor_offset * normal[1] + self._odd("offset", 0.0),
            spec.sensor_dead_band,
            spec.sensor_noise,
        )
        self.telemetry = Readings(spec.packs, float(self._rng.uniform(0.0, ROUND)))
        self.charge_enabled = self._odd("connected", 1.0) > 0  # the user's switches
        self.discharge_enabled = self.charge_enabled.copy()
        self.breaker_open = np.zeros(spec.packs, dtype=bool)  # no BMS knows of it
        self._reads = self._odd("reads", 0.0) / spec.cells
        self.trips = np.zeros(spec.packs, dtype=int)
        self.currents = np.zeros(spec.packs)
        self.energy_lost = 0.0  # J, turned into heat
        self._throughput = np.zeros(spec.packs)
        self.cell_voltages, _ = self.cells.open_circuit()
        self.voltage = float(self.cell_voltages.sum(axis=0).mean())
        self._measure(0.0)

    def _ages(self) -> Array:
        """A factor on the resistance of each pack."""
        ages = np.linspace(self.spec.newest, self.spec.oldest, self.spec.packs)
        order = self._rng.permutation(ages.size)
        if self.spec.in_turn:
            there, turn = self.places[0], self.spec.seed % ages.size
            order[[there, int(np.flatnonzero(order == turn)[0])]] = turn, order[there]
        return ages[order]

    def _odd(self, what: str, usual: float) -> Array:
        values = np.full(self.spec.packs, usual)
        odd = self.spec.odd[: self.spec.packs]
        values[self.places[: len(odd)]] = [getattr(pack, what) for pack in odd]
        return values

    def _cells(self, capacity: Array, age: Array, soc: Array) -> Cells:
        """The cells of packs with that capacity (Ah), age (factor on a resistance that fits the capacity) and SoC."""
        spec, shape = self.spec, (self.spec.cells, self.spec.packs)
        cell_capacity = capacity * self._around(1.0, spec.cell_capacity_spread, shape)
        cell_soc = soc + self._around(0.0, spec.cell_soc_spread, shape)
        lead = self._odd("leading_cell", 0.0)
        cell_capacity[2] *= np.where(lead > 0, 0.9, 1.0)
        cell_soc[2] += lead
        return Cells(cell_capacity, cell_soc, age * self._around(1.0, spec.cell_age_spread, shape))

    def _around(self, middle: float, spread: float, shape: tuple[int, ...] | None = None) -> Array:
        return self._rng.uniform(middle - spread, middle + spread, shape or (self.spec.packs,))

    @property
    def special(self) -> int:
        """The pack that a scenario does something to: the first of the odd ones."""
        return int(self.places[0])

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
        pack = resistance.sum(axis=0) + self.wiring
        charge, discharge = self.charge_on & ~self.breaker_open, self.discharge_on & ~self.breaker_open
        network = Network(source.sum(axis=0), pack, charge, discharge, self.shared)
        return network, source, resistance

    def step(
        self, dt: float, current: float, ceiling: float = np.inf, least: float = 0.0, export: Export = NO_EXPORT
    ) -> Network:
        """Let a source offer ``current`` A (negative: a load) for ``dt`` s without lifting the bus over ``ceiling`` V.

        ``least`` and ``export`` as in `Network.carry`. Returns the network as it was solved. The poller's turns that
        fall into the step see the state before it.
        """
        heard, turn = self.telemetry.turns(self.time + dt)
        if heard.size:
            self.telemetry.take(heard, turn, self._answers(heard))
        network, source, resistance = self.network(dt)
        self.voltage, self.currents = network.carry(current, ceiling, least, export)
        self.cell_voltages = source + resistance * self.currents
        rested, _ = self.cells.open_circuit()
        self.cells.integrate(dt, self.currents, self.balancer.step(dt, self.cell_voltages))
        loss = self.currents * (self.cell_voltages - rested).sum(axis=0)
        self.heat.ambient += self.spec.warming * (dt / 3600)
        self.heat.step(dt, loss + self.spec.heater, self.currents)
        self.energy_lost += float((loss + self.wiring * self.currents * self.currents).sum()) * dt
        self._throughput += np.abs(self.currents) * (dt / 3600)
        self.time += dt
        self._measure(dt)
        return network

    def _measure(self, dt: float) -> None:
        """Let every BMS look at itself: its sensors, its counter, its protections."""
        noise = self._rng.standard_normal(self.cell_voltages.shape)
        self._seen = seen = self.cell_voltages + self.spec.cell_noise * noise + self._reads
        self._current = current = self.sensor.read(self.currents, self._rng)
        self._high, self._low, self._mean = high, low, mean = seen.max(axis=0), seen.min(axis=0), seen.mean(axis=0)
        self.counter.step(dt, np.where(np.isnan(current), 0.0, current), mean, low)
        readings = np.array([high, low, current, -current, self.heat.cells, self.heat.mos])
        self.trips += self.protections.step(dt, readings).sum(axis=0)

    def _answers(self, packs: NDArray[np.intp]) -> Array:
        """What the BMSes of ``packs`` would answer now."""
        row = self.settings[packs]
        row[:, CELL_VOLTAGES][:, : self.spec.cells] = np.round(self._seen[:, packs].T, 3)
        row[:, CELL_RESISTANCES][:, : self.spec.cells] = 0.05
        self._answer_status(row, packs)
        self._answer_counts(row, packs)
        active = self.protections.active[:, packs]
        row[:, _ALARM_COLUMNS] = 2.0 * (_RAISES @ active > 0).T
        row[:, Column.ALARM_BITS] = _BITS @ active
        return row

    def _answer_status(self, row: Array, packs: NDArray[np.intp]) -> None:
        current, mean = self._current[packs], self._mean[packs]
        row[:, Column.CURRENT] = current
        row[:, Column.VOLTAGE] = voltage = self.spec.cells * mean
        row[:, Column.POWER] = voltage * current
        row[:, Column.CELL_AVERAGE] = mean
        row[:, Column.CELL_DELTA] = self._high[packs] - self._low[packs]
        row[:, Column.TICKS] = self.time
        row[:, Column.RUNTIME] = np.floor(self.time)
        temperature = np.round(self.heat.cells[packs], 1)
        for column in (Column.TEMPERATURE_1, Column.TEMPERATURE_2, Column.TEMPERATURE_4, Column.TEMPERATURE_5):
            row[:, column] = temperature
        row[:, Column.TEMPERATURE_MOS] = row[:, Column.TEMPERATURE_3] = np.round(self.heat.mos[packs], 1)
        row[:, Column.CHARGE_MOSFET] = self.charge_on[packs]
        row[:, Column.DISCHARGE_MOSFET] = self.discharge_on[packs]
        row[:, Column.CHARGE_ENABLED] = self.charge_enabled[packs]
        row[:, Column.DISCHARGE_ENABLED] = self.discharge_enabled[packs]

    def _answer_counts(self, row: Array, packs: NDArray[np.intp]) -> None:
        full, throughput = self.counter.capacity[packs], self._throughput[packs]
        row[:, Column.SOC] = self.counter.soc[packs]
        row[:, Column.REMAINING_CAPACITY] = self.counter.remaining[packs]
        row[:, Column.FULL_CAPACITY] = full
        row[:, Column.SOH] = 100.0
        row[:, Column.CYCLE_CAPACITY] = throughput
        row[:, Column.CYCLES] = np.floor(throughput / (2 * full))
        balance = self.balancer.current[:, packs].max(axis=0)
        row[:, Column.BALANCING] = np.where(balance > 0, 2.0, 0.0)
        row[:, Column.BALANCE_CURRENT] = balance
        row[:, Column.HEATING] = row[:, Column.HEATER_CURRENT] = 0.0

    def answers(self) -> Array:
        """What every BMS would answer now: ``(packs, COLUMNS)``; the times are the reader's to fill in."""
        return self._answers(np.arange(self.spec.packs))

    def rows(self) -> Array:
        """What a poller has now: each row up to a round old, stamped with its turn; ``NaN`` before its first."""
        return self.telemetry.rows.copy()
