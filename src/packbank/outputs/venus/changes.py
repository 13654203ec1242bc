"""What is due to be sent now: changed, rounded values only, each at its own rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Generic

from packbank.model.battery import VirtualBattery
from packbank.model.catalogue import Quantity, Rate, Value
from packbank.model.catalogue.quantity import Source
from packbank.outputs.venus.item import Item, item_of
from packbank.outputs.venus.paths import MODULE, MODULES, Module, modules

EARLY = 0.25  # s; a tick that comes this much early still counts as its second


class Changes(Generic[Source]):
    """Remembers which values of a table of paths were sent, and when; one for each registration of a service."""

    def __init__(self, rows: Sequence[Quantity[Source]]) -> None:
        self._rows = [(rate, [row for row in rows if row.rate is rate]) for rate in Rate]
        self._sent_at = [-math.inf] * len(self._rows)
        self._sent: dict[str, Value] = {}

    def select(self, source: Source, now: float) -> dict[str, Item]:
        """The items to send at ``now``: every one at the first call, then what changed and is due."""
        changes: dict[str, Item] = {}
        sent = self._sent
        for index, (rate, rows) in enumerate(self._rows):
            due = now - self._sent_at[index] >= rate.period - EARLY
            if due:
                self._sent_at[index] = now
            elif not rate.limit:
                continue
            for row in rows:
                value, path = row.value(source), row.path
                if path in sent and (value == sent[path] or (rate.limit and not _may_replace(sent[path], value, due))):
                    continue
                sent[path] = value
                changes[path] = Item(value, row.unit.text(value))
        return changes


class ModulePages:
    """The GUI's ten module pages: rendered again only for a page whose pack or alarms changed."""

    def __init__(self) -> None:
        self._shown: tuple[Module | None, ...] = (None,) * MODULES

    def select(self, battery: VirtualBattery) -> dict[str, Item]:
        """The items of every page that changed, all of them at the first call."""
        before, self._shown = self._shown, modules(battery)
        changes: dict[str, Item] = {}
        for number, (old, new) in enumerate(zip(before, self._shown, strict=True)):
            if new != old:
                items = ((f"/Diagnostics/Module{number}{row.path}", row, item_of(row, new)) for row in MODULE)
                changes |= {path: item for path, row, item in items if old is None or item != item_of(row, old)}
        return changes


def _may_replace(sent: Value, value: Value, rise_due: bool) -> bool:
    """Whether a limit may be sent now. A known limit stays when a new one is not known: see ``docs/dbus.md``."""
    if not isinstance(sent, float):
        return True
    return isinstance(value, float) and (rise_due or value < sent)
