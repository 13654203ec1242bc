"""One question in the ASCII envelope (``cext/envelope``), and the search for its answer.

An answer does not name its command: RTN stands where that was. So it is bound to everything else: VER, ADR, CID1, the
number of the pack in INFO, and the shape of INFO, whose counts must fill it exactly. A late answer to another question
is passed over, and reported only when nothing better comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from packbank.bms.memory import Memory
from packbank.bms.protocol import Exchange, Row
from packbank.bms.search import FrameSearch
from packbank.cext.envelope import HEADER, frame_size, open_frame, seal
from packbank.errors import FrameError
from packbank.model.identity import Identity

START = b"~"
AROUND = 18  # characters of a frame beside INFO
MOST_DIGITS = 512  # of INFO in an answer about one pack
VER, ADR, CID1, CODE = range(HEADER)  # places in an opened frame
BITS_A_BYTE = 10
NO_NUMBER = -1

# What stands in RTN when a pack refuses, of all families; a family takes out what is a command of its own.
RETURN_CODES: Mapping[int, str] = MappingProxyType(
    {
        0x01: "version",
        0x02: "checksum",
        0x03: "length checksum",
        0x04: "command unknown",
        0x05: "format",
        0x06: "data",
        0x07: "no data",
        0x09: "operation",
        0x90: "address",
        0x91: "the master does not reach this pack",
        0xE1: "CID1",
        0xE2: "not executed",
        0xE3: "device fault",
        0xE4: "not permitted",
    }
)


class Way(NamedTuple):
    """How a pack is asked: VER and ADR of the frame, and the number in INFO where a question has one."""

    version: int
    address: int
    number: int


@dataclass(frozen=True, slots=True)
class Question:
    """A command, and what its answer must look like. Answers are opened frames: INFO begins at ``HEADER``.

    ``check`` raises FrameError for what is no answer to this question: ``layout`` when it may be one to another, any
    other reason when it is refused. ``fill`` decodes it. ``split`` cuts an answer about many packs into answers about
    one each. ``names`` gives the names of the alarms that an answer raises.
    """

    command: int
    check: Callable[[bytes], None]
    fill: Callable[[bytes, Row, Identity], Identity]
    digits: int  # of INFO, usually
    numbered: bool = False  # asked with the pack's number
    number_at: int = HEADER + 1  # where the answer repeats it, or NO_NUMBER
    split: Callable[[bytes], list[bytes]] | None = None
    names: Callable[[bytes], list[str]] | None = None


class AsciiExchange(Exchange):
    """One command to one pack.

    ``heads`` are the (VER, ADR, CID1) that its answer can have; ``mine`` says by ADR and number of a sound answer
    whether it is the pack's when it was asked in this way. ``rejected``: ``check`` (a damaged frame), ``truncated``,
    ``refused`` (the pack's return code), ``layout``, and what the question's check says.
    """

    def __init__(
        self,
        question: str,
        address: int,
        memory: Memory[Way],
        asked: Question,
        *,
        cid1: int,
        heads: Sequence[tuple[int, int, int]],
        mine: Callable[[Way, int, int], bool],
        return_codes: Mapping[int, str],
        latency: float,
        baudrate: int,
    ) -> None:
        self.address = address
        self.question = question
        self.way = memory.ask(question)
        number = bytes((self.way.number,)) if asked.numbered else b""
        self.request = seal(self.way.version, self.way.address, cid1, asked.command, number)
        usual = memory.sizes.get(question, asked.digits + AROUND)
        self.answer_time = latency + usual * BITS_A_BYTE / baudrate
        self._memory = memory
        self._asked = asked
        self._heads = frozenset(b"%02X%02X%02X" % head for head in heads)
        self._mine = mine
        self._return_codes = return_codes
        self._opened = b""
        self._other: FrameError | None = None  # a sound answer, but to another question
        self._search = FrameSearch((START,), self._size, self._fault)
        self.rejected: list[FrameError] = self._search.refused
        self.answer = b""

    def feed(self, data: bytes) -> bool:
        """As :meth:`Exchange.feed`."""
        search = self._search
        frame = b"" if self.answer else search.feed(data) if data else search.flush()
        while frame and not self._take(frame):
            frame = search.feed(b"") if data else search.flush()
        if not data and not self.answer and self._other and not self.rejected:
            self.rejected.append(self._other)
        return bool(self.answer)

    def _size(self, data: bytes) -> int:
        """As FrameSearch asks it: only what comes from this pack is looked at."""
        if len(data) >= 7 and data[1:7].upper() not in self._heads:
            return -1
        return frame_size(data, MOST_DIGITS)

    def _fault(self, frame: bytes) -> FrameError | None:
        try:
            self._opened = open_frame(frame)
        except ValueError as error:
            return FrameError("check", str(error))
        return None

    def _take(self, frame: bytes) -> bool:
        """Whether a sound frame of this pack is the answer."""
        opened = self._opened
        if opened[CODE]:
            if opened[CODE] in self._return_codes:
                why = self._return_codes[opened[CODE]]
                self.rejected.append(FrameError("refused", f"return code {opened[CODE]:#04x} ({why})"))
            return False  # else a request: our own come back, or another master's
        if self._asked.numbered and self._asked.number_at != NO_NUMBER:
            place = self._asked.number_at
            if place >= len(opened) or not self._mine(self.way, opened[ADR], opened[place]):
                return False
        try:
            self._asked.check(opened)
        except FrameError as error:
            if error.reason == "layout":
                self._other = error
            else:
                self.rejected.append(error)
            return False
        self.answer = opened
        self._memory.answer(self.question, self.way, len(frame))
        return True


def frames_in(data: bytes) -> tuple[list[bytes], list[FrameError]]:
    """The sound frames in ``data``, opened, and what is wrong with others."""
    opened: list[bytes] = []

    def fault(frame: bytes) -> FrameError | None:
        try:
            opened.append(open_frame(frame))
        except ValueError as error:
            return FrameError("check", str(error))
        return None

    search = FrameSearch((START,), frame_size, fault)
    found = search.feed(data) or search.flush()
    while found:
        found = search.feed(b"") or search.flush()
    return opened, search.refused
