"""A simulated bank with its aggregator, a second at a time, without buses: as many packs as a test wants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from packbank.aggregator.bank import Bank
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.columns import Column
from packbank.model.controls import Controls, External
from packbank.model.identity import Identity, Place
from packbank.model.snapshot import Snapshot
from packbank.sim.bank import Odd, PhysicalBank
from packbank.sim.wire_bank import demo_spec
from served import BUS

BUS_PACKS = 15
WALL = 1_780_000_000.0


class LiveBank:
    """Packs in ``silent`` stop answering. ``spec`` is what a :class:`BankSpec` has different from the demo's."""

    def __init__(self, packs: int, *, odd: Sequence[Odd] = (), seed: int = 1, **spec: Any) -> None:
        self.bank = PhysicalBank(replace(demo_spec(packs, 16, seed), odd=tuple(odd), **spec))
        self.names = [f"pack {number}" for number in range(1, packs + 1)]
        self.aggregator = Bank(self.names, [PackSettings()] * packs, BankSettings())
        self.silent: set[int] = set()
        self.seconds = 0
        self.places = tuple(Place(f"bus{n // BUS_PACKS + 1}", n % BUS_PACKS + 1) for n in range(packs))
        self.identities = tuple(
            Identity("JK_PB2A16S20P", "V19A", "15.41", f"40{n:04d}", "", "2024-05-17") for n in range(packs)
        )
        self.rows = self.bank.answers()
        self._controls, self._external = Controls(), External()

    def step(self, current: float = 0.0, seconds: int = 1) -> Snapshot:
        """Let ``current`` A a pack flow for so long; the bank as it is then."""
        for _ in range(seconds):
            self.bank.step(1.0, current * len(self.names))
        return self.look(seconds)

    def look(self, seconds: int = 1) -> Snapshot:
        """So many seconds later, the bank as its packs report it."""
        self.seconds += seconds
        now = float(self.seconds)
        answers = self.bank.answers()
        answers[:, Column.STATUS_TIME] = now - 0.4
        answers[:, Column.SETTINGS_TIME] = now - 20.0
        heard = np.array([pack not in self.silent for pack in range(len(self.names))])
        self.rows[heard] = answers[heard]
        battery = self.aggregator.step(self.rows, now, WALL + now, self._controls, self._external, self.identities)
        return Snapshot(
            number=self.seconds,
            time=now,
            wall=WALL + now,
            battery=battery,
            rows=self.rows.copy(),
            places=self.places,
            identities=self.identities,
            buses=tuple(replace(BUS, name=name, refused={}, recent=(), troubles=()) for name in self._buses()),
            controls=self._controls,
        )

    def _buses(self) -> Iterable[str]:
        return dict.fromkeys(place.bus for place in self.places)
