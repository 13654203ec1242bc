"""The time of one call from Python: the machine's quietest moment of many."""

from __future__ import annotations

from collections.abc import Callable
from timeit import Timer
from typing import Any

SAMPLE = 1e-3  # s: short, so that some samples fall between what else the machine does
SECONDS = 0.5  # of samples
LEAST = 5  # samples of a call that takes long


def net_ns(function: Callable[..., Any], *args: Any) -> float:
    """Nanoseconds that ``function(*args)`` takes, without the loop round it."""
    names = {f"a{k}": value for k, value in enumerate(args)} | {"f": function}
    call = Timer(f"f({', '.join(f'a{k}' for k in range(len(args)))})", globals=names)
    loop = Timer("f", globals=names)
    once = min(call.repeat(LEAST, 1))
    calls = max(round(SAMPLE / once), 1)
    rounds = max(round(SECONDS / (calls * once)), LEAST)
    return (min(call.repeat(rounds, calls)) - min(loop.repeat(rounds, calls))) / calls * 1e9
