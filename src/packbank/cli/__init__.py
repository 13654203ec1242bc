"""The ``packbank`` command: one module a subcommand, imported only when it is called.

A subcommand's module has ``configure(parser)``, which adds its arguments, and ``run(args)``, which returns
the exit code: 0 ok, 1 failed, 2 usage or configuration.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from packbank import __version__
from packbank.errors import ConfigError, PackbankError

COMMANDS = {
    "run": "read the packs and publish one battery",
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


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser for all commands; only ``command``'s own arguments are filled in."""
    parser = argparse.ArgumentParser(
        prog="packbank",
        description="Many battery packs, one virtual battery on Venus OS.",
        epilog="Exit codes: 0 ok, 1 failed, 2 usage or configuration. 'packbank COMMAND --help' tells more.",
    )
    parser.add_argument("--version", action="version", version=f"packbank {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        own = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == command:
            import_module(f"packbank.cli.{name}").configure(own)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an error on purpose is one message, not a traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        build_parser(None).print_help(sys.stderr)
        return 2
    # numpy's linear algebra, which nobody here calls, would start a thread a core and let it spin for a while.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    command = next((word for word in words if word in COMMANDS), None)
    args = build_parser(command).parse_args(words)
    try:
        return int(import_module(f"packbank.cli.{args.command}").run(args))
    except ConfigError as error:
        print(f"packbank {args.command}: {error}", file=sys.stderr)
        return 2
    except PackbankError as error:
        print(f"packbank {args.command}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130
