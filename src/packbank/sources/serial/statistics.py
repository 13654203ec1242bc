"""What a bus has done and how well: counted by its thread, read by others as a frozen snapshot."""

from __future__ import annotations

import time
from collections import Counter, deque
from math import isnan, nan
from threading import Lock
from typing import Literal

from packbank.errors import FrameError
from packbank.model.bus_stats import BusState, BusStats, PackLink, Refused, Trouble

BITS_A_BYTE = 10  # start, eight data bits, stop
REFUSED_KEPT = 16  # refused answers, with their bytes, kept for ``doctor``
_SMOOTHING = 0.2  # of the mean round time, a round

Counted = Literal[
    "rounds", "requests", "answers", "missed", "retries", "lost", "foreign", "reopened", "wakeups", "sent", "received"
]


class Statistics:
    """The counting side; its methods are called by the bus's thread only, :meth:`snapshot` by any."""

    def __init__(self, name: str, port: str) -> None:
        self._name = name
        self._port = port
        self._state = BusState.OPENING
        self._error = ""
        self._silence = nan
        self._round_time = nan
        self._round_time_mean = nan
        self._counts: dict[Counted, int] = {}
        self._round: set[int] = set()  # who has answered in it
        self._round_start = nan
        self._refused: dict[str, int] = {}
        self._recent: deque[Refused] = deque(maxlen=REFUSED_KEPT)
        self._troubles: dict[int, Trouble] = {}  # by address
        self._retries_of: Counter[int] = Counter()  # by address
        self._refused_of: Counter[int] = Counter()
        self._lock = Lock()  # for the containers

    @property
    def error(self) -> str:
        """Why the port is not open, ``""`` when it is."""
        return self._error

    def count(self, what: Counted, number: int = 1) -> None:
        """``what`` has happened ``number`` more times; ``sent`` and ``received`` are bytes."""
        self._counts[what] = self._counts.get(what, 0) + number

    def counted(self, what: Counted) -> int:
        """How often ``what`` has happened since the start."""
        return self._counts.get(what, 0)

    def refuse(self, address: int, error: FrameError, data: bytes) -> None:
        """Count an answer that failed a check, and keep it for a while; ``data`` has no passcodes any more."""
        with self._lock:
            self._refused[error.reason] = self._refused.get(error.reason, 0) + 1
            self._recent.append(Refused(time.time(), address, error.reason, str(error), data))
            self._refused_of[address] += 1

    def retry(self, address: int) -> None:
        """A pack is asked again."""
        self.count("retries")
        with self._lock:
            self._retries_of[address] += 1

    def note_trouble(self, address: int, trouble: Trouble | None) -> None:
        """What is wrong with the pack at ``address``, or that nothing is any more."""
        with self._lock:
            if trouble:
                self._troubles[address] = trouble
            else:
                self._troubles.pop(address, None)

    def enter(self, state: BusState, error: str = "") -> None:
        """The bus is in another state now; ``error`` says why its port is not open."""
        self._state, self._error = state, error

    def silence_is(self, seconds: float) -> None:
        """The silence that is kept between two packs now."""
        self._silence = seconds

    def begin_round(self) -> None:
        """The packs are asked from the beginning: the round before was not finished."""
        self._round.clear()

    def answered(self, address: int, now: float) -> None:
        """A pack's status came; a round is over when one is met that has already answered in it."""
        if address in self._round:
            self.count("rounds")
            self._round_time = now - self._round_start
            mean = self._round_time if isnan(self._round_time_mean) else self._round_time_mean
            self._round_time_mean = mean + _SMOOTHING * (self._round_time - mean)
            self._round.clear()
        if not self._round:
            self._round_start = now
        self._round.add(address)

    def snapshot(self, seconds: float, baudrate: int) -> BusStats:
        """A copy for other threads, ``seconds`` after the start of a line of ``baudrate``."""
        with self._lock:
            refused, recent, troubles = dict(self._refused), tuple(self._recent), tuple(self._troubles.values())
            links = tuple(
                PackLink(address, self._retries_of[address], self._refused_of[address])
                for address in sorted(self._retries_of.keys() | self._refused_of.keys())
                if address >= 0
            )
        count = self.counted
        wire_time = (count("sent") + count("received")) * BITS_A_BYTE / baudrate
        return BusStats(  # not by 20 keywords: before 3.12.5 CPython keeps tuples of 20 and never uses them again
            self._name,
            self._port,
            self._state,
            error=self._error,
            silence=self._silence,
            rounds=count("rounds"),
            round_time=self._round_time,
            round_time_mean=self._round_time_mean,
            requests=count("requests"),
            answers=count("answers"),
            missed=count("missed"),
            retries=count("retries"),
            lost=count("lost"),
            refused=refused,
            recent=recent,
            troubles=troubles,
            foreign=count("foreign"),
            reopened=count("reopened"),
            line_use=wire_time / seconds if seconds > 0.0 else nan,
            wakeups=count("wakeups"),
            seconds=seconds,
            links=links,
        )
