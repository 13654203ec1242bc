"""How a bus is doing, as its source reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class BusState(StrEnum):
    """What a bus is doing."""

    OPENING = "opening"  # no port: not yet, or not any more
    LISTENING = "listening"
    POLLING = "polling"
    STANDING_BACK = "standing back"  # another master asks the packs
    RECEIVING = "receiving"  # another host reads it and sends the rows
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that failed a check: when (time.time), who was asked, why, and its bytes without passcodes."""

    time: float
    address: int
    reason: str
    detail: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Trouble:
    """A pack that is heard, but not read as it should be: what is wrong, and what its owner can do."""

    address: int
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class PackLink:
    """How well a pack of a bus is reached: counts since the start; a pack without any has none."""

    address: int
    retries: int  # questions that were asked again
    refused: int  # answers that failed a check


@dataclass(frozen=True, slots=True)
class BusStats:
    """A bus at one instant. Times in seconds, counts since the start; an unknown time is ``NaN``."""

    name: str
    port: str
    state: BusState
    error: str  # why the port is not open, "" when it is
    silence: float  # silence kept between two packs
    rounds: int
    round_time: float  # of the last round
    round_time_mean: float
    requests: int
    answers: int  # accepted
    missed: int  # requests without any answer
    retries: int
    lost: int  # questions to a pack that answered before, unanswered even by the retry
    refused: Mapping[str, int]  # answers that failed a check, by reason
    recent: tuple[Refused, ...]  # the last of them
    troubles: tuple[Trouble, ...]  # packs that are heard, but not read as they should be
    foreign: int  # requests heard that are not ours
    reopened: int
    line_use: float  # share of the time in which the wire carried bytes
    wakeups: int
    seconds: float  # since the start of the thread
    links: tuple[PackLink, ...] = ()
