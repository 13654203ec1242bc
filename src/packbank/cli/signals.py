"""What signals do to a command: it ends cleanly, with what it started ended and the terminal as it was."""

from __future__ import annotations

import errno
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Timer, current_thread, main_thread
from types import FrameType, ModuleType
from typing import TextIO

AGAIN = 0.01  # s after which an interrupt comes again that met a finalizer, where Python ignores it


@contextmanager
def interrupted_once() -> Iterator[None]:
    """Let a second Ctrl-C not disturb the cleaning up after the first, and none get lost in a finalizer."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    def ignored(unraisable: sys.UnraisableHookArgs) -> None:
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            before(unraisable)
            return
        signal.signal(signal.SIGINT, interrupt)
        again = Timer(AGAIN, signal.pthread_kill, (main_thread().ident, signal.SIGINT))
        again.daemon = True
        again.start()

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or current_thread() is not main_thread():
        yield
        return
    before, sys.unraisablehook = sys.unraisablehook, ignored
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        sys.unraisablehook = before
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a Ctrl-C wait for the end of the block, which must be short."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def import_whole(name: str) -> ModuleType:
    """Import a module, and let a Ctrl-C wait so long: numpy reports one that meets it as a broken installation."""
    with uninterrupted():
        return import_module(name)


def unread(stream: TextIO) -> bool:
    """Whether the reader of a pipe, or the terminal, has gone; nothing need be written to know."""
    look = select.poll()
    look.register(stream, 0)
    return bool(look.poll(0))


def check_read(stream: TextIO) -> None:
    """Raise BrokenPipeError when nobody reads ``stream`` any more: showing something has no purpose then."""
    if unread(stream):
        raise BrokenPipeError(errno.EPIPE, "nobody reads what is shown any more")


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the block as an exit does: with everything cleaned up, and exit code 0."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
