"""The GX's stock page "Individual Battery Info": one chosen pack with all its cells (Venus OS v3.70 and later).

The page is there when ``/Battery/Request/Id`` is valid. Its chooser lists ``/Battery/<n>/Serial`` of every pack and
writes a number to ``/Battery/Request/Id``; the page shows whatever is valid under ``/Battery/<n>``. Only the chosen
pack has values there, so the bus carries about 40 of them whatever the bank's size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from packbank.model.battery import PRESENCES, Presence
from packbank.model.catalogue import PACK, Quantity, Rate, Unit, Value
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.model.snapshot import PackSnapshot, Snapshot
from packbank.outputs.venus.changes import EARLY
from packbank.outputs.venus.item import Item, item, item_of
from packbank.outputs.venus.writes import is_number

REQUEST = "/Battery/Request/Id"
PERIOD = 5.0  # s between two refreshes of the chosen pack
_NOTHING = Item(None, "---")
_ABSENT = PRESENCES.index(Presence.ABSENT)


class _Bit(NamedTuple):
    """A bit of ``Status``, set while a pack raises ``alarm`` with a level of ``low`` to ``high``."""

    bit: int
    alarm: Alarm
    low: int = 1
    high: int = 2


# Numbers and meanings as gui-v2 has them (PageLynxIonBatteryInfo.qml).
_BALANCED, _BALANCING = 1 << 0, 1 << 2
_BITS = (
    _Bit(1, Alarm.CELL_IMBALANCE),
    _Bit(3, Alarm.HIGH_VOLTAGE),
    _Bit(4, Alarm.LOW_VOLTAGE),
    _Bit(5, Alarm.LOW_CHARGE_TEMPERATURE),
    _Bit(6, Alarm.HIGH_CHARGE_TEMPERATURE),
    _Bit(8, Alarm.HIGH_TEMPERATURE),
    _Bit(9, Alarm.HIGH_CELL_VOLTAGE),
    _Bit(11, Alarm.HIGH_CHARGE_CURRENT, 1, 1),
    _Bit(12, Alarm.HIGH_CHARGE_CURRENT, 2),
    _Bit(13, Alarm.HIGH_DISCHARGE_CURRENT, 1, 1),
    _Bit(14, Alarm.HIGH_DISCHARGE_CURRENT, 2),
    _Bit(15, Alarm.LOW_CELL_VOLTAGE),
    _Bit(16, Alarm.LOW_TEMPERATURE),
)


def status_bits(pack: PackSnapshot) -> int:
    """``Status`` of a pack: what it raises, whether it balances; balanced when it does neither."""
    raised = pack.view.alarms
    bits = sum(1 << one.bit for one in _BITS if one.low <= raised.get(one.alarm, 0) <= one.high)
    if pack.row[Column.BALANCING] > 0.0:
        bits |= _BALANCING
    return bits or _BALANCED


_BY_KEY = {row.key: row for row in PACK}
_DETAILS: tuple[tuple[str, Quantity[PackSnapshot]], ...] = (
    ("Capacity", _BY_KEY["full_capacity"]),
    ("FwVersion", _BY_KEY["software"]),
    ("Status", Quantity("", "status bits", Unit.NUMBER, Rate.SLOW, status_bits)),
    ("Voltage", _BY_KEY["voltage"]),
    ("Current", _BY_KEY["current"]),
    ("Temperature", _BY_KEY["temperature"]),
)


class BatteryInfo:
    """What stands under ``/Battery``; packs are numbered from 1, those that never answered have no number."""

    def __init__(self) -> None:
        self._last: Snapshot | None = None
        self._numbered: list[int] = []  # the row of each number
        self._chosen = 1
        self._told: dict[str, Item] = {}
        self._due = float("-inf")

    def select(self, snapshot: Snapshot) -> dict[str, Item]:
        """The items to send now: all at the first call, then what changed of the chosen pack every 5 s."""
        self._last = snapshot
        numbered = np.flatnonzero(snapshot.battery.packs.presence != _ABSENT).tolist()
        due = snapshot.time >= self._due
        if not due and numbered == self._numbered:
            return {}
        self._numbered = numbered
        self._due = snapshot.time + PERIOD - EARLY
        if self._chosen > len(numbered):
            self._chosen = 1
        return self._changed(self._serials() | self._details())

    def choose(self, value: Value) -> dict[str, Item] | None:
        """Show pack ``value``; what changes by that, to be sent in one signal. ``None``: there is no such pack."""
        if not is_number(value) or value not in range(1, len(self._numbered) + 1):
            return None
        self._chosen = int(value)
        return self._changed(self._details())

    def _changed(self, items: dict[str, Item]) -> dict[str, Item]:
        """Those of ``items`` that the bus does not have; details of a pack that is no longer chosen become invalid."""
        stale = {path: _NOTHING for path in self._told if path not in items and not path.endswith("/Serial")}
        changed = {path: one for path, one in (stale | items).items() if self._told.get(path) != one}
        self._told |= changed
        return changed

    def _serials(self) -> dict[str, Item]:
        """Name first, since it is what tells packs apart in the chooser."""
        packs = (self._pack(number) for number in range(1, len(self._numbered) + 1))
        names = [" · ".join(filter(None, (pack.view.name, pack.identity.serial))) for pack in packs]
        return {f"/Battery/{number}/Serial": Item(name, name) for number, name in enumerate(names, start=1)}

    def _details(self) -> dict[str, Item]:
        if not self._numbered:
            return {REQUEST: _NOTHING}
        pack, base = self._pack(self._chosen), f"/Battery/{self._chosen}"
        details = {REQUEST: item(Unit.NUMBER, self._chosen)}
        if pack.view.presence is Presence.LOST:
            return details
        cells = pack.row[CELL_VOLTAGES]
        details |= {f"{base}/{name}": item_of(row, pack) for name, row in _DETAILS}
        return details | {
            f"{base}/Cell/{index + 1}/Voltage": item(Unit.CELL_VOLTS, float(cells[index]))
            for index in np.flatnonzero(~np.isnan(cells)).tolist()
        }

    def _pack(self, number: int) -> PackSnapshot:
        if self._last is None:
            raise LookupError("nothing was shown yet")
        return self._last.pack(self._numbered[number - 1])
