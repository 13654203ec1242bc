"""A pseudo-terminal for a port."""

from __future__ import annotations

import contextlib
import os
import tty
from collections.abc import Iterator

import pytest


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """The master's descriptor and the path of a pseudo-terminal."""
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.close(slave)
    yield master, path
    with contextlib.suppress(OSError):
        os.close(master)
