"""Waiting for something that comes soon, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 90.0  # s until a test that waits has failed


def until(
    condition: Callable[[], object], seconds: float = PATIENCE, meanwhile: Callable[[], object] | None = None
) -> None:
    """Wait until ``condition`` holds; call ``meanwhile`` each time that it does not yet."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        if meanwhile:
            meanwhile()
        time.sleep(0.01)
