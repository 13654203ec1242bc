"""What ``history`` and ``events`` share: which history is meant, which pack, and which time."""

from __future__ import annotations

import argparse
import re
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from packbank.cli.show import find_pack
from packbank.config.loader import load
from packbank.config.program import state_path
from packbank.errors import ConfigError, LinkError
from packbank.outputs.history.location import LINK, Location, link_name, location_of
from packbank.outputs.history.reader import History
from packbank.outputs.local_socket import config_of, runtime_folders

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([mhdw])")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
TIMES = "2h, 3d or 2w ago; 13:30 of today; 2026-11-25; '2026-11-25 13:30'"


def add_arguments(parser: argparse.ArgumentParser, since: str) -> None:
    """The arguments that both have; ``since`` is from when they show by default."""
    parser.add_argument("--pack", metavar="PACK", help="its name, its number in 'packbank show', or bus/address")
    parser.add_argument("--from", dest="start", default=since, metavar="T", help=f"{TIMES}; default: {since}")
    parser.add_argument("--to", dest="end", default="0m", metavar="T", help="the same; default: now")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="as comma-separated values, for a spreadsheet")
    form.add_argument("--json", action="store_true", help="as JSON, an object a line")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the daemon's config.ini, where several run or none"
    )
    parser.add_argument("--state", type=Path, metavar="FILE", help="its state file, where it was started with one")
    parser.add_argument("--folder", type=Path, metavar="FOLDER", help="a history by its folder, such as a copy of one")


def open_history(args: argparse.Namespace) -> History:
    """The history that is meant. Raises ConfigError or LinkError with a remedy."""
    location = _location(args)
    if not location.folder.is_dir() and not location.rows.exists() and not location.events.exists():
        raise LinkError(f"there is no history in {location.folder} yet; the first rows come after a minute")
    return History(location.folder, location.rows, location.events)


def _location(args: argparse.Namespace) -> Location:
    if args.folder:
        return Location(args.folder, args.folder / f"none{LINK}")
    own = link_name(args.config) if args.config else None
    links = [link for link in _links() if own in (None, link.name)]
    if len(links) == 1 and not args.state:
        return Location(links[0].readlink(), links[0])
    if args.config:
        return location_of(args.config, state_path(args.config, load(args.config), args.state))
    if links:
        names = " or ".join(f"--config {config_of(link.with_suffix(''))}" for link in links)
        raise LinkError(f"{len(links)} daemons run here; say {names}")
    raise LinkError("no daemon runs here; name its configuration with --config FILE, or the history with --folder")


def _links() -> list[Path]:
    """The links that daemons have made. Raises LinkError when a folder of them is closed to us."""
    found: list[Path] = []
    for folder in runtime_folders():
        try:
            with suppress(FileNotFoundError):
                found += sorted(path for path in folder.iterdir() if path.suffix == LINK)
        except PermissionError as error:
            raise LinkError(f"{folder} is another user's; ask as that user or as root, with sudo") from error
    return found


def pack_of(history: History, wanted: str) -> str:
    """The name of the pack that a user means. Raises ConfigError with a suggestion."""
    places = history.places()
    if not places:
        raise ConfigError("no pack was recorded yet; the first rows come after a minute")
    name: str = places[find_pack(places, wanted)]["name"]
    return name


def period_of(args: argparse.Namespace) -> tuple[float, float]:
    """From when to when (s since 1970). Raises ConfigError."""
    now = time.time()
    start, end = parse_time(args.start, now), parse_time(args.end, now)
    if start >= end:
        raise ConfigError(f"--from {args.start} is not before --to {args.end}")
    return start, end


def parse_time(text: str, now: float) -> float:
    """A time as users write it (:data:`TIMES`), s since 1970. Raises ConfigError."""
    text = text.strip()
    try:
        if ago := _AGO.fullmatch(text):
            return datetime.fromtimestamp(now - float(ago[1]) * _SECONDS[ago[2]]).timestamp()
        if re.fullmatch(r"\d\d?:\d\d", text):
            hour, minute = map(int, text.split(":"))
            today = datetime.fromtimestamp(now)
            return today.replace(hour=hour, minute=minute, second=0, microsecond=0).timestamp()
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ConfigError(f"{text!r} is no time; write {TIMES}") from None


def shown(when: float) -> str:
    """A time as people read it, in the time zone of the machine."""
    return datetime.fromtimestamp(when).strftime("%Y-%m-%d %H:%M:%S")


def exact(when: float) -> str:
    """The same with its zone, for programs."""
    return datetime.fromtimestamp(when).astimezone().isoformat(timespec="seconds")
