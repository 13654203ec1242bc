"""The bank as the page gets it each second: short, and after the first message only what has changed.

The whole of docs/json.md would be 170 kB a second for 120 packs. A pack is a list of whole numbers here, made for all
packs at once: :data:`COLUMNS`, then its cells in mV. What is not known is ``null``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank import __version__
from packbank.model.battery import PRESENCES
from packbank.model.catalogue import BANK, BUS, plain, refusals
from packbank.model.catalogue.alarms import ALARM_TITLES
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.model.snapshot import Snapshot

BUSES_EVERY = 5  # snapshots: their counters change each second
_BITS = 1 << np.arange(len(Alarm))
BLOCKS_CHARGE, BLOCKS_DISCHARGE, BALANCES, HEATS, CHARGE_ON, DISCHARGE_ON = (1 << bit for bit in range(6))
_SHOWN = [row for row in BANK if row.key.partition(".")[0] != "controls"]


class Shown(NamedTuple):
    """A value of every pack, multiplied by ``scale`` on its way."""

    key: str
    scale: float
    get: Callable[[Snapshot], NDArray[Any]]


def _column(key: str, scale: float, column: Column) -> Shown:
    return Shown(key, scale, lambda snapshot: snapshot.rows[:, column])


def _alarms(level: int) -> Callable[[Snapshot], NDArray[Any]]:
    """The alarms of that level as bits, the first alarm the lowest."""
    return lambda snapshot: (snapshot.battery.packs.alarms == level) @ _BITS


def _flags(snapshot: Snapshot) -> NDArray[Any]:
    packs, rows = snapshot.battery.packs, snapshot.rows
    flags: NDArray[Any] = (
        BLOCKS_CHARGE * packs.blocked[0]
        + BLOCKS_DISCHARGE * packs.blocked[1]
        + BALANCES * (rows[:, Column.BALANCING] > 0)
        + HEATS * (rows[:, Column.HEATING] > 0)
        + CHARGE_ON * (rows[:, Column.CHARGE_MOSFET] > 0)
        + DISCHARGE_ON * (rows[:, Column.DISCHARGE_MOSFET] > 0)
    )
    return flags


COLUMNS = (
    Shown("presence", 1, lambda s: s.battery.packs.presence),
    Shown("age", 1, lambda s: np.floor(s.battery.packs.age)),
    _column("voltage", 100, Column.VOLTAGE),
    _column("current", 10, Column.CURRENT),
    _column("soc", 10, Column.SOC),
    Shown("cold", 10, lambda s: s.battery.packs.temperature[0]),
    Shown("hot", 10, lambda s: s.battery.packs.temperature[1]),
    _column("mos", 10, Column.TEMPERATURE_MOS),
    Shown("ccl", 10, lambda s: s.battery.packs.limit[0]),
    Shown("dcl", 10, lambda s: s.battery.packs.limit[1]),
    Shown("flags", 1, _flags),
    Shown("warnings", 1, _alarms(1)),
    Shown("alarms", 1, _alarms(2)),
)


def table(snapshot: Snapshot) -> NDArray[np.float64]:
    """Whole numbers, a row a pack: :data:`COLUMNS`, then the cells; NaN or infinite where not known."""
    cells = snapshot.rows[:, CELL_VOLTAGES]
    used = int(np.flatnonzero(~np.isnan(cells).all(axis=0)).max(initial=-1)) + 1
    scaled = [shown.scale * shown.get(snapshot).astype(np.float64) for shown in COLUMNS]
    whole: NDArray[np.float64] = np.rint(np.column_stack([*scaled, 1000.0 * cells[:, :used]]))
    return whole


def rows_of(whole: NDArray[np.float64], chosen: NDArray[np.intp]) -> dict[int, list[int | None]]:
    """Rows of a table by the index of their pack, as JSON has them."""
    values = whole[chosen]
    known = np.isfinite(values)
    plain_values = np.where(known, values, 0.0).astype(np.int64).astype(object)
    plain_values[~known] = None
    return dict(zip(chosen.tolist(), plain_values.tolist(), strict=True))


class View:
    """The messages of one snapshot after the other."""

    def __init__(self) -> None:
        self.number = 0  # of the snapshot that was taken last
        self.before = 0  # of the one before it
        self._snapshot: Snapshot | None = None
        self._bank: dict[str, Any] = {}
        self._table: NDArray[np.float64] = np.empty((0, 0))
        self._whole = self._change = b""

    def take(self, snapshot: Snapshot) -> None:
        """Go on to ``snapshot``."""
        if snapshot.number == self.number:
            return
        bank, whole = plain(_SHOWN, snapshot), table(snapshot)
        changed = _changed(self._table, whole)
        news: dict[str, Any] = {key: value for key, value in bank.items() if value != self._bank.get(key)}
        change = _clocks(snapshot) | {"bank": news, "rows": rows_of(whole, changed)}
        if snapshot.number // BUSES_EVERY != self.number // BUSES_EVERY:
            change["buses"] = _buses(snapshot)
        self._change = _message("change", change)
        moved = self._snapshot is not None and self._snapshot.places != snapshot.places
        self.before, self.number = -1 if moved else self.number, snapshot.number  # -1: each page needs the whole
        self._snapshot, self._bank, self._table, self._whole = snapshot, bank, whole, b""

    def message(self, seen: int) -> bytes:
        """What brings a page that has seen snapshot ``seen`` (0: none) up to this one."""
        if seen and seen == self.before:
            return self._change
        if not self._whole and self._snapshot is not None:
            self._whole = _message("whole", self._everything(self._snapshot))
        return self._whole

    def _everything(self, snapshot: Snapshot) -> dict[str, Any]:
        places = zip(snapshot.battery.packs.names, snapshot.places, strict=True)
        return _clocks(snapshot) | {
            "version": __version__,
            "columns": [[shown.key, shown.scale] for shown in COLUMNS],
            "presences": list(PRESENCES),
            "alarm_titles": {alarm.venus: title for alarm, title in ALARM_TITLES.items()},
            "packs": [[name, place.bus, place.address] for name, place in places],
            "bank": self._bank,
            "buses": _buses(snapshot),
            "rows": rows_of(self._table, np.arange(len(self._table))),
        }


def _clocks(snapshot: Snapshot) -> dict[str, Any]:
    return {"time": round(snapshot.time, 3), "wall": round(snapshot.wall, 1)}


def _buses(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [plain(BUS, bus) | refusals(bus) for bus in snapshot.buses]


def _changed(before: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.intp]:
    """The rows that differ."""
    if before.shape != now.shape:
        return np.arange(len(now))
    same = (before == now) | (np.isnan(before) & np.isnan(now))
    return np.flatnonzero(~same.all(axis=1))


def _message(kind: str, content: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(content, allow_nan=False, separators=(',', ':'))}\n\n".encode()
