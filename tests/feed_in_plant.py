"""Packs, chargers that heed no CCL and an inverter that may export, in some lines of their own: nothing of ``sim/``.

A pack is a voltage behind a resistance and one R-C; a charger holds CVL as well as it can; an inverter that exports
draws whatever keeps the bus at CVL. Venus OS hands CVL out every third second, and machines follow with a lag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp

import numpy as np

from bank_rows import CELLS_USED, Rig, set_temperature
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.battery import VirtualBattery
from packbank.model.columns import CELL_VOLTAGES, Column

STEP = 0.25  # s
OHM = 8.0e-3  # of a string of 280 Ah with its cables, at once
SLOW_OHM = 6.0e-3  # and what it gains in the next minutes


@dataclass
class Plant:
    """The true bank, and what happened to it since ``mark`` was called."""

    packs: int = 4
    capacity: float = 280.0  # Ah
    rest: float = 3.30  # V a cell at the start
    slope: float = 0.0006  # V a cell for each per cent
    ohm: float = 1.0  # factor
    slow: float = 60.0  # s
    cables: float = 0.25  # of the resistance, which lie outside of what the BMS measures
    sun: float = 0.15  # of the capacity, in A
    load: float = 0.0
    exports: float = 0.0  # of the capacity, in A: what the inverter exports at most of what lies above CVL
    above: float = 0.0  # V that chargers hold more than CVL
    lag: float = 2.0  # s
    phase: float = 0.0  # s, of DVCC
    offset: float = 0.0  # A, standard deviation of the packs' sensors
    dead_band: float = 0.4  # A
    seed: int = 0
    settings: BankSettings = field(default_factory=BankSettings)

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        spread = random.uniform(0.8, 1.25, self.packs)
        scale = self.ohm * 280.0 / self.capacity * spread
        self.resistance, self.slow_resistance = OHM * scale, SLOW_OHM * scale
        self.empty = CELLS_USED * (self.rest + random.uniform(-0.0005, 0.0005, self.packs))
        self.polarised = np.zeros(self.packs)
        self.sensor = random.normal(0.0, 1.0, self.packs) * self.offset
        self.random = random
        self.rig = Rig(self.packs, self.settings, [PackSettings()] * self.packs)
        self.rig.rows[:, Column.FULL_CAPACITY] = self.capacity
        self.rig.rows[:, Column.REMAINING_CAPACITY] = self.capacity / 2
        self.currents = np.zeros(self.packs)
        self.seconds = 0
        self.cvl = self.held = CELLS_USED * 3.45
        self.mark()

    @property
    def whole(self) -> float:
        """Ah of the bank."""
        return self.packs * self.capacity

    def mark(self) -> None:
        """Begin to keep the score: of the voltage now, Ah drawn out of the bank below it, and CVL."""
        self.started = float((self.empty + self.polarised).mean())
        self.exported = 0.0  # Ah
        self.charge: list[float] = []  # of the capacity, in A
        self.published: list[float] = []  # V

    def chill(self) -> None:
        """Too cold to be charged: CCL is 0."""
        for pack in range(self.packs):
            set_temperature(self.rig.rows, pack, -3.0)

    def warm(self) -> None:
        """As usual."""
        for pack in range(self.packs):
            set_temperature(self.rig.rows, pack, 24.0)

    def run(self, seconds: int, watch: Callable[[VirtualBattery], None] | None = None) -> VirtualBattery:
        """So many seconds of physics, BMSes, packbank and DVCC."""
        for _ in range(seconds):
            self._measure()
            battery = self.rig.step()
            self.published.append(battery.charge_voltage_limit.value)
            if (self.seconds + self.phase) % 3 < 1:
                self.cvl = self.published[-1]
            if watch:
                watch(battery)
            for _ in range(round(1 / STEP)):
                self._flow()
            self.seconds += 1
            self.charge.append(float(self.currents.sum()) / self.whole)
        return battery

    def _flow(self) -> None:
        self.held += (self.cvl - self.held) * (1 - exp(-STEP / self.lag))
        source, pull = self.empty + self.polarised, 1 / self.resistance
        sun, load = self.sun * self.whole, self.load * self.whole
        bus = (sun - load + (pull * source).sum()) / pull.sum()
        dark = (-load + (pull * source).sum()) / pull.sum()
        bus = max(min(bus, self.held + self.above), dark)
        alone = float(((bus - source) * pull).sum())  # A, without an inverter that exports
        drained = bus - self.exports * self.whole / pull.sum()
        if self.exports:
            bus = min(bus, max(self.held, drained))
        self.currents = (bus - source) * pull
        self.polarised += (self.currents * self.slow_resistance - self.polarised) * (1 - exp(-STEP / self.slow))
        percent = self.currents * STEP / 36.0 / self.capacity
        self.empty += CELLS_USED * self.slope * percent
        if bus < self.started:
            self.exported += max(min(alone, 0.0) - float(self.currents.sum()), 0.0) * STEP / 3600.0

    def _measure(self) -> None:
        """What the BMSes say: the strings' voltages without their cables, and currents as their sensors see them."""
        inside = self.empty + self.polarised + self.currents * self.resistance * (1 - self.cables)
        cell = np.round(inside / CELLS_USED + self.random.normal(0.0, 0.0003, self.packs), 3)
        rows = self.rig.rows
        rows[:, CELL_VOLTAGES.start : CELL_VOLTAGES.start + CELLS_USED] = cell[:, None]
        rows[:, Column.VOLTAGE] = np.round(inside, 2)
        seen = self.currents + self.sensor
        rows[:, Column.CURRENT] = np.where(np.abs(seen) < self.dead_band, 0.0, np.round(seen, 1))

    def turns(self, notable: float = 0.1) -> float:
        """How often a minute the published CVL turned by more than ``notable`` V since the mark."""
        extreme, heading, count = self.published[0], 0.0, 0
        for volts in self.published:
            if heading * (volts - extreme) > 0.0:
                extreme = volts
            elif abs(volts - extreme) > notable:
                count += heading != 0.0
                heading, extreme = float(np.sign(volts - extreme)), volts
        return 60.0 * count / len(self.published)
