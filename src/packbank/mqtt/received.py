"""What comes from a broker."""

from __future__ import annotations

from typing import NamedTuple


class Received(NamedTuple):
    """A message from the broker."""

    topic: str
    payload: bytes
    retained: bool  # it was there before we came
    time: float  # monotonic s
