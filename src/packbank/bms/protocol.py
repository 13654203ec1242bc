"""What a BMS protocol is to the rest of packbank: questions that can be asked, and how an answer fills a row.

No I/O and no clock here: a bus writes :attr:`Exchange.request` to the line and feeds whatever comes back to
:meth:`Exchange.feed`. A complete answer travels as an :class:`Answer`, plain bytes, and :meth:`Protocol.decode` fills a
row with it. Thus master, listener, replay, scan and ``decode`` serve every protocol alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol as Structure

import numpy as np
from numpy.typing import NDArray

from packbank.errors import FrameError
from packbank.model.identity import Identity

Row = NDArray[np.float64]


class Topic(StrEnum):
    """What a pack can be asked about, by how often it changes."""

    STATUS = "status"  # every round
    SETTINGS = "settings"  # at the start and every few minutes
    ABOUT = "about"  # at the start


@dataclass(frozen=True, slots=True)
class Line:
    """The wire of a protocol, in seconds; every figure has its source where the protocol declares it."""

    baudrates: tuple[int, ...]  # all that occur, the one in use or most usual first
    first_byte_timeout: float  # from the end of the request
    idle_timeout: float  # silence inside an answer after which it is over
    silence: float  # silence between one pack's answer and the next pack's request, at the start
    silence_min: float
    silence_max: float
    same_pack_gap: float  # silence between two requests to one pack

    @property
    def baudrate(self) -> int:
        """The rate in use, bits a second."""
        return self.baudrates[0]

    def at(self, *baudrates: int) -> Line:
        """The same line with these rates."""
        return replace(self, baudrates=baudrates)


class Exchange(ABC):
    """One question to one pack, and the search for its answer in what the line brings."""

    address: int
    question: str
    request: bytes
    answer: bytes  # once it is complete, for Protocol.decode; until then empty
    answer_time: float  # s, usual time from the end of the request to the last byte of the answer
    rejected: list[FrameError]  # answers seen and refused so far, in order

    @abstractmethod
    def feed(self, data: bytes) -> bool:
        """Take bytes from the line; true once the answer is complete and passed every check of its frame.

        Bytes that are not the answer (echo, noise, another pack's answer) are passed over; an answer that
        fails a check is added to ``rejected``. Never raises, never keeps more than a few frames of bytes.
        No bytes at all say that the line went silent, so that what is still open is refused.
        """


@dataclass(frozen=True, slots=True)
class Answer:
    """What one pack said on one topic. Every check of its frames is passed, nothing is decoded."""

    address: int
    topic: Topic
    data: Mapping[str, bytes]  # by question, in the order in which they were asked
    arrived: float  # s, monotonic, when its last byte had come


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asked the pack at ``address``."""

    address: int
    topic: Topic


class Overhearing(ABC):
    """Attributes what is heard on a line between a master and its packs."""

    rejected: list[FrameError]  # answers seen and refused since they were last taken, in order
    patience: float  # s without a word of another master, after which there is none any more

    @abstractmethod
    def feed(self, data: bytes, now: float | None = None) -> list[Answer | Request]:
        """Take bytes that arrived at ``now``; what they complete, in order. Never raises, keeps a few frames at most.

        No bytes at all say that the line has been silent until ``now``, so that what is still open is settled.
        """

    def take_rejected(self) -> list[FrameError]:
        """The answers refused since the last call."""
        taken, self.rejected = self.rejected, []
        return taken


@dataclass(frozen=True, slots=True)
class Description:
    """What a frame is, for people and JSON: ``values`` under the keys of the columns, and others of its own."""

    kind: str  # "status", "settings", "about", "request", "ack", ... or "unknown"
    error: str = ""  # why it would be refused
    address: int | None = None
    values: Mapping[str, object] = field(default_factory=dict)


class Reading(Structure):
    """What it takes to judge answers: :class:`Protocol` has it, and so have the rows of other hosts."""

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        """As :meth:`Protocol.decode`."""

    def check(self, row: Row, previous: Row) -> None:
        """As :meth:`Protocol.check`."""

    def conceal(self, data: bytes) -> bytes:
        """As :meth:`Protocol.conceal`."""


class Protocol(ABC):
    """A family of BMS."""

    name: str  # as in the configuration: "jkpb"
    title: str  # for people: "JKBMS PB (inverter BMS), RS485"
    line: Line
    addresses: range  # that a pack can have
    no_address: str = ""  # what to say of any other, which is filled in; empty: something general
    questions: Mapping[Topic, tuple[str, ...]]  # the exchanges that together answer a topic, in order
    # The one question that reports any pack's status whatever it was asked before, so several may be asked at once;
    # empty where the questions vary, or where the protocol counts what it asked.
    steady_question: str = ""
    reports_limits: bool = True  # false: its packs do not say what current they allow, so the configuration must

    @abstractmethod
    def exchange(self, question: str, address: int) -> Exchange:
        """Begin one question to one pack; ``question`` is one of :attr:`questions`."""

    def questions_to(self, address: int, topic: Topic) -> Iterable[str]:
        """The questions that answer ``topic`` for this pack; a pack may need another one, or never answer one.

        Each may depend on the answers to those before it.
        """
        del address
        return self.questions[topic]

    def may_lack(self, address: int, question: str) -> bool:
        """Whether the pack's silence on ``question`` is no failure: it never answered it, and the rest is enough."""
        del address, question
        return False

    def ways_to_ask(self, address: int) -> int:
        """In how many ways the pack may want to be asked; exchanges take them in turn until one is answered."""
        del address
        return 1

    @abstractmethod
    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        """Decode ``data``, the complete answer to ``question``, into ``row``; the identity, renewed by what it says.

        Raises FrameError when the answer cannot be decoded; ``row`` may be changed in part then.
        """

    @abstractmethod
    def check(self, row: Row, previous: Row) -> None:
        """Judge a freshly decoded row against the last accepted one (``NaN`` where there was none).

        The caller has already stamped the row's time column of what was decoded: a status that is new
        must be younger than the one before, a repeated one is frozen.

        Raises FrameError when the values cannot be true although every checksum was right.
        """

    @abstractmethod
    def describe(self, data: bytes) -> Description:
        """What ``data``, one message or one answer from wherever, says; never raises and shows no secret."""

    def overhear(self) -> Overhearing | None:
        """Begin to listen to another master; ``None`` when this protocol's answers cannot be attributed."""
        return None

    def conceal(self, data: bytes) -> bytes:
        """``data`` from the line, same length, with zeros for all but what holds no secret beyond doubt.

        Messages with the right sum keep a right one. A family without secrets shows everything.
        """
        return data

    def explain_address(self, address: int) -> str:
        """Why ``address`` cannot be used and what to do, or ``""`` when it can."""
        if address in self.addresses:
            return ""
        low, high = self.addresses[0], self.addresses[-1]
        return self.no_address.format(address) or f"{self.title} packs have addresses {low:#04x} to {high:#04x}"
