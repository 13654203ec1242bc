"""What signals do to a command."""

from __future__ import annotations

import signal
import time

import pytest

from packbank.cli.signals import interrupted_once


class InterruptedAtItsEnd:
    """A Ctrl-C comes while the interpreter ends this object, where Python ignores exceptions."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def wait_for_an_interrupt() -> None:
    thing = InterruptedAtItsEnd()
    del thing
    time.sleep(10.0)


def test_an_interrupt_that_meets_a_finalizer_comes_again(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), interrupted_once():
            wait_for_an_interrupt()
    finally:
        signal.signal(signal.SIGINT, before)
    assert capfd.readouterr().err == ""
