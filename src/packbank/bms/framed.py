"""What families with binary frames have in common when each of their answers names its own length.

A family is a table of :class:`Asked`, and says how its frames differ from others; asking, binding, remembering and
describing are here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from packbank.bms import trust
from packbank.bms.asking import AskingProtocol
from packbank.bms.describe import known_values
from packbank.bms.lookalikes import stranger
from packbank.bms.memory import Memories, Memory
from packbank.bms.protocol import Description, Exchange, Row, Topic
from packbank.bms.search import FrameSearch
from packbank.errors import FrameError
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Column
from packbank.model.identity import Identity

BITS_A_BYTE = 10

Fill = Callable[[bytes, Row, Identity], Identity]
Check = Callable[[bytes], None]


def accept(frame: bytes) -> None:
    """The check of an answer that its head and length make certain."""
    del frame


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what its answer must look like.

    ``request``, ``head`` (what its answer begins with) and ``refusal`` (what a refusal begins with, where that differs)
    go by the pack's address. ``size`` is as FrameSearch asks it. ``check`` raises FrameError for a sound frame that is
    not the answer, ``layout`` when it may be one to another question. ``names`` gives the names of the alarms that an
    answer raises.
    """

    request: Callable[[int], bytes]
    head: Callable[[int], bytes]
    size: Callable[[bytes], int]
    fill: Fill
    usual: int  # bytes of an answer
    check: Check = accept
    names: Callable[[bytes], list[str]] | None = None
    refusal: Callable[[int], bytes] | None = None

    def heads(self, address: int) -> tuple[bytes, ...]:
        """What an answer of the pack, or its refusal, begins with."""
        return (self.head(address), *([self.refusal(address)] if self.refusal else ()))


class FramedExchange(Exchange):
    """One question to one pack. ``rejected``: ``truncated``, and what the checks of frame and answer say."""

    def __init__(
        self,
        question: str,
        address: int,
        memory: Memory[None],
        asked: Asked,
        fault: Callable[[bytes], FrameError | None],
        *,
        latency: float,
        baudrate: int,
    ) -> None:
        self.address = address
        self.question = question
        self.request = asked.request(address)
        self.answer_time = latency + memory.sizes.get(question, asked.usual) * BITS_A_BYTE / baudrate
        memory.ask(question)
        self._memory = memory
        self._asked = asked
        self._frame_fault = fault
        self._search = FrameSearch(asked.heads(address), asked.size, self._fault)
        self.rejected: list[FrameError] = self._search.refused
        self.answer = b""

    def feed(self, data: bytes) -> bool:
        """As :meth:`Exchange.feed`."""
        if not self.answer:
            self.answer = self._search.feed(data) if data else self._search.flush()
            if self.answer:
                self._memory.answer(self.question, None, len(self.answer))
        return bool(self.answer)

    def _fault(self, frame: bytes) -> FrameError | None:
        if fault := self._frame_fault(frame):
            return fault
        try:
            self._asked.check(frame)
        except FrameError as error:
            return error
        return None


class FramedProtocol(AskingProtocol):
    """Packs that are asked in binary frames."""

    asked: Mapping[str, Asked]
    latency: float  # s from the end of a request to the first byte of its answer

    def __init__(self) -> None:
        self._memories = Memories(lambda _: Memory[None]([None]))

    @staticmethod
    @abstractmethod
    def fault(frame: bytes) -> FrameError | None:
        """What is wrong with a whole frame of this family."""

    @staticmethod
    @abstractmethod
    def sizes(data: bytes) -> Iterable[int]:
        """How long the frame, of whatever kind, can be that ``data`` begins with; nothing where none begins."""

    @abstractmethod
    def sender(self, frame: bytes) -> int:
        """The address that a frame is from, or to."""

    @abstractmethod
    def other(self, frame: bytes) -> Description:
        """What a sound frame is that answers none of the questions."""

    def exchange(self, question: str, address: int) -> FramedExchange:
        """As :meth:`Protocol.exchange`; ValueError for an address that no pack can have."""
        if reason := self.explain_address(address):
            raise ValueError(reason)
        memory, rate = self._memories.of(address), self.line.baudrate
        asked = self.asked[question]
        return FramedExchange(question, address, memory, asked, self.fault, latency=self.latency, baudrate=rate)

    def describe(self, data: bytes) -> Description:
        """As :meth:`Protocol.describe`: the first sound frame of this family."""
        faults: list[FrameError] = []
        for start in range(len(data)):
            for size in self.sizes(data[start:]):
                frame = data[start : start + size]
                fault = self.fault(frame) if len(frame) == size else FrameError("truncated", f"{len(frame)} bytes")
                if fault is None:
                    return self._describe_frame(frame)
                if fault.reason == "refused":
                    return Description("refusal", address=self.sender(frame), values={"meaning": str(fault)})
                faults.append(fault)
        error = stranger(data) or (faults[0] if faults else FrameError("unknown", f"no frame of {self.title}"))
        return Description("unknown", str(error))

    def _describe_frame(self, frame: bytes) -> Description:
        address, misfits = self.sender(frame), list[Description]()
        for topic, questions in self.questions.items():
            for asked in (self.asked[question] for question in questions):
                if frame.startswith(asked.head(address)) and asked.size(frame) == len(frame):
                    described = self._describe_answer(topic, address, asked, frame)
                    if not described.error.startswith("layout"):
                        return described
                    misfits.append(described)
        described = self.other(frame)
        return misfits[0] if misfits and described.kind == "other" else described

    @staticmethod
    def _describe_answer(topic: Topic, address: int, asked: Asked, frame: bytes) -> Description:
        row = np.full(COLUMNS, np.nan)
        try:
            asked.check(frame)
            identity = asked.fill(frame, row, Identity())
            judged = row.copy()
            if np.isnan(row[CELL_VOLTAGES]).all():
                judged[Column.CELL_COUNT] = np.nan  # the cells are in another answer
            trust.check(judged, judged)
        except FrameError as error:
            return Description(topic.value, str(error), address=address)
        alarms = {"alarms": asked.names(frame)} if asked.names else {}
        return Description(topic.value, address=address, values=known_values(row, identity) | alarms)
