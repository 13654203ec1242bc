"""What people on the GX read about the bank: who limits it, who is missing, what state it is in."""

from __future__ import annotations

from packbank.model.battery import Cause, Extreme, Limit, Presence, VirtualBattery
from packbank.model.columns import Alarm

RUNNING, ERROR, STANDBY = 9, 10, 14  # /State, as Venus OS numbers them
NO_ERROR, COMMUNICATION_TIMEOUT = 0, 39  # /ErrorCode, Victron's numbers for batteries
_NAMES_SHOWN = 3
_USUAL = frozenset({Cause.NONE, Cause.BMS, Cause.CONFIG})


def connection_information(battery: VirtualBattery) -> str:
    """One line, the count first: ``14/15 packs, pack 3 lost, pack 7 limits charge (cell 12 3.470 V)``."""
    parts = [f"{battery.online}/{battery.online + battery.offline} packs"]
    if battery.offline:
        parts.append(f"{_names([pack.name for pack in battery.packs if pack.presence is Presence.LOST])} lost")
    limits = ("charge", battery.charge_current_limit), ("discharge", battery.discharge_current_limit)
    parts += [_limiter(battery, limit, direction) for direction, limit in limits if limit.cause not in _USUAL]
    return ", ".join(parts)


def voltage_limitation(battery: VirtualBattery) -> str:
    """Why CVL is what it is."""
    return _reason(battery, battery.charge_voltage_limit)


def charge_limitation(battery: VirtualBattery) -> str:
    """Why CCL is what it is: ``pack 7: cell voltage, cell 12 3.470 V, carries 9% of the current``."""
    return _reason(battery, battery.charge_current_limit)


def discharge_limitation(battery: VirtualBattery) -> str:
    """Why DCL is what it is."""
    return _reason(battery, battery.discharge_current_limit)


def charge_mode(battery: VirtualBattery) -> str:
    """The charge stage and whom it waits for: ``absorption, waiting for pack 3``."""
    waiting = [battery.packs[index].name for index in battery.waiting_for]
    return f"{battery.stage}, waiting for {_names(waiting)}" if waiting else battery.stage


def lowest_cell(battery: VirtualBattery) -> str:
    """Whose the lowest cell is: ``pack 7 C12``; empty when unknown."""
    return _place(battery, battery.lowest_cell, "C")


def highest_cell(battery: VirtualBattery) -> str:
    """Whose the highest cell is."""
    return _place(battery, battery.highest_cell, "C")


def coldest_sensor(battery: VirtualBattery) -> str:
    """Whose the lowest temperature is: ``pack 7 T2``."""
    return _place(battery, battery.lowest_temperature, "T")


def warmest_sensor(battery: VirtualBattery) -> str:
    """Whose the highest temperature is."""
    return _place(battery, battery.highest_temperature, "T")


def state(battery: VirtualBattery) -> int:
    """``/State``: error when no pack answers or a BMS failed, standby when nothing may flow, else running."""
    if battery.lost or battery.alarms.get(Alarm.INTERNAL_FAILURE) == 2:
        return ERROR
    return RUNNING if battery.allow_to_charge or battery.allow_to_discharge else STANDBY


def error_code(battery: VirtualBattery) -> int:
    """``/ErrorCode``: any other value than 0 is a notification of its own, so only for what no alarm says."""
    return COMMUNICATION_TIMEOUT if battery.lost else NO_ERROR


def _place(battery: VirtualBattery, extreme: Extreme, letter: str) -> str:
    return f"{battery.packs[extreme.pack].name} {letter}{extreme.number}" if extreme.pack >= 0 else ""


def _reason(battery: VirtualBattery, limit: Limit) -> str:
    reason = ", ".join(text for text in (limit.cause.value, limit.detail) if text)
    if limit.pack < 0:
        return reason
    share = f", carries {limit.share:.0%} of the current" if 0 < limit.share < 1 else ""
    return f"{battery.packs[limit.pack].name}: {reason}{share}"


def _limiter(battery: VirtualBattery, limit: Limit, direction: str) -> str:
    reason = limit.detail or limit.cause.value
    if limit.pack < 0:
        return f"{direction} limited ({reason})"
    return f"{battery.packs[limit.pack].name} limits {direction} ({reason})"


def _names(names: list[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
