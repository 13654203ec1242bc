"""``packbank events``: what happened, in order."""

from __future__ import annotations

import argparse
import csv
import json
import sys

from packbank.cli.pages.words import printable
from packbank.cli.past import add_arguments, exact, open_history, pack_of, period_of, shown
from packbank.outputs.history.events import KINDS, Event


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_arguments(parser, "7d")
    parser.add_argument("--kind", choices=KINDS, help="only these")
    parser.add_argument("--warnings", action="store_true", help="only warnings")
    parser.epilog = """\
  packbank events                                what happened in the last seven days
  packbank events --warnings --from 2026-11-01   the warnings since then
  packbank events --pack 7 --kind alarm          alarms of pack 7
  packbank events --json | jq -r .text

The lines are those of the log, in the order in which they came, even where the wall clock was wrong.
"""


def run(args: argparse.Namespace) -> int:
    """Print the events."""
    start, end = period_of(args)
    history = open_history(args)
    pack = pack_of(history, args.pack) if args.pack else None
    events = [event for event in history.events(start, end) if _wanted(event, args, pack)]
    if args.csv:
        out = csv.writer(sys.stdout, lineterminator="\n")
        out.writerow(["time", "wall", *Event._fields[1:]])
        for event in events:
            out.writerow(
                [exact(event.time), round(event.time), event.level, event.kind, " ".join(event.packs), event.text]
            )
    elif args.json:
        for event in events:
            print(json.dumps(event._asdict() | {"time": exact(event.time), "wall": round(event.time, 1)}))
    else:
        for event in events:
            print(f"{shown(event.time)}  {event.level:7}  {printable(event.text)}")
        if not events:
            print(f"nothing happened from {shown(start)} to {shown(end)}", file=sys.stderr)
    return 0


def _wanted(event: Event, args: argparse.Namespace, pack: str | None) -> bool:
    return (
        args.kind in (None, event.kind)
        and (event.level == "warning" or not args.warnings)
        and (pack is None or pack in event.packs)
    )
