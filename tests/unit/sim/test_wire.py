"""The medium itself, with a protocol made up for the purpose and a clock that is a number."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from packbank.bms.protocol import Row
from packbank.model.columns import Column, empty_matrix
from packbank.sim.responder import Burst, Responder
from packbank.sim.wire import Wire, WirePack

BYTE = 10 / 115200
DEAF = 0.030
TURNAROUND = 0.005
PAUSE = 0.007


class Parrot(Responder):
    """Asked with ``#<address>``, answers 300 bytes of its voltage and a tail that names it."""

    deaf_time = DEAF

    def __init__(self, address: int) -> None:
        self.address = address

    def wants(self, request: bytes) -> bool:
        return request == b"#%d" % self.address

    def answer(self, request: bytes, row: Row, random: Random) -> list[Burst]:
        return [Burst(TURNAROUND, bytes([int(row[Column.VOLTAGE])]) * 300), Burst(PAUSE, b"tail %d" % self.address)]


def pack(address: int) -> WirePack:
    row: Row = empty_matrix(1)[0]
    row[Column.VOLTAGE] = 50 + address
    return WirePack(Parrot(address), lambda now: row)


@pytest.fixture
def wire() -> Wire:
    return Wire([pack(1), pack(2)], Random(1))


def listen(wire: Wire, until: float) -> list[tuple[float, bytes]]:
    """Serve the wire to ``until`` as the real-time loop does; (time, bytes) of each delivery."""
    heard = []
    while wire.deadline <= until:
        now = wire.deadline
        if data := wire.deliver(now):
            heard.append((now, data))
    return heard


def bytes_of(heard: list[tuple[float, bytes]]) -> bytes:
    return b"".join(data for _, data in heard)


def ask(wire: Wire, now: float, address: int) -> list[tuple[float, bytes]]:
    wire.hear(now, b"#%d" % address)
    return listen(wire, now + 0.09)


def test_answer_comes_at_the_pace_of_the_line(wire: Wire) -> None:
    heard = ask(wire, 10.0, 1)
    assert bytes_of(heard) == b"\x33" * 300 + b"tail 1"
    first_byte = 10.0 + 2 * BYTE + TURNAROUND
    chunks = [74, 148, 222, 296, 300]  # of 6.5 ms at most
    assert np.allclose([time for time, _ in heard[:5]], [first_byte + count * BYTE for count in chunks])
    assert heard[-1][0] == pytest.approx(first_byte + 300 * BYTE + PAUSE + 6 * BYTE)


def test_slow_line_takes_longer() -> None:
    slow = Wire([pack(1)], Random(1), baudrate=9600)
    slow.hear(0.0, b"#1")
    heard = listen(slow, 1.0)
    assert bytes_of(heard).endswith(b"tail 1")
    assert heard[-1][0] == pytest.approx((2 + 300 + 6) * 10 / 9600 + TURNAROUND + PAUSE)


def test_bytes_are_not_delivered_before_their_last_bit(wire: Wire) -> None:
    wire.hear(0.0, b"#1")
    start = 2 * BYTE + TURNAROUND
    assert wire.deliver(start + 0.5 * BYTE) == b""
    assert wire.deliver(start + 3.5 * BYTE) == b"\x33" * 3
    assert wire.deliver(start + 4.0 * BYTE) == b"\x33"


def test_unknown_request_gets_silence(wire: Wire) -> None:
    assert ask(wire, 0.0, 9) == []
    assert wire.tally.requests == 1
    assert wire.tally.answers == 0


def test_other_pack_is_deaf_after_an_answer(wire: Wire) -> None:
    end = ask(wire, 0.0, 1)[-1][0]
    assert ask(wire, end + 0.9 * DEAF, 2) == []
    assert wire.tally.deaf == 1


def test_other_pack_hears_after_the_silence(wire: Wire) -> None:
    end = ask(wire, 0.0, 1)[-1][0]
    assert bytes_of(ask(wire, end + 1.01 * DEAF, 2)).endswith(b"tail 2")


def test_same_pack_hears_at_once(wire: Wire) -> None:
    end = ask(wire, 0.0, 1)[-1][0]
    assert bytes_of(ask(wire, end + 0.005, 1)).endswith(b"tail 1")
    assert wire.tally.deaf == 0


def test_lost_request_prolongs_the_silence_needed(wire: Wire) -> None:
    end = ask(wire, 0.0, 1)[-1][0]
    wire.hear(end + 0.020, b"#2")
    wire.hear(end + 0.035, b"#2")  # 15 ms after the lost one, which is still in the pack's buffer
    assert listen(wire, end + 0.1) == []
    assert wire.tally.deaf == 2


def test_request_during_an_answer_destroys_both(wire: Wire) -> None:
    clean = b"\x33" * 300
    wire.hear(0.0, b"#1")
    wire.hear(0.015, b"#2")
    heard = bytes_of(listen(wire, 0.2))
    assert heard.endswith(b"tail 1"), "what is not overlapped arrives"
    assert b"tail 2" not in heard
    assert len(heard) == 306
    wrong = [index for index, (have, want) in enumerate(zip(heard, clean, strict=False)) if have != want]
    assert 1 <= len(wrong) <= 4
    assert wire.tally.collisions == 1


def test_request_to_a_busy_pack_is_lost(wire: Wire) -> None:
    wire.hear(0.0, b"#1")
    wire.hear(0.003, b"#1")  # in its turnaround
    assert bytes_of(listen(wire, 0.2)) == b"\x33" * 300 + b"tail 1"
    assert wire.tally.answers == 1


def test_late_answer_deafens_when_it_comes_not_before(wire: Wire) -> None:
    wire.distortions.append(lambda asked, bursts: [bursts[0]._replace(delay=0.3)] if asked.address == 1 else bursts)
    wire.hear(0.0, b"#1")
    assert bytes_of(ask(wire, 0.05, 2)).endswith(b"tail 2")
    assert bytes_of(listen(wire, 0.33)) == b"\x33" * 300
    assert ask(wire, 0.34, 2) == []


def test_late_answer_and_another_destroy_each_other(wire: Wire) -> None:
    wire.distortions.append(lambda asked, bursts: [bursts[0]._replace(delay=0.065)] if asked.address == 1 else bursts)
    wire.hear(0.0, b"#1")
    heard = bytes_of(ask(wire, 0.05, 2))
    assert b"\x33" * 300 not in heard
    assert b"\x34" * 300 not in heard
    assert len(heard) == 606


def test_whisper_is_heard_by_the_client_only(wire: Wire) -> None:
    wire.whisper(0.0, b"noise")
    assert bytes_of(listen(wire, 0.001)) == b"noise"
    assert bytes_of(ask(wire, 0.001, 1)).endswith(b"tail 1"), "no pack took it for traffic"


def test_third_party_traffic_is_heard_and_deafens(wire: Wire) -> None:
    wire.send(0.0, 7, b"foreign")
    assert bytes_of(listen(wire, 0.01)) == b"foreign"
    assert ask(wire, 0.02, 1) == []


def test_foreign_request_and_its_answer_are_heard(wire: Wire) -> None:
    assert wire.ask(0.0, b"#1")
    assert bytes_of(listen(wire, 0.1)) == b"#1" + b"\x33" * 300 + b"tail 1"


def test_silent_requests_are_not_kept(wire: Wire) -> None:
    for second in range(1000):
        wire.hear(float(second), b"#9")
    assert len(wire._line) < 3


def test_observer_sees_what_the_pack_meant(wire: Wire) -> None:
    seen: list[tuple[int, int]] = []
    wire.observers.append(lambda now, address, request, bursts: seen.append((address, len(bursts[0].data))))
    wire.distortions.append(lambda asked, bursts: [])
    wire.echoes.append(lambda request: request)
    assert bytes_of(ask(wire, 0.0, 2)) == b"#2", "only the echo"
    assert seen == [(2, 300)]
