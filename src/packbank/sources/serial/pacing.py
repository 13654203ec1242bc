"""Who is asked next and how long the wire must be silent before: pure, every time is passed in.

Small learners, all in seconds of one monotonic clock: :class:`Guard` finds the shortest silence that the packs
of a bus bear, :class:`ReadMoment` the moment at which one read finds the whole answer, :class:`Habit` whether
that moment needs to be looked at; and :class:`Schedule` keeps the packs' ages even and the silent ones from
costing the others their time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from operator import attrgetter
from typing import NamedTuple

from packbank.bms.protocol import Line, Topic

# Guard
ANSWERS_PER_STEP = 15  # answers in a row before the guard is lowered
GUARD_STEP = 0.025  # of its value
GUARD_RAISE = 1.25
GUARD_JURY = 8  # requests, of which all but one must have been missed to raise it over its start value
GUARD_MARGIN = 0.001  # s above a silence that was too short
GUARD_HOLD = 600.0  # s for which that is remembered the first time; doubled every time
GUARD_HOLD_MAX = 86400.0

# ReadMoment
READ_LATER = 0.0002  # s, when an answer was not whole yet
READ_EARLIER = 0.00002  # s, when it was: so one answer in eleven needs a second read
READ_START = 0.001
READ_SPAN = 0.010

# Habit
HABIT_MADE = 50  # answers on time in a row; doubled whenever the habit was broken
HABIT_MADE_MOST = 3200
HABIT_FORGETS = 50_000  # answers on time in a row, an hour of 15 packs, after which what broke it counts for less
HABIT_LOOK = 16  # then no more than so many are presumed in a row
HABIT_MARGIN = 0.003  # s: 1.1 ms is the most that JK PB was seen late, the rest is for an adapter that sends late
HABIT_MARGIN_STEP = 0.001
HABIT_MARGIN_MOST = 0.006
SURPRISE = 0.0035  # s later than usual, of which 2 ms are the step of the second look

# Schedule
MIN_AGE = 0.25  # s between two questions about one pack's status: more tells the bank nothing
SETTINGS_PERIOD = 300.0  # s
ASK_AGAIN = 30.0  # s until settings or about are asked again after they were not answered
PATIENCE_SHARE = 0.125  # a silent pack is asked again after this part of the time it has been silent
EXPECTED_PAUSE = 5.0  # s at most between two questions to a silent pack that we know
CANDIDATE_PAUSE = 30.0  # s at most between two questions to an address that never answered and need not
PROBE_SHARE = 0.25  # of the bus's time at most goes to questions that stay unanswered
GRACE = 5.0  # s for which a pack that has just answered is asked every round although it is silent now
LONG_SILENCE = 10.0  # s after which a pack that returns may be another pack


class Guard:
    """The silence between one pack's answer and the request to another: learnt, within the line's bounds."""

    def __init__(self, line: Line) -> None:
        self.value = line.guard
        self._line = line
        self._floor = line.guard_min
        self._floor_until = -inf
        self._hold = GUARD_HOLD
        self._answers = 0
        self._misses: deque[bool] = deque(maxlen=GUARD_JURY)

    def answered(self, silence: float, now: float) -> None:
        """A request after ``silence`` was answered; only silences about as short as the guard prove anything."""
        if silence > self.value * GUARD_RAISE:
            return
        self._answers += 1
        self._misses.append(False)
        if self._answers < ANSWERS_PER_STEP:
            return
        self._answers = 0
        if now >= self._floor_until:
            self._floor = self._line.guard_min
        self.value = max(self._floor, self.value * (1.0 - GUARD_STEP))

    def missed(self, silence: float, now: float) -> None:
        """A request after ``silence`` was not heard although the pack is there: its retry was answered.

        A pack is deaf for a certain time and not a moment longer. So below the start value, which packs are known
        to bear, one miss is enough, and is remembered ever longer; above it only misses that are the rule count.
        """
        if silence > self.value * GUARD_RAISE:
            return
        self._answers = 0
        self._misses.append(True)
        if self.value >= self._line.guard:
            if sum(self._misses) >= GUARD_JURY - 1:
                self.value = min(self.value * GUARD_RAISE, self._line.guard_max)
                self._misses.clear()
            return
        self._floor = min(max(silence, self.value) + GUARD_MARGIN, self._line.guard)
        self._floor_until = now + self._hold
        self._hold = min(2.0 * self._hold, GUARD_HOLD_MAX)
        self.value = min(self.value * GUARD_RAISE, self._line.guard)


class ReadMoment:
    """How long after an answer's usual end to read it: as late as is needed for one read to find all of it.

    Steps up and down balance where one answer in eleven comes later, whatever adapter or gateway adds.
    """

    def __init__(self, latency: float = 0.0) -> None:
        self.value = READ_START + latency / 4.0
        self._latest = READ_SPAN + latency

    def whole(self) -> None:
        """The first read found the whole answer."""
        self.value = max(self.value - READ_EARLIER, 0.0)

    def partial(self) -> None:
        """The answer was right, but its end came after the first read."""
        self.value = min(self.value + READ_LATER, self._latest)


class Habit:
    """Whether answers end so regularly that one sleep may cover the answer and the guard behind it.

    That saves a wake-up an answer, but the end of the answer is then presumed, not seen. So it takes many seen
    ends in a row, some are looked at ever after, and one surprise is enough to look at all of them again.
    """

    def __init__(self) -> None:
        self.margin = HABIT_MARGIN  # s after an answer's usual end at which it is presumed
        self._seen = 0
        self._unseen = 0  # since an end was last seen
        self._needed = HABIT_MADE

    @property
    def made(self) -> bool:
        """Whether ends may be presumed at all, as long as some are seen."""
        return self._seen >= self._needed

    @property
    def holds(self) -> bool:
        """Whether the next answer's end may be presumed."""
        return self.made and self._unseen < HABIT_LOOK

    def kept(self, *, seen: bool) -> None:
        """An answer was on time, as was ``seen`` or presumed."""
        self._seen += 1
        if self._seen % HABIT_FORGETS == 0:
            self._needed = HABIT_MADE
            self.margin = max(self.margin - HABIT_MARGIN_STEP, HABIT_MARGIN)
        self._unseen = 0 if seen else self._unseen + 1

    def broken(self) -> None:
        """An answer was late, or a request after a presumed silence was not heard: presume later, and less readily."""
        self._seen = 0
        self._needed = min(2 * self._needed, HABIT_MADE_MOST)
        self.margin = min(self.margin + HABIT_MARGIN_STEP, HABIT_MARGIN_MOST)


class Turn(NamedTuple):
    """One visit to a pack: from ``start`` on, ask it about ``topics`` in this order, as long as it answers."""

    start: float
    address: int
    topics: tuple[Topic, ...]
    retry: bool  # it answered last time, so a question may be repeated once


@dataclass(slots=True)
class _Pack:
    address: int
    patience: float  # s, the longest pause between two questions while it is silent
    spread: float  # of a period until the second settings read, so that they do not all fall together
    due: float  # when its status may be asked
    asked: float = -inf  # when it last was
    answers: bool = False  # whether it ever did
    retry: bool = False  # whether asking twice is worth it
    silent_since: float = inf  # without an accepted answer; inf: it gave one last time, or was never asked
    paused: bool = False  # silent for so long that it no longer has its turn in every round
    topics_due: dict[Topic, float] = field(default_factory=dict)  # besides status


class Schedule:
    """Who is asked next. ``expected`` packs are ours for certain, ``candidates`` are addresses that may answer.

    Packs that answer, however badly, are asked in turn, the one that waits longest first; a silent one soon at
    intervals that grow with its silence. Time lost with those stays under :data:`PROBE_SHARE`.
    """

    def __init__(self, expected: Sequence[int], candidates: Sequence[int], topics: Iterable[Topic], now: float) -> None:
        others = [topic for topic in topics if topic is not Topic.STATUS]
        self._order = attrgetter("due", "asked")  # of those whose turn it is alike, the one asked longest ago
        addresses = [(address, EXPECTED_PAUSE) for address in expected]
        addresses += [(address, CANDIDATE_PAUSE) for address in candidates]
        self._packs = {
            address: _Pack(address, patience, (place + 1) / len(addresses), now, topics_due=dict.fromkeys(others, now))
            for place, (address, patience) in enumerate(addresses)
        }

    def next(self, now: float) -> Turn:
        """The next visit; it may lie in the future."""
        pack = min(self._packs.values(), key=self._order)
        topics = [topic for topic, due in pack.topics_due.items() if due <= max(pack.due, now)]
        return Turn(pack.due, pack.address, (Topic.STATUS, *topics), pack.retry)

    def sweep(self, now: float, spacing: float, most: int) -> list[int]:
        """Whose turns come next, ``spacing`` seconds apart, while each answered last time and only status is due."""
        addresses: list[int] = []
        for pack in sorted(self._packs.values(), key=self._order)[: max(most, 0)]:
            turn = now + len(addresses) * spacing
            answered = pack.answers and pack.silent_since == inf
            if not answered or pack.due > turn or any(due <= turn for due in pack.topics_due.values()):
                break
            addresses.append(pack.address)
        return addresses

    def silence(self, address: int, now: float) -> float:
        """For how long a pack has not answered, s; 0 when it did last time."""
        return max(now - self._packs[address].silent_since, 0.0)

    def answered(self, address: int, topic: Topic, now: float) -> None:
        """The pack's answer was accepted."""
        pack = self._packs[address]
        if topic is Topic.SETTINGS:
            pack.topics_due[topic] = now + SETTINGS_PERIOD * pack.spread
            pack.spread = 1.0
            return
        if topic is Topic.ABOUT:
            pack.topics_due[topic] = inf
            return
        if self.silence(address, now) >= LONG_SILENCE or not pack.answers:
            pack.topics_due = dict.fromkeys(pack.topics_due, now)  # somebody new, or back after long
        if pack.paused:
            pack.paused = False
            for other in self._paused():  # who may be back as well
                other.due = min(other.due, now)
        pack.answers = pack.retry = True
        pack.asked, pack.silent_since = now, inf
        pack.patience = EXPECTED_PAUSE
        pack.due = now + MIN_AGE

    def failed(self, address: int, topic: Topic, now: float, cost: float, *, heard: bool) -> None:
        """No answer was accepted, with the retry if there was one; that took ``cost`` seconds.

        ``heard``: something came, so the pack may be there and worth another try.
        """
        pack = self._packs[address]
        if topic is not Topic.STATUS:
            pack.topics_due[topic] = now + ASK_AGAIN
            return
        pack.asked, pack.silent_since = now, min(pack.silent_since, now)
        pack.retry = pack.answers and heard
        over_grace = now - pack.silent_since - (GRACE if pack.answers else 0.0)
        pack.paused = over_grace >= 0.0
        pack.due = now + min(max(over_grace * PATIENCE_SHARE, MIN_AGE), pack.patience)
        if pack.paused:
            for other in self._paused():
                other.due = max(other.due, now + cost * (1.0 / PROBE_SHARE - 1.0))

    def restart(self, now: float) -> None:
        """The port was away: nobody is to blame, everybody is asked now."""
        for pack in self._packs.values():
            pack.due = now

    def _paused(self) -> list[_Pack]:
        return [pack for pack in self._packs.values() if pack.paused]
