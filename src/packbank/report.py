"""The virtual battery as plain data for JSON: the dataclasses' names, the project's units, null for unknown."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from packbank.aggregator.battery import Extreme, Limit, PackView, VirtualBattery


def battery_dict(battery: VirtualBattery) -> dict[str, Any]:
    """Everything of ``battery``; packs are told by name, alarms by their Venus names."""
    names = [pack.name for pack in battery.packs]
    told = {item.name: getattr(battery, item.name) for item in dataclasses.fields(battery)}
    told["packs"] = [_plain(pack, names) for pack in battery.packs]
    told["waiting_for"] = [names[index] for index in battery.waiting_for]
    return {key: _plain(value, names) for key, value in told.items()}


def _plain(value: Any, names: list[str]) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Limit() | Extreme() | PackView():
            told = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
            if isinstance(value, Limit | Extreme):
                told["pack"] = names[value.pack] if value.pack >= 0 else None
            return _plain(told, names)
        case Mapping():
            return {getattr(key, "venus", key): _plain(item, names) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, names) for item in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {item.name: _plain(getattr(value, item.name), names) for item in dataclasses.fields(value)}
        case _:
            return value
