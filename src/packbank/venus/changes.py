"""What of a battery is due to be sent now: changed, rounded values only, each at its own rate."""

from __future__ import annotations

import math

from packbank.aggregator.battery import VirtualBattery
from packbank.venus.path import Item, Rate
from packbank.venus.paths import BANK, MODULE, MODULES, Module, modules

_EARLY = 0.25  # s; a tick that comes this much early still counts as its second


class Changes:
    """Remembers what the bus was told and when; one for each registration of the service."""

    def __init__(self) -> None:
        self._told: dict[str, Item] = {}
        self._sent = dict.fromkeys(Rate, -math.inf)
        self._modules: tuple[Module | None, ...] = (None,) * MODULES

    def select(self, battery: VirtualBattery, now: float) -> dict[str, Item]:
        """The items to send at ``now``: every one at the first call, then what changed and is due."""
        due = {rate for rate, sent in self._sent.items() if now - sent >= rate.period - _EARLY}
        self._sent.update(dict.fromkeys(due, now))
        changes: dict[str, Item] = {}
        for path in BANK:
            if path.rate in due or path.rate is Rate.LIMIT:
                item = path.item(battery)
                told = self._told.get(path.name)
                if item != told and (path.rate is not Rate.LIMIT or _may_replace(told, item, path.rate in due)):
                    changes[path.name] = item
        changes |= self._module_changes(battery)
        self._told |= changes
        return changes

    def _module_changes(self, battery: VirtualBattery) -> dict[str, Item]:
        before, self._modules = self._modules, modules(battery)
        rows = ((number, module) for number, module in enumerate(self._modules) if module != before[number])
        items = {
            f"/Diagnostics/Module{number}{path.name}": path.item(module) for number, module in rows for path in MODULE
        }
        return {name: item for name, item in items.items() if item != self._told.get(name)}


def _may_replace(told: Item | None, item: Item, rise_due: bool) -> bool:
    """Whether a limit may be sent now. A known limit stays when a new one is not known: see ``docs/dbus.md``."""
    if told is None or told.value is None:
        return True
    if not isinstance(item.value, float) or not isinstance(told.value, float):
        return False
    return rise_due or item.value < told.value
