"""``packbank settings``: what the BMSes of a running daemon's packs are set to, side by side."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packbank.cli.comparison import IDENTITY, Difference, compared, sentence, value_of
from packbank.cli.feed import open_feed
from packbank.cli.pages.settings import settings_page
from packbank.cli.pages.words import Report
from packbank.cli.show import page_width, print_page


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the daemon's config.ini, where several run")
    parser.add_argument("--json", action="store_true", help="the same as JSON, in one line; the keys: docs/json.md")
    parser.epilog = """\
  packbank settings          a line a setting, a column a pack; * marks what differs from the other packs of the model
  packbank settings --json | jq '.differences[].text'

Reads only: packbank never writes a setting of a BMS. A value is marked when more than half of the packs of the same
model have another one; where no value has such a majority, as with two packs that differ, all are marked. Asks a daemon
that runs on this machine, as the same user or as root. Exit code 1: none runs.
"""


def run(args: argparse.Namespace) -> int:
    """Print what the daemon reports."""
    feed = open_feed(args.config)
    try:
        packs = feed.first()["packs"]
    finally:
        feed.close()
    differences = compared(packs)
    if args.json:
        print(json.dumps(as_json(packs, differences)))
    else:
        print_page(settings_page(packs, differences, page_width()))
    return 0


def as_json(packs: Sequence[Report], differences: Sequence[Difference]) -> dict[str, Any]:
    """Identities and settings of each pack with the keys that differ, and the differences in words."""
    return {
        "packs": [
            {
                "name": pack["name"],
                "bus": pack["bus"],
                "address": pack["address"],
                **{row.key: value_of(pack, row) for row in IDENTITY},
                "settings": pack.get("settings") or {},
                "differs": [one.row.key for one in differences if index in one.values],
            }
            for index, pack in enumerate(packs)
        ],
        "differences": [
            {
                "key": one.row.key,
                "usual": one.usual,
                "packs": {packs[index]["name"]: value for index, value in one.values.items()},
                "text": sentence(one, packs),
            }
            for one in differences
        ],
    }
