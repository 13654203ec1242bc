"""The text of ``config.ini`` as sections of entries with their line numbers, before anything is understood."""

from __future__ import annotations

import re
from configparser import (
    ConfigParser,
    DuplicateOptionError,
    DuplicateSectionError,
    MissingSectionHeaderError,
    ParsingError,
)
from pathlib import Path

from packbank.config.problems import Entry, Problem

Sections = dict[str, dict[str, Entry]]  # section -> key in upper case -> entry

HEADER = re.compile(r"\[(.+)\]")
KEY = re.compile(r"([^=:\s][^=:]*?)\s*[=:]")
COMMENT = ("#", ";")


class _Parser(ConfigParser):
    """configparser as dbus-serialbattery's users know it, but [DEFAULT] is a section and ``%`` a character."""

    def __init__(self) -> None:
        super().__init__(interpolation=None, default_section="")

    def optionxform(self, optionstr: str) -> str:
        """Keys are compared in upper case."""
        return optionstr.upper()


def read(path: Path) -> tuple[Sections, list[Problem]]:
    """The file's sections, and what keeps it from being read; never raises for what a user can have written."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return {}, [Problem(Entry("", "", ""), f"cannot be read, {reason}; check the path and its permissions")]
    except UnicodeDecodeError as error:
        return {}, [Problem(Entry("", "", ""), f"is not UTF-8 text (byte {error.start}); save it as UTF-8")]
    return parse(text)


def parse(text: str) -> tuple[Sections, list[Problem]]:
    """The sections of a text; see :func:`read`."""
    lines = text.splitlines()
    problems: list[Problem] = []
    while True:
        parser = _Parser()
        try:
            parser.read_string("\n".join(lines))
        except DuplicateOptionError as error:
            number = error.lineno or 1
            value = lines[number - 1].partition("=")[2].strip()
            entry = Entry(error.section, error.option, value, number)
            problems.append(Problem(entry, "stands in this section twice; remove one of the two"))
            lines[number - 1] = ""
            continue
        except DuplicateSectionError as error:
            entry = Entry(error.section, "", "", error.lineno or 0)
            return {}, [*problems, Problem(entry, "stands in the file twice; put its keys under one header")]
        except MissingSectionHeaderError as error:
            text = f"{lines[error.lineno - 1].strip()!r} stands before any section; let the file begin with [DEFAULT]"
            return {}, [*problems, Problem(Entry("", "", "", error.lineno), text)]
        except ParsingError as error:
            problems += [
                Problem(
                    Entry("", "", "", number),
                    f"{lines[number - 1].strip()!r} is not KEY = value; complete it, or put # before it",
                )
                for number, _ in error.errors
            ]
        return _with_lines(parser, lines), problems


def _with_lines(parser: ConfigParser, lines: list[str]) -> Sections:
    numbers: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(map(str.strip, lines), start=1):
        if line.startswith(COMMENT):
            continue
        if header := HEADER.match(line):
            section = header[1]
        elif key := KEY.match(line):
            numbers.setdefault((section, key[1].upper()), number)
    return {
        name: {key: Entry(name, key, value, numbers.get((name, key), 0)) for key, value in parser[name].items()}
        for name in parser.sections()
    }
