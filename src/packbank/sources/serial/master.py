"""Ask the packs of one bus in turn, as fast as they bear it, and judge whether what came is an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from threading import Event

from packbank.bms.protocol import Answer, Protocol, Topic
from packbank.errors import LinkError
from packbank.sources.serial.channel import Asked, Channel, Outcome
from packbank.sources.serial.gate import Gate, Member, Verdict
from packbank.sources.serial.link import Link
from packbank.sources.serial.listener import Listener
from packbank.sources.serial.pacing import Silence
from packbank.sources.serial.schedule import SETTINGS_PERIOD, STEADY_PERIOD, Schedule, Turn
from packbank.sources.serial.statistics import Statistics

TOGETHER = 0.3  # s of packs asked in one go, whose answers come in together
TOGETHER_MOST = 16  # packs
JUDGING = 0.02  # s before the store is read, by which the answers must be judged
SETTINGS_TRIES = 2  # in one visit, each with its retry, while a pack's settings were never read
LOOK_UP = 1.0  # s at most between two looks at what is asked of the bus
ASIDE = 0.1  # s that another's request is given to be answered
FOREIGN_MANY = 4  # requests of another master
FOREIGN_SPAN = 5.0  # s, within which so many make it the master of this bus


class Master:
    """The master of one bus. It keeps what it has learnt when the port is opened anew.

    ``listener`` makes sense of what others say, ``None`` when the protocol cannot; ``next_read`` is when the store
    is read next (monotonic s, NaN when unknown).
    """

    def __init__(
        self,
        protocol: Protocol,
        members: Sequence[Member],
        gate: Gate,
        listener: Listener | None,
        statistics: Statistics,
        *,
        next_read: Callable[[], float],
        search: Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """While ``search`` is set, silent packs are asked soon, and addresses that no member has.

        It is cleared when each was.
        """
        askable = [member for member in members if member.address in protocol.addresses]  # a master can only be heard
        expected = [member.address for member in askable if member.expected]
        candidates = [member.address for member in askable if not member.expected]
        self._protocol = protocol
        self._gate = gate
        self._listener = listener
        self._statistics = statistics
        self._next_read = next_read
        self._search = search or Event()
        self._searches = False  # the schedule does
        self._strangers = frozenset(protocol.addresses) - {member.address for member in members}
        self._clock = clock
        self._silence = Silence(protocol.line)
        period = SETTINGS_PERIOD if protocol.reports_limits else STEADY_PERIOD
        self._schedule = Schedule(expected, candidates, protocol.questions, clock(), period)

    def run(self, link: Link, stop: Event, patience: float = inf) -> None:
        """Ask until ``stop`` is set or another master is found to ask here; raises LinkError.

        So it does when no pack has given an acceptable answer for ``patience`` seconds from now on.
        """
        give_up, answers = self._clock() + patience, self._statistics.counted("answers")
        link.read()  # what waited in the port's buffer is of unknown age
        channel = Channel(link, self._protocol, self._silence, self._listener, self._statistics, clock=self._clock)
        self._schedule.restart(self._clock())
        self._statistics.begin_round()
        while not stop.is_set():
            self._follow_search()
            turn = self._schedule.next(self._clock())
            pause = turn.start - self._clock()
            if pause > 0.0 and (stop.wait(min(pause, LOOK_UP)) or pause > LOOK_UP):
                continue
            foreign = self._statistics.counted("foreign")
            together, until = self._together(channel)
            if len(together) > 1:
                self._visit_together(channel, together, until)
            else:
                self._visit(channel, turn)
            link.check_alive()
            if self._clock() > give_up and self._statistics.counted("answers") == answers:
                raise LinkError(f"{link.port}: no pack answers at {self._protocol.line.baudrate} baud")
            self._statistics.silence_is(self._silence.value)
            if self._listener and self._statistics.counted("foreign") > foreign:
                if self._listener.requests_since(self._clock() - FOREIGN_SPAN) >= FOREIGN_MANY:
                    return
                channel.listen(ASIDE)

    def _follow_search(self) -> None:
        """Begin a search that is wanted; say when it is over."""
        if self._searches and not self._schedule.searching:
            self._searches = False
            self._search.clear()
        elif self._search.is_set() and not self._searches:
            self._searches = True
            self._schedule.search(self._strangers, self._clock())

    def _together(self, channel: Channel) -> tuple[list[int], float]:
        """Whom to ask in one go, and until when: just before the store is read, or when that is now or unknown, soon.

        Turns take longer on a busy machine. Without an end by the clock all of them would miss the store's reader.
        """
        each = channel.turn_time(self._protocol.steady_question)
        now = self._clock()
        until = self._next_read() - JUDGING
        until = until if until - now >= 2.0 * each else now + TOGETHER
        return self._schedule.sweep(now, each, min(int((until - now) / each), TOGETHER_MOST)), until

    def _visit_together(self, channel: Channel, addresses: Sequence[int], until: float) -> None:
        """Ask packs for their status one after another, and judge then: first whom nobody has to wait for."""
        question = self._protocol.steady_question
        asked = channel.ask([self._protocol.exchange(question, address) for address in addresses], until)
        last = asked[-1]  # it may still be answering; those with bad answers are asked again after it
        for one in sorted(asked, key=lambda one: 0 if one.complete else 1 if one is last else 2):
            outcome = self._finish(channel, one, retry=True)
            turn = Turn(one.reception.asked, one.exchange.address, (Topic.STATUS,), retry=True)
            data = {question: outcome.answer} if outcome.answer else None
            verdict = self._conclude(turn, Topic.STATUS, data, outcome, turn.start)
            if verdict.reread:
                self._schedule.renew(turn.address, verdict.reread, self._clock())

    def _visit(self, channel: Channel, turn: Turn) -> None:
        """Ask a pack about its topics, its status first, and about what its answers make doubtful."""
        topics = list(turn.topics)
        for topic in topics:  # it grows meanwhile
            verdict = self._ask_topic(channel, turn, topic)
            if topic is Topic.STATUS and not (verdict.accepted or verdict.reread):
                return
            again = self._schedule.renew(turn.address, verdict.reread, self._clock()) if verdict.reread else []
            if topic is Topic.SETTINGS and self._schedule.never_answered(turn.address, topic):
                again.append(topic)
            topics += [one for one in again if topics.count(one) < (SETTINGS_TRIES if one is topic else 1)]

    def _ask_topic(self, channel: Channel, turn: Turn, topic: Topic) -> Verdict:
        """Ask a pack about a topic; whether its answer was accepted."""
        began, outcome, data = self._clock(), Outcome(), dict[str, bytes]()
        retry = turn.retry or topic is Topic.SETTINGS  # a pack that has just sent its status is there
        for question in self._protocol.questions_to(turn.address, topic):
            (asked,) = channel.ask([self._protocol.exchange(question, turn.address)])
            outcome = self._finish(channel, asked, retry=retry)
            data[question] = outcome.answer
            if not outcome.answer and not self._protocol.may_lack(turn.address, question):
                return self._conclude(turn, topic, None, outcome, began)
        return self._conclude(turn, topic, data, outcome, began)

    def _finish(self, channel: Channel, asked: Asked, *, retry: bool) -> Outcome:
        """Take the answer to a question; with ``retry``, when there is none, ask once more."""
        outcome = self._take(channel, asked)
        if outcome.answer and asked.after_other:
            self._silence.answered(asked.silence, outcome.arrived)
        if outcome.answer or not retry:
            return outcome
        exchange = asked.exchange
        self._statistics.retry(exchange.address)
        (again,) = channel.ask([self._protocol.exchange(exchange.question, exchange.address)])
        second = self._take(channel, again)
        if second.answer and not outcome.heard and asked.after_other:
            self._silence.missed(asked.silence, second.arrived)
        return second

    def _take(self, channel: Channel, asked: Asked) -> Outcome:
        outcome = channel.take(asked)
        for error in outcome.refused:
            self._gate.refuse(asked.exchange.address, error, outcome.data, outcome.arrived)
        return outcome

    def _conclude(
        self, turn: Turn, topic: Topic, data: Mapping[str, bytes] | None, outcome: Outcome, began: float
    ) -> Verdict:
        """Hand the answers to a topic to the gate and note the pack's next turn; whether they were accepted.

        ``data`` is ``None`` when an answer is missing that the pack owes.
        """
        address, given = turn.address, {question: answer for question, answer in (data or {}).items() if answer}
        if self._schedule.asked_stranger(address, self._clock(), self._clock() - began):
            self._gate.note_stranger(address, self._clock(), answers=bool(given))
            return Verdict(accepted=False)
        verdict = self._gate.take(Answer(address, topic, given, outcome.arrived)) if given else Verdict(accepted=False)
        now = self._clock()
        if verdict.accepted:
            self._schedule.answered(address, topic, outcome.arrived)
            if topic is Topic.STATUS:
                self._statistics.answered(address, outcome.arrived)
        elif data is not None and not given:  # it need not answer any of these questions
            self._schedule.postpone(address, topic, now)
        else:
            self._schedule.failed(address, topic, now, now - began, heard=outcome.heard)
            self._statistics.count("lost", int(turn.retry))
            self._gate.silent(address, self._schedule.silence(address, now), now)
        return verdict
