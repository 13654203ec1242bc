"""The text of ``config.ini`` as sections of entries with their line numbers, before anything is understood."""

from __future__ import annotations

import re
from collections.abc import Iterator
from configparser import ConfigParser, MissingSectionHeaderError, ParsingError
from pathlib import Path
from typing import Any

from packbank.config.entry import Entry
from packbank.config.problems import Problem

Sections = dict[str, dict[str, Entry]]  # section -> key in upper case -> entry

HEADER = re.compile(r"\[(.+)\]")
KEY = re.compile(r"([^=:\s][^=:]*?)\s*[=:]")
COMMENT = ("#", ";")
LARGEST = 1 << 20  # bytes of a file
LONGEST = 4096  # characters of a line: a curve or a list of 250 addresses has fewer
CONTROL = re.compile(r"[\x00-\x08\x0b-\x0d\x0e-\x1f\x7f-\x9f\u2028\u2029]")
MOST_SECTIONS = 2048  # a bank of 64 buses with a section for each pack has half of them
MOST_PROBLEMS = 50  # reported of one kind
ANOTHER = re.compile(r"\n[A-Za-z][A-Za-z0-9_]*\s*(=|:\s)")  # in a value: a key that somebody has indented
SWALLOWS = (
    "the next line begins with a blank, so it belongs to this key, although it is one of its own: remove the blank"
)
NOT_A_PAIR = "is not KEY = value; complete it, or put # before it"


class _Entries(dict[str, Any]):
    """What configparser keeps a section in; notes the keys that are given again."""

    def __init__(self) -> None:
        super().__init__()
        self.twice: dict[str, None] = {}

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, list) and key in self:  # the lines of a value, before they are joined
            self.twice.setdefault(key)
        super().__setitem__(key, value)


class _Parser(ConfigParser):
    """configparser as dbus-serialbattery's users know it, but [DEFAULT] is a section and ``%`` a character."""

    def __init__(self) -> None:
        super().__init__(interpolation=None, default_section="", strict=False, dict_type=_Entries)

    def optionxform(self, optionstr: str) -> str:
        """Keys are compared in upper case."""
        return optionstr.upper()


def read(path: Path) -> tuple[Sections, list[Problem]]:
    """The file's sections, and what keeps it from being read; never raises for what a user can have written."""
    data, problem = _bytes_of(path)
    if problem:
        return {}, [_of_line(0, problem)]
    try:
        return parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        return {}, [_of_line(number, "has a character that is not UTF-8; save the file as UTF-8")]


def _bytes_of(path: Path) -> tuple[bytes, str]:
    """The content, or why there is none."""
    try:
        if path.exists() and not path.is_file():
            return b"", "is not a file; give the path of a config.ini"
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return b"", f"cannot be read, {reason}; check the path and its permissions"
    return data, f"is larger than {LARGEST} bytes; give a config.ini" if len(data) > LARGEST else ""


def parse(text: str) -> tuple[Sections, list[Problem]]:
    """The sections of a text; see :func:`read`. Takes time in proportion to its length."""
    lines = text.replace("\r\n", "\n").split("\n")
    problems = list(_strange_lines(lines))
    if problems:
        return {}, problems
    parser = _Parser()
    try:
        parser.read_string("\n".join(lines))
    except MissingSectionHeaderError as error:
        return {}, [_of_line(error.lineno, "stands before any section; let the file begin with [DEFAULT]")]
    except ParsingError as error:
        problems = [_of_line(number, NOT_A_PAIR) for number, _ in error.errors[:MOST_PROBLEMS]]
    if len(parser.sections()) > MOST_SECTIONS:
        return {}, [_of_line(0, f"has more than {MOST_SECTIONS} sections; give a config.ini")]
    places = _Places(lines)
    problems += places.repeated_sections()
    return _with_lines(parser, places, problems), problems


def _strange_lines(lines: list[str]) -> Iterator[Problem]:
    """Lines that no configuration has, and that configparser would take long for."""
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST:
            yield _of_line(number, f"is longer than {LONGEST} characters; shorten it")
            return
        if strange := CONTROL.search(line):
            yield _of_line(number, f"has a character that is no text (U+{ord(strange[0]):04X}); remove it")
            return


def _of_line(number: int, text: str) -> Problem:
    return Problem(Entry("", "", "", number), text)


def comments_above(path: Path) -> dict[int, list[str]]:
    """The comment lines of a file that :func:`read` takes, by the line that they stand above; the last ones at 0."""
    found: dict[int, list[str]] = {}
    waiting: list[str] = []
    for number, line in enumerate(_bytes_of(path)[0].decode("utf-8-sig").split("\n"), start=1):
        text = line.strip()
        if text.startswith(COMMENT):
            waiting.append(text)
        elif text:
            found[number], waiting = waiting, []
    return found | {0: waiting}


class _Places:
    """The lines on which headers and keys stand; as for configparser, a deeper indented one goes on with a value."""

    def __init__(self, lines: list[str]) -> None:
        self.headers: dict[str, list[int]] = {}
        self.keys: dict[tuple[str, str], list[int]] = {}
        section, indent, in_value = "", 0, False
        for number, raw in enumerate(lines, start=1):
            line = raw.strip()
            here = len(raw) - len(raw.lstrip())
            if not line or line.startswith(COMMENT) or (in_value and here > indent):
                continue
            indent, in_value = here, False
            if header := HEADER.match(line):
                section = header[1]
                self.headers.setdefault(section, []).append(number)
            elif key := KEY.match(line):
                in_value = True
                self.keys.setdefault((section, key[1].upper()), []).append(number)

    def repeated_sections(self) -> Iterator[Problem]:
        """Sections that stand in the file more than once."""
        for section, numbers in self.headers.items():
            if len(numbers) > 1:
                entry = Entry(section, "", "", numbers[1])
                yield Problem(entry, "stands in the file twice; put its keys under one header")


def _with_lines(parser: ConfigParser, places: _Places, problems: list[Problem]) -> Sections:
    sections: Sections = {}
    for name in parser.sections():
        section: _Entries = parser._sections[name]  # type: ignore[attr-defined]
        for key in section.twice:
            numbers = places.keys.get((name, key), [0])
            entry = Entry(name, key, section[key], numbers[min(1, len(numbers) - 1)])
            problems.append(Problem(entry, "stands in this section twice; remove one of the two"))
        problems += [
            Problem(Entry(name, key, value, places.keys.get((name, key), [0])[0]), SWALLOWS)
            for key, value in section.items()
            if ANOTHER.search(value)
        ]
        sections[name] = {
            key: Entry(name, key, value, places.keys.get((name, key), [0])[0]) for key, value in section.items()
        }
    return sections
