"""The bank at one instant, as every output sees it: made once a second by the main loop, never changed after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packbank.model.battery import PackView, VirtualBattery
from packbank.model.bus_stats import BusStats
from packbank.model.columns import Column
from packbank.model.controls import Controls
from packbank.model.identity import Identity, Place


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Everything that is known at ``time``; packs are in row order everywhere."""

    number: int  # counts the snapshots of this process from 1: a gap means that some were not shown
    time: float  # monotonic s
    wall: float  # epoch s
    battery: VirtualBattery
    rows: NDArray[np.float64]  # (packs, COLUMNS), read-only
    places: tuple[Place, ...]  # where each pack is
    identities: tuple[Identity, ...]  # who each pack says it is
    buses: tuple[BusStats, ...]
    controls: Controls  # what the user has set, as it was applied to ``battery``
    searching: bool = False  # a search for packs runs

    def pack(self, index: int) -> PackSnapshot:
        """Everything about one pack."""
        return PackSnapshot(
            number=index + 1,
            place=self.places[index],
            identity=self.identities[index],
            view=self.battery.packs[index],
            row=self.rows[index],
            settings_age=self.time - float(self.rows[index, Column.SETTINGS_TIME]),
            bank=self.battery,
        )

    def packs(self) -> Iterator[PackSnapshot]:
        """Everything about each pack in turn."""
        return map(self.pack, range(len(self.places)))


@dataclass(frozen=True, slots=True, eq=False)
class PackSnapshot:
    """One pack of a snapshot."""

    number: int  # from 1, in the order of the configuration
    place: Place
    identity: Identity
    view: PackView
    row: NDArray[np.float64]  # (COLUMNS,), read-only
    settings_age: float  # s since its settings were read, NaN before
    bank: VirtualBattery
