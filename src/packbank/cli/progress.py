"""A progress bar on standard error: rich's when it is there, a plain one when not, none without a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

WIDTH = 30  # characters of the plain bar

Step = Callable[[int], None]


@contextmanager
def open_progress(what: str, steps: int) -> Iterator[Step]:
    """A function to call before each of ``steps`` steps with the address it is about."""
    if not sys.stderr.isatty():
        print(f"{what} ...", file=sys.stderr)
        yield lambda _: None
    elif find_spec("rich") is None:
        yield _plain(what, steps)
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    else:
        console = import_module("rich.console").Console(stderr=True)
        with import_module("rich.progress").Progress(console=console, transient=True) as progress:
            task = progress.add_task(what, total=steps)
            yield lambda address: progress.update(task, advance=1, description=f"{what} {address:#04x}")


def _plain(what: str, steps: int) -> Step:
    done = 0

    def step(address: int) -> None:
        nonlocal done
        done += 1
        bar = ("#" * (WIDTH * done // steps)).ljust(WIDTH)
        print(f"\r\033[K{what} [{bar}] {address:#04x}", end="", file=sys.stderr, flush=True)

    return step


@contextmanager
def open_countdown(
    what: str, total: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[float], None]]:
    """A function to call with what has been done of ``total`` since the last call; shows the time left."""
    if not sys.stderr.isatty():
        yield lambda _: None
    elif find_spec("rich") is None:
        yield _plain_countdown(what, total, clock)
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    else:
        rich = import_module("rich.progress")
        console = import_module("rich.console").Console(stderr=True)
        columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), rich.TimeRemainingColumn(), "left")
        both = sys.stdout.isatty()  # rich prints above its bar then, on the same terminal
        with rich.Progress(*columns, console=console, transient=True, redirect_stdout=both) as progress:
            task = progress.add_task(what, total=total)
            yield lambda done: progress.update(task, advance=done)


def _plain_countdown(what: str, total: float, clock: Callable[[], float]) -> Callable[[float], None]:
    begun, sofar = clock(), 0.0

    def step(done: float) -> None:
        nonlocal sofar
        sofar += done
        bar = ("#" * int(WIDTH * sofar / total)).ljust(WIDTH)
        left = (clock() - begun) * (total - sofar) / max(sofar, 1e-9)
        print(f"\r\033[K{what} [{bar}] {left // 60:.0f}:{left % 60:02.0f} left", end="", file=sys.stderr, flush=True)

    return step
