from __future__ import annotations

import os
import signal
import time

import pytest

from packbank.errors import LinkError
from packbank.outputs.venus.bindings import GLib
from packbank.outputs.venus.loop import run_loop


def test_it_ticks_at_once_then_each_period_until_it_is_ended() -> None:
    times: list[float] = []

    def tick() -> bool:
        times.append(time.monotonic())
        return len(times) < 4

    begin = time.monotonic()
    run_loop(tick, 0.05)
    assert len(times) == 4
    assert times[-1] - begin >= 0.14


def test_what_a_tick_raises_reaches_the_caller() -> None:
    def tick() -> bool:
        raise LinkError("the D-Bus connection is gone")

    with pytest.raises(LinkError, match="gone"):
        run_loop(tick, 0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_between_two_ticks(number: signal.Signals) -> None:
    begin = time.monotonic()

    def tick() -> bool:
        os.kill(os.getpid(), number)
        return True

    run_loop(tick, 60.0)
    assert time.monotonic() - begin < 30


def test_it_leaves_nothing_behind() -> None:
    run_loop(lambda: False, 0.01)
    time.sleep(0.03)
    assert not GLib.MainContext.default().pending()


def test_a_signal_after_its_end_is_handled_as_before() -> None:
    caught: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: caught.append(number))
    try:
        run_loop(lambda: False, 0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught == [signal.SIGTERM]
