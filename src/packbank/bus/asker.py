"""One question at a time over an open link: silence before it, sleep through the answer, one read.

Whatever else is heard (echo, noise, a late answer, another master) is passed over, and drained before the
next request, so that no answer is ever taken for another pack's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import nan

from packbank.bms.protocol import Exchange, Protocol
from packbank.bus.link import Link
from packbank.bus.pacing import SURPRISE, Guard, Habit, ReadMoment
from packbank.bus.stats import BITS_A_BYTE, Counters
from packbank.bus.strangers import MEANINGFUL, Strangers

GLITCH = 4  # bytes that a driver letting go of the line may leave: not worth a pause
SETTLE = 0.002  # s, lets the rest of an answer gather
QUIET = 0.005  # s of silence that end a drain
DRAIN_LIMIT = 0.060  # s
JUST_NOW = 0.005  # s since the last read, within which nothing worth a system call can have come


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
        self._counters = counters
        self._eager = eager
        self._clock = clock
        self._on_time = False  # whether the first read found the whole answer
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
        silence = self._keep_silence(address)
        presumed, other = self._presumed, self._speaker not in (address, -1)
        linger = last and self._habit.holds and not self._eager and not self._link.latency
        if self._transact(exchange, self._guard.value if linger else 0.0):
            if other:
                self._guard.answered(silence, self._clock())
            if linger:
                self._presume(question)
            return exchange
        if not retry:
            return None
        unheard = not self.heard_something
        self._counters.retries += 1
        self._keep_silence(address)
        again = self._protocol.exchange(question, address)
        if not self._transact(again):
            return None
        if unheard and presumed:
            self._habit.broken()
        elif unheard and other:
            self._guard.missed(silence, self._clock())
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

    def _keep_silence(self, address: int) -> float:
        """Wait until ``address`` hears again after what was on the line last; the silence kept."""
        gap = self._line.same_pack_gap if address == self._speaker else self._guard.value
        self._link.sleep(self._quiet_since + gap - self._clock())
        if self._clock() - self._looked > JUST_NOW:
            stray = self._link.read()
            if stray and self._drain(stray):
                self._quiet_since = self._clock()
                self.listen(self._guard.value)
        return self._clock() - self._quiet_since

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

    def _presume(self, question: str) -> None:
        """The answer was there after a sleep that covered the guard as well: its end was when it always is.

        Unless more came than such answers have: then somebody spoke behind it, and the silence begins now.
        """
        length = len(self.heard)
        shortest = self._shortest[question] = min(length, self._shortest.get(question, length))
        if length - shortest >= MEANINGFUL:
            self.strangers.hear(self.heard, self._own)
        elif self._on_time:
            self._quiet_since -= self._guard.value
            self._presumed = True

    def _transact(self, exchange: Exchange, linger: float = 0.0) -> bool:
        self._presumed = False
        self._own = exchange.request
        self._link.write(exchange.request)
        self._quiet_since = self._clock() + len(exchange.request) * self._byte_time
        self._counters.requests += 1
        complete = self._hear(exchange, self._quiet_since, linger)
        self._looked = self._clock()
        if complete:
            self.response_time, self._quiet_since = self._looked - self._quiet_since, self._looked
            self._speaker = exchange.address
        elif self.heard_something:
            self._quiet_since = self._looked
            self.strangers.hear(self.heard, self._own)
        elif not exchange.rejected:
            self._counters.missed += 1
        for error in exchange.rejected:
            self._counters.refuse(exchange.address, error, self._protocol.conceal(self.heard))
        return complete

    def _hear(self, exchange: Exchange, sent: float, linger: float) -> bool:
        """Read until the answer is complete, or the line has been silent for so long that none will come."""
        link = self._link
        asleep = 0.0 if self._eager else exchange.answer_time
        after = self._habit.margin + linger if linger else self._moment.value
        link.sleep(sent - self._clock() + asleep + after)
        self.heard = link.read()
        self._on_time = bool(self.heard) and exchange.feed(self.heard)
        if self._on_time:
            self._habit.kept()
            if not linger:
                self._moment.whole()
            return True
        in_time = len(self.heard) > len(exchange.request)
        silent_at = sent + self._line.first_byte_timeout + link.latency
        limit = silent_at + 2.0 * exchange.answer_time
        quiet_at = silent_at
        now = self._clock()
        while now < min(quiet_at, limit):
            data = link.read(min(quiet_at, limit) - now)
            if data:
                first = len(self.heard) <= len(exchange.request)
                self.heard += data
                if exchange.feed(data):
                    self._learn_late(self._clock() - sent - asleep, in_time)
                    return True
                link.sleep(asleep if first else SETTLE)
            now = self._clock()
            if data:
                quiet_at = now + self._line.idle_timeout + link.latency
                quiet_at = quiet_at if exchange.rejected else max(quiet_at, silent_at)
        return exchange.feed(b"")

    def _learn_late(self, lateness: float, in_time: bool) -> None:
        """An answer was complete only after the first read; ``in_time``: its beginning was there."""
        if lateness > self._moment.value + SURPRISE:
            self._habit.broken()
        else:
            self._habit.kept()
        if in_time:
            self._moment.partial()
