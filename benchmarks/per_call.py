"""The time of one call from Python, net of the loop round it: the machine's quietest moment of many."""

from __future__ import annotations

from collections.abc import Callable
from timeit import Timer
from typing import Any

BIT = 1 / 115_200  # s, on the wire of JK PB
CALLS = 2_000  # short, so that some rounds fall between what else the machine does
ROUNDS = 300


def net_ns(function: Callable[..., Any], *args: Any) -> float:
    """Nanoseconds that ``function(*args)`` takes."""
    names = {f"a{k}": value for k, value in enumerate(args)} | {"f": function}
    call = Timer(f"f({', '.join(f'a{k}' for k in range(len(args)))})", globals=names)
    loop = Timer("f", globals=names)
    return (min(call.repeat(ROUNDS, CALLS)) - min(loop.repeat(ROUNDS, CALLS))) / CALLS * 1e9


def wire_ms(size: int) -> float:
    """Milliseconds that ``size`` bytes take on the wire, ten bits each."""
    return size * 10 * BIT * 1e3
