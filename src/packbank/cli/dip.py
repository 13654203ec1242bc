"""``packbank dip``: how the DIP switches of a pack must stand for an address."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from contextlib import suppress

from packbank.config.dip import MASTER, SWITCHES, draw, draw_all
from packbank.errors import ConfigError

LONGEST = 20  # characters of an address that are looked at


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of ``packbank dip``."""
    parser.add_argument(
        "address", nargs="?", default="all", metavar="ADDRESS", help="0x01 to 0x0F, or all (the default)"
    )
    parser.epilog = "The white lever of a switch is drawn where it stands; after a change the pack must be restarted."


def run(args: Namespace) -> int:
    """Draw one address, or all of them."""
    if args.address == "all":
        print(draw_all())
        return 0
    address = _address(args.address)
    drawing = draw(address)
    print(drawing if address else f"{drawing}\n\n{MASTER}")
    return 0


def _address(text: str) -> int:
    """The address that four switches can show, however it is written: ``0x0C``, ``0c`` and ``12`` are one."""
    decimal = {int(text)} if text.isdecimal() and len(text) <= LONGEST else set()
    with suppress(ValueError):
        decimal.add(int(text, 16))
    fitting = [number for number in decimal if 0 <= number < 1 << SWITCHES]
    if len(fitting) != 1:
        raise ConfigError(
            f"{text[:LONGEST]} is no address of a pack; write 0x01 to 0x0F, or 1 to 15. One bus has 15 packs at most: "
            "a 16th needs a second adapter, where addresses begin at 0x01 again"
        )
    return fitting[0]
