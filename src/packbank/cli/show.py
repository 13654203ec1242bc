"""``packbank show``: what a running daemon knows of its bank, or of one pack."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from packbank.cli.feed import open_feed
from packbank.cli.pages.bank import bank_page
from packbank.cli.pages.pack import pack_page
from packbank.cli.pages.words import Line, Report
from packbank.errors import ConfigError

SUGGESTIONS = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "pack", nargs="*", metavar="PACK", help="its name, its number in the bank's table, or bus/address"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the daemon's config.ini, where several run")
    parser.add_argument("--json", action="store_true", help="the same as JSON, in one line; the keys: docs/json.md")
    parser.epilog = """\
  packbank show              the bank: limits with their reasons, alarms, buses, a line for each pack
  packbank show 7            pack 7: cells, temperatures, limits, alarms, settings, identity, link
  packbank show rack1/0x07   the same by its place
  packbank show 7 --json | jq .cells

Asks a daemon that runs on this machine, as the same user or as root. Exit code 1: none runs.
"""


def run(args: argparse.Namespace) -> int:
    """Print what the daemon reports."""
    feed = open_feed(args.config)
    try:
        report = feed.first()
    finally:
        feed.close()
    index = find_pack(report["packs"], " ".join(args.pack)) if args.pack else None
    if args.json:
        print(json.dumps(report if index is None else report["packs"][index]))
    else:
        print_page(bank_page(report, page_width()) if index is None else pack_page(report, index, page_width()))
    return 0


def print_page(lines: Sequence[Line]) -> None:
    """Print ``lines`` as text."""
    for line in lines:
        print(line.text.rstrip())


def find_pack(packs: Sequence[Report], wanted: str) -> int:
    """The index of the pack that a user means. Raises ConfigError with a suggestion."""
    named = _names(packs)
    word = wanted.strip().casefold()
    if word in named:
        return named[word]
    alike = [named[name] for name in get_close_matches(word, named)]
    likely = [packs[index]["name"] for index in dict.fromkeys([*alike, *range(len(packs))])][:SUGGESTIONS]
    raise ConfigError(
        f"there is no pack {wanted!r}; did you mean {' or '.join(map(repr, likely))}? "
        f"'packbank show' lists all {len(packs)}"
    )


def _names(packs: Sequence[Report]) -> dict[str, int]:
    """Every way to call a pack; a name wins over a number."""
    named: dict[str, int] = {}
    for index, pack in enumerate(packs):
        named.setdefault(pack["name"].casefold(), index)
    for index, pack in enumerate(packs):
        bus, address = pack["bus"].casefold(), pack["address"]
        for name in (f"{bus}/{address:#04x}", f"{bus}/{address}", f"{bus}/{address:#x}", str(index + 1)):
            named.setdefault(name, index)
    return named


def page_width() -> int:
    """Columns of the terminal, 80 where there is none."""
    return shutil.get_terminal_size().columns
