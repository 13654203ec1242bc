"""What the aggregator makes of the matrix: the one battery that everything outside sees.

Plain values that nothing changes later. Units as in :mod:`packbank.model.columns`; an unknown number is ``NaN``, an
unknown text is ``""``. D-Bus, the live table, JSON and the trial all read this and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isnan
from typing import overload

import numpy as np
from numpy.typing import NDArray

from packbank.model.columns import SENSOR_NUMBERS, Alarm, Column
from packbank.model.record import distinct_record, record


class Presence(StrEnum):
    """How far a pack can be trusted now (presence.py has the rules)."""

    ABSENT = "absent"  # never answered, and nobody said that it exists
    FRESH = "fresh"
    HELD = "held"  # silent for a moment: last values count, limits may only fall
    LOST = "lost"  # silent too long: out of the sums, named in an alarm
    JOINING = "joining"  # answers, but does not yet count for limits


SILENT = (Presence.ABSENT, Presence.LOST)  # packs that do not answer


class Cause(StrEnum):
    """Why a limit is what it is."""

    CELL_VOLTAGE = "cell voltage"
    TEMPERATURE = "temperature"
    MOS_TEMPERATURE = "MOSFET temperature"
    SOC = "SoC"
    BMS = "BMS setting"
    CONFIG = "config"
    CUT = "over its limit"  # the pack's BMS would open in a moment
    RESERVE = "reserve"  # room for what may happen next
    ESTIMATE = "limit not known"  # neither BMS nor configuration gives it: taken from other packs
    LOST_PACK = "lost pack"
    SENSOR = "current sensor"  # the pack's own is wrong or in doubt: it counts as carrying its share
    BLOCKED = "blocked"  # every pack blocks this direction
    STAGE = "charge stage"
    IGNORED = "charge limit not followed"  # more than CCL flows, so CVL brings it down
    RAMP = "recovering"  # on its way up to a higher limit
    USER = "user limit"  # set at run time, on the GX
    NONE = ""


class Sensor(StrEnum):
    """What is thought of a pack's current sensor (sensors.py has the rules)."""

    UNSEEN = "not seen at work yet"
    GOOD = "fits its cells"
    IDLE = "its cells show that the pack carries nothing"
    DOUBTED = "in doubt, does not follow its neighbours or its cells"
    SILENT = "reports no current"
    BLIND = "reads 0 while the pack carries current"
    FROZEN = "does not follow the pack's current"
    INVERTED = "has the wrong sign"


FAULTY = (Sensor.SILENT, Sensor.BLIND, Sensor.FROZEN, Sensor.INVERTED)


@dataclass(frozen=True, slots=True, eq=False)
class SensorReport:
    """What is thought of the packs' current sensors, read-only arrays of one element a pack.

    ``gain`` and ``offset`` are by how much a shunt finds each one wrong, with standard deviations: the pack's true
    current is ``current * (1 + gain) + offset``. NaN without a shunt.
    """

    code: NDArray[np.int8]  # index into SENSORS
    gain: NDArray[np.float64]
    gain_error: NDArray[np.float64]
    offset: NDArray[np.float64]  # A
    offset_error: NDArray[np.float64]


@record
class Limit:
    """A published limit with its reason: ``pack`` limits it (index, -1 for none), with ``share`` of the current.

    ``detail`` is the measured figure behind the cause, ready to print: ``"cell 12 3.470 V"``.
    """

    value: float
    pack: int = -1
    cause: Cause = Cause.NONE
    share: float = float("nan")
    detail: str = ""


@record
class Extreme:
    """A lowest or highest value with the pack (index) and the cell or sensor number (from 1) that has it."""

    value: float = float("nan")
    pack: int = -1
    number: int = 0


@record
class History:
    """What the bank has been through since the record began (Ah drawn and consumed are negative, as on a BMV).

    Every figure is unknown until there is something to report: a count begins with its first event.
    """

    charge_cycles: float = float("nan")
    total_ah_drawn: float = float("nan")
    deepest_discharge: float = float("nan")
    last_discharge: float = float("nan")
    average_discharge: float = float("nan")
    full_discharges: float = float("nan")
    automatic_syncs: float = float("nan")
    low_voltage_alarms: float = float("nan")
    high_voltage_alarms: float = float("nan")
    minimum_voltage: float = float("nan")
    maximum_voltage: float = float("nan")
    minimum_cell_voltage: float = float("nan")
    maximum_cell_voltage: float = float("nan")
    minimum_temperature: float = float("nan")
    maximum_temperature: float = float("nan")
    charged_energy: float = float("nan")  # kWh
    discharged_energy: float = float("nan")  # kWh
    time_since_full: float = float("nan")  # s


@dataclass(frozen=True, slots=True)
class Incident:
    """An alarm of the bank that was raised at ``time`` (epoch s)."""

    alarm: Alarm
    time: float


@dataclass(frozen=True, slots=True)
class PackView:
    """One pack as the bank sees it."""

    name: str
    presence: Presence
    age: float  # s since the last accepted status, NaN before the first
    blocks_charge: bool
    blocks_discharge: bool
    charge_limit: float  # A, its own, before sharing
    discharge_limit: float
    charge_share: float  # 0..1
    discharge_share: float
    charge_cause: Cause = Cause.NONE  # why its charge limit is what it is
    discharge_cause: Cause = Cause.NONE
    charge_unlimited: bool = False  # neither its BMS nor the configuration limits its charge current
    discharge_unlimited: bool = False
    charge_estimated: bool = False  # neither gives it, so it is taken from other packs
    discharge_estimated: bool = False
    suspect_sensors: tuple[int, ...] = ()  # numbers of battery sensors that may not be fitted, and limit all the same
    absent_sensors: tuple[int, ...] = ()  # of those that count as not fitted
    implausible: tuple[tuple[Column, float], ...] = ()  # what its BMS says that cannot be and counts as unknown
    coldest: float = float("nan")  # degC, of the battery sensors that count
    hottest: float = float("nan")
    alarms: dict[Alarm, int] = field(default_factory=dict)  # raised ones only, 1 or 2
    current_sensor: Sensor = Sensor.UNSEEN
    sensor_gain: float = float("nan")  # by which a shunt finds its current sensor wrong
    sensor_gain_error: float = float("nan")
    sensor_offset: float = float("nan")  # A
    sensor_offset_error: float = float("nan")


STAGES = (
    "bulk",
    "absorption",
    "float",
    "top balance: bulk",
    "top balance: absorption",
    "top balance: float",
    "fixed",  # charge stages are switched off
)
PRESENCES = tuple(Presence)
CAUSES = tuple(Cause)
SENSORS = tuple(Sensor)
NAN = float("nan")


@distinct_record
class Packs(Sequence[PackView]):
    """The packs in row order, as read-only arrays; an element is put together when it is looked at.

    Nobody writes into the arrays any more. Those of two rows are charge and discharge.
    """

    names: tuple[str, ...]
    presence: NDArray[np.int8]  # (packs,), index into PRESENCES
    age: NDArray[np.float64]  # (packs,), s
    blocked: NDArray[np.bool_]  # (2, packs)
    limit: NDArray[np.float64]  # (2, packs), A
    share: NDArray[np.float64]  # (2, packs), 0..1
    cause: NDArray[np.int8]  # (2, packs), index into CAUSES
    unlimited: NDArray[np.bool_]  # (2, packs)
    estimated: NDArray[np.bool_]  # (2, packs)
    suspect: NDArray[np.bool_]  # (4, packs), battery sensors that may not be fitted
    absent: NDArray[np.bool_]  # (4, packs), that count as not fitted
    temperature: NDArray[np.float64]  # (2, packs), coldest and hottest battery sensor, degC
    alarms: NDArray[np.float64]  # (packs, alarms)
    implausible: Mapping[int, tuple[tuple[Column, float], ...]] = field(default_factory=dict)  # by pack, of few
    sensors: SensorReport | None = None

    def __post_init__(self) -> None:
        for array in (
            self.presence,
            self.age,
            self.blocked,
            self.limit,
            self.share,
            self.cause,
            self.unlimited,
            self.estimated,
            self.suspect,
            self.absent,
            self.temperature,
            self.alarms,
        ):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> PackView: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[PackView, ...]: ...
    def __getitem__(self, index: int | slice) -> PackView | tuple[PackView, ...]:
        if isinstance(index, slice):
            return tuple(map(self._view, range(len(self))[index]))
        return self._view(range(len(self))[index])

    def stand_as(self, other: Packs) -> bool:
        """Whether every pack's presence and switches are as in ``other``."""
        return np.array_equal(self.presence, other.presence) and np.array_equal(self.blocked, other.blocked)

    def _view(self, pack: int) -> PackView:
        alarms, sensors = self.alarms[pack], self.sensors
        return PackView(
            name=self.names[pack],
            presence=PRESENCES[self.presence[pack]],
            age=float(self.age[pack]),
            blocks_charge=bool(self.blocked[0, pack]),
            blocks_discharge=bool(self.blocked[1, pack]),
            charge_limit=float(self.limit[0, pack]),
            discharge_limit=float(self.limit[1, pack]),
            charge_share=float(self.share[0, pack]),
            discharge_share=float(self.share[1, pack]),
            charge_cause=CAUSES[self.cause[0, pack]],
            discharge_cause=CAUSES[self.cause[1, pack]],
            charge_unlimited=bool(self.unlimited[0, pack]),
            discharge_unlimited=bool(self.unlimited[1, pack]),
            charge_estimated=bool(self.estimated[0, pack]),
            discharge_estimated=bool(self.estimated[1, pack]),
            suspect_sensors=_numbers(self.suspect[:, pack]),
            absent_sensors=_numbers(self.absent[:, pack]),
            implausible=self.implausible.get(pack, ()),
            coldest=float(self.temperature[0, pack]),
            hottest=float(self.temperature[1, pack]),
            alarms={alarm: int(alarms[alarm]) for alarm in Alarm if alarms[alarm] > 0.0},
            current_sensor=Sensor.UNSEEN if sensors is None else SENSORS[sensors.code[pack]],
            sensor_gain=_at(None if sensors is None else sensors.gain, pack),
            sensor_gain_error=_at(None if sensors is None else sensors.gain_error, pack),
            sensor_offset=_at(None if sensors is None else sensors.offset, pack),
            sensor_offset_error=_at(None if sensors is None else sensors.offset_error, pack),
        )


def _at(values: NDArray[np.float64] | None, pack: int) -> float:
    """The value of ``pack``; an unknown one is always the same ``NaN``, so that equal packs compare as equal."""
    value = NAN if values is None else float(values[pack])
    return NAN if isnan(value) else value


def _numbers(flags: NDArray[np.bool_]) -> tuple[int, ...]:
    """The numbers of the battery sensors that are flagged, as their columns and the BMS's app name them."""
    return tuple(number for number, flag in zip(SENSOR_NUMBERS, flags.tolist(), strict=True) if flag)


@record
class VirtualBattery:
    """The bank at one instant."""

    packs: Packs
    ready: bool  # enough is known of every expected pack, or of one after START_TIMEOUT: may be published

    voltage: float
    current: float
    power: float
    temperature: float  # mean of the packs' battery sensors
    temperature_mos: float  # highest

    soc: float
    soh: float
    remaining_capacity: float
    installed_capacity: float
    consumed_ah: float  # negative or zero
    time_to_go: float  # s, NaN while not discharging

    charge_voltage_limit: Limit  # CVL, never 0; NaN only when no pack answers
    charge_current_limit: Limit  # CCL >= 0, never NaN
    discharge_current_limit: Limit  # DCL >= 0, never NaN
    battery_low_voltage: float
    charge_request: bool
    allow_to_charge: bool
    allow_to_discharge: bool
    allow_to_balance: bool
    balancing: bool
    heating: bool
    stage: str  # one of STAGES
    waiting_for: tuple[int, ...]  # packs that keep the bank in absorption
    unfinished: tuple[int, ...]  # packs that were not balanced when the longest absorption ended

    online: int
    offline: int
    blocking_charge: int
    blocking_discharge: int
    cells_per_pack: int
    lowest_cell: Extreme
    highest_cell: Extreme
    lowest_temperature: Extreme
    highest_temperature: Extreme

    alarms: dict[Alarm, int]  # every alarm that some pack can report, worst of the packs, debounced; 0 is ok
    history: History
    incidents: tuple[Incident, ...] = ()  # the newest first

    @property
    def lost(self) -> bool:
        """Every pack is gone: limits are 0 and the service should leave the bus."""
        return self.online == 0
