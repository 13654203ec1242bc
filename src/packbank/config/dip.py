"""DIP switches as they look on a pack: four of them, switch 1 the lowest bit, ON upwards."""

from __future__ import annotations

SWITCHES = 4
IN_A_ROW = 4
MASTER = (
    "All four switches off is master mode: the pack asks the others itself and answers nobody, which ends RS485\n"
    "for everyone else. Set a switch on every pack, on each a different set, and restart the packs."
)


def switches(address: int) -> tuple[bool, ...]:
    """Switch 1 first; true is ON. ValueError for an address that four switches cannot show."""
    if not 0 <= address < 1 << SWITCHES:
        raise ValueError(f"four DIP switches show 0x00 to 0x0F, not 0x{address:02X}; choose one of these")
    return tuple(bool(address >> bit & 1) for bit in range(SWITCHES))


def draw(address: int) -> str:
    """The switch block of one pack under its address, six lines of equal length."""
    up = "│".join(" █ " if on else "   " for on in switches(address))
    down = "│".join("   " if on else " █ " for on in switches(address))
    lines = [
        f"0x{address:02X}  {f'pack {address}' if address else 'MASTER'}",
        "┌ON─┬───┬───┬───┐",
        f"│{up}│",
        f"│{down}│",
        "└───┴───┴───┴───┘",
        "".join(f"  {number} " for number in range(1, SWITCHES + 1)),
    ]
    return "\n".join(line.ljust(17) for line in lines)


def draw_all() -> str:
    """The switch blocks of all sixteen addresses."""
    blocks = [draw(address).splitlines() for address in range(1 << SWITCHES)]
    rows = [blocks[first : first + IN_A_ROW] for first in range(0, len(blocks), IN_A_ROW)]
    return "\n\n".join("\n".join("   ".join(line).rstrip() for line in zip(*row, strict=True)) for row in rows)


def table() -> str:
    """All sixteen addresses, one a line."""
    rows = [
        f"  0x{address:02X}      " + "   ".join("ON " if on else "off" for on in switches(address))
        for address in range(1 << SWITCHES)
    ]
    rows[0] += "   master mode: do not use"
    return "\n".join(["  address   1     2     3     4", *(row.rstrip() for row in rows)])
