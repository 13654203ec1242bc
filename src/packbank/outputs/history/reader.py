"""Reads what was kept: rows of figures of the bank or of a pack, and events. Needs no daemon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.model.identity import Place
from packbank.outputs.history import events as event_log
from packbank.outputs.history.blocks import Block, Shelf, read_waiting
from packbank.outputs.history.events import Event, event_shelf
from packbank.outputs.history.figures import BANK_FIGURES, PACK_FIGURES
from packbank.outputs.history.recorder import DAY, HOUR, MINUTE, day_shelf, year_shelf
from packbank.outputs.history.rows import STATISTICS, Clock, Figure, PackPlace, Rows, decode, over, stretch

Array = NDArray[np.float64]
PERIODS = (*(MINUTE * n for n in (1, 2, 5, 10, 15, 20, 30)), *(HOUR * n for n in (1, 2, 3, 6, 12)), DAY)


class Series(NamedTuple):
    """Rows in the order in which they were recorded, which is that of ``times`` unless the wall clock was wrong.

    ``times`` (n,) are when they begin (s since 1970), ``seconds`` (n,) how many seconds of each were seen; each of
    ``values`` is (n, 3): mean, lowest and highest, NaN where not known. Its keys are those of the catalogue.
    """

    times: Array
    seconds: Array
    values: dict[str, Array]


class History:
    """What is in ``folder``, and in the files ``rows`` and ``events`` of what waits to get there."""

    def __init__(self, folder: Path, rows: Path, events: Path) -> None:
        self._days = day_shelf(folder, 1)  # how many are kept matters to the writer only
        self._years = year_shelf(folder, 1)
        self._events = event_shelf(folder)
        self._waiting_rows = rows
        self._waiting_events = events

    def places(self) -> list[PackPlace]:
        """Name, bus and address of each pack, those of the newest rows first. Raises OSError.

        Each file is looked at where it begins and where it ends: a pack of a few hours between may be missing.
        """
        found: dict[str, PackPlace] = {}
        for file in chain([read_waiting(self._waiting_rows)], _files(self._days), _files(self._years)):
            for block in (*file[:-2:-1], *file[:1]):
                for place in rows.places if (rows := decode(block.payload)) else ():
                    found.setdefault(place["name"], place)
        return [place for place in found.values() if not Place(place["bus"], 0).waits]

    def read(self, pack: str | None, start: float, end: float, points: int | None = None) -> Series:
        """The rows from ``start`` to ``end`` (s since 1970) of the pack with that name, or of the bank.

        With ``points``, rows are merged so that about as many or fewer are left. Rows of the last hour are a minute
        each, older ones some minutes, the oldest an hour. Raises OSError when a file cannot be read.
        """
        period = next((one for one in PERIODS if (end - start) / one <= points), DAY) if points else 0.0
        parts = list(self._parts(pack, start, end, hours=period >= HOUR))[::-1]
        figures = BANK_FIGURES if pack is None else _longest([part[1] for part in parts])
        values = np.full((sum(len(part[0].times) for part in parts), len(STATISTICS), len(figures)), np.nan)
        at = 0
        for rows, own, some in parts:
            places = {figure.key: place for place, figure in enumerate(own)}
            for to, figure in enumerate(figures):
                if figure.key in places:
                    values[at : at + len(rows.times), :, to] = some[:, :, places[figure.key]]
            at += len(rows.times)
        times, seconds = (
            np.concatenate([np.zeros(0), *(getattr(part[0], name) for part in parts)]) for name in ("times", "seconds")
        )
        inside = (times >= start) & (times < end)
        times, seconds, values = times[inside], seconds[inside], values[inside]
        times, seconds, (values,) = over(period or 1.0, times, seconds, values)  # 1 s: halves of one row become one
        return Series(times, seconds, {figure.key: values[:, :, place] for place, figure in enumerate(figures)})

    def events(self, start: float, end: float) -> list[Event]:
        """The events from ``start`` to ``end`` in the order in which they happened. Raises OSError."""
        waiting = read_waiting(self._waiting_events)
        clocks: dict[str, Clock] = {}
        for rows in self._newest_first(hours=False):  # of which there is one a minute
            if (when := stretch(rows.payload)) is not None:
                clocks.setdefault(when.clock.boot, when.clock)
        found: list[Event] = []
        for block in _once(chain([waiting], _files(self._events))):
            if (read := event_log.decode(block.payload)) is None:
                continue
            clock, events = read
            correction = clock.correction(clocks.setdefault(clock.boot, clock))
            found += [event._replace(time=event.time + correction) for event in reversed(events)]
        return [event for event in reversed(found) if start <= event.time < end]

    def _parts(
        self, pack: str | None, start: float, end: float, *, hours: bool
    ) -> Iterator[tuple[Rows, tuple[Figure, ...], Array]]:
        """Rows that may be between ``start`` and ``end``, the newest first, with the figures of the pack."""
        clocks: dict[str, Clock] = {}  # the newest of each boot comes first
        for block in self._newest_first(hours=hours):
            if (when := stretch(block.payload)) is None:
                continue
            correction = when.clock.correction(clocks.setdefault(when.clock.boot, when.clock))
            if when.latest + correction < start or when.earliest + correction >= end:
                continue
            if (rows := decode(block.payload)) is None:
                continue
            rows.times[:] += correction
            if pack is None:
                yield rows, rows.bank_figures, rows.bank
            elif (place := _place(rows, pack)) is not None:
                yield rows, rows.pack_figures, rows.packs[:, :, place]

    def _newest_first(self, *, hours: bool) -> Iterator[Block]:
        """Blocks that cover each minute once; with ``hours``, rows of an hour where there are any."""
        waiting = read_waiting(self._waiting_rows)  # before the files: what is saved meanwhile is seen twice, not never
        done = self._years.through if hours else 0
        fine = ([block for block in file if block.since >= done] for file in _files(self._days))
        return _once(chain([waiting], fine, _files(self._years)))


def _files(shelf: Shelf) -> Iterator[list[Block]]:
    """The blocks of each file, the newest file first."""
    return (shelf.read(number) for number in reversed(shelf.numbers()))


def _once(files: Iterable[list[Block]]) -> Iterator[Block]:
    """Blocks from the last of the first file to the first of the last, without those that repeat what came."""
    cut: float = float("inf")
    for file in files:
        for block in reversed(file):
            if block.through <= cut:
                cut = block.since
                yield block


def _place(rows: Rows, pack: str) -> int | None:
    return next((index for index, place in enumerate(rows.places) if place["name"] == pack), None)


def _longest(figures: list[tuple[Figure, ...]]) -> tuple[Figure, ...]:
    """The figures of the pack with the most cells."""
    keys = {figure.key for some in figures for figure in some}
    return tuple(figure for figure in PACK_FIGURES if figure.key in keys)
