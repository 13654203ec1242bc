"""What is wrong with a configuration: problems, each with its place and its remedy, collected into one error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packbank.config.entry import Entry
from packbank.config.secrets import shown
from packbank.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with an entry and what to write instead; an entry without a key stands for its section."""

    entry: Entry
    text: str

    def __str__(self) -> str:
        """One line, without the file's name and without what may be a secret."""
        entry = self.entry
        line = f"line {entry.line}" if entry.line else ""
        section = f"[{entry.section}]" if entry.section else ""
        place = " ".join(word for word in (line, section, shown(entry) if entry.key else "") if word)
        return f"{place}: {self.text}" if place else self.text


class InvalidConfigError(ConfigError):
    """Every problem of a file at once."""

    def __init__(self, path: Path, problems: Sequence[Problem], appendix: str = "") -> None:
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        in_order = sorted(problems, key=lambda problem: problem.entry.line)
        lines = [f"{path} has {count}:", *(f"  {path.name}: {problem}" for problem in in_order)]
        super().__init__("\n".join([*lines, "", appendix] if appendix else lines))
        self.problems = tuple(problems)
