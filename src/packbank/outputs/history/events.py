"""What happened: the lines of the log about the bank, each with its time, its kind and its packs, kept in bounds."""

from __future__ import annotations

import json
import logging
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from packbank.model.snapshot import Snapshot
from packbank.outputs.history.blocks import Block, Shelf, Waiting
from packbank.outputs.history.rows import Clock
from packbank.outputs.journal import Line

SPAN, KEEP = 4096, 8  # events of a file, files: more than 28,000 events, and less than 4 MB, whatever happens
LARGEST_WAITING = 1 << 20  # bytes
MOST_UNTAKEN = 1000  # lines, while the thread that keeps them is held up
KINDS = ("pack", "alarm", "stage", "limit", "setting", "remark")
URGENT = ("pack", "alarm")  # a warning of these may be followed by a power cut
_LEVELS = {logging.INFO: "info", logging.WARNING: "warning"}
_DAMAGED = (ValueError, KeyError, TypeError, zlib.error, RecursionError)


class Event(NamedTuple):
    """One line of the log."""

    time: float  # wall clock, s since 1970
    level: str  # warning or info
    kind: str  # one of KINDS
    packs: tuple[str, ...]  # that it is about
    text: str  # the whole line, with their names


def event_shelf(folder: Path) -> Shelf:
    """The files of events."""
    return Shelf(folder, "events", SPAN, KEEP)


class EventLog:
    """Keeps events. The counter of its blocks is that of the events ever kept."""

    def __init__(self, folder: Path, waiting: Path, boot: str) -> None:
        """``waiting`` is a file in memory. Raises OSError when what is there cannot be read."""
        self._boot = boot
        self._shelf = event_shelf(folder)
        self.waiting = Waiting(waiting, LARGEST_WAITING)
        self.waiting.recover()
        blocks = self.waiting.blocks
        self._counter = max(self._shelf.through, blocks[-1].through if blocks else 0)
        self.urgent = False  # a warning waits whose cause may end with the power

    def add(self, lines: Sequence[tuple[float, Line]], snapshot: Snapshot, now: float) -> bool:
        """Take lines with the time (monotonic s) of each, at ``snapshot``, ``now`` s since the boot; false: none came.

        Raises OSError when they are not in the waiting file; they are kept all the same.
        """
        if not lines:
            return False
        offset = snapshot.wall - snapshot.time
        events = [Event(time + offset, _LEVELS[line.level], line.kind, line.packs, line.text) for time, line in lines]
        self.urgent |= any(line.level >= logging.WARNING and line.kind in URGENT for _, line in lines)
        since = self._counter
        self._counter += len(events)
        self.waiting.add(Block(since, self._counter, encode(Clock(self._boot, snapshot.wall - now, now), events)))
        return True

    def save(self) -> bool:
        """Bring what waits to the flash; false when nothing does. Raises OSError; then it waits on."""
        if not self.waiting.blocks:
            return False
        done = self._shelf.through
        self.urgent = False
        for block in _joined([block for block in self.waiting.blocks if block.since >= done]):
            self._shelf.append(block)
        self.waiting.clear()
        return True


class Untaken:
    """Lines on their way from the thread that finds them to the one that keeps them."""

    def __init__(self) -> None:
        self._lines: deque[tuple[float, Line]] = deque(maxlen=MOST_UNTAKEN)

    def put(self, snapshot: Snapshot, line: Line) -> None:
        """Hand over what ``snapshot`` is worth; never waits."""
        self._lines.append((snapshot.time, line))

    def take(self) -> list[tuple[float, Line]]:
        """All that has come, with the time (monotonic s) of each."""
        return [self._lines.popleft() for _ in range(len(self._lines))]


def encode(clock: Clock, events: Sequence[Event]) -> bytes:
    """``events`` as bytes."""
    whole = {"clock": clock, "events": events}
    return zlib.compress(json.dumps(whole, separators=(",", ":")).encode())


def decode(payload: bytes) -> tuple[Clock, list[Event]] | None:
    """What became ``payload``; ``None`` for bytes that another version may have written."""
    try:
        whole = json.loads(zlib.decompress(payload))
        events = [
            Event(float(time), str(level), str(kind), tuple(packs), str(text))
            for time, level, kind, packs, text in whole["events"]
        ]
        return Clock(*whole["clock"]), events
    except _DAMAGED:
        return None


def _joined(blocks: Sequence[Block]) -> Iterator[Block]:
    """The same events in few blocks: those of a boot in one, with their times by its last clock."""
    readable = [(block, read) for block in blocks if (read := decode(block.payload)) is not None]
    for _, group in groupby(readable, key=lambda one: one[1][0].boot):
        found = list(group)
        last, (clock, _) = found[-1]
        events = [
            event._replace(time=event.time + then.correction(clock)) for _, (then, some) in found for event in some
        ]
        yield Block(found[0][0].since, last.through, encode(clock, events))
