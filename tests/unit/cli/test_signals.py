"""What signals do to a command."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from packbank.cli.signals import interrupted_once, uninterrupted


@pytest.fixture(autouse=True)
def _as_python_has_it() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class InterruptedAtItsEnd:
    """A Ctrl-C comes while the interpreter ends this object, where Python ignores exceptions."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def wait_for_an_interrupt() -> None:
    thing = InterruptedAtItsEnd()
    del thing
    time.sleep(10.0)


def test_an_interrupt_that_meets_a_finalizer_comes_again(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), interrupted_once():
        wait_for_an_interrupt()
    assert capfd.readouterr().err == ""


def cut_in_a_block(done: list[str]) -> None:
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("the block")
    done.append("what follows")


def test_an_interrupt_waits_for_the_end_of_what_must_not_be_cut() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        cut_in_a_block(done)
    assert done == ["the block"]
