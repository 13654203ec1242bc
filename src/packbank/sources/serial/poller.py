"""Ask the packs of one bus in turn, as fast as they bear it, and take in what they answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Event

from packbank.bms.protocol import Protocol, Topic
from packbank.sources.serial.asker import Asker, Begun
from packbank.sources.serial.intake import Intake, Member
from packbank.sources.serial.link import Link
from packbank.sources.serial.pacing import HABIT_LOOK, Guard, Schedule, Turn
from packbank.sources.serial.stats import Counters

ASIDE = 0.1  # s that another's request is given to be answered
FOREIGN_MANY = 4  # requests of another master
JUDGING = 0.02  # s before a look at the store, by which a sweep is over and judged
FOREIGN_SPAN = 5.0  # s, within which so many make it the master of this bus


class Poller:
    """The master of one bus. It keeps what it has learnt when the port is opened anew."""

    def __init__(
        self,
        protocol: Protocol,
        members: Sequence[Member],
        intake: Intake,
        counters: Counters,
        stop: Event,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._protocol = protocol
        self._intake = intake
        self._counters = counters
        self._stop = stop
        self._clock = clock
        self._guard = Guard(protocol.line)
        askable = [member for member in members if member.address in protocol.addresses]  # a master can only be heard
        expected = [member.address for member in askable if member.expected]
        candidates = [member.address for member in askable if not member.expected]
        self._schedule = Schedule(expected, candidates, protocol.questions, clock())
        self._round: set[int] = set()
        self._round_start = clock()

    def run(self, link: Link) -> None:
        """Poll until the stop is set or another master is found to poll here; raises LinkError."""
        asker = Asker(link, self._protocol, self._guard, self._counters, clock=self._clock)
        self._schedule.restart(self._clock())
        self._round.clear()
        link.read()  # what waited in the port's buffer is of unknown age
        while not self._stop.is_set():
            turn = self._schedule.next(self._clock())
            if (pause := turn.start - self._clock()) > 0.0 and self._stop.wait(pause):
                return
            foreign = self._counters.foreign
            if addresses := self._plan(asker):
                self._sweep(asker, addresses)
            else:
                self._visit(asker, turn)
            link.check_alive()
            self._counters.guard = self._guard.value
            if self._counters.foreign > foreign:
                if asker.strangers.requests_since(self._clock() - FOREIGN_SPAN) >= FOREIGN_MANY:
                    return
                asker.listen(ASIDE)

    def _plan(self, asker: Asker) -> list[int]:
        """Whom to ask in one go, to be done just before somebody looks at what they say; empty: nobody."""
        question = self._protocol.steady_question
        if not (question and asker.may_sweep(question)):
            return []
        now, spacing = self._clock(), asker.turn_time(question)
        span = self._intake.next_look(now + spacing + JUDGING) - JUDGING - now
        addresses = self._schedule.sweep(now, spacing, min(int(span / spacing), HABIT_LOOK))
        return addresses if len(addresses) > 1 else []

    def _sweep(self, asker: Asker, addresses: Sequence[int]) -> None:
        for begun in asker.sweep(self._protocol.steady_question, addresses):
            self._visit(asker, Turn(begun.asked, begun.exchange.address, (Topic.STATUS,), retry=True), begun)

    def _visit(self, asker: Asker, turn: Turn, begun: Begun | None = None) -> None:
        """``begun``: its only question has been asked in a sweep."""
        for topic in turn.topics:
            began = self._clock()
            if not self._ask(asker, topic, turn, begun):
                now = self._clock()
                self._schedule.failed(turn.address, topic, now, now - began, heard=asker.heard_something)
                self._counters.lost += turn.retry
                self._intake.silent(turn.address, self._schedule.silence(turn.address, now))
                return
            self._schedule.answered(turn.address, topic, asker.heard_at)
            if topic is Topic.STATUS:
                self._count_round(turn.address, asker.heard_at)

    def _ask(self, asker: Asker, topic: Topic, turn: Turn, begun: Begun | None) -> bool:
        fills = []
        questions = self._protocol.questions_to(turn.address, topic)
        for question in questions:
            last = topic is turn.topics[-1] and question is questions[-1]
            if begun is not None:
                exchange = asker.finish(begun, retry=turn.retry)
            else:
                exchange = asker.ask(question, turn.address, retry=turn.retry, last=last)
            if exchange is not None:
                fills.append(exchange.apply)
            elif not self._protocol.may_lack(turn.address, question):
                return False
        return bool(fills) and self._intake.accept(turn.address, topic, fills, asker.heard_at, asker.heard)

    def _count_round(self, address: int, now: float) -> None:
        """A round is over when a pack is met that was already asked in it."""
        if address in self._round:
            self._counters.round_done(now - self._round_start)
            self._round.clear()
        if not self._round:
            self._round_start = now
        self._round.add(address)
