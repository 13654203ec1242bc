"""Whose turn it is to be asked: pure, every time is passed in (s of one monotonic clock)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from operator import attrgetter
from typing import NamedTuple

from packbank.bms.protocol import Topic

MIN_AGE = 0.25  # s between two questions about one pack's status: more often brings nothing new
EARLY = 0.1  # s before its turn, at most, that a pack is asked together with others
SETTINGS_PERIOD = 28.0  # s: a limit that is changed in the app holds within half a minute
STEADY_PERIOD = 300.0  # s, of settings that hold no limits
EVERY_ROUND = (
    10.0  # s for which settings or about that are not answered are asked again in every round; then more rarely
)
TOPIC_PAUSE = 30.0  # s at most between two questions about them
RENEW_PAUSE = {Topic.SETTINGS: 5.0, Topic.ABOUT: 30.0}  # s, at least, between two readings out of turn
PATIENCE_SHARE = 0.125  # a silent pack is asked again after this part of the time it has been silent
EXPECTED_PAUSE = 5.0  # s at most between two questions to a silent pack that we know
CANDIDATE_PAUSE = 30.0  # s at most between two questions to an address that never answered and need not
PROBE_SHARE = 0.25  # of the bus's time at most goes to questions that stay unanswered
GRACE = 5.0  # s for which a pack that has just answered is asked every round although it is silent now
LONG_SILENCE = 3.0  # s after which a pack that returns may be another pack, or one that was set anew


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
    answered: set[Topic] = field(default_factory=set)  # of those
    unanswered_since: dict[Topic, float] = field(default_factory=dict)  # and not answered since
    renewed: dict[Topic, float] = field(default_factory=dict)  # when each was read out of turn last


class Schedule:
    """Who is asked next. ``expected`` packs are ours for certain, ``candidates`` are addresses that may answer.

    Packs that answer, however badly, are asked in turn, the one that waits longest first; a silent one soon at
    intervals that grow with its silence. Time lost with those stays under :data:`PROBE_SHARE`.
    """

    def __init__(
        self,
        expected: Sequence[int],
        candidates: Sequence[int],
        topics: Iterable[Topic],
        now: float,
        settings_period: float = SETTINGS_PERIOD,
    ) -> None:
        others = [topic for topic in topics if topic is not Topic.STATUS]
        self._settings_period = settings_period
        self._order = attrgetter("due", "asked")  # of those whose turn it is alike, the one asked longest ago
        addresses = [(address, EXPECTED_PAUSE) for address in expected]
        addresses += [(address, CANDIDATE_PAUSE) for address in candidates]
        self._packs = {
            address: _Pack(address, patience, (place + 1) / len(addresses), now, topics_due=dict.fromkeys(others, now))
            for place, (address, patience) in enumerate(addresses)
        }
        self._sought: set[int] = set()
        self._strangers: set[int] = set()

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
            if not answered or pack.due > turn + EARLY or any(due <= turn for due in pack.topics_due.values()):
                break
            addresses.append(pack.address)
        return addresses

    def silence(self, address: int, now: float) -> float:
        """For how long a pack has not answered, s; 0 when it did last time."""
        return max(now - self._packs[address].silent_since, 0.0)

    def answered(self, address: int, topic: Topic, now: float) -> None:
        """The pack's answer was accepted."""
        pack = self._packs[address]
        self._sought.discard(address)
        if topic is not Topic.STATUS:
            pack.answered.add(topic)
            pack.unanswered_since.pop(topic, None)
            pack.topics_due[topic] = inf
        if topic is Topic.SETTINGS:
            pack.topics_due[topic] = now + self._settings_period * pack.spread
            pack.spread = 1.0
        if topic is not Topic.STATUS:
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
            over = now - pack.unanswered_since.setdefault(topic, now) - EVERY_ROUND
            pack.topics_due[topic] = now + min(max(over * PATIENCE_SHARE, 0.0), TOPIC_PAUSE)
            return
        self._sought.discard(address)
        pack.asked, pack.silent_since = now, min(pack.silent_since, now)
        pack.retry = pack.answers and heard
        over_grace = now - pack.silent_since - (GRACE if pack.answers else 0.0)
        pack.paused = over_grace >= 0.0
        pack.due = now + min(max(over_grace * PATIENCE_SHARE, MIN_AGE), pack.patience)
        if pack.paused:
            self._put_off(now, cost)

    def postpone(self, address: int, topic: Topic, now: float) -> None:
        """The pack does not answer a topic that it need not answer."""
        self._packs[address].topics_due[topic] = now + TOPIC_PAUSE

    def never_answered(self, address: int, topic: Topic) -> bool:
        """Whether the pack was asked about ``topic`` in one visit only, and did not answer."""
        pack = self._packs[address]
        since = pack.unanswered_since.get(topic, inf)
        return topic not in pack.answered and pack.asked <= since < inf

    def renew(self, address: int, topics: Iterable[Topic], now: float) -> list[Topic]:
        """Let the pack be asked about ``topics`` at once; those that were not read out of turn a moment ago."""
        pack = self._packs[address]
        known = [topic for topic in topics if topic in pack.topics_due]
        due = [topic for topic in known if now - pack.renewed.get(topic, -inf) >= RENEW_PAUSE[topic]]
        pack.renewed.update(dict.fromkeys(due, now))
        pack.topics_due.update(dict.fromkeys(due, now))
        if due:
            pack.due = -inf  # before all others, which those pauses keep rare
        return due

    def search(self, strangers: Iterable[int], now: float) -> None:
        """Let every silent pack be asked soon, and once the addresses of ``strangers``, which are not ours."""
        self._strangers = set(strangers)
        for address in self._strangers:
            self._packs[address] = _Pack(address, inf, 1.0, now, retry=True, paused=True)
        silent = (pack for pack in self._packs.values() if not pack.answers or pack.silent_since < inf)
        self._sought = {pack.address for pack in silent}
        for address in self._sought:
            self._packs[address].due = now

    @property
    def searching(self) -> bool:
        """Whether some pack has not been asked since the search began."""
        return bool(self._sought)

    def asked_stranger(self, address: int, now: float, cost: float) -> bool:
        """Whether ``address``, which was asked for ``cost`` seconds, is not ours; it is not asked again then."""
        if address not in self._strangers:
            return False
        self._strangers.discard(address)
        self._sought.discard(address)
        del self._packs[address]
        self._put_off(now, cost)
        return True

    def restart(self, now: float) -> None:
        """The port was away: nobody is to blame, everybody is asked now."""
        for pack in self._packs.values():
            pack.due = now

    def _put_off(self, now: float, cost: float) -> None:
        """Let silent packs wait until the time that one of them has just cost is a small part of the bus's."""
        for other in self._paused():
            other.due = max(other.due, now + cost * (1.0 / PROBE_SHARE - 1.0))

    def _paused(self) -> list[_Pack]:
        return [pack for pack in self._packs.values() if pack.paused]
