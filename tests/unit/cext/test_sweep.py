"""The sweep on real pseudo-terminals, against a thread that answers by a script."""

from __future__ import annotations

import errno
import os
import select
import signal
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import nan
from threading import Event, Thread

import pytest

from packbank.cext.sweep import SWEEP_LOOKS, SWEEP_MOST, SWEEP_ROOM, sweep

LOOK, STEP, SILENCE = 0.040, 0.020, 0.030  # s; the packs are a thread of Python, maybe on a busy machine
PAUSE = LOOK + SILENCE  # s, at least, from one request to the next
LAST_LOOK = LOOK + (SWEEP_LOOKS - 1) * STEP
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


class Packs:
    """A thread that answers the requests on a pseudo-terminal by a script, until it is stopped.

    It looks for the stop signal between two waits, and whoever waits for it does so for a limited time: whatever a
    test or a signal does to the bytes on the terminal, no test waits for ever.
    """

    def __init__(self, script: Script) -> None:
        self.heard: list[bytes] = []
        self._script = script
        self._master, self.ours = os.openpty()
        tty.setraw(self.ours)
        os.set_blocking(self.ours, False)
        self._stop = Event()
        self._thread = Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Packs:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10.0)
        os.close(self.ours)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        with os.fdopen(self._master, "r+b", buffering=0) as master:
            buffer = b""
            while not self._stop.is_set():
                if not select.select([master], [], [], 0.05)[0]:
                    continue
                buffer += master.read(4096) or b""
                while len(buffer) >= REQUEST_SIZE:
                    self.heard.append(buffer[:REQUEST_SIZE])
                    buffer = buffer[REQUEST_SIZE:]
                    for pause, data in self._script(len(self.heard) - 1):
                        time.sleep(pause)
                        if not data:
                            return
                        master.write(data)


@contextmanager
def packs(script: Script) -> Iterator[tuple[int, list[bytes]]]:
    """Our end of a terminal on which requests are answered by ``script``, and the requests that came so far."""
    with Packs(script) as serving:
        yield serving.ours, serving.heard


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """The two ends of a pseudo-terminal on which nobody answers: the packs', and ours, which does not block."""
    master, ours = os.openpty()
    tty.setraw(ours)
    os.set_blocking(ours, False)
    with os.fdopen(master, "r+b", buffering=0), os.fdopen(ours, "r+b", buffering=0):
        yield master, ours


Heard = list[tuple[float, float, int, int, bytes]]


def ask(descriptor: int, count: int, shortest: int = 4, longest: int = 6) -> Heard:
    requests = [request(number) for number in range(count)]
    return sweep(descriptor, requests, LOOK, STEP, SILENCE, shortest, longest)


def answers(swept: Heard) -> list[bytes]:
    return [data for *_, data in swept]


def test_every_request_is_written_in_turn_and_every_answer_returned_with_it() -> None:
    with packs(prompt) as (ours, heard):
        swept = ask(ours, 8)
        assert heard == [request(number) for number in range(8)]
    assert answers(swept) == [answer(number) for number in range(8)]


def test_times_are_monotonic_and_every_pause_is_kept() -> None:
    with packs(prompt) as (ours, _):
        before = time.monotonic()
        swept = ask(ours, 5)
        after = time.monotonic()
    times = [before, *(time for asked, taken, *_ in swept for time in (asked, taken)), after]
    assert times == sorted(times)
    assert all(taken - asked >= LOOK for asked, taken, *_ in swept)
    assert all(later[0] - earlier[1] >= SILENCE for earlier, later in pairwise(swept)), "from when an answer was read"
    assert [error for _, _, _, error, _ in swept] == [0] * 5


def test_a_late_start_of_one_is_not_made_up_for_with_the_next() -> None:
    """Pauses count from each answer, so a sleep that took too long never shortens another silence."""
    with packs(prompt) as (ours, _):
        busy = Thread(target=lambda: [sum(range(200_000)) for _ in range(20)])
        busy.start()
        swept = ask(ours, 6)
        busy.join()
    assert all(later[0] - earlier[1] >= SILENCE for earlier, later in pairwise(swept))


def test_what_comes_in_the_silence_belongs_to_the_answer_before() -> None:
    with packs(but({0: [(0.0, answer(0)), (LOOK + 0.008, b"~~")]})) as (ours, _):
        swept = ask(ours, 3)
    assert answers(swept) == [answer(0) + b"~~", answer(1), answer(2)]
    assert swept[0][1] - swept[0][0] < LOOK + SILENCE, "a glitch does not count as speech"
    assert swept[0][2] == 1


def test_speech_in_the_silence_makes_it_begin_again() -> None:
    with packs(but({0: [(0.0, answer(0)), (LOOK + 0.008, b"~~~~~")]})) as (ours, _):
        swept = ask(ours, 3, longest=9)
    assert answers(swept) == [answer(0) + b"~~~~~", answer(1), answer(2)]
    assert swept[0][1] - swept[0][0] >= LOOK + SILENCE
    assert swept[1][0] - swept[0][1] >= SILENCE


def test_an_answer_that_becomes_too_long_in_the_silence_ends_it() -> None:
    with packs(but({1: [(0.0, answer(1)), (LOOK + 0.008, b"~~~")]})) as (ours, heard):
        assert answers(ask(ours, 3)) == [answer(0), answer(1) + b"~~~"]
        assert len(heard) == 2


@pytest.mark.parametrize("begun", [b"", b"!0"])
def test_an_answer_that_is_a_little_late_is_looked_at_again_and_the_silence_kept_behind_it(begun: bytes) -> None:
    late = [(0.0, begun), (LOOK + STEP / 2, answer(0)[len(begun) :])] if begun else [(LOOK + STEP / 2, answer(0))]
    with packs(but({0: late})) as (ours, _):
        swept = ask(ours, 2)
    assert answers(swept) == [answer(0), answer(1)]
    assert swept[0][2] > 1
    assert swept[0][1] - swept[0][0] >= LOOK + STEP
    assert swept[1][0] - swept[0][1] >= SILENCE


SURPRISES = {
    "short": ([(0.0, b"!00")], b"!00"),
    "long": ([(0.0, b"!00345~")], b"!00345~"),
    "missing": ([], b""),
    "late": ([(LAST_LOOK + 0.2, answer(0))], b""),
    "begun late": ([(0.0, b"!0"), (LAST_LOOK + 0.2, b"00")], b"!0"),
}


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("kind", SURPRISES)
def test_it_ends_after_the_first_answer_that_is_not_as_usual(kind: str, place: int) -> None:
    said, seen = SURPRISES[kind]
    with packs(but({place: said})) as (ours, heard):
        swept = ask(ours, 5)
        assert heard == [request(number) for number in range(place + 1)]
        assert answers(swept) == [*map(answer, range(place)), seen]


def test_answers_of_the_least_and_the_greatest_usual_length_are_no_surprise() -> None:
    with packs(lambda number: [(0.0, bytes(4 + 2 * (number % 2)))]) as (ours, _):
        assert [len(data) for data in answers(ask(ours, 4))] == [4, 6, 4, 6]


def test_a_closed_port_ends_it_at_once_and_is_reported() -> None:
    master, ours = os.openpty()
    os.set_blocking(ours, False)
    os.close(master)
    before = time.monotonic()
    ((asked, taken, looks, error, data),) = ask(ours, 5)
    os.close(ours)
    assert asked == taken >= before
    assert (looks, error, data) == (0, errno.EIO, b"")


def test_a_port_that_goes_in_the_middle_ends_it_there() -> None:
    """Unplugged while the answer was awaited: there is nothing to read any more, and the next write fails."""
    with packs(but({2: [(0.001, b"")]})) as (ours, heard):
        swept = ask(ours, 5)
        assert len(heard) == 3
    assert len(swept) == 3
    assert answers(swept) == [answer(0), answer(1), b""]
    assert swept[-1][3] in (0, errno.EIO)


def test_a_port_that_goes_right_behind_an_answer_ends_it_there() -> None:
    """Its bytes may be lost with the port."""
    with packs(but({2: [(0.001, answer(2)), (0.001, b"")]})) as (ours, heard):
        swept = ask(ours, 5)
        assert len(heard) == 3
    assert len(swept) in (3, 4)
    assert answers(swept[:2]) == [answer(0), answer(1)]
    assert (swept[-1][3], swept[-1][4]) == ((0, b"") if len(swept) == 3 else (errno.EIO, b""))


def test_a_port_that_takes_no_bytes_ends_it() -> None:
    with terminal() as (_, ours):
        ((_, _, _, error, data),) = sweep(ours, [bytes(1 << 20)] * 3, LOOK, STEP, SILENCE, 4, 6)
    assert (error, data) == (errno.EAGAIN, b"")


def test_what_does_not_fit_stays_in_the_port() -> None:
    with packs(but({0: [(0.0, bytes(SWEEP_ROOM)), (0.0, b"rest")]})) as (ours, _):
        assert [len(data) for data in answers(ask(ours, 2, 4, SWEEP_ROOM - 1))] == [SWEEP_ROOM]
        assert os.read(ours, 100) == b"rest"


def test_as_many_requests_as_there_is_room_for_and_no_more() -> None:
    endless = os.open("/dev/zero", os.O_RDWR)
    try:
        swept = sweep(endless, [b"?"] * SWEEP_MOST, 0.0, 0.0, 0.0, SWEEP_ROOM, SWEEP_ROOM)
        assert answers(swept) == [bytes(SWEEP_ROOM)] * SWEEP_MOST
        with pytest.raises(ValueError, match=str(SWEEP_MOST)):
            sweep(endless, [b"?"] * (SWEEP_MOST + 1), 0.0, 0.0, 0.0, SWEEP_ROOM, SWEEP_ROOM)
    finally:
        os.close(endless)


def test_nothing_to_ask_is_nothing_asked() -> None:
    assert sweep(-1, [], LOOK, STEP, SILENCE, 4, 6) == []


@pytest.mark.parametrize(
    ("look", "step", "silence"),
    [(-0.1, 0.1, 0.1), (11.0, 0.1, 0.1), (nan, 0.1, 0.1), (0.1, nan, 0.1), (0.1, 0.1, 11.0)],
)
def test_pauses_that_make_no_sense_are_refused_before_anything_is_asked(
    look: float, step: float, silence: float
) -> None:
    with terminal() as (master, ours):
        with pytest.raises(ValueError, match="pauses"):
            sweep(ours, [request(0)], look, step, silence, 4, 6)
        assert not select.select([master], [], [], 0.0)[0]


@pytest.mark.parametrize("requests", [[b"?000", "?001"], [b"?000", None], [b"?000", bytearray(4)], None, (b"?000",)])
def test_requests_that_are_no_list_of_bytes_are_refused_before_anything_is_asked(requests: list[bytes]) -> None:
    with terminal() as (master, ours):
        with pytest.raises(TypeError):
            sweep(ours, requests, LOOK, STEP, SILENCE, 4, 6)
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
    assert answers(swept) == [answer(number) for number in range(4)]
    assert all(later[0] - earlier[0] >= PAUSE for earlier, later in pairwise(swept))


def test_other_threads_run_meanwhile() -> None:
    turns = 0
    with terminal() as (_, ours):
        thread = Thread(target=lambda: sweep(ours, [request(0)], 0.1, 0.01, 0.1, 4, 6))
        thread.start()
        while thread.is_alive():
            turns += 1
            time.sleep(0.001)
    assert turns > 3, "a thread that kept the interpreter to itself would have left one turn, or two"


def test_nothing_is_asked_whose_answer_would_come_too_late() -> None:
    each = LOOK + SILENCE
    with packs(prompt) as (ours, heard):
        until = time.monotonic() + 3.5 * each
        swept = sweep(ours, [request(number) for number in range(8)], LOOK, STEP, SILENCE, 4, 6, until)
        asked = [when for when, *_ in swept]
        assert 1 <= len(swept) == len(heard) < 8
        assert all(when + LOOK <= until + each for when in asked)
        assert answers(swept) == [answer(number) for number in range(len(swept))]
        assert len(sweep(ours, [request(0), request(1)], LOOK, STEP, SILENCE, 4, 6, until)) == 1, "the first always is"
