from __future__ import annotations

import time
from threading import Event

from packbank.outputs.venus.watchdog import Watchdog


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_that_is_fed_lives() -> None:
    clock, ended = Clock(), list[float]()
    watchdog = Watchdog(30.0, clock, ended.append)
    for clock.now in (10.0, 39.0, 69.0):
        watchdog.check()
        watchdog.feed()
    assert ended == []


def test_a_silent_loop_ends() -> None:
    clock, ended = Clock(), list[float]()
    watchdog = Watchdog(30.0, clock, ended.append)
    clock.now = 31.0
    watchdog.check()
    assert ended == [31.0]


def test_a_gap_that_is_already_over_ends_too() -> None:
    clock, ended = Clock(), list[float]()
    watchdog = Watchdog(30.0, clock, ended.append)
    clock.now = 45.0
    watchdog.feed()
    assert ended == [45.0]


def test_the_thread_sees_a_stalled_loop() -> None:
    ended = Event()
    with Watchdog(0.04, time.monotonic, lambda _: ended.set()):
        assert ended.wait(5.0)
