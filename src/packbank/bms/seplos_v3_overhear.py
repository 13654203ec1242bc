"""Listening between a Seplos V3 master and the packs behind it.

An answer does not say which block it is, so it counts only right behind the request that was heard for it: what comes
after a request that was missed, or too late, is nobody's. A master asks pack by pack, and each for its blocks in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import NamedTuple

from packbank.bms.framed import Asked
from packbank.bms.protocol import Answer, Overhearing, Request, Topic
from packbank.bms.seplos_v3_frames import (
    READS,
    REFUSES,
    REQUEST,
    Read,
    answer_size,
    cut,
    frame_fault,
    head,
    questions_in,
    read_of,
    refusal,
)
from packbank.errors import FrameError

# A pack begins to answer within 0.5 s, and the longest answer takes 0.26 s at 9600 baud; the rest is for lateness.
ANSWER_WITHIN = 1.0  # s from the end of a request to the end of its answer
TURN_WITHIN = 5.0  # s from the first to the last answer of a status; what is older is not fresh any more
STRAY = 4  # bytes that a driver letting go of the line may leave between the two; more was a request that is missed
_MOST_REJECTED = 64  # kept until somebody takes them


class _Pending(NamedTuple):
    """A request whose answer has not come."""

    address: int
    read: Read
    time: float


class _Turn(NamedTuple):
    """What a pack has answered of its status, and when its first answer came."""

    began: float
    answers: dict[str, bytes]


class SeplosV3Overhearing(Overhearing):
    """Requests and answers of a line on which a Seplos V3 pack, or another program, asks."""

    patience = 3.0  # nobody has published how long a master pauses

    def __init__(self, asked: Mapping[str, Asked], addresses: range, status: Sequence[str]) -> None:
        """``asked`` are our questions, ``status`` those that make a status, in a master's order."""
        self.rejected: list[FrameError] = []
        self._asked = asked
        self._addresses = addresses
        self._status = status
        self._held = b""
        self._pending: _Pending | None = None
        self._stray = 0  # bytes since the last request that belong to nothing
        self._turns: dict[int, _Turn] = {}  # by the pack that is being asked for its status

    def feed(self, data: bytes, now: float | None = None) -> list[Answer | Request]:
        """As :meth:`Overhearing.feed`. A status is as old as the first of its answers."""
        heard: list[Answer | Request] = []
        time = nan if now is None else now
        if data and self._pending and time - self._pending.time > ANSWER_WITHIN:
            self._pending = None
        self._held += data
        at = 0
        while at < len(self._held) and (used := self._take(self._held[at:], time, heard, silent=not data)):
            at += used
        self._held = self._held[at:]
        return heard

    def _take(self, data: bytes, time: float, heard: list[Answer | Request], *, silent: bool) -> int:
        """How many bytes at the beginning of ``data`` are done with; 0: more must come."""
        if data[0] in self._addresses and (read := read_of(data[:REQUEST])):
            self._pending, self._stray = _Pending(data[0], read, time), 0
            heard.append(Request(data[0], self._topic(questions_in(read))))
            return REQUEST
        if self._pending and data.startswith(self._heads(self._pending)):
            return self._take_answer(self._pending, data, time, heard, silent=silent)
        if len(data) < REQUEST and not silent and self._may_begin(data):
            return 0
        self._stray += 1
        if self._stray > STRAY:
            self._pending = None
        return 1

    def _take_answer(
        self, pending: _Pending, data: bytes, time: float, heard: list[Answer | Request], *, silent: bool
    ) -> int:
        size = answer_size(data)
        if not 0 < size <= len(data):
            if not silent:
                return 0
            self._reject(FrameError("truncated", f"a frame broken off after {len(data)} bytes"))
            self._pending = None
            return 1
        frame, self._pending = data[:size], None
        fault = frame_fault(frame)
        if fault is None:
            self._take_frame(pending, frame, time, heard)
        elif fault.reason != "refused":  # that is between the two
            self._reject(fault)
            return 1
        return size

    def _take_frame(self, pending: _Pending, frame: bytes, time: float, heard: list[Answer | Request]) -> None:
        for question in questions_in(pending.read):
            data = cut(pending.read, frame, question)
            try:
                self._asked[question].check(data)
            except FrameError as error:
                self._reject(error)
                continue
            if question in self._status:
                self._gather(pending.address, question, data, time, heard)
            else:
                heard.append(Answer(pending.address, Topic.SETTINGS, {question: data}, time))

    def _gather(self, address: int, question: str, data: bytes, time: float, heard: list[Answer | Request]) -> None:
        """Put the answers of one turn of the master together."""
        if question == self._status[0]:
            self._turns[address] = _Turn(time, {})
        turn = self._turns.get(address)
        if turn is None or question in turn.answers or time - turn.began > TURN_WITHIN:
            self._turns.pop(address, None)  # an answer of this turn was missed, or the next turn's first
            return
        turn.answers[question] = data
        if len(turn.answers) == len(self._status):
            heard.append(Answer(address, Topic.STATUS, turn.answers, turn.began))
            del self._turns[address]

    def _topic(self, questions: Sequence[str]) -> Topic:
        return Topic.STATUS if set(questions) & set(self._status) else Topic.SETTINGS

    def _may_begin(self, data: bytes) -> bool:
        """Whether a request or an answer may begin with so few bytes."""
        return data[0] in self._addresses and (len(data) < 2 or data[1] & ~REFUSES in READS)

    @staticmethod
    def _heads(pending: _Pending) -> tuple[bytes, bytes]:
        return head(pending.read, pending.address), refusal(pending.read, pending.address)

    def _reject(self, error: FrameError) -> None:
        self.rejected.append(error)
        del self.rejected[:-_MOST_REJECTED]
