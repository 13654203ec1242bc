"""``run --json``: each snapshot as one JSON object a line (docs/json.md is printed from the same tables)."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterable
from math import isnan
from typing import Any

from packbank.model.catalogue import BANK, BUS, PACK, PACK_SETTINGS, plain, refusals
from packbank.model.columns import Column
from packbank.model.snapshot import Snapshot
from packbank.outputs.runner import PeerGoneError

SCHEMA = 2  # 1: the dataclasses of the first version; raised when a key is renamed, removed or changes its meaning


def snapshot_dict(snapshot: Snapshot, *, settings: bool = False, packs: Iterable[int] | None = None) -> dict[str, Any]:
    """Everything of ``snapshot`` under the keys of the catalogue, the packs' settings only where they are asked for.

    ``packs`` are the indices of the packs that are wanted, None for all: rows that wait for a pack are none.
    """
    chosen = map(snapshot.pack, _rows_with_packs(snapshot) if packs is None else packs)
    return {
        "schema": SCHEMA,
        "number": snapshot.number,
        "time": round(snapshot.time, 3),
        "wall": round(snapshot.wall, 3),
        **plain(BANK, snapshot),
        "packs": [
            plain(PACK, pack) | ({"settings": plain(PACK_SETTINGS, pack)} if settings else {}) for pack in chosen
        ],
        "buses": [plain(BUS, bus) | refusals(bus) for bus in snapshot.buses],
    }


def _rows_with_packs(snapshot: Snapshot) -> list[int]:
    return [index for index, place in enumerate(snapshot.places) if not place.waits]


class JsonLines:
    """Lines on a file descriptor; a pack's ``settings`` are in the first line after they were read."""

    name = "json"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._settings: dict[int, float] = {}  # when the settings that were shown last were read, by pack

    def show(self, snapshot: Snapshot) -> None:
        """Write one line, however long that takes. Raises PeerGoneError when nobody reads any more."""
        whole = snapshot_dict(snapshot)
        for index, shown in zip(_rows_with_packs(snapshot), whole["packs"], strict=True):
            read_at = float(snapshot.rows[index, Column.SETTINGS_TIME])
            if not isnan(read_at) and self._settings.get(index) != read_at:
                self._settings[index] = read_at
                shown["settings"] = plain(PACK_SETTINGS, snapshot.pack(index))
        try:
            _write(self._descriptor, json.dumps(whole, allow_nan=False).encode() + b"\n")
        except BrokenPipeError:
            raise PeerGoneError("nobody reads its lines any more") from None

    def close(self) -> None:
        """Nothing to leave."""


def _write(descriptor: int, data: bytes) -> None:
    """Write all of ``data``. Past Python's buffers, which would be flushed, and could block, when the process ends."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
