"""What the owner should know about a pack that is neither lost nor in alarm, and the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from packbank.model.battery import FAULTY, SENSORS, PackView
from packbank.model.columns import Column
from packbank.model.snapshot import Snapshot

SETTLE = 30.0  # s that a remark must have held before it is made: settings may just be on their way

_KEYS = {"charge": "MAX_BATTERY_CHARGE_CURRENT", "discharge": "MAX_BATTERY_DISCHARGE_CURRENT"}
# What holds instead of a setting of the BMS, or overrules it.
_INSTEAD = {
    Column.FULL_CAPACITY: "BATTERY_CAPACITY",
    Column.NOMINAL_CAPACITY: "BATTERY_CAPACITY",
    Column.CHARGE_CURRENT_LIMIT: _KEYS["charge"],
    Column.DISCHARGE_CURRENT_LIMIT: _KEYS["discharge"],
    Column.CELL_OVP: "MAX_CELL_VOLTAGE",
    Column.CELL_UVP: "CELL_VOLTAGES_WHILE_DISCHARGING",
    Column.CHARGE_OTP: "TEMPERATURES_WHILE_CHARGING",
    Column.CHARGE_UTP: "TEMPERATURES_WHILE_CHARGING",
    Column.DISCHARGE_OTP: "TEMPERATURES_WHILE_DISCHARGING",
    Column.DISCHARGE_UTP: "TEMPERATURES_WHILE_DISCHARGING",
    Column.MOS_OTP: "MOSFET_TEMPERATURES_WHILE_CHARGING and MOSFET_TEMPERATURES_WHILE_DISCHARGING",
}
_UNTIL = "; until then it counts as short where RESERVE_PACKS or LOADS_FROM_SYSTEM keeps room"
_DELAYS = (Column.CHARGE_OCP_DELAY, Column.DISCHARGE_OCP_DELAY)
_FAULTY = np.array([sensor in FAULTY for sensor in SENSORS])
_WRONG_SENSOR = (
    "it counts as carrying its share, and its BMS may not see an over-current: calibrate the current in the BMS's app, "
    "or have the BMS looked at"
)
_NOT_FITTED = "leave it out of TEMPERATURE_SOURCE_BATTERY"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to know about the pack in row ``pack``; ``text`` names the remedy."""

    pack: int
    text: str
    serious: bool = True  # worth a warning


def remarks(snapshot: Snapshot) -> Iterator[Remark]:
    """All that is to be said of the packs of ``snapshot``; nothing is looked up while nothing is."""
    packs = snapshot.battery.packs
    odd = np.vstack((packs.unlimited, packs.estimated, packs.suspect, packs.absent)).any(axis=0)
    if packs.sensors is not None:
        odd |= _FAULTY[packs.sensors.code]
    for index in sorted({*np.flatnonzero(odd).tolist(), *packs.implausible}):
        for text, serious in _texts(packs[index]):
            yield Remark(index, text, serious)


def _texts(pack: PackView) -> Iterator[tuple[str, bool]]:
    sides = (
        ("charge", pack.charge_unlimited, pack.charge_estimated),
        ("discharge", pack.discharge_unlimited, pack.discharge_estimated),
    )
    for direction, unlimited, estimated in sides:
        key = _KEYS[direction]
        if estimated:
            yield f"its {direction} current limit is not known and taken from other packs; set {key} for it", True
        elif unlimited:
            yield f"no BMS reports a {direction} current limit: 0 A until {key} is set", True
    for column, value in pack.implausible:
        what = f"{column.meaning}: {value:g} {column.unit}".rstrip()
        instead = f", or set {_INSTEAD[column]} for it" if column in _INSTEAD else _UNTIL if column in _DELAYS else ""
        yield f"its BMS says {what}, which cannot be and counts as unknown; correct it in the BMS{instead}", True
    if pack.current_sensor in FAULTY:
        yield f"its current sensor {pack.current_sensor}, as its cells show; {_WRONG_SENSOR}", True
    if pack.suspect_sensors:
        names = _sensors(pack.suspect_sensors)
        yield f"{names} reads exactly 0 degC since the start and limits charge; if not fitted: {_NOT_FITTED}", True
    if pack.absent_sensors:
        yield f"{_sensors(pack.absent_sensors)} reads 0 degC while others are warm: counts as not fitted", False


def _sensors(numbers: tuple[int, ...]) -> str:
    return "battery sensor " + " and ".join(f"T{number}" for number in numbers)
