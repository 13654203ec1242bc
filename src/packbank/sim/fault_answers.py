"""What goes wrong with an answer on its way.

Each fault is a small function from the bursts that a pack meant to send to those that go out. Its docstring is what
``packbank simulate --help`` says of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from packbank.cext.checksum import crc16_modbus, sum8
from packbank.sim.responder import Burst

GLITCH_AFTER_FRAME = 0.00205  # s, jkpb.md 2: when the driver lets go of the line, a stop bit reads low
GLITCH_AFTER_ACKNOWLEDGEMENT = 0.0024
EXCEPTION = bytes((0x90, 0x01))  # function 16 with its highest bit set; code 1: this function is not supported


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
    return _replaced(bursts, len(bursts) - 1, _with_crc(bytes(body)))


def _exception(bursts: list[Burst], _random: Random) -> list[Burst]:
    """The pack answers with a Modbus exception, as one that is set to another protocol (JK PB)."""
    address = bursts[-1].data[:1]
    return [bursts[0]._replace(data=_with_crc(address + EXCEPTION))]


def _late(bursts: list[Burst], random: Random) -> list[Burst]:
    """The answer comes 120 to 500 ms after the request, when nobody waits for it any more."""
    return [bursts[0]._replace(delay=random.uniform(0.12, 0.5)), *bursts[1:]]


def _very_late(bursts: list[Burst], random: Random) -> list[Burst]:
    """The answer comes 0.6 to 1.6 s after the request, too late for makes that are waited for longer, too."""
    return [bursts[0]._replace(delay=random.uniform(0.6, 1.6)), *bursts[1:]]


def _slow(bursts: list[Burst], random: Random) -> list[Burst]:
    """The pack thinks for 30 to 80 ms before it answers."""
    return [bursts[0]._replace(delay=random.uniform(0.03, 0.08)), *bursts[1:]]


def _silence(_bursts: list[Burst], _random: Random) -> list[Burst]:
    """The pack does not answer."""
    return []


def _with_crc(body: bytes) -> bytes:
    return body + crc16_modbus(body).to_bytes(2, "little")


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
    "very-late": _very_late,
    "slow": _slow,
    "silence": _silence,
    "exception": _exception,
}
