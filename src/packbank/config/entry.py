"""One ``KEY = value`` of a file, before anything is understood."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """``line`` is 0 when it came from elsewhere, such as the command line."""

    section: str
    key: str
    value: str
    line: int = 0
