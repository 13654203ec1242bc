"""What a bus has done and how well: counted by its thread, read by others as a frozen snapshot."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from math import isnan, nan
from threading import Lock

from packbank.errors import FrameError
from packbank.model.bus_stats import BusState, BusStats, Refused

BITS_A_BYTE = 10  # start, eight data bits, stop
REFUSED_KEPT = 16  # refused answers, with their bytes, kept for ``doctor``
_SMOOTHING = 0.2  # of the mean round time, a round


@dataclass(slots=True)
class Traffic:
    """What went through a bus's port, over all its reopenings; written by the bus's thread."""

    wakeups: int = 0  # sleeps and waits
    sent: int = 0  # bytes
    received: int = 0


@dataclass(slots=True)
class Counters:
    """The counting side; written by one thread only."""

    name: str
    port: str
    state: BusState = BusState.OPENING
    error: str = ""
    guard: float = nan
    rounds: int = 0
    round_time: float = nan
    round_time_mean: float = nan
    requests: int = 0
    answers: int = 0
    missed: int = 0
    retries: int = 0
    lost: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    recent: deque[Refused] = field(default_factory=lambda: deque(maxlen=REFUSED_KEPT))
    foreign: int = 0
    reopened: int = 0
    traffic: Traffic = field(default_factory=Traffic)
    _lock: Lock = field(default_factory=Lock)  # for the two containers

    def refuse(self, address: int, error: FrameError, data: bytes) -> None:
        """Count an answer that failed a check, and keep it for a while; ``data`` has no passcodes any more."""
        with self._lock:
            self.refused[error.reason] += 1
            self.recent.append(Refused(time.time(), address, error.reason, str(error), data))

    def last_refusal(self, address: int, seconds: float) -> str:
        """Why the last answer of ``address`` within ``seconds`` was refused, ``""`` when none was."""
        since = time.time() - seconds
        kept = (one.detail for one in reversed(self.recent) if one.address == address and one.time >= since)
        return next(kept, "")

    def round_done(self, seconds: float) -> None:
        """Every pack that answers was asked once."""
        self.rounds += 1
        self.round_time = seconds
        mean = seconds if isnan(self.round_time_mean) else self.round_time_mean
        self.round_time_mean = mean + _SMOOTHING * (seconds - mean)

    def snapshot(self, seconds: float, baudrate: int) -> BusStats:
        """A copy for other threads, ``seconds`` after the start of a line of ``baudrate``."""
        with self._lock:
            refused, recent = dict(self.refused), tuple(self.recent)
        wire_time = (self.traffic.sent + self.traffic.received) * BITS_A_BYTE / baudrate
        return BusStats(  # not by 20 keywords: before 3.12.5 CPython keeps tuples of 20 and never uses them again
            self.name,
            self.port,
            state=self.state,
            error=self.error,
            guard=self.guard,
            rounds=self.rounds,
            round_time=self.round_time,
            round_time_mean=self.round_time_mean,
            requests=self.requests,
            answers=self.answers,
            missed=self.missed,
            retries=self.retries,
            lost=self.lost,
            refused=refused,
            recent=recent,
            foreign=self.foreign,
            reopened=self.reopened,
            line_use=wire_time / seconds if seconds > 0.0 else nan,
            wakeups=self.traffic.wakeups,
            seconds=seconds,
        )
