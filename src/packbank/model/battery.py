"""What the aggregator makes of the matrix: the one battery that everything outside sees.

Plain values, no behaviour. Units as in :mod:`packbank.model.columns`; an unknown number is ``NaN``, an
unknown text is ``""``. D-Bus, the live table, JSON and the trial all read this and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import overload

from packbank.model.columns import Alarm


class Presence(StrEnum):
    """How far a pack can be trusted now (presence.py has the rules)."""

    ABSENT = "absent"  # never answered, and nobody said that it exists
    FRESH = "fresh"
    HELD = "held"  # silent for a moment: last values count, limits may only fall
    LOST = "lost"  # silent too long: out of the sums, named in an alarm
    JOINING = "joining"  # answers, but does not yet count for limits


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
    LOST_PACK = "lost pack"
    BLOCKED = "blocked"  # every pack blocks this direction
    STAGE = "charge stage"
    RAMP = "recovering"  # on its way up to a higher limit
    USER = "user limit"  # set at run time, on the GX
    NONE = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """A published limit with its reason: ``pack`` limits it (index, -1 for none), with ``share`` of the current.

    ``detail`` is the measured figure behind the cause, ready to print: ``"cell 12 3.470 V"``.
    """

    value: float
    pack: int = -1
    cause: Cause = Cause.NONE
    share: float = float("nan")
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Extreme:
    """A lowest or highest value with the pack (index) and the cell or sensor number (from 1) that has it."""

    value: float = float("nan")
    pack: int = -1
    number: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """What the bank has been through since the record began (Ah drawn and consumed are negative, as on a BMV)."""

    charge_cycles: float = float("nan")
    total_ah_drawn: float = float("nan")
    deepest_discharge: float = float("nan")
    last_discharge: float = float("nan")
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
class PackView:
    """One pack as the bank sees it: what the live table, the logs and ``/ConnectionInformation`` need."""

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
    alarms: dict[Alarm, int] = field(default_factory=dict)  # raised ones only, 1 or 2


class Packs(Sequence[PackView]):
    """The packs in row order: a sequence whose views are built when they are looked at, since few are each second."""

    __slots__ = ("_build", "_count")

    def __init__(self, count: int, build: Callable[[int], PackView]) -> None:
        self._count = count
        self._build = build

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> PackView: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[PackView, ...]: ...
    def __getitem__(self, index: int | slice) -> PackView | tuple[PackView, ...]:
        if isinstance(index, slice):
            return tuple(self._build(i) for i in range(self._count)[index])
        return self._build(range(self._count)[index])


@dataclass(frozen=True, slots=True)
class VirtualBattery:
    """The bank at one instant."""

    packs: Sequence[PackView]
    standing: bytes  # equal to another battery's while every pack's presence and switches are: no need to look at them
    ready: bool  # every expected pack told enough to count, or START_TIMEOUT passed and one did: fit to be published

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
    stage: str  # "bulk", "absorption", "float", "top balance", ...
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

    alarms: dict[Alarm, int]  # every alarm that some pack can tell, worst of the packs, debounced; 0 is ok
    history: History

    @property
    def lost(self) -> bool:
        """Every pack is gone: limits are 0 and the service should leave the bus."""
        return self.online == 0
