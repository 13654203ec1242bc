"""What a bus has done, as others see it."""

from __future__ import annotations

import sys

from packbank.sources.serial.statistics import Statistics


def test_a_snapshot_leaves_nothing_behind() -> None:
    """The demo takes one a second; CPython once kept a tuple of each."""
    statistics = Statistics("bus1", "/dev/ttyUSB0")
    for _ in range(10):
        statistics.snapshot(1.0, 115200)
    before = sys.getallocatedblocks()
    for _ in range(1000):
        statistics.snapshot(1.0, 115200)
    assert sys.getallocatedblocks() - before < 100
