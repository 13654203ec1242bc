"""How long the wire must be silent before a request, and when to read an answer: pure, every time is passed in.

Two values that are learnt, in seconds of one monotonic clock: :class:`Silence` finds the shortest silence that the
packs of a bus need, :class:`ReadMoment` the moment at which one read finds the whole answer.
"""

from __future__ import annotations

from collections import deque
from math import inf

from packbank.bms.protocol import Line

# Silence
ANSWERS_PER_STEP = 15  # answers in a row before the silence is lowered
SILENCE_STEP = 0.025  # of its value
SILENCE_RAISE = 1.25
SILENCE_REQUESTS = 8  # the last requests: all but one of them must have been missed to raise it over its start value
SILENCE_MARGIN = 0.001  # s above a silence that was too short
SILENCE_HOLD = 600.0  # s for which that is remembered the first time; twice as long each further time
SILENCE_HOLD_MAX = 86400.0

# ReadMoment
READ_LATER = 0.0002  # s, when an answer was not whole yet
READ_EARLIER = 0.00002  # s, when it was: so one answer in eleven needs a second read
READ_START = 0.001
READ_SPAN = 0.010


class Silence:
    """The silence between one pack's answer and the request to another: learnt, within the line's bounds."""

    def __init__(self, line: Line) -> None:
        self.value = line.silence
        self._line = line
        self._floor = line.silence_min
        self._floor_until = -inf
        self._hold = SILENCE_HOLD
        self._answers = 0
        self._misses: deque[bool] = deque(maxlen=SILENCE_REQUESTS)

    def answered(self, kept: float, now: float) -> None:
        """A request after a silence of ``kept`` was answered; one much longer than the value proves nothing."""
        if kept > self.value * SILENCE_RAISE:
            return
        self._answers += 1
        self._misses.append(False)
        if self._answers < ANSWERS_PER_STEP:
            return
        self._answers = 0
        if now >= self._floor_until:
            self._floor = self._line.silence_min
        self.value = max(self._floor, self.value * (1.0 - SILENCE_STEP))

    def missed(self, kept: float, now: float) -> None:
        """A request after a silence of ``kept`` was not heard although the pack is there: its retry was answered.

        A pack does not hear a request for a fixed time after an answer. So below the start value, which is known to be
        long enough, one miss raises the value and is remembered longer each time. Above it, only frequent misses count.
        """
        if kept > self.value * SILENCE_RAISE:
            return
        self._answers = 0
        self._misses.append(True)
        if self.value >= self._line.silence:
            if sum(self._misses) >= SILENCE_REQUESTS - 1:
                self.value = min(self.value * SILENCE_RAISE, self._line.silence_max)
                self._misses.clear()
            return
        self._floor = min(max(kept, self.value) + SILENCE_MARGIN, self._line.silence)
        self._floor_until = now + self._hold
        self._hold = min(2.0 * self._hold, SILENCE_HOLD_MAX)
        self.value = min(self.value * SILENCE_RAISE, self._line.silence)


class ReadMoment:
    """How long after an answer's usual end to read it: as late as is needed for one read to find all of it.

    Steps up and down balance where one answer in eleven comes later, whatever adapter or gateway adds.
    """

    def __init__(self, latency: float = 0.0) -> None:
        self.value = READ_START + latency / 4.0
        self._latest = READ_SPAN + latency

    def took(self, looks: int) -> None:
        """An answer was found whole, at the ``looks``-th look."""
        if looks > 1:
            self.late()
        else:
            self.value = max(self.value - READ_EARLIER, 0.0)

    def late(self) -> None:
        """The answer was right, but its end came after the first read."""
        self.value = min(self.value + READ_LATER, self._latest)
