"""The battery and the buses as plain data for JSON: the dataclasses' names, the project's units, null for unknown."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from packbank.model.battery import VirtualBattery
from packbank.model.bus_stats import BusStats


def battery_dict(battery: VirtualBattery) -> dict[str, Any]:
    """Everything of ``battery``; packs are told by name, alarms by their Venus names."""
    names = [pack.name for pack in battery.packs]
    told = _fields(battery, names)
    del told["standing"]
    told["waiting_for"] = [names[index] for index in battery.waiting_for]
    return told


def _fields(value: Any, names: Sequence[str]) -> dict[str, Any]:
    """A dataclass as a dict; a field ``pack``, the index of a pack, becomes its name."""
    told = {item.name: _plain(getattr(value, item.name), names) for item in dataclasses.fields(value)}
    if "pack" in told:
        told["pack"] = names[value.pack] if value.pack >= 0 else None
    return told


def bus_dict(stats: BusStats) -> dict[str, Any]:
    """How a bus is doing; of its refused answers why, not their bytes."""
    told = {
        item.name: _plain(getattr(stats, item.name), []) for item in dataclasses.fields(stats) if item.name != "recent"
    }
    told["recent"] = [{"address": one.address, "reason": one.reason, "detail": one.detail} for one in stats.recent]
    return told


def _plain(value: Any, names: Sequence[str]) -> Any:
    if dataclasses.is_dataclass(value):
        return _fields(value, names)
    match value:
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value
        case Mapping():
            return {getattr(key, "venus", key): item for key, item in value.items()}
        case Sequence():
            return [_plain(item, names) for item in value]
        case _:
            return value
