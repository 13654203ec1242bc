"""``packbank top``: the running daemon's bank, live, with keys to sort, to open a pack and to quit."""

from __future__ import annotations

import argparse
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from packbank.cli.feed import Feed, open_feed
from packbank.cli.pages.bank import bank_page
from packbank.cli.show import page_width, print_page
from packbank.cli.signals import ended_by_signals, import_whole

PRINT_EVERY = 5.0  # s, on a terminal that cannot be drawn on


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the daemon's config.ini, where several run")
    parser.epilog = """\
Keys: up and down select a pack, Enter opens it, Esc goes back; in the table < and > choose the column to sort by and
r turns the order; in a pack < and > go to its neighbours; q quits.

Without a terminal the bank is printed once, as by 'packbank show'; on one that cannot be drawn on (TERM=dumb), every
5 s. NO_COLOR is respected. Exit code 1: no daemon runs.
"""


def run(args: argparse.Namespace) -> int:
    """Show the bank until a key, a signal or the end of the terminal."""
    feed = open_feed(args.config)
    try:
        if not (sys.stdout.isatty() and sys.stdin.isatty()):
            print_page(bank_page(feed.first(), page_width()))
        elif _drawable():
            with ended_by_signals():
                import_whole("packbank.cli.top_screen").watch(feed, args.config)
        else:
            _print_for_ever(feed)
    finally:
        feed.close()
    return 0


def _drawable() -> bool:
    """Whether there is a cursor to be moved."""
    if None in (find_spec("curses"), find_spec("_curses")):
        print(
            f"this Python has no curses to draw with, so the bank is printed every {PRINT_EVERY:.0f} s", file=sys.stderr
        )
        return False
    curses = import_whole("curses")
    try:
        curses.setupterm()
    except curses.error:
        return False
    return bool(curses.tigetstr("cup"))


def _print_for_ever(feed: Feed) -> None:
    report = feed.first()
    while True:
        print_page(bank_page(report, page_width()))
        print(flush=True)
        time.sleep(PRINT_EVERY)
        report = feed.first()
