"""Charts and events from what the history output keeps on the flash and in the runtime folder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from packbank.model.snapshot import Snapshot
from packbank.outputs.history.events import Event
from packbank.outputs.history.reader import History as Reader
from packbank.outputs.web.history import BANK_SERIES, DAY, PACK_SERIES, Series

POINTS = 720  # at most, in one chart
# Keys of the catalogue behind those of the charts, where they differ: of a pack, and of the bank.
PACK_KEYS = {key: f"{key}.value" for key in ("lowest_cell", "highest_cell")}
BANK_KEYS = PACK_KEYS | {
    key: f"{key}.value"
    for key in ("charge_current_limit", "discharge_current_limit", "lowest_temperature", "highest_temperature")
}


class KeptHistory:
    """A :class:`~packbank.outputs.web.history.History` that takes no samples of its own."""

    due = float("inf")

    def __init__(self, reader: Reader, *, row: float, days: int) -> None:
        """A row on the flash covers ``row`` s and is kept for ``days``."""
        self._reader = reader
        self._row = row
        self.longest = days * DAY

    def add(self, snapshot: Snapshot) -> None:
        """Another output takes the samples."""

    def series(self, pack: int | None, seconds: float, now: Snapshot) -> Series:
        """The means of the last ``seconds``; see :class:`~packbank.outputs.web.history.History`. Raises OSError."""
        names = now.battery.packs.names
        name, digits, keys = (None, BANK_SERIES, BANK_KEYS) if pack is None else (names[pack], PACK_SERIES, PACK_KEYS)
        rows = self._reader.read(name, now.wall - seconds, now.wall + self._row, POINTS)
        apart = float(np.median(np.diff(rows.times))) if len(rows.times) > 1 else self._row
        unknown = np.full((len(rows.times), 3), np.nan)
        values = {key: rows.values.get(keys.get(key, key), unknown)[:, 0].astype(np.float32) for key in digits}
        return Series(max(apart, self._row), rows.times, values, digits)

    def events(self, seconds: float, now: Snapshot) -> Sequence[Event]:
        """What happened in the last ``seconds``, in order. Raises OSError."""
        return self._reader.events(now.wall - seconds, now.wall + self._row)
