"""Keeps the rows: a minute each until they are on the flash, then some minutes, and in the end an hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packbank.model.columns import CELLS
from packbank.model.snapshot import Snapshot
from packbank.outputs.history.blocks import Block, Shelf, Waiting
from packbank.outputs.history.figures import BANK_FIGURES, PACK_FIGURES, of_bank, of_packs
from packbank.outputs.history.gather import Gathering
from packbank.outputs.history.rows import STEP, Clock, Rows, decode, encode, joined

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0  # s
MONTH = 31  # days
KEPT_A_YEAR = 12  # files
MOST_ROWS = 120  # of a block
LARGEST_WAITING = 4 << 20  # bytes of memory at most, when nothing can be written for days


def day_shelf(folder: Path, days: int) -> Shelf:
    """Files of rows of some minutes, one a day, and the one that grows."""
    return Shelf(folder, "days", round(DAY / MINUTE), days + 1)


def year_shelf(folder: Path, years: int) -> Shelf:
    """Files of rows of an hour, one in 31 days."""
    return Shelf(folder, "years", MONTH * round(DAY / MINUTE), KEPT_A_YEAR * years)


class Recorder:
    """Makes rows of snapshots. The counter of all blocks is that of the minutes ever recorded."""

    def __init__(self, folder: Path, waiting: Path, boot: str, *, period: float, days: int, years: int) -> None:
        """``period`` in s; ``waiting`` is a file in memory. Raises OSError when what is there cannot be read."""
        self._boot = boot
        self._period = period
        self._days = day_shelf(folder, days)
        self._years = year_shelf(folder, years)
        self.waiting = Waiting(waiting, LARGEST_WAITING)
        self.waiting.recover()
        blocks = self.waiting.blocks
        self._counter = max(self._days.through, self._years.through, blocks[-1].through if blocks else 0)
        self._gathering: Gathering | None = None
        self._cells = 0
        self._offset = float("-inf")  # s, wall clock minus clock since the boot, until it is set again
        self._minute = 0.0  # wall clock at which the present minute began
        self._closed = 0  # the newest file of days when hours were last made

    def add(self, snapshot: Snapshot, now: float) -> bool:
        """Take a snapshot at ``now`` (s since the boot); true when a row was made of those before it.

        One of a battery that is not ready yet, whose limits are 0 for that, is left out.

        Raises OSError when the row is not in the waiting file; it is kept all the same.
        """
        if not snapshot.battery.ready:
            return False
        figures = np.concatenate((of_bank(snapshot), of_packs(snapshot).ravel()))
        if self._gathering is None:
            self._gathering = Gathering(figures.size)
        was_set = abs(snapshot.wall - now - self._offset) > STEP
        offset = snapshot.wall - now if was_set else self._offset
        minute = (now + offset) // MINUTE * MINUTE
        begins = was_set or minute != self._minute
        row = self._row(snapshot, self._gathering, now) if begins and self._gathering.seen else None
        self._offset, self._minute = offset, minute
        self._gathering.add(figures)
        if row is None:
            return False
        self._counter += 1
        self.waiting.add(Block(self._counter - 1, self._counter, encode(row)))
        return True

    def save(self) -> bool:
        """Bring what waits to the flash; false when nothing does. Raises OSError; then it waits on."""
        if not self.waiting.blocks:
            return False
        done = self._days.through
        for block in _joined(self.waiting.blocks, done, self._period):
            self._days.append(block)
        self.waiting.clear()
        self._make_hours()
        return True

    def _row(self, snapshot: Snapshot, gathering: Gathering, now: float) -> Rows:
        seen = gathering.seen
        figures = gathering.take()
        packs = figures[:, len(BANK_FIGURES) :].reshape(3, len(snapshot.rows), len(PACK_FIGURES))
        self._cells = max(self._cells, _cells_used(packs))
        kept = len(PACK_FIGURES) - CELLS + self._cells
        names = snapshot.battery.packs.names
        return Rows(
            clock=Clock(self._boot, self._offset, now),
            times=np.array([self._minute]),
            seconds=np.array([float(seen)]),
            bank=figures[np.newaxis, :, : len(BANK_FIGURES)],
            packs=packs[np.newaxis, :, :, :kept],
            bank_figures=BANK_FIGURES,
            pack_figures=PACK_FIGURES[:kept],
            places=tuple(
                {"name": name, "bus": place.bus, "address": place.address}
                for name, place in zip(names, snapshot.places, strict=True)
            ),
        )

    def _make_hours(self) -> None:
        """Rows of an hour for each finished file of days that has none yet. Raises OSError."""
        *finished, newest = self._days.numbers() or [0]
        if newest == self._closed:
            return
        done = self._years.through
        for number in finished:
            for block in _joined(self._days.read(number), done, HOUR):
                self._years.append(block)
        self._closed = newest


def _cells_used(packs: NDArray[np.float64]) -> int:
    """How many cells the largest pack has, of (3, packs, figures)."""
    known = ~np.isnan(packs[0, :, -CELLS:]).all(axis=0)
    return int(np.flatnonzero(known)[-1]) + 1 if known.any() else 0


def _joined(blocks: Iterable[Block], done: int, period: float) -> Iterator[Block]:
    """The rows of ``blocks`` after ``done`` in rows of ``period``, in few blocks, in order."""
    group = _Group(period)
    for block in blocks:
        rows = decode(block.payload) if block.since >= done else None
        if rows is None:
            continue
        if not group.takes(rows):
            yield group.block()
            group = _Group(period)
        group.add(block, rows)
    if group.last is not None:
        yield group.block()


class _Group:
    """Rows that become one block. Those of a period are merged as soon as it is over, so that few are in memory."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._since = self._through = 0
        self._merged: list[Rows] = []
        self._open: list[Rows] = []  # of the present period
        self.last: Rows | None = None

    def takes(self, rows: Rows) -> bool:
        """Whether ``rows`` can be in the same block."""
        return self.last is None or (self.last.fits(rows) and len(self._merged) < MOST_ROWS)

    def add(self, block: Block, rows: Rows) -> None:
        if self.last is None:
            self._since = block.since
        elif self.last.times[-1] // self._period != rows.times[0] // self._period:
            self._close()
        self._through, self.last = block.through, rows
        self._open.append(rows)

    def block(self) -> Block:
        self._close()
        return Block(self._since, self._through, encode(joined(self._merged)))

    def _close(self) -> None:
        self._merged.append(joined(self._open).over(self._period))
        self._open = []
