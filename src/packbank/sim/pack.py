"""What a JK PB pack does by itself: its protections with their delays, MOSFETs, balancer, heat and SoC estimate.

All packs of a bank at once; arrays are ``(packs,)``, cells ``(cells, packs)``. Thresholds and delays come from the
settings columns of the matrix, as in the BMS itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from packbank.model.columns import COLUMNS, Alarm, Column

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Reading(IntEnum):
    """What a protection looks at."""

    HIGHEST_CELL = 0
    LOWEST_CELL = 1
    CHARGE_CURRENT = 2
    DISCHARGE_CURRENT = 3
    TEMPERATURE = 4
    TEMPERATURE_MOS = 5


@dataclass(frozen=True, slots=True)
class Protection:
    """One protection of the BMS. ``bit`` is its place in the vendor's alarm word.

    ``above`` says that it trips above its threshold; ``delay`` is a settings column or seconds where the BMS has no
    setting for it; a ``release`` in seconds (a column with that unit) is a time since the trip, else a reading.
    """

    reading: Reading
    above: bool
    trip: Column
    release: Column
    delay: Column | float
    blocks_charge: bool
    blocks_discharge: bool
    alarm: Alarm
    bit: int


_VOLTAGE_DELAY = 2.0  # s, not among the settings: assumed
_TEMPERATURE_DELAY = 5.0  # s, likewise

PROTECTIONS = (
    Protection(
        Reading.HIGHEST_CELL, True, Column.CELL_OVP, Column.CELL_OVP_RECOVERY, _VOLTAGE_DELAY,
        True, False, Alarm.HIGH_CELL_VOLTAGE, 4,
    ),
    Protection(
        Reading.LOWEST_CELL, False, Column.CELL_UVP, Column.CELL_UVP_RECOVERY, _VOLTAGE_DELAY,
        False, True, Alarm.LOW_CELL_VOLTAGE, 11,
    ),
    Protection(
        Reading.CHARGE_CURRENT, True, Column.CHARGE_CURRENT_LIMIT, Column.CHARGE_OCP_RELEASE, Column.CHARGE_OCP_DELAY,
        True, False, Alarm.HIGH_CHARGE_CURRENT, 6,
    ),
    Protection(
        Reading.DISCHARGE_CURRENT, True, Column.DISCHARGE_CURRENT_LIMIT, Column.DISCHARGE_OCP_RELEASE,
        Column.DISCHARGE_OCP_DELAY, False, True, Alarm.HIGH_DISCHARGE_CURRENT, 13,
    ),
    Protection(
        Reading.TEMPERATURE, True, Column.CHARGE_OTP, Column.CHARGE_OTP_RECOVERY, _TEMPERATURE_DELAY,
        True, False, Alarm.HIGH_CHARGE_TEMPERATURE, 8,
    ),
    Protection(
        Reading.TEMPERATURE, False, Column.CHARGE_UTP, Column.CHARGE_UTP_RECOVERY, _TEMPERATURE_DELAY,
        True, False, Alarm.LOW_CHARGE_TEMPERATURE, 9,
    ),
    Protection(
        Reading.TEMPERATURE, True, Column.DISCHARGE_OTP, Column.DISCHARGE_OTP_RECOVERY, _TEMPERATURE_DELAY,
        False, True, Alarm.HIGH_TEMPERATURE, 15,
    ),
    Protection(
        Reading.TEMPERATURE, False, Column.DISCHARGE_UTP, Column.DISCHARGE_UTP_RECOVERY, _TEMPERATURE_DELAY,
        False, True, Alarm.LOW_TEMPERATURE, 27,
    ),
    Protection(
        Reading.TEMPERATURE_MOS, True, Column.MOS_OTP, Column.MOS_OTP_RECOVERY, _TEMPERATURE_DELAY,
        True, True, Alarm.HIGH_INTERNAL_TEMPERATURE, 1,
    ),
)  # fmt: skip

# The settings of a 16-cell 280 Ah pack, most of them as captured packs have them.
SETTINGS = {
    Column.CELL_UVP: 2.70,
    Column.CELL_UVP_RECOVERY: 2.90,
    Column.CELL_OVP: 3.65,
    Column.CELL_OVP_RECOVERY: 3.445,
    Column.BALANCE_TRIGGER: 0.005,
    Column.BALANCE_START: 3.40,
    Column.CELL_FULL: 3.445,
    Column.CELL_EMPTY: 2.90,
    Column.CELL_CHARGE_REQUEST: 3.45,
    Column.CELL_FLOAT_REQUEST: 3.35,
    Column.CELL_POWER_OFF: 2.50,
    Column.CHARGE_CURRENT_LIMIT: 100.0,
    Column.CHARGE_OCP_DELAY: 3.0,
    Column.CHARGE_OCP_RELEASE: 60.0,
    Column.DISCHARGE_CURRENT_LIMIT: 150.0,
    Column.DISCHARGE_OCP_DELAY: 300.0,
    Column.DISCHARGE_OCP_RELEASE: 60.0,
    Column.SHORT_CIRCUIT_RELEASE: 5.0,
    Column.SHORT_CIRCUIT_DELAY: 0.0015,
    Column.BALANCE_CURRENT_LIMIT: 2.0,
    Column.CHARGE_OTP: 55.0,
    Column.CHARGE_OTP_RECOVERY: 50.0,
    Column.DISCHARGE_OTP: 60.0,
    Column.DISCHARGE_OTP_RECOVERY: 55.0,
    Column.CHARGE_UTP: 0.0,
    Column.CHARGE_UTP_RECOVERY: 2.0,
    Column.DISCHARGE_UTP: -20.0,
    Column.DISCHARGE_UTP_RECOVERY: -10.0,
    Column.MOS_OTP: 100.0,
    Column.MOS_OTP_RECOVERY: 80.0,
    Column.HEATING_START: 0.0,
    Column.HEATING_STOP: 10.0,
    Column.CHARGE_ENABLED: 1.0,
    Column.DISCHARGE_ENABLED: 1.0,
    Column.BALANCE_ENABLED: 1.0,
}


class Protections:
    """The state of every protection of every pack, shape ``(protections, packs)``."""

    def __init__(self, settings: Array) -> None:
        def thresholds(column: Column | float) -> Array:
            return settings[:, column] if isinstance(column, Column) else np.full(len(settings), column)

        table = PROTECTIONS
        self._sign = np.array([[1.0 if p.above else -1.0] for p in table])
        self._trip = self._sign * np.array([thresholds(p.trip) for p in table])
        self._release = np.array([thresholds(p.release) for p in table])
        self._timed = np.array([[p.release.unit == "s"] for p in table])
        self._delay = np.array([thresholds(p.delay) for p in table])
        self._reading = np.array([p.reading for p in table])
        self._charge = np.array([[p.blocks_charge] for p in table])
        self._discharge = np.array([[p.blocks_discharge] for p in table])
        self._for = np.zeros_like(self._trip)  # s, beyond the threshold, or since the trip once active
        self.active: Mask = np.zeros(self._trip.shape, dtype=bool)
        self.charge_off: Mask = np.zeros(len(settings), dtype=bool)
        self.discharge_off: Mask = np.zeros(len(settings), dtype=bool)

    def released_within(self, seconds: float) -> Mask:
        """Packs that a timed release lets conduct again so soon."""
        waiting = self.active & self._timed
        soon: Mask = waiting.any(axis=0) & ~(waiting & (self._release - self._for > seconds)).any(axis=0)
        return soon

    def step(self, dt: float, readings: Array) -> Mask:
        """Judge ``readings`` (Reading, packs) after ``dt`` s; the protections that tripped just now."""
        reading = self._sign * readings[self._reading]
        beyond = reading > self._trip
        self._for = np.where(beyond | self.active, self._for + dt, 0.0)
        tripped: Mask = beyond & ~self.active & (self._for >= self._delay)
        if not tripped.any() and not self.active.any():
            return tripped
        well = np.where(self._timed, self._for >= self._release, reading < self._sign * self._release)
        released = self.active & well
        self.active = (self.active & ~released) | tripped
        self._for[tripped | released] = 0.0
        self.charge_off = (self.active & self._charge).any(axis=0)
        self.discharge_off = (self.active & self._discharge).any(axis=0)
        return tripped


_HEAT_CAPACITY = 1.1e5  # J/K, 16 cells of 5.4 kg with their case
_COOLING = 6.0  # W/K
_MOS_TIME = 150.0  # s
MOS_RESISTANCE = 0.6e-3  # ohm, both directions' MOSFETs and the shunt
_MOS_RISE = 2.5  # K/W


class Heat:
    """Temperatures of cells and MOSFETs from the losses, degC."""

    def __init__(self, ambient: Array) -> None:
        self.ambient = ambient
        self.cells = ambient.copy()
        self.mos = ambient.copy()

    def step(self, dt: float, loss: Array, current: Array) -> None:
        """``loss`` W in the cells and ``current`` A through the MOSFETs for ``dt`` s."""
        self.cells += (loss - _COOLING * (self.cells - self.ambient)) * (dt / _HEAT_CAPACITY)
        target = self.cells + _MOS_RISE * MOS_RESISTANCE * current * current
        self.mos += (target - self.mos) * (1 - np.exp(-dt / _MOS_TIME))


_BALANCE_EVERY = 10.0  # s


class Balancer:
    """JK's active balancer: moves charge from the highest to the lowest cell of a pack while it charges high."""

    def __init__(self, settings: Array, cells: int) -> None:
        self._trigger = settings[:, Column.BALANCE_TRIGGER]
        self._start = settings[:, Column.BALANCE_START]
        self._amps = settings[:, Column.BALANCE_CURRENT_LIMIT]
        self._every = np.arange(len(settings))
        self._left = 0.0
        self.current = np.zeros((cells, len(settings)))

    def step(self, dt: float, voltages: Array) -> Array:
        """The current into each cell for the coming step."""
        self._left -= dt
        if self._left > 0:
            return self.current
        self._left = _BALANCE_EVERY
        high, low = voltages.argmax(axis=0), voltages.argmin(axis=0)
        top = voltages[high, self._every]
        works = (top > self._start) & (top - voltages[low, self._every] > self._trigger)
        self.current = np.zeros_like(self.current)
        self.current[high, self._every] -= self._amps * works
        self.current[low, self._every] += self._amps * works
        return self.current


class Counter:
    """The BMS's own SoC: charge counted with its own sensor, set right when it believes to be full or empty."""

    def __init__(self, settings: Array, capacity: Array, soc: Array) -> None:
        self._full = settings[:, Column.CELL_FULL]
        self._empty = settings[:, Column.CELL_EMPTY]
        self.capacity = capacity
        self.remaining = soc / 100 * capacity

    def step(self, dt: float, current: Array, mean_cell: Array, lowest_cell: Array) -> None:
        """Count ``current`` as the sensor shows it for ``dt`` s."""
        self.remaining += current * (dt / 3600)
        self.remaining[mean_cell >= self._full] = np.inf
        self.remaining[lowest_cell <= self._empty] = 0.0
        self.remaining = np.minimum(np.maximum(self.remaining, 0.0), self.capacity)

    @property
    def soc(self) -> Array:
        """%, whole numbers as JK sends them."""
        return np.floor(100 * self.remaining / self.capacity + 0.5)


def settings_matrix(packs: int, cells: int, capacity: Array) -> Array:
    """The settings columns of a bank's matrix; all other columns are ``NaN``."""
    matrix = np.full((packs, COLUMNS), np.nan)
    for column, value in SETTINGS.items():
        matrix[:, column] = value
    matrix[:, Column.CELL_COUNT] = cells
    matrix[:, Column.NOMINAL_CAPACITY] = capacity
    return matrix
