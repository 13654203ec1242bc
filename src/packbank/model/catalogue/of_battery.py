"""A row of the catalogue that shows something of the virtual battery."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from packbank.model.battery import VirtualBattery
from packbank.model.catalogue.quantity import Entity, Quantity, Rate, Unit
from packbank.model.snapshot import Snapshot


def of_battery(
    key: str,
    title: str,
    unit: Unit,
    rate: Rate,
    path: str = "",
    device_class: str = "",
    get: Callable[[VirtualBattery], Any] | None = None,
    entity: Entity | None = None,
) -> Quantity[Snapshot]:
    """A quantity of the battery: without ``get`` the attribute that ``key`` names."""
    value = get or attrgetter(key)
    return Quantity(key, title, unit, rate, lambda s: value(s.battery), path, device_class, entity=entity)
