"""The present run of the machine, and a clock that goes on from one start of a program to the next."""

from __future__ import annotations

import time
from pathlib import Path


def since_boot() -> float:
    """Seconds since the machine was started, those in which it slept too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_name() -> str:
    """A short name for this run of the machine. Raises OSError where Linux does not give it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
