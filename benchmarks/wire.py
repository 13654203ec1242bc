"""What bytes cost on the wire of JK PB, which stands beside what they cost the processor."""

from __future__ import annotations

BAUDRATE = 115_200
BITS_A_BYTE = 10


def wire_ms(size: int) -> float:
    """Milliseconds that ``size`` bytes take."""
    return size * BITS_A_BYTE / BAUDRATE * 1e3
