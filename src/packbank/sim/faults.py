"""What goes wrong on real buses, as data: a fault has a name, a rate and the packs it befalls.

:data:`ANSWER_FAULTS` change an answer's bursts and nothing else, so each is one small function; its docstring
is what ``packbank simulate --help`` and docs/reliability.md say of it. The others need the wire: an echo is
heard while a request is sent, a second master speaks unasked, an unplugged port is gone.

On a command line a fault is ``NAME[=RATE][@[BUS/][ADDRESS]]``: ``late=0.1@2/0x03``, ``echo=1``, ``unplug@1/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random

from packbank.cext.checksum import crc16_modbus, sum8
from packbank.errors import ConfigError
from packbank.sim.responder import Burst
from packbank.sim.wire import Wire
from packbank.sim.wire_master import SecondMaster

DEFAULT_RATE = 0.1
GLITCH_AFTER_FRAME = 0.00205  # s, jkpb.md 2: when the driver lets go of the line, a stop bit reads low
GLITCH_AFTER_ACKNOWLEDGEMENT = 0.0024
UNPLUG_PERIOD = 4.0  # s from one removal to the next


def _bit_flip(bursts: list[Burst], random: Random) -> list[Burst]:
    """One bit of the answer is inverted."""
    number = random.choices(range(len(bursts)), [len(burst.data) for burst in bursts])[0]
    data = bytearray(bursts[number].data)
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return _replaced(bursts, number, bytes(data))


def _garble(bursts: list[Burst], random: Random) -> list[Burst]:
    """Two to sixteen bytes in a row are random."""
    data = bytearray(bursts[0].data)
    count = min(random.randint(2, 16), len(data))
    begin = random.randint(0, len(data) - count)
    data[begin : begin + count] = random.randbytes(count)
    return _replaced(bursts, 0, bytes(data))


def _truncation(bursts: list[Burst], random: Random) -> list[Burst]:
    """Bytes are lost: a few within the frame, or everything from some byte on."""
    data = bursts[0].data
    begin = random.randrange(len(data))
    if random.random() < 0.5:
        return [Burst(bursts[0].delay, data[:begin])]
    return _replaced(bursts, 0, data[:begin] + data[begin + random.randint(1, 60) :])


def _noise(bursts: list[Burst], random: Random) -> list[Burst]:
    """Random bytes before the frame and between the frame and what follows it."""
    noisy = []
    for burst in bursts:
        data = random.randbytes(random.randint(1, 20))
        noisy += [Burst(burst.delay / 2, data), Burst(burst.delay / 2, burst.data)]
    return noisy


def _glitch(bursts: list[Burst], _random: Random) -> list[Burst]:
    """A 0x00 after the frame and after the acknowledgement, as when a BMS lets go of the line."""
    pauses = [GLITCH_AFTER_FRAME] * (len(bursts) - 1) + [GLITCH_AFTER_ACKNOWLEDGEMENT]
    glitched, used = [], 0.0
    for burst, pause in zip(bursts, pauses, strict=True):
        glitched += [Burst(burst.delay - used, burst.data), Burst(pause, b"\0")]
        used = pause
    return glitched


def _wrong_type(bursts: list[Burst], random: Random) -> list[Burst]:
    """The frame is of another type than was asked for, with a right sum8 (JK PB)."""
    frame = bytearray(bursts[0].data)
    frame[4] = random.choice([kind for kind in (1, 2, 3) if kind != frame[4]])
    frame[-1] = sum8(bytes(frame[:-1]))
    return _replaced(bursts, 0, bytes(frame))


def _foreign_acknowledgement(bursts: list[Burst], random: Random) -> list[Burst]:
    """The acknowledgement names another pack, with a right checksum (JK PB)."""
    body = bytearray(bursts[-1].data[:-2])
    body[0] = random.choice([address for address in range(16) if address != body[0]])
    return _replaced(bursts, len(bursts) - 1, bytes(body) + crc16_modbus(bytes(body)).to_bytes(2, "little"))


def _late(bursts: list[Burst], random: Random) -> list[Burst]:
    """The answer comes 120 to 500 ms after the request, when nobody waits for it any more."""
    return [bursts[0]._replace(delay=random.uniform(0.12, 0.5)), *bursts[1:]]


def _slow(bursts: list[Burst], random: Random) -> list[Burst]:
    """The pack thinks for 30 to 80 ms before it answers."""
    return [bursts[0]._replace(delay=random.uniform(0.03, 0.08)), *bursts[1:]]


def _silence(_bursts: list[Burst], _random: Random) -> list[Burst]:
    """The pack does not answer."""
    return []


def _replaced(bursts: list[Burst], number: int, data: bytes) -> list[Burst]:
    return [burst._replace(data=data) if index == number else burst for index, burst in enumerate(bursts)]


ANSWER_FAULTS: Mapping[str, Callable[[list[Burst], Random], list[Burst]]] = {
    "bit-flip": _bit_flip,
    "garble": _garble,
    "truncation": _truncation,
    "noise": _noise,
    "glitch": _glitch,
    "wrong-type": _wrong_type,
    "foreign-ack": _foreign_acknowledgement,
    "late": _late,
    "slow": _slow,
    "silence": _silence,
}
BUS_FAULTS: Mapping[str, str] = {
    "echo": "The adapter hears its own requests, whole or the last bytes of them.",
    "second-master": "Somebody else asks the packs of this bus, a request in each slot of 220 ms.",
    "unplug": "The adapter is unplugged and comes back, every 4 s; the rate is the part of the time it is gone.",
}
MEANINGS: Mapping[str, str] = {
    **{name: (distort.__doc__ or "") for name, distort in ANSWER_FAULTS.items()},
    **BUS_FAULTS,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """``rate`` of the answers (requests, slots, time) of ``address`` on ``bus`` suffer ``name``; ``None``: all."""

    name: str
    rate: float = DEFAULT_RATE
    bus: int | None = None  # from 1
    address: int | None = None


def parse_fault(text: str) -> Fault:
    """A fault from its spelling on a command line; ConfigError says what is wrong with it."""
    what, _, where = text.partition("@")
    name, _, rate = what.partition("=")
    bus, slash, address = where.rpartition("/")
    if name not in MEANINGS:
        raise ConfigError(f"fault {text!r}: there is no {name!r}; faults are {', '.join(MEANINGS)}")
    try:
        fault = Fault(
            name,
            float(rate) if rate else DEFAULT_RATE,
            int(bus, 0) if slash else None,
            int(address, 0) if address else None,
        )
    except ValueError as error:
        raise ConfigError(
            f"fault {text!r}: {error}; write NAME[=RATE][@[BUS/][ADDRESS]], e.g. late=0.1@2/0x03"
        ) from None
    if not 0.0 <= fault.rate <= 1.0:
        raise ConfigError(f"fault {text!r}: rate {fault.rate:g} is not between 0 and 1")
    if fault.address is not None and name in BUS_FAULTS:
        raise ConfigError(f"fault {text!r}: {name} befalls a whole bus; write {name}@BUS/ or {name}")
    return fault


class Faulty:
    """The answer faults of one bus (a :data:`~packbank.sim.wire.Distortion`)."""

    def __init__(self, faults: Iterable[Fault], random: Random) -> None:
        self._faults = tuple(faults)
        self._random = random

    def __call__(self, address: int, bursts: list[Burst]) -> list[Burst]:
        """``bursts`` after every fault that befalls this answer."""
        for fault in self._faults:
            if bursts and fault.address in (None, address) and self._random.random() < fault.rate:
                bursts = ANSWER_FAULTS[fault.name](bursts, self._random)
        return bursts


class Echoing:
    """An adapter that leaves its receiver on while it sends (a :data:`~packbank.sim.wire.Echo`)."""

    def __init__(self, rate: float, random: Random) -> None:
        self._rate = rate
        self._random = random

    def __call__(self, request: bytes) -> bytes:
        """The request, or its last bytes when the receiver wakes up late, or nothing."""
        if self._random.random() >= self._rate:
            return b""
        return request[self._random.randrange(len(request)) :] if self._random.random() < 0.5 else request


class Unplug:
    """An adapter that is removed and comes back (a :class:`~packbank.sim.wire.Talker`)."""

    def __init__(self, rate: float, start: float) -> None:
        self.due = start + UNPLUG_PERIOD * (1 - rate)
        self._absent = UNPLUG_PERIOD * rate

    def speak(self, now: float, wire: Wire) -> None:
        """Remove the adapter, or bring it back."""
        wire.connected = not wire.connected
        self.due = now + (UNPLUG_PERIOD - self._absent if wire.connected else self._absent)


def afflict(wire: Wire, bus: int, faults: Iterable[Fault], start: float, random: Random) -> None:
    """Let the faults that name bus ``bus`` (from 1), or no bus, befall ``wire`` from ``start`` on."""
    here = [fault for fault in faults if fault.bus in (None, bus)]
    wire.distortions.append(Faulty([fault for fault in here if fault.name in ANSWER_FAULTS], random))
    for fault in here:
        if fault.name == "echo":
            wire.echoes.append(Echoing(fault.rate, random))
        elif fault.name == "second-master":
            addresses = [pack.responder.address for pack in wire.packs]
            wire.talkers.append(SecondMaster(addresses, fault.rate, start, random))
        elif fault.name == "unplug":
            wire.talkers.append(Unplug(fault.rate, start))


def heal(wire: Wire) -> None:
    """End every fault of ``wire``."""
    wire.distortions.clear()
    wire.echoes.clear()
    wire.talkers.clear()
    wire.connected = True
