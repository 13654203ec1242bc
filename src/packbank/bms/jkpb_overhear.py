"""Listening beside a JK master, and whose frame it is that is heard.

Status and about frames do not say who sent them. Attribution, best first:

1. the acknowledgement behind the frame, with its CRC, when its register fits the frame's type
2. the request before it, when the frame began when an answer begins; needs the times of the chunks
3. the address in a settings frame

A frame that none of them covers is refused. The master's own broadcast carries an acknowledgement of address 0 and no
request, so it is the pack at address 0.
"""

from __future__ import annotations

from collections import deque
from math import nan
from typing import NamedTuple

from packbank.bms.jkpb_frames import refusal, topic_asked, topic_of
from packbank.bms.protocol import Answer, Overhearing, Request, Topic
from packbank.cext.framing import ACK_REACH, FRAME_SIZE, Scanner, Unit
from packbank.errors import FrameError

BYTE_TIME = 10 / 115_200
DEVICE_ADDRESS = slice(270, 274)  # of a settings frame; vendor
LAST_ADDRESS = 0x0F
# A pack begins to answer 4.2 to 5.3 ms after the request, 13.7 at worst; the rest is for a chunk that an adapter
# (16 ms) and a scheduler handed over late. The next slot of a master is 200 ms away.
ANSWER_WINDOW = (-0.001, 0.040)
# The acknowledgement comes within 8 ms; after that and the same lateness a frame has none.
ACK_WAIT = 0.040
_MOST_REJECTED = 64  # kept until somebody takes them


class _Asked(NamedTuple):
    address: int
    topic: Topic
    end: float | None  # when its last byte had come


class _Waiting(NamedTuple):
    """A good frame that may still get its acknowledgement."""

    unit: Unit
    topic: Topic
    start: float | None  # when its first byte had come
    asked: _Asked | None


class JkPbOverhearing(Overhearing):
    """Requests and answers of a line on which somebody else asks."""

    patience = 0.6  # a JK master speaks every 0.22 to 0.40 s

    def __init__(self) -> None:
        self.rejected: list[FrameError] = []
        self._scanner = Scanner()
        self._chunks: deque[tuple[int, float]] = deque()  # (position behind, time of arrival), oldest first
        self._asked: _Asked | None = None
        self._waiting: _Waiting | None = None

    def feed(self, data: bytes, now: float | None = None) -> list[Answer | Request]:
        """As :meth:`Overhearing.feed`; ``feed(b"", now)`` lets what has waited long enough go."""
        heard: list[Answer | Request] = []
        if not data:
            self._expire(now, heard)
            return heard
        oldest = self._scanner.position - self._scanner.held
        if now is not None:
            while self._chunks and self._chunks[0][0] <= oldest:
                self._chunks.popleft()
            self._chunks.append((self._scanner.position + len(data), now))
        for unit in self._scanner.feed(data):
            self._take(unit, heard)
        return heard

    def _take(self, unit: Unit, heard: list[Answer | Request]) -> None:
        if unit.kind == "ack":
            self._acknowledge(unit, heard)
            return
        self._settle(heard)
        if unit.kind == "bad":
            self._reject(refusal(unit.data))
        elif unit.kind == "request":
            topic = topic_asked(unit.data)
            self._asked = None
            if topic is not None:
                self._asked = _Asked(unit.data[0], topic, self._time_of(unit.start + len(unit.data) - 1))
                heard.append(Request(unit.data[0], topic))
        elif (topic := topic_of(unit.data)) is None:
            self._reject(FrameError("type", f"frame type {unit.data[4]}"))
        else:
            self._waiting = _Waiting(unit, topic, self._time_of(unit.start), self._asked)
            self._asked = None

    def _acknowledge(self, unit: Unit, heard: list[Answer | Request]) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        near = unit.start - waiting.unit.start - FRAME_SIZE <= ACK_REACH
        if near and topic_asked(unit.data) is waiting.topic:
            heard.append(self._answer(unit.data[0], waiting))
        else:
            self._reject(FrameError("ack", f"the acknowledgement heard is not that of the {waiting.topic} before it"))

    def _settle(self, heard: list[Answer | Request]) -> None:
        """No acknowledgement will come for the frame that waits: attribute it otherwise or refuse it."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        address = _address_of(waiting)
        if address is None:
            self._reject(FrameError("unattributed", f"a {waiting.topic} frame that nobody acknowledged"))
        else:
            heard.append(self._answer(address, waiting))

    def _expire(self, now: float | None, heard: list[Answer | Request]) -> None:
        last = self._chunks[-1][1] if self._chunks else None
        if now is not None and last is not None and now - last < ACK_WAIT:
            return
        for unit in self._scanner.flush():
            self._take(unit, heard)
        self._settle(heard)

    def _answer(self, address: int, waiting: _Waiting) -> Answer:
        arrived = self._chunks[-1][1] if self._chunks else nan
        return Answer(address, waiting.topic, {waiting.topic.value: waiting.unit.data}, arrived)

    def _time_of(self, position: int) -> float | None:
        """When the byte at ``position`` had come, by the chunk that brought it; ``None`` without times."""
        for end, time in self._chunks:
            if position < end:
                return time - (end - 1 - position) * BYTE_TIME
        return None

    def _reject(self, error: FrameError) -> None:
        self.rejected.append(error)
        del self.rejected[:-_MOST_REJECTED]


def _address_of(waiting: _Waiting) -> int | None:
    asked = waiting.asked
    if asked is not None and asked.topic is waiting.topic and asked.end is not None and waiting.start is not None:
        earliest, latest = ANSWER_WINDOW
        if earliest <= waiting.start - asked.end <= latest:
            return asked.address
    if waiting.topic is Topic.SETTINGS:
        address = int.from_bytes(waiting.unit.data[DEVICE_ADDRESS], "little")
        return address if address <= LAST_ADDRESS else None
    return None
