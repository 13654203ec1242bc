"""What is wrong with a configuration: problems, each with its place and its remedy, collected into one error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packbank.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``KEY = value`` of a file; ``line`` is 0 when it came from elsewhere, such as the command line."""

    section: str
    key: str
    value: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with an entry and what to write instead; an entry without a key stands for its section."""

    entry: Entry
    text: str

    def __str__(self) -> str:
        """One line, without the file's name; a value that may be a secret is left out."""
        entry = self.entry
        secret = "PASS" in entry.key or "@" in entry.value  # as in mqtt://user:password@host
        value = "..." if secret else " ".join(entry.value.split())
        line = f"line {entry.line}" if entry.line else ""
        section = f"[{entry.section}]" if entry.section else ""
        setting = f"{entry.key} = {value}" if entry.key else ""
        place = " ".join(word for word in (line, section, setting) if word)
        return f"{place}: {self.text}" if place else self.text


class InvalidConfigError(ConfigError):
    """Every problem of a file at once."""

    def __init__(self, path: Path, problems: Sequence[Problem], appendix: str = "") -> None:
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        in_order = sorted(problems, key=lambda problem: problem.entry.line)
        lines = [f"{path} has {count}:", *(f"  {path.name}: {problem}" for problem in in_order)]
        super().__init__("\n".join([*lines, "", appendix] if appendix else lines))
        self.problems = tuple(problems)
