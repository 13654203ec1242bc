"""An RS485 bus as a medium: who hears what and when, half duplex, at the pace of its baud rate.

Pure: bytes and times go in, bytes and times come out; ``wire_pty.py`` puts it on a pseudo-terminal in real
time. The client (a poller or a listener) and the packs share one pair of wires, so

* a byte takes ten bit times and is delivered no earlier than its last bit,
* two who talk at once destroy each other's bytes while they overlap,
* a pack that overheard others needs ``Responder.deaf_time`` of silence before it hears a request again,
* a request that no pack recognises (address, checksum) gets no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil, inf
from random import Random
from typing import NamedTuple, Protocol

from packbank.bms.protocol import Row, Topic
from packbank.sim.responder import Burst, Responder

BITS_A_BYTE = 10  # start, eight data bits, stop
CHUNK_TIME = 0.0065  # s of bytes delivered at once: what a USB adapter collects, and few wake-ups for us
NOBODY = -1  # whose traffic bytes are that no pack sends or understands
MEMORY = 0.2  # s that traffic is remembered: longer than any pack is deaf after it

Observer = Callable[[float, int, bytes, list[Burst]], None]
"""Called with every answer as the pack gave it, before any fault: (now, address, request, bursts)."""


class Question(NamedTuple):
    """Which pack is asked, and about what."""

    address: int
    topic: Topic


Distortion = Callable[[Question, list[Burst]], list[Burst]]
"""A fault of an answer: what really goes out instead of the bursts that the pack meant to send."""

Echo = Callable[[bytes], bytes]
"""A fault of the adapter: what the client's own receiver hears while it sends a request."""


@dataclass(frozen=True, slots=True)
class WirePack:
    """A responder on the bus and the function that gives its present values."""

    responder: Responder
    row: Callable[[float], Row]


Change = Callable[[float, WirePack], list[WirePack]]
"""A fault of a pack: the packs that really answer at its address (another one, two, itself with other values)."""


class Talker(Protocol):
    """Somebody who speaks unasked, such as a second master."""

    due: float  # when it wants to speak next

    def speak(self, now: float, wire: Wire) -> None:
        """Say what is due and move ``due`` on."""


@dataclass(slots=True)
class Tally:
    """What happened on the bus, for summaries and tests."""

    requests: int = 0
    answers: int = 0
    deaf: int = 0  # requests lost in a deaf window
    collisions: int = 0


@dataclass(slots=True)
class Transmission:
    """Bytes on the line from ``start``; ``audible`` says whether the client's receiver gets them.

    ``party`` is the pack that sends them or is asked by them: every other pack overhears somebody else's traffic.
    """

    party: int
    start: float
    data: bytearray
    byte_time: float
    audible: bool = True
    delivered: int = 0

    @property
    def end(self) -> float:
        """When the last bit is on the line."""
        return self.start + len(self.data) * self.byte_time

    @property
    def next_chunk(self) -> float:
        """When the next chunk is complete."""
        chunk = max(int(CHUNK_TIME / self.byte_time), 1)
        return self.start + min(self.delivered + chunk, len(self.data)) * self.byte_time

    @property
    def done(self) -> bool:
        """Whether every byte was taken."""
        return self.delivered == len(self.data)

    def take(self, now: float) -> bytes:
        """The bytes complete by ``now`` that were not taken before."""
        complete = int((now - self.start) / self.byte_time + 1e-6)
        count = max(min(complete, len(self.data)), self.delivered)
        taken = bytes(self.data[self.delivered : count])
        self.delivered = count
        return taken if self.audible else b""

    def destroy(self, first: float, last: float, random: Random) -> None:
        """Replace the bytes on the line between two times by garbage."""
        begin = int((first - self.start) / self.byte_time)
        end = min(ceil((last - self.start) / self.byte_time), len(self.data))
        self.data[begin:end] = random.randbytes(end - begin)


@dataclass
class Wire:
    """One bus. Call :meth:`hear` with what the client sends and :meth:`deliver` no later than :attr:`deadline`."""

    packs: list[WirePack]
    random: Random
    baudrate: int = 115200
    family: str = "jkpb"
    changes: list[Change] = field(default_factory=list)
    distortions: list[Distortion] = field(default_factory=list)
    echoes: list[Echo] = field(default_factory=list)
    talkers: list[Talker] = field(default_factory=list)
    observers: list[Observer] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    connected: bool = True  # whether the client's adapter is plugged in
    _line: list[Transmission] = field(default_factory=list)  # what is to come, and a little of what was
    _whispers: list[Transmission] = field(default_factory=list)

    @property
    def deadline(self) -> float:
        """When :meth:`deliver` must be called next; infinite while nothing is on its way."""
        chunks = (item.next_chunk for item in self._line + self._whispers if item.audible and not item.done)
        return min((*chunks, *(talker.due for talker in self.talkers)), default=inf)

    def hear(self, now: float, data: bytes) -> None:
        """The client sends ``data`` from ``now`` on."""
        for echo in self.echoes:
            if heard := echo(data):
                self.whisper(now, heard)
        self.ask(now, data, audible=False)

    def ask(self, now: float, request: bytes, *, audible: bool = True) -> bool:
        """Put a request on the line; true when a pack answers it. ``audible``: the client is not its sender."""
        self._line = [item for item in self._line if item.end > now - MEMORY or (item.audible and not item.done)]
        sent, intact = self._occupy(NOBODY, now, request, audible)
        self.tally.requests += 1
        pack = next((pack for pack in self.packs if pack.responder.wants(request)), None) if intact else None
        if pack is None:
            return False
        address = pack.responder.address
        if self._is_deaf(now, pack.responder):
            self.tally.deaf += 1
            return False
        if any(item.party == address and item.end > now for item in self._line):
            return False  # it is still busy with the request before
        sent.party = address
        for bursts in list(self.answers(now, pack, request)):
            self._send(sent.end, address, bursts)
        return True

    def answers(self, now: float, pack: WirePack, request: bytes) -> Iterator[list[Burst]]:
        """What really goes out when ``pack`` is asked: one answer, or one for each pack at its address."""
        question = Question(pack.responder.address, pack.responder.topic(request))
        packs = [pack]
        for change in self.changes:
            packs = [real for one in packs for real in change(now, one)]
        for real in packs:
            bursts = real.responder.answer(request, real.row(now), self.random)
            for observer in self.observers:
                observer(now, question.address, request, bursts)
            self.tally.answers += 1
            for distort in self.distortions:
                bursts = distort(question, bursts)
            yield bursts

    def send(self, now: float, sender: int, data: bytes) -> None:
        """Put bytes on the line that nobody asked for; every pack but ``sender`` overhears them."""
        self._occupy(sender, now, data)

    def whisper(self, now: float, data: bytes) -> None:
        """Put bytes into the client's receiver only: they are not on the line and collide with nothing."""
        self._whispers.append(self._transmission(NOBODY, now, data))

    def deliver(self, now: float) -> bytes:
        """The bytes that the client's receiver has got since the last call."""
        for talker in tuple(self.talkers):  # one may start or end another
            if talker.due <= now:
                talker.speak(now, self)
        in_order = sorted(self._line + self._whispers, key=lambda item: item.start)
        received = b"".join([item.take(now) for item in in_order])
        self._whispers = [item for item in self._whispers if not item.done]
        return received

    def _is_deaf(self, now: float, responder: Responder) -> bool:
        """Whether the pack overheard others within its deaf time."""
        since = now - responder.deaf_time
        return any(item.party != responder.address and item.start < now and item.end > since for item in self._line)

    def _send(self, end: float, address: int, bursts: list[Burst]) -> None:
        for burst in bursts:
            sent, _ = self._occupy(address, end + burst.delay, burst.data)
            end = sent.end

    def _occupy(self, party: int, start: float, data: bytes, audible: bool = True) -> tuple[Transmission, bool]:
        """Put bytes on the line; false when they met others: where they overlap, both are destroyed."""
        new = self._transmission(party, start, data, audible)
        met = [other for other in self._line if new.start < other.end and other.start < new.end]
        for other in met:
            first, last = max(new.start, other.start), min(new.end, other.end)
            new.destroy(first, last, self.random)
            other.destroy(first, last, self.random)
        self.tally.collisions += len(met)
        self._line.append(new)
        return new, not met

    def _transmission(self, party: int, start: float, data: bytes, audible: bool = True) -> Transmission:
        return Transmission(party, start, bytearray(data), BITS_A_BYTE / self.baudrate, audible)
