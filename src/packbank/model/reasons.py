"""What people read about the bank: why a limit is what it is, who is missing, what state the bank is in.

Logs, the GX, JSON and the terminal all use these texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

import numpy as np
from numpy.typing import NDArray

from packbank.model.battery import Cause, Extreme, Limit, Presence, VirtualBattery
from packbank.model.columns import Alarm

RUNNING, ERROR, STANDBY = 9, 10, 14  # /State, as Venus OS numbers them
NO_ERROR, COMMUNICATION_TIMEOUT = 0, 39  # /ErrorCode, Victron's numbers for batteries
UNKNOWN, BALANCED, BALANCING, IMBALANCE = range(4)  # /Balancer/Status, as the GX has texts for
_NAMES_SHOWN = 3
LEVELS = ("ok", "warning", "alarm")
# What a cause means, for whoever reads it for the first time; docs/limits.md has more.
MEANINGS = {
    Cause.CELL_VOLTAGE: "a cell is near its highest or lowest voltage",
    Cause.TEMPERATURE: "the battery is too cold or too warm for more",
    Cause.MOS_TEMPERATURE: "the BMS's MOSFETs are hot",
    Cause.SOC: "the state of charge is near its end",
    Cause.BMS: "the pack's BMS allows no more",
    Cause.CONFIG: "config.ini allows no more",
    Cause.CUT: "the pack is over its own limit, and its BMS would switch it off in a moment",
    Cause.RESERVE: "room is kept for what may happen next, such as a pack that its BMS switches off",
    Cause.ESTIMATE: "the pack does not report its limit, so the lowest of its neighbours' holds",
    Cause.LOST_PACK: "a pack that is silent may still conduct, and its limit is not known any more",
    Cause.BLOCKED: "no pack lets current flow in this direction",
    Cause.STAGE: "bulk, absorption and float have their own voltages",
    Cause.RAMP: "the limit is on its way up; it rises slowly, and falls at once",
    Cause.USER: "a user set it on the GX",
}
_USUAL = frozenset({Cause.NONE, Cause.BMS, Cause.CONFIG})


def reason(battery: VirtualBattery, limit: Limit) -> str:
    """Why ``limit`` is what it is: ``pack 7: cell voltage, cell 12 3.470 V, carries 9% of the current``."""
    text = ", ".join(part for part in (limit.cause.value, limit.detail) if part)
    if limit.pack < 0:
        return text
    share = f", carries {limit.share:.0%} of the current" if 0 < limit.share < 1 else ""
    return f"{battery.packs.names[limit.pack]}: {text}{share}"


def figure(cause: Cause, charging: bool, cells: NDArray[np.float64], coldest: float, hottest: float) -> str:
    """The measured figure behind a pack's own limit, ready to print; ``""`` where the cause has none of these.

    ``cells`` are the pack's cell voltages, NaN for cells that it has not; the rest are its extreme temperatures.
    """
    if cause is Cause.CELL_VOLTAGE:
        cell = int(np.fmax(cells, -np.inf).argmax() if charging else np.fmin(cells, np.inf).argmin())
        return "cell voltages unknown" if isnan(cells[cell]) else f"cell {cell + 1} {cells[cell]:.3f} V"
    if cause is Cause.TEMPERATURE:
        return "battery sensors silent" if isnan(coldest) else f"battery {coldest:.1f} to {hottest:.1f} degC"
    return ""


def connection_information(battery: VirtualBattery) -> str:
    """One line, the count first: ``14/15 packs, pack 3 lost, pack 7 limits charge (cell 12 3.470 V)``."""
    parts = [f"{battery.online}/{battery.online + battery.offline} packs"]
    if battery.offline:
        lost = [pack.name for pack in battery.packs if pack.presence is Presence.LOST]
        parts.append(f"{_few(lost)} lost")
    limits = ("charge", battery.charge_current_limit), ("discharge", battery.discharge_current_limit)
    parts += [_limiter(battery, limit, direction) for direction, limit in limits if limit.cause not in _USUAL]
    return ", ".join(parts)


def charge_mode(battery: VirtualBattery) -> str:
    """The charge stage and the packs it waits for: ``absorption, waiting for pack 3``."""
    waiting = [battery.packs.names[index] for index in battery.waiting_for]
    return f"{battery.stage}, waiting for {_few(waiting)}" if waiting else battery.stage


def place(extreme: Extreme, letter: str) -> str:
    """Where an extreme value is, short enough for Modbus texts of 8 characters: ``P2C14``; empty when unknown.

    Packs are numbered from 1 in the order of the configuration; ``letter`` is C for a cell, T for a sensor.
    """
    return f"P{extreme.pack + 1}{letter}{extreme.number}" if extreme.pack >= 0 else ""


def raised(alarms: Mapping[Alarm, int]) -> str:
    """The alarms that are on, with their levels: ``LowSoc warning, BmsCable alarm``; ``""`` when there is none."""
    return ", ".join(f"{alarm.venus} {LEVELS[level]}" for alarm, level in alarms.items() if level)


def state(battery: VirtualBattery) -> int:
    """``/State``: error when no pack answers, standby when nothing may flow, else running."""
    if battery.lost:
        return ERROR
    return RUNNING if battery.allow_to_charge or battery.allow_to_discharge else STANDBY


def balancer_status(battery: VirtualBattery) -> int:
    """``/Balancer/Status``: the worst of the packs; balanced only where some pack can report that it is not."""
    imbalance = battery.alarms.get(Alarm.CELL_IMBALANCE)
    if imbalance:
        return IMBALANCE
    if battery.balancing:
        return BALANCING
    return UNKNOWN if imbalance is None or battery.lost else BALANCED


def error_code(battery: VirtualBattery) -> int:
    """``/ErrorCode``: any other value than 0 is a notification of its own, so only for what no alarm reports."""
    return COMMUNICATION_TIMEOUT if battery.lost and Alarm.BMS_CABLE not in battery.alarms else NO_ERROR


def _limiter(battery: VirtualBattery, limit: Limit, direction: str) -> str:
    why = limit.detail or limit.cause.value
    if limit.pack < 0:
        return f"{direction} limited ({why})"
    return f"{battery.packs.names[limit.pack]} limits {direction} ({why})"


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
