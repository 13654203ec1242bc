"""DIP switches as they look on a pack: four of them, switch 1 the lowest bit, ON upwards."""

from __future__ import annotations

SWITCHES = 4
MASTER = (
    "all four DIP switches off is master mode: the pack polls the others itself and answers nobody, "
    "which ends RS485 for everyone else. Set a switch on every pack, each differently, and restart the packs."
)


def switches(address: int) -> tuple[bool, ...]:
    """Switch 1 first; true is ON. ValueError for an address that four switches cannot show."""
    if not 0 <= address < 1 << SWITCHES:
        raise ValueError(f"four DIP switches show 0x00 to 0x0F, not {address:#04x}; choose one of these")
    return tuple(bool(address >> bit & 1) for bit in range(SWITCHES))


def draw(address: int) -> str:
    """The switch block of one pack, five lines, with its address beside it."""
    up = "│".join(" █ " if on else "   " for on in switches(address))
    down = "│".join("   " if on else " █ " for on in switches(address))
    numbers = " ".join(f" {number} " for number in range(1, SWITCHES + 1))
    return "\n".join(
        [
            "     ┌───┬───┬───┬───┐",
            f"  ON │{up}│   0x{address:02X}",
            f"     │{down}│   pack {address}" if address else f"     │{down}│   master: not for us",
            "     └───┴───┴───┴───┘",
            f"      {numbers}".rstrip(),
        ]
    )


def table() -> str:
    """All sixteen addresses, one a line."""
    head = "  address   switch 1   2    3    4"
    rows = [
        f"  0x{address:02X}          " + "  ".join("ON " if on else "off" for on in switches(address))
        for address in range(1 << SWITCHES)
    ]
    rows[0] += "   master mode: do not use"
    return "\n".join([head, *rows])
