"""The ``packbank`` command: one module a subcommand, imported only when it is called.

A subcommand's module has ``configure(parser)``, which adds its arguments, and ``run(args)``, which returns
the exit code: 0 ok, 1 failed, 2 usage or configuration.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper

from packbank import __version__
from packbank.cli.arguments import Parser, closest
from packbank.cli.signals import import_whole, interrupted_once
from packbank.errors import ConfigError, PackbankError

COMMANDS = {
    "run": "read the packs and publish one battery",
    "forward": "read the packs and send their rows to the bank of another host",
    "show": "what the running daemon knows of the bank, or of one pack",
    "top": "the running daemon's bank, live",
    "settings": "what the BMSes of all packs are set to, side by side, with what differs",
    "history": "what the bank or a pack went through, in a table, as CSV or as JSON",
    "events": "what happened: limits and their causes, alarms, lost and returned packs, charge stages",
    "demo": "simulated packs, the real daemon over them, and a live table",
    "simulate": "only the simulated buses; prints their ports",
    "scan": "find packs on serial ports and print a configuration",
    "check": "check a configuration file",
    "migrate": "turn a dbus-serialbattery config.ini into ours",
    "doctor": "what is right and wrong on this machine, with remedies",
    "decode": "decode frames given as hex",
    "replay": "drive the whole chain from a capture",
    "dip": "draw the DIP switches of an address",
    "trial": "try limit policies on a simulated bank",
    "bench": "what packbank costs this machine",
}

READER_GONE = (errno.EPIPE, errno.EIO)  # of a pipe, of a terminal


def overview() -> argparse.ArgumentParser:
    """The parser of the words before any command, and the page with all commands."""
    commands = "\n".join(f"  {name:<10}{summary}" for name, summary in COMMANDS.items())
    parser = Parser(
        prog="packbank",
        usage="packbank [-h] [--version] COMMAND ...",
        description=f"Many battery packs, one virtual battery on Venus OS.\n\ncommands:\n{commands}",
        epilog="Exit codes: 0 ok, 1 failed, 2 usage or configuration. 'packbank COMMAND --help' says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"packbank {__version__}")
    return parser


def build_parser(command: str) -> argparse.ArgumentParser:
    """The parser of what follows ``command``."""
    summary = COMMANDS[command]
    parser = Parser(
        prog=f"packbank {command}",
        description=summary[0].upper() + summary[1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=command)
    import_whole(f"packbank.cli.{command}").configure(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an error on purpose is one message, not a traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # what the locale cannot write becomes ?
    with interrupted_once(), _flushed():
        try:
            return _run(words)
        except KeyboardInterrupt:
            return 130
        except OSError as error:
            if error.errno not in READER_GONE:
                raise
            return 1


def _run(words: Sequence[str]) -> int:
    if not words:
        overview().print_help(sys.stderr)
        return 2
    name, *rest = words
    if name.startswith("-"):
        overview().parse_args(words[:1])
    if name not in COMMANDS:
        guess = closest(name.lower(), COMMANDS)
        hint = f"did you mean 'packbank {guess}'?" if guess else "'packbank --help' lists them"
        print(f"packbank: there is no command {name!r}; {hint}", file=sys.stderr)
        return 2
    # numpy's linear algebra, which nobody here calls, would start a thread a core and let it spin for a while.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    args = build_parser(name).parse_args(rest)
    try:
        return int(import_whole(f"packbank.cli.{args.command}").run(args))
    except PackbankError as error:
        print(f"packbank {args.command}: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1


@contextmanager
def _flushed() -> Iterator[None]:
    """Write out what was printed; where nobody reads it any more, leave it, before Python complains about that."""
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            except (AttributeError, ValueError):
                continue  # closed by whoever started us
