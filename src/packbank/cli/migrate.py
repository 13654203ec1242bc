"""``packbank migrate``: a dbus-serialbattery config.ini becomes one of ours, with an account of every key."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from packbank.config.inifile import comments_above, read
from packbank.config.migrate import Migration, migrate
from packbank.config.migrated_text import account
from packbank.config.problems import InvalidConfigError
from packbank.config.serialbattery import Kind
from packbank.errors import ConfigError
from packbank.files import replace_text


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of ``packbank migrate``."""
    parser.add_argument("file", type=Path, metavar="FILE", help="config.ini of dbus-serialbattery, of any version")
    parser.add_argument("--port", action="append", default=[], help="port of the packs; once for each adapter")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write here, not to standard output")
    parser.epilog = (
        "The new file goes to standard output, and what was taken, renamed, changed, dropped or added, and why, to\n"
        "standard error, followed by what to think over before packs in parallel run on it."
    )


def run(args: Namespace) -> int:
    """Write the new file and the account."""
    if args.output is not None and args.output.exists():
        raise ConfigError(f"{args.output} exists; name another file with -o")
    sections, problems = read(args.file)
    if problems:
        raise InvalidConfigError(args.file, problems)
    migration = migrate(sections, args.port, comments_above(args.file))
    if migration.problems:
        raise InvalidConfigError(args.file, migration.problems)
    text = f"# packbank, from {args.file.name} of dbus-serialbattery\n{migration.text}"
    if args.output is None:
        sys.stdout.write(text)
    else:
        try:
            replace_text(args.output, text, args.file.stat().st_mode)
        except OSError as error:
            raise ConfigError(f"{args.output}: cannot be written, {error.strerror}; choose another place") from error
    for line in lines(migration):
        print(line, file=sys.stderr)
    return 0


def lines(migration: Migration) -> Iterator[str]:
    """What became of every key, kind by kind, then what to think over."""
    for kind in Kind:
        for change in (change for change in migration.changes if change.kind is kind):
            yield f"{kind:8} {account(change)}"
    for doubt in migration.doubts:
        yield f"{'think':8} {doubt}"
