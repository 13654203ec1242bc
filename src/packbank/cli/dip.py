"""``packbank dip``: how the DIP switches of a pack must stand for an address."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from packbank.config.dip import MASTER, draw, draw_all
from packbank.config.values import parse_address
from packbank.errors import ConfigError


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
    try:
        address = parse_address(args.address)
        drawing = draw(address)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    print(drawing if address else f"{drawing}\n\n{MASTER}")
    return 0
