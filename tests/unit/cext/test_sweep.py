"""The sweep on real pseudo-terminals, against a thread that answers by a script."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from math import nan
from threading import Thread

import pytest

from packbank.cext.sweep import SWEEP_MOST, SWEEP_ROOM, sweep

LOOK, PAUSE = 0.015, 0.030
REQUEST_SIZE = ANSWER_SIZE = 4
Script = Callable[[int], list[tuple[float, bytes]]]
"""What is answered to request ``n``: pauses and bytes; no bytes close the terminal."""


def request(number: int) -> bytes:
    return b"?%03d" % number


def answer(number: int) -> bytes:
    return b"!%03d" % number


def prompt(number: int) -> list[tuple[float, bytes]]:
    return [(0.002, answer(number))]


def but(special: dict[int, list[tuple[float, bytes]]]) -> Script:
    return lambda number: special.get(number, prompt(number))


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """The two ends of a pseudo-terminal: the packs', and ours, which does not block."""
    master, ours = os.openpty()
    tty.setraw(ours)
    os.set_blocking(ours, False)
    with ExitStack() as stack:
        stack.callback(os.close, ours)
        yield master, ours
        with contextlib.suppress(OSError):
            os.close(master)


@contextmanager
def packs(script: Script) -> Iterator[tuple[int, list[bytes]]]:
    """Our end of a terminal on which requests are answered by ``script``, and the requests that came so far."""
    heard: list[bytes] = []
    with terminal() as (master, ours):
        thread = Thread(target=_serve, args=(master, script, heard))
        thread.start()
        try:
            yield ours, heard
        finally:
            with contextlib.suppress(OSError):
                os.write(ours, b"stop")
            thread.join()


def _serve(master: int, script: Script, heard: list[bytes]) -> None:
    buffer = b""
    while b"stop" not in buffer:
        select.select([master], [], [])
        buffer += os.read(master, 4096)
        while len(buffer) >= REQUEST_SIZE and not buffer.startswith(b"stop"):
            heard.append(buffer[:REQUEST_SIZE])
            buffer = buffer[REQUEST_SIZE:]
            for pause, data in script(len(heard) - 1):
                time.sleep(pause)
                if not data:
                    os.close(master)
                    return
                os.write(master, data)


def ask(descriptor: int, count: int, shortest: int = 4, longest: int = 6) -> list[tuple[float, float, bytes]]:
    return sweep(descriptor, [request(number) for number in range(count)], LOOK, PAUSE, shortest, longest)


def test_every_request_is_written_in_turn_and_every_answer_returned_with_it() -> None:
    with packs(prompt) as (ours, heard):
        swept = ask(ours, 8)
        assert heard == [request(number) for number in range(8)]
    assert [data for _, _, data in swept] == [answer(number) for number in range(8)]


def test_times_are_monotonic_and_every_pause_is_kept() -> None:
    with packs(prompt) as (ours, _):
        before = time.monotonic()
        swept = ask(ours, 5)
        after = time.monotonic()
    times = [before, *(time for asked, taken, _ in swept for time in (asked, taken)), after]
    assert times == sorted(times)
    assert all(later[0] - earlier[0] >= PAUSE for earlier, later in pairwise(swept))
    assert all(taken - asked >= PAUSE for asked, taken, _ in swept[1:])
    assert after - before < 5 * PAUSE + 0.1


def test_a_late_start_of_one_is_not_made_up_for_with_the_next() -> None:
    """Pauses count from each request, so a sleep that took too long never shortens another silence."""
    with packs(prompt) as (ours, _):
        busy = Thread(target=lambda: [sum(range(200_000)) for _ in range(20)])
        busy.start()
        swept = ask(ours, 6)
        busy.join()
    assert all(later[0] - earlier[0] >= PAUSE for earlier, later in pairwise(swept))


def test_the_first_answer_is_read_early_and_what_comes_behind_it_is_found_with_the_second() -> None:
    with packs(but({0: [(0.0, answer(0)), (LOOK + 0.008, b"~~")]})) as (ours, _):
        swept = ask(ours, 3)
    (asked, taken, first), (next_asked, _, second), _ = swept
    assert LOOK <= taken - asked < PAUSE
    assert next_asked - asked >= PAUSE
    assert (first, second) == (answer(0), b"~~" + answer(1))


SURPRISES = {
    "short": ([(0.0, b"!00")], b"!00"),
    "long": ([(0.0, b"!00345~")], b"!00345~"),
    "missing": ([], b""),
    "late": ([(PAUSE + 0.005, answer(0))], b""),
    "begun late": ([(0.0, b"!0"), (PAUSE + 0.005, b"00")], b"!0"),
}


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("kind", SURPRISES)
def test_it_ends_after_the_first_answer_that_is_not_as_usual(kind: str, place: int) -> None:
    said, seen = SURPRISES[kind]
    with packs(but({place: said})) as (ours, heard):
        swept = ask(ours, 5)
        assert heard == [request(number) for number in range(place + 1)]
        assert [data for _, _, data in swept] == [*map(answer, range(place)), seen]


def test_answers_of_the_least_and_the_greatest_usual_length_are_no_surprise() -> None:
    with packs(lambda number: [(0.0, bytes(4 + 2 * (number % 2)))]) as (ours, _):
        assert [len(data) for _, _, data in ask(ours, 4)] == [4, 6, 4, 6]


def test_a_closed_port_ends_it_at_once_and_without_an_error() -> None:
    with terminal() as (master, ours):
        os.close(master)
        before = time.monotonic()
        ((asked, taken, data),) = ask(ours, 5)
        assert asked == taken >= before
        assert data == b""
        assert time.monotonic() - before < LOOK, "what was not written needs no sleep"


@pytest.mark.parametrize("answered", [b"", answer(2)])
def test_a_port_that_goes_in_the_middle_ends_it_there(answered: bytes) -> None:
    """Unplugged while the answer was awaited, or right behind it: then its bytes are lost with the port."""
    said = [(0.001, answered)] * bool(answered)
    with packs(but({2: [*said, (0.001, b"")]})) as (ours, heard):
        swept = ask(ours, 5)
        assert len(heard) == 3
    assert len(swept) in (3, 4)
    assert [data for _, _, data in swept[:2]] == [answer(0), answer(1)]
    assert swept[-1][2] == b""


def test_a_port_that_takes_no_bytes_ends_it() -> None:
    with terminal() as (_, ours):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(ours, bytes(4096))
        assert [data for _, _, data in ask(ours, 3)] == [b""]


def test_what_does_not_fit_stays_in_the_port() -> None:
    with packs(but({0: [(0.0, bytes(SWEEP_ROOM)), (0.0, b"rest")]})) as (ours, _):
        assert [len(data) for _, _, data in ask(ours, 2, 4, SWEEP_ROOM - 1)] == [SWEEP_ROOM]
        assert os.read(ours, 100) == b"rest"


def test_as_many_requests_as_there_is_room_for_and_no_more() -> None:
    endless = os.open("/dev/zero", os.O_RDWR)
    try:
        swept = sweep(endless, [b"?"] * SWEEP_MOST, 0.0, 0.0, SWEEP_ROOM, SWEEP_ROOM)
        assert [data for _, _, data in swept] == [bytes(SWEEP_ROOM)] * SWEEP_MOST
        with pytest.raises(ValueError, match=str(SWEEP_MOST)):
            sweep(endless, [b"?"] * (SWEEP_MOST + 1), 0.0, 0.0, SWEEP_ROOM, SWEEP_ROOM)
    finally:
        os.close(endless)


def test_nothing_to_ask_is_nothing_asked() -> None:
    assert sweep(-1, [], LOOK, PAUSE, 4, 6) == []


@pytest.mark.parametrize(("look", "pause"), [(-0.1, 0.1), (0.2, 0.1), (0.1, 11.0), (nan, 0.1), (0.1, nan)])
def test_pauses_that_make_no_sense_are_refused_before_anything_is_asked(look: float, pause: float) -> None:
    with terminal() as (master, ours):
        with pytest.raises(ValueError, match="pauses"):
            sweep(ours, [request(0)], look, pause, 4, 6)
        assert not select.select([master], [], [], 0.0)[0]


@pytest.mark.parametrize("requests", [[b"?000", "?001"], [b"?000", None], [b"?000", bytearray(4)], None, (b"?000",)])
def test_requests_that_are_no_list_of_bytes_are_refused_before_anything_is_asked(requests: list[bytes]) -> None:
    with terminal() as (master, ours):
        with pytest.raises(TypeError):
            sweep(ours, requests, LOOK, PAUSE, 4, 6)
        assert not select.select([master], [], [], 0.0)[0]


def test_signals_shorten_no_pause() -> None:
    signals: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: signals.append(number))
    try:
        with packs(prompt) as (ours, _):
            signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
            swept = ask(ours, 4)
            signal.setitimer(signal.ITIMER_REAL, 0.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert signals
    assert [data for _, _, data in swept] == [answer(number) for number in range(4)]
    assert all(later[0] - earlier[0] >= PAUSE for earlier, later in pairwise(swept))


def test_other_threads_run_meanwhile() -> None:
    counted: list[float] = []
    with terminal() as (_, ours):
        thread = Thread(target=lambda: sweep(ours, [request(0)], 0.1, 0.1, 4, 6))
        began = time.monotonic()
        thread.start()
        while time.monotonic() - began < 0.05:
            counted.append(time.monotonic())
        assert thread.is_alive()
        thread.join()
    assert max(later - earlier for earlier, later in pairwise(counted)) < 0.05
