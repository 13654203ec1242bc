"""What is due to be sent now: changed, rounded values only, each at its own rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Generic

from packbank.model.battery import VirtualBattery
from packbank.outputs.venus.path import Item, Path, Rate, Source, Value
from packbank.outputs.venus.paths import MODULE, MODULES, Module, modules

_EARLY = 0.25  # s; a tick that comes this much early still counts as its second


class Changes(Generic[Source]):
    """Remembers what the bus was told of a table of paths, and when; one for each registration of a service."""

    def __init__(self, paths: Sequence[Path[Source]]) -> None:
        self._paths = [(rate, [path for path in paths if path.rate is rate]) for rate in Rate]
        self._sent = [-math.inf] * len(self._paths)
        self._told: dict[str, Value] = {}

    def select(self, source: Source, now: float) -> dict[str, Item]:
        """The items to send at ``now``: every one at the first call, then what changed and is due."""
        changes: dict[str, Item] = {}
        told = self._told
        for index, (rate, paths) in enumerate(self._paths):
            due = now - self._sent[index] >= rate.period - _EARLY
            if due:
                self._sent[index] = now
            elif not rate.limit:
                continue
            for path in paths:
                value, name = path.value(source), path.name
                if name in told and (value == told[name] or (rate.limit and not _may_replace(told[name], value, due))):
                    continue
                told[name] = value
                changes[name] = Item(value, path.quantity.text(value))
        return changes


class ModulePages:
    """The GUI's ten module pages: rendered again only for a page whose pack or alarms changed."""

    def __init__(self) -> None:
        self._told: tuple[Module | None, ...] = (None,) * MODULES

    def select(self, battery: VirtualBattery) -> dict[str, Item]:
        """The items of every page that changed, all of them at the first call."""
        before, self._told = self._told, modules(battery)
        changes: dict[str, Item] = {}
        for number, (old, new) in enumerate(zip(before, self._told, strict=True)):
            if new != old:
                items = ((f"/Diagnostics/Module{number}{path.name}", path, path.item(new)) for path in MODULE)
                changes |= {name: item for name, path, item in items if old is None or item != path.item(old)}
        return changes


def _may_replace(told: Value, value: Value, rise_due: bool) -> bool:
    """Whether a limit may be sent now. A known limit stays when a new one is not known: see ``docs/dbus.md``."""
    if not isinstance(told, float):
        return True
    return isinstance(value, float) and (rise_due or value < told)
