"""The text of a migrated configuration: the new keys, the user's own comments, and why each key is what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from types import MappingProxyType

from packbank.config.entry import Entry
from packbank.config.secrets import shown
from packbank.config.serialbattery import Change, Kind

GUESSED_PORT = "/dev/ttyUSB0"
WIDTH = 110
Comments = Mapping[int, Sequence[str]]  # by the line above which they stand; 0: below the last
NO_COMMENTS: Comments = MappingProxyType({})
_ASSIGNMENT = re.compile(r"[#;]\s*([A-Za-z][A-Za-z0-9_ ]*?)\s*[=:]\s*(.+)")


def render(
    entries: Mapping[str, Entry],
    ports: Sequence[str],
    changes: Sequence[Change],
    doubts: Sequence[str],
    comments: Comments,
) -> str:
    """The whole file; what became of the old keys stands above the new ones, what was dropped below them."""
    reasons: dict[str, list[Change]] = {}
    for change in changes:
        reasons.setdefault("" if change.kind is Kind.DROPPED else change.entry.key, []).append(change)
    used: set[int] = set()

    def of_user(lines: Sequence[int]) -> Iterator[str]:
        for line in sorted(set(lines) - used - {0}):
            used.add(line)
            yield from map(_harmless, comments.get(line, ()))

    of_keys = {entry.line for entry in (*entries.values(), *(change.entry for change in changes))}
    text = [*of_user([line for line in comments if line not in of_keys]), "[DEFAULT]"]
    if len(ports) < 2:
        text.append(f"PORT = {ports[0] if ports else GUESSED_PORT}")
    for key, entry in entries.items():
        about = reasons.get(key, [])
        text += of_user([change.entry.line for change in about] or [entry.line])
        text += [line for change in about if change.why for line in _remark(account(change))]
        text.append(f"{key} = {' '.join(entry.value.split())}".rstrip())
    if dropped := reasons.get("", []):
        text += ["", "# Not taken over:"]
        for change in dropped:
            text += [*of_user([change.entry.line]), *_remark(account(change))]
    if doubts:
        text += ["", "# To think over:", *(line for doubt in doubts for line in _remark(doubt))]
    text += map(_harmless, comments.get(0, ()))
    for number, port in enumerate(ports, start=1):
        if len(ports) > 1:
            text += ["", f"[bus:bus{number}]", f"PORT = {port}"]
    return "\n".join(text) + "\n"


def account(change: Change) -> str:
    """What became of a key, without what may be a secret."""
    old = "" if change.old == change.entry.key else f"{change.old} -> "
    return f"{old}{shown(change.entry)}" + (f": {change.why}" if change.why else "")


def _remark(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False)]


def _harmless(comment: str) -> str:
    """A comment of the user, without the value of a key that may be a secret."""
    pair = _ASSIGNMENT.fullmatch(comment)
    if pair is None:
        return comment
    text = shown(Entry("", pair[1].upper(), pair[2]))
    return f"# {text}" if text.endswith(" = ...") else comment
