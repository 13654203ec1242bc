from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from packbank.errors import LinkError
from packbank.outputs.venus.bindings import GLib
from packbank.outputs.venus.loop import run_loop


def test_it_ticks_at_once_then_each_period_until_told_to_end() -> None:
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


STALLED = """
import sys, time
from packbank.outputs.venus.loop import run_loop
from packbank.outputs.venus.watchdog import Watchdog

with Watchdog(0.3) as watchdog:
    def tick():
        watchdog.feed()
        print("tick", flush=True)
        if sys.argv[1] == "stall":
            time.sleep(60)
        return True
    run_loop(tick, 0.05)
"""


def test_a_stalled_loop_ends_the_process_with_a_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STALLED, "stall"], check=False, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 70
    assert "stood still for" in done.stderr


def test_a_process_stopped_for_too_long_ends_when_it_wakes() -> None:
    process = subprocess.Popen([sys.executable, "-c", STALLED, "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        process.send_signal(signal.SIGCONT)
        assert process.wait(10.0) == 70
    finally:
        process.kill()
        process.communicate()
