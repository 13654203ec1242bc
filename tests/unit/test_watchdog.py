from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import logging, os, sys, threading, time
from packbank.logs import log_to
from packbank.watchdog import Watchdog

with log_to(2, "INFO"), Watchdog(0.5) as watchdog:
    print("ready", flush=True)
    end = time.monotonic() + 30.0
    while time.monotonic() < end:
        watchdog.feed()
        {step}
print("over")
"""
STALLS = {
    "sleeps": "time.sleep(60)",
    "waits for a lock": "lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "computes with the interpreter's lock held": "sum(range(10**12))",
}


def start(step: str) -> subprocess.Popen[bytes]:
    program = PROGRAM.format(step=step)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("how", STALLS)
def test_a_stalled_loop_ends_the_process(how: str) -> None:
    process = start(STALLS[how])
    assert process.wait(20.0) == -signal.SIGALRM
    process.communicate()


def test_nobody_has_to_read_the_log_for_it() -> None:
    """As when multilog pauses on a full disk: the pipe is full, and then the loop stalls too."""
    process = start("[logging.error('x' * 1000) for _ in range(2000)]; time.sleep(60)")
    assert process.wait(20.0) == -signal.SIGALRM
    process.communicate()


def test_a_loop_that_is_fed_lives_on_although_nobody_reads_its_log() -> None:
    process = start("[logging.error('x' * 1000) for _ in range(200)]; time.sleep(0.02)")
    time.sleep(2.0)
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_a_process_stopped_for_too_long_ends_when_it_wakes() -> None:
    process = start("time.sleep(0.02)")
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(1.0)
    os.kill(process.pid, signal.SIGCONT)
    assert process.wait(20.0) == -signal.SIGALRM
    process.communicate()
