"""A configuration as it may be shown to others: without comments, and without values that may be secrets."""

from __future__ import annotations

from pathlib import Path

from packbank.config.inifile import HEADER, read
from packbank.config.secrets import HIDDEN, shown


def redacted(path: Path) -> str:
    """The sections of a file with their keys; what cannot be read is named, and not shown."""
    sections, problems = read(path)
    lines = [f"# {problem}" for problem in problems]
    for name, entries in sections.items():
        header = f"[{name}]"
        lines += ["", header if HEADER.fullmatch(header) and "@" not in name else f"[{HIDDEN}]"]
        lines += [shown(entry) for entry in entries.values()]
    return "\n".join(lines) + "\n"
