"""What commands share on their command line: parsers that guess what was meant, and the file of the configuration."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from packbank.errors import ConfigError

PORT_HELP = "port for a file that names none, such as dbus-serialbattery's; once for each adapter"


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, what was probably meant, and where the help is."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        guess = closest(unknown[1].partition("=")[0], self._option_string_actions) if unknown else ""
        hint = f"; did you mean {guess}?" if guess else ""
        self.exit(2, f"{self.prog}: {message}{hint}\n'{self.prog} --help' shows what can be written\n")


def closest(word: str, known: Collection[str]) -> str:
    """The known word that is most like ``word``, or ``""``."""
    return next(iter(get_close_matches(word, list(known), n=1)), "")


def add_config_file(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add the configuration, the first word or ``--config``; and ``--port``, for a file without one."""
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help=meaning)
    parser.add_argument("--config", type=Path, metavar="FILE", help="the same, for those who like names")
    parser.add_argument("--port", action="append", default=[], metavar="PORT", help=PORT_HELP)


def config_file(args: argparse.Namespace) -> Path | None:
    """The file that :func:`add_config_file` brought. Raises ConfigError when there are two."""
    if args.file and args.config:
        raise ConfigError(f"two configurations: {args.file} and --config {args.config}; leave one away")
    chosen: Path | None = args.file or args.config
    return chosen


def needed_config_file(args: argparse.Namespace) -> Path:
    """As :func:`config_file`; ConfigError without any."""
    chosen = config_file(args)
    if chosen is None:
        here = " (there is one here: config.ini)" if Path("config.ini").is_file() else ""
        raise ConfigError(f"which configuration? packbank {args.command} FILE{here}; 'packbank scan' makes one")
    return chosen
