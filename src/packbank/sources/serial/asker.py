"""One question at a time over an open link: silence before it, sleep through the answer, one read.

Whatever else is heard (echo, noise, a late answer, another master) is passed over, and drained before the
next request, so that no answer is ever taken for another pack's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from math import nan
from typing import NamedTuple

from packbank.bms.protocol import Exchange, Protocol
from packbank.cext.sweep import SWEEP_ROOM
from packbank.sources.serial.link import Link
from packbank.sources.serial.pacing import SURPRISE, Guard, Habit, ReadMoment
from packbank.sources.serial.stats import BITS_A_BYTE, Counters
from packbank.sources.serial.strangers import MEANINGFUL, Strangers

GLITCH = 4  # bytes that a driver letting go of the line may leave: not worth a pause
SETTLE = 0.002  # s, lets the rest of an answer gather
QUIET = 0.005  # s of silence that end a drain
DRAIN_LIMIT = 0.060  # s
JUST_NOW = 0.005  # s since the last read, within which nothing worth a system call can have come


class Begun(NamedTuple):
    """A question asked, and what had come when it was first looked at."""

    question: str
    exchange: Exchange
    asked: float  # when its request had been written
    taken: float  # when the line was read
    data: bytes
    whole: bool  # the answer is complete
    linger: float  # s that the guard behind the answer was slept through with it, 0 if not


class Asker:
    """The master's side of transactions. ``guard`` is the bus's and is taught here.

    An ``eager`` one does not sleep through the answer but reads as it comes, which tells how long it takes.
    """

    def __init__(
        self,
        link: Link,
        protocol: Protocol,
        guard: Guard,
        counters: Counters,
        *,
        eager: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.heard = b""  # what came in the last transaction
        self.heard_at = clock()  # when the last answer had come, presumed or seen
        self.strangers = Strangers(protocol.overhear(), counters, clock)
        self.response_time = nan  # s, from the end of the last request to when its answer was read
        self._link = link
        self._protocol = protocol
        self._line = protocol.line
        self._byte_time = BITS_A_BYTE / protocol.line.baudrate
        self._guard = guard
        self._moment = ReadMoment(link.latency)
        self._habit = Habit()
        self._presumed = False  # whether the line's silence is presumed rather than seen
        self._shortest: dict[str, int] = {}  # bytes of the shortest answer to each question
        self._answer_times: dict[str, float] = {}  # s, from the request to the end of the answer
        self._counters = counters
        self._eager = eager
        self._clock = clock
        self._own = b""  # our last request, which an adapter may echo
        self._speaker = -1  # who answered last
        self._quiet_since = clock()  # when the last byte we know of was on the line
        self._looked = clock()  # when the line was read last
        self._babbles = False  # the line is never quiet: draining it is in vain

    def ask(self, question: str, address: int, *, retry: bool, last: bool = False) -> Exchange | None:
        """Ask a pack; its answer once it is complete and passed every check of its frame, else ``None``.

        With ``retry`` a question is repeated once; ``last`` says that another pack comes next, so that the guard
        may be slept through together with the answer. Raises LinkError when the port fails.
        """
        exchange = self._protocol.exchange(question, address)
        self._keep_silence(address)
        linger = last and not self._eager and not self._link.latency and self._habit.holds
        return self.finish(self._begin(question, exchange, self._guard.value if linger else 0.0), retry=retry)

    def may_sweep(self, question: str) -> bool:
        """Whether packs may be asked this in one go: the wire is ours, byte for byte, and answers are regular."""
        known = self._shortest.get(question, SWEEP_ROOM) + MEANINGFUL <= SWEEP_ROOM
        return known and self._habit.made and self._link.can_sweep and not self._eager

    def turn_time(self, question: str) -> float:
        """From one request of a sweep to the next, s; only where :meth:`may_sweep`."""
        return self._answer_times[question] + self._habit.margin + self._guard.value

    def sweep(self, question: str, addresses: Sequence[int]) -> list[Begun]:
        """Ask packs one after another and look only at the first answer's end, until one is not about as long as usual.

        Every one returned is to be given to :meth:`finish`, in this order: first those whose answers are whole; then
        the last one asked, which may still be answering; then those whose answers were bad, to be asked again.
        """
        self._keep_silence(addresses[0])
        guard, pause = self._guard.value, self.turn_time(question)
        exchanges = [self._protocol.exchange(question, address) for address in addresses]
        usual = range(self._shortest[question], self._shortest[question] + MEANINGFUL)
        swept = self._link.sweep([exchange.request for exchange in exchanges], pause - guard, pause, usual)
        presumed = chain([0.0], repeat(guard))
        begun = [
            Begun(question, exchange, asked, taken, data, bool(data) and exchange.feed(data), linger)
            for linger, exchange, (asked, taken, data) in zip(presumed, exchanges, swept, strict=False)
        ]
        return sorted(begun, key=lambda one: 0 if one.whole else 1 if one is begun[-1] else 2)

    def finish(self, begun: Begun, *, retry: bool) -> Exchange | None:
        """What :meth:`ask` returns, for a question that a sweep has begun."""
        exchange, address = begun.exchange, begun.exchange.address
        silence = begun.asked - self._quiet_since
        presumed, other = self._presumed, self._speaker not in (address, -1)
        if self._conclude(begun):
            if other:
                self._guard.answered(silence, self.heard_at)
            if begun.linger:
                self._presume(begun)
            return exchange
        if not retry:
            return None
        unheard = not self.heard_something
        self._counters.retries += 1
        self._keep_silence(address)
        again = self._protocol.exchange(begun.question, address)
        if not self._conclude(self._begin(begun.question, again, 0.0)):
            return None
        if unheard and presumed:
            self._habit.broken()
        elif unheard and other:
            self._guard.missed(silence, self.heard_at)
        return again

    def listen(self, seconds: float) -> None:
        """Say nothing for ``seconds``, but note what others say."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0.0:
            if data := self._link.read(left):
                self.strangers.hear(data, self._own)
                self._link.sleep(SETTLE)

    @property
    def heard_something(self) -> bool:
        """Whether more came in the last transaction than our own echo, whole or in part, can be."""
        return len(self.heard) > len(self._own)

    def _keep_silence(self, address: int) -> None:
        """Wait until ``address`` hears again after what was on the line last."""
        gap = self._line.same_pack_gap if address == self._speaker else self._guard.value
        self._link.sleep(self._quiet_since + gap - self._clock())
        if self._clock() - self._looked > JUST_NOW:
            stray = self._link.read()
            if stray and self._drain(stray):
                self._quiet_since = self._clock()
                self.listen(self._guard.value)

    def _drain(self, stray: bytes) -> bool:
        """Read away what is no answer to us until the line is quiet, never for long; whether it made sense."""
        sense = self.strangers.hear(stray, self._own)
        quiet = len(stray) <= GLITCH
        until = self._clock() + (0.0 if self._babbles else DRAIN_LIMIT)
        while not quiet and self._clock() < until:
            more = self._link.read(QUIET)
            quiet = not more
            sense = self.strangers.hear(more, self._own) or sense
            self._link.sleep(0.0 if quiet else SETTLE)
        self._babbles = not quiet
        return sense

    def _begin(self, question: str, exchange: Exchange, linger: float) -> Begun:
        """Ask, sleep through the answer and ``linger`` seconds more, and look once at what has come."""
        self._link.write(exchange.request)
        asked = self._clock()
        ready = asked + self._answer_time(exchange) + (self._habit.margin + linger if linger else self._moment.value)
        if self._eager:
            ready = asked + len(exchange.request) * self._byte_time
        self._link.sleep(ready - self._clock())
        data = self._link.read()
        whole = bool(data) and exchange.feed(data)
        if whole and not linger:
            self._moment.whole()
        return Begun(question, exchange, asked, self._clock(), data, whole, linger)

    def _answer_time(self, exchange: Exchange) -> float:
        return len(exchange.request) * self._byte_time + exchange.answer_time

    def _conclude(self, begun: Begun) -> bool:
        """Take in what has come, wait for the rest if need be, and count; whether the answer is complete."""
        exchange = begun.exchange
        sent = begun.asked + len(exchange.request) * self._byte_time
        self._presumed = False
        self._own = exchange.request
        self.heard, self._looked, self.heard_at = begun.data, begun.taken, begun.taken - begun.linger
        self._counters.requests += 1
        complete = begun.whole or self._await_rest(exchange, sent)
        if complete:
            if begun.whole:
                self._habit.kept(seen=not begun.linger)
            self._learn_usual(begun)
            self.response_time = self.heard_at - sent
            self._quiet_since = max(self._quiet_since, self._looked)
            self._speaker = exchange.address
        elif self.heard_something:
            self._quiet_since = max(self._quiet_since, self._looked)
            self.strangers.hear(self.heard, self._own)
        else:
            self._quiet_since = max(self._quiet_since, sent)
            self._counters.missed += not exchange.rejected
        for error in exchange.rejected:
            self._counters.refuse(exchange.address, error, self._protocol.conceal(self.heard))
        return complete

    def _learn_usual(self, begun: Begun) -> None:
        length, question = len(self.heard), begun.question
        self._shortest[question] = min(length, self._shortest.get(question, length))
        self._answer_times[question] = self._answer_time(begun.exchange)

    def _presume(self, begun: Begun) -> None:
        """The answer was there after a sleep that covered the guard as well: its end was when it always is.

        Unless more came than such answers have: then somebody spoke behind it, and the silence begins now.
        """
        if len(self.heard) - self._shortest[begun.question] >= MEANINGFUL:
            self.strangers.hear(self.heard, self._own)
        elif begun.whole:
            self._quiet_since = begun.taken - begun.linger
            self._presumed = True

    def _await_rest(self, exchange: Exchange, sent: float) -> bool:
        """Read until the answer is complete, or the line has been silent for so long that none will come."""
        link = self._link
        asleep = 0.0 if self._eager else exchange.answer_time
        in_time = len(self.heard) > len(exchange.request)
        silent_at = sent + self._line.first_byte_timeout + link.latency
        limit = silent_at + 2.0 * exchange.answer_time
        quiet_at = silent_at
        now = self._clock()
        while now < min(quiet_at, limit):
            data = link.read(min(quiet_at, limit) - now)
            self._looked = self.heard_at = now = self._clock()
            if not data:
                continue
            first = len(self.heard) <= len(exchange.request)
            self.heard += data
            if exchange.feed(data):
                self._learn_late(now - sent - asleep, in_time)
                return True
            link.sleep(asleep if first else SETTLE)
            now = self._clock()
            quiet_at = now + self._line.idle_timeout + link.latency
            quiet_at = quiet_at if exchange.rejected else max(quiet_at, silent_at)
        return exchange.feed(b"")

    def _learn_late(self, lateness: float, in_time: bool) -> None:
        """An answer was complete only after the first read; ``in_time``: its beginning was there."""
        if lateness > self._moment.value + SURPRISE:
            self._habit.broken()
        else:
            self._habit.kept(seen=True)
        if in_time:
            self._moment.partial()
