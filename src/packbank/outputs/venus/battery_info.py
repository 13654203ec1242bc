"""The GX's stock page "Individual Battery Info": one chosen pack with all its cells (Venus OS v3.70 and later).

The page is there when ``/Battery/Request/Id`` is valid. Its chooser lists ``/Battery/<n>/Serial`` of every pack and
writes a number to ``/Battery/Request/Id``; the page shows whatever is valid under ``/Battery/<n>``. Only the chosen
pack has values there, so the bus carries about 40 of them whatever the bank's size.
"""

from __future__ import annotations

from dataclasses import replace
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
_ABSENT, _LOST = PRESENCES.index(Presence.ABSENT), PRESENCES.index(Presence.LOST)
_NOBODY = -1


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


def status_bits(pack: PackSnapshot) -> int | None:
    """``Status`` of a pack: what it raises, whether it balances; balanced when it reports that it does neither."""
    raised, balancing = pack.view.alarms, pack.row[Column.BALANCING]
    bits = sum(1 << one.bit for one in _BITS if one.low <= raised.get(one.alarm, 0) <= one.high)
    if balancing > 0.0:
        bits |= _BALANCING
    if bits:
        return bits
    return None if np.isnan(balancing) else _BALANCED


_BY_KEY = {row.key: row for row in PACK}
_DETAILS: tuple[tuple[str, Quantity[PackSnapshot]], ...] = (
    ("Capacity", _BY_KEY["full_capacity"]),
    ("FwVersion", replace(_BY_KEY["software"], get=lambda p: p.identity.software or None)),  # no row for no version
    ("Status", Quantity("", "status bits", Unit.NUMBER, Rate.SLOW, status_bits)),
    ("Voltage", _BY_KEY["voltage"]),
    ("Current", _BY_KEY["current"]),
    ("Temperature", _BY_KEY["temperature"]),
)


class BatteryInfo:
    """What stands under ``/Battery``; packs are numbered from 1, those that never answered have no number.

    The choice is a pack, not a number: it holds when other packs come and go.
    """

    def __init__(self) -> None:
        self._last: Snapshot | None = None
        self._numbered: list[int] = []  # the row of each number
        self._chosen = _NOBODY  # a row
        self._lost = False  # the chosen pack is
        self._sent: dict[str, Item] = {}
        self._due = float("-inf")

    def select(self, snapshot: Snapshot) -> dict[str, Item]:
        """The items to send now: what changed every 5 s, and at once when packs come and go or the chosen one is lost.

        The first call has them all.
        """
        presence = snapshot.battery.packs.presence
        numbered = np.flatnonzero(presence != _ABSENT).tolist()
        if self._chosen not in numbered:
            self._chosen = numbered[0] if numbered else _NOBODY
        lost = bool(numbered) and bool(presence[self._chosen] == _LOST)
        same = numbered == self._numbered and lost == self._lost
        self._last, self._numbered, self._lost = snapshot, numbered, lost
        if same and snapshot.time < self._due:
            return {}
        self._due = snapshot.time + PERIOD - EARLY
        return self._changed(snapshot)

    def choose(self, value: Value) -> dict[str, Item] | None:
        """Show pack ``value``; what changes by that, to be sent in one signal. ``None``: there is no such pack."""
        if self._last is None or not is_number(value) or value not in range(1, len(self._numbered) + 1):
            return None
        self._chosen = self._numbered[int(value) - 1]
        self._lost = bool(self._last.battery.packs.presence[self._chosen] == _LOST)
        return self._changed(self._last)

    def _changed(self, snapshot: Snapshot) -> dict[str, Item]:
        """What the bus does not have yet; what no longer holds becomes invalid, since a path can never be removed."""
        items = self._serials(snapshot) | self._details(snapshot)
        stale = {path: _NOTHING for path in self._sent if path not in items}
        changed = {path: one for path, one in (stale | items).items() if self._sent.get(path) != one}
        self._sent |= changed
        return changed

    def _serials(self, snapshot: Snapshot) -> dict[str, Item]:
        """Name first, since it distinguishes the packs in the chooser."""
        names, identities = snapshot.battery.packs.names, snapshot.identities
        texts = (" · ".join(filter(None, (names[row], identities[row].serial))) for row in self._numbered)
        return {f"/Battery/{number}/Serial": Item(text, text) for number, text in enumerate(texts, start=1)}

    def _details(self, snapshot: Snapshot) -> dict[str, Item]:
        if self._chosen == _NOBODY:
            return {REQUEST: _NOTHING}
        number = self._numbered.index(self._chosen) + 1
        pack, base = snapshot.pack(self._chosen), f"/Battery/{number}"
        details = {REQUEST: item(Unit.NUMBER, number)}
        if self._lost:
            return details
        cells = pack.row[CELL_VOLTAGES]
        details |= {f"{base}/{name}": item_of(row, pack) for name, row in _DETAILS}
        return details | {
            f"{base}/Cell/{index + 1}/Voltage": item(Unit.CELL_VOLTS, float(cells[index]))
            for index in np.flatnonzero(~np.isnan(cells)).tolist()
        }
