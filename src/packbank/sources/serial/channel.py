"""The line behind an open port: silence before a request, patience for its answer, and nothing mistaken for one.

Whatever else is heard (echo, noise, a late answer, another master) is passed over, and read away before the next
request, so that no answer is ever taken for another pack's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf, nan
from typing import NamedTuple

from packbank.bms.lookalikes import look_alike
from packbank.bms.protocol import Exchange, Protocol
from packbank.cext.sweep import SWEEP_ROOM
from packbank.errors import FrameError
from packbank.sources.serial.link import Link, Reception, Timing
from packbank.sources.serial.listener import Listener
from packbank.sources.serial.pacing import ReadMoment, Silence
from packbank.sources.serial.statistics import BITS_A_BYTE, Statistics

GLITCH = 4  # bytes that a driver letting go of the line may leave: not worth a pause
MEANINGFUL = 8  # bytes that are more than noise, where the protocol cannot say; so many too many are unexpected
SETTLE = 0.002  # s, lets the rest of an answer gather
NAME_AFTER = 3  # answers that are none
HEARD = 600  # bytes, at most, in which another family's answer is looked for
QUIET = 0.005  # s of silence that end a drain
DRAIN_LIMIT = 0.060  # s
JUST_NOW = 0.005  # s since the last read, within which nothing worth a system call can have come


class Asked(NamedTuple):
    """A question that was asked, and what had come when the line was first read."""

    exchange: Exchange
    reception: Reception
    silence: float  # s on the line before the request
    after_other: bool  # another pack has spoken before it
    complete: bool


class Outcome(NamedTuple):
    """What became of a question."""

    answer: bytes = b""  # empty: none was complete and right
    arrived: float = nan  # when the line was read last
    response_time: float = nan  # s, from the end of the request to then
    heard: bool = False  # something came, and more than our own echo can be
    data: bytes = b""  # all that came
    refused: Sequence[FrameError] = ()  # why what looked like an answer was none


class Channel:
    """One open port as its master uses it. ``listener`` makes sense of what others say; ``None``: nobody can."""

    def __init__(
        self,
        link: Link,
        protocol: Protocol,
        silence: Silence,
        listener: Listener | None,
        statistics: Statistics,
        *,
        name_after: int = NAME_AFTER,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """After ``name_after`` answers of which none was the protocol's, their family is looked for."""
        self._link = link
        self._protocol = protocol
        self._silence = silence
        self._listener = listener
        self._statistics = statistics
        self._clock = clock
        self._byte_time = BITS_A_BYTE / protocol.line.baudrate
        self._moment = ReadMoment(link.latency)
        self._shortest: dict[str, int] = {}  # bytes that came with the shortest answer to each question
        self._answer_times: dict[str, float] = {}  # s, from a request to its usual end
        self._quiet_since = self._looked = clock()  # the last byte that we know of; when the line was read last
        self._own = b""  # our last request, which an adapter may echo
        self._speaker = -1  # who answered last
        self._strange = 0  # answers to questions that were never answered
        self._name_after = name_after
        self._babbles = False  # the line is never quiet: waiting for that is in vain

    def ask(self, exchanges: Sequence[Exchange], until: float = inf) -> list[Asked]:
        """Ask packs one after another, up to the first whose answer is not as usual; at least one is asked.

        The others are not asked when their answers would come after ``until`` (monotonic s).

        Each of them must be given to :meth:`take`. Raises LinkError when the port fails.
        """
        first = exchanges[0]
        self._keep_silence(first.address)
        shortest = self._shortest.get(first.question, 1)
        answer_time = len(first.request) * self._byte_time + first.answer_time
        self._answer_times[first.question] = answer_time
        longest = min(shortest + MEANINGFUL, SWEEP_ROOM) - 1
        timing = Timing(answer_time + self._moment.value, self._silence.value, shortest, longest, until)
        receptions = self._link.ask([exchange.request for exchange in exchanges], timing)
        asked, ended, speaker = [], self._quiet_since, self._speaker
        for exchange, reception in zip(exchanges, receptions, strict=False):
            complete = bool(reception.data) and exchange.feed(reception.data)
            other = speaker not in (exchange.address, -1)
            asked.append(Asked(exchange, reception, reception.asked - ended, other, complete))
            ended, speaker = reception.taken, exchange.address
        return asked

    def take(self, asked: Asked) -> Outcome:
        """Wait for the rest of an answer if need be; what became of it. Raises LinkError when the port fails."""
        exchange, reception = asked.exchange, asked.reception
        sent = reception.asked + len(exchange.request) * self._byte_time
        heard, arrived = reception.data, reception.taken
        if asked.complete:
            self._moment.took(reception.looks)
        else:
            heard, arrived = self._await_rest(exchange, heard, sent)
        self._own, self._looked = exchange.request, arrived
        something = len(heard) > len(exchange.request)
        self._statistics.count("requests")
        if exchange.answer:
            shortest = self._shortest.get(exchange.question, len(heard))
            self._shortest[exchange.question] = min(shortest, len(heard))
            self._quiet_since, self._speaker = max(self._quiet_since, arrived), exchange.address
        elif something:
            self._quiet_since = max(self._quiet_since, arrived)
            self._disturbed(heard)
        else:
            self._quiet_since = max(self._quiet_since, sent)
            self._statistics.count("missed", int(not exchange.rejected))
        refused = tuple(exchange.rejected)
        if something and not exchange.answer and exchange.question not in self._shortest:
            self._strange += 1
            # A pack that never answers may be of another family, whatever its answers look like to ours. To ask all of
            # them takes as long as a pack's turn, which no bus should lose for one damaged answer.
            if self._strange >= self._name_after:
                other = look_alike(self._protocol, heard.replace(exchange.request, b"")[-HEARD:])
                refused = (other,) if other else refused
        return Outcome(exchange.answer, arrived, arrived - sent, something, heard, refused)

    def listen(self, seconds: float) -> None:
        """Say nothing for ``seconds``, but note what others say."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0.0:
            if data := self._link.read(left):
                self._disturbed(data)
                self._link.sleep(SETTLE)

    def turn_time(self, question: str) -> float:
        """From one pack's request to the next pack's, s, where several may be asked in one go; else infinite."""
        shortest = self._shortest.get(question, SWEEP_ROOM)
        if shortest + MEANINGFUL > SWEEP_ROOM:
            return inf
        return self._answer_times[question] + self._moment.value + self._silence.value

    def _await_rest(self, exchange: Exchange, heard: bytes, sent: float) -> tuple[bytes, float]:
        """Read until the answer is complete, or the line has been silent for so long that none will come."""
        link, times = self._link, self._protocol.line
        in_time = len(heard) > len(exchange.request)
        silent_at = sent + times.first_byte_timeout + link.latency
        limit = silent_at + 2.0 * exchange.answer_time
        quiet_at, now, looked = silent_at, self._clock(), False
        arrived = now
        while now < min(quiet_at, limit) or not looked:  # who has slept for too long looks once all the same
            data = link.read(max(min(quiet_at, limit) - now, 0.0))
            arrived = now = self._clock()
            looked = True
            if not data:
                continue
            first = len(heard) <= len(exchange.request)
            heard += data
            if exchange.feed(data):
                if in_time:
                    self._moment.late()
                return heard, arrived
            link.sleep(exchange.answer_time if first else SETTLE)
            now = self._clock()
            quiet_at = now + times.idle_timeout + link.latency
            quiet_at = quiet_at if exchange.rejected else max(quiet_at, silent_at)
        exchange.feed(b"")
        return heard, arrived

    def _keep_silence(self, address: int) -> None:
        """Wait until ``address`` hears again after what was on the line last."""
        gap = self._protocol.line.same_pack_gap if address == self._speaker else self._silence.value
        self._link.sleep(self._quiet_since + gap - self._clock())
        if self._clock() - self._looked > JUST_NOW:
            stray = self._link.read()
            if stray and self._drain(stray):
                self._quiet_since = self._clock()
                self.listen(self._silence.value)

    def _drain(self, stray: bytes) -> bool:
        """Read away what is no answer to us until the line is quiet, never for long; whether it made sense."""
        sense = self._disturbed(stray)
        quiet = len(stray) <= GLITCH
        until = self._clock() + (0.0 if self._babbles else DRAIN_LIMIT)
        while not quiet and self._clock() < until:
            more = self._link.read(QUIET)
            quiet = not more
            sense = self._disturbed(more) or sense
            self._link.sleep(0.0 if quiet else SETTLE)
        self._babbles = not quiet
        return sense

    def _disturbed(self, data: bytes) -> bool:
        """Something came that is no answer to us; whether it made sense."""
        if self._listener is None:
            return len(data) >= MEANINGFUL
        return self._listener.disturbed(data, self._own, self._clock())
