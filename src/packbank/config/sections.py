"""The sections of a file with their values parsed: which keys may stand where, and what each says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from packbank.config import keys
from packbank.config.entry import Entry
from packbank.config.inifile import MOST_PROBLEMS, Sections
from packbank.config.keys import Keys
from packbank.config.problems import Problem
from packbank.config.serialbattery import Change, Kind, translate

DEFAULT = "DEFAULT"
TITLES = {
    DEFAULT: "[DEFAULT]",
    "bus": "[bus:NAME]",
    "pack": "[pack:BUS/0x03]",
    "host": "[host:NAME]",
    "mqtt": "[mqtt]",
    "web": "[web]",
    "history": "[history]",
}

OURS = ("mqtt", "web", "history")  # sections without a key that dbus-serialbattery knows


@dataclass(slots=True)
class Section:
    """One section: its entries under packbank's names, and the values of those that could be parsed."""

    name: str  # what follows "bus:" or "pack:"; the title of a section that is there once
    entries: dict[str, Entry] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    place: tuple[str, int] | None = None  # of a pack: its bus and address, once they are known to be right

    def pick(self, chosen: Keys) -> dict[str, Any]:
        """The values of the chosen keys by field name, as a dataclass's constructor takes them."""
        return {key.field: self.values[name] for name, key in chosen.items() if name in self.values}


@dataclass(slots=True)
class Parsed:
    """A whole file, section by section; ``changes`` says what was translated from dbus-serialbattery."""

    default: Section = field(default_factory=lambda: Section(DEFAULT))
    buses: list[Section] = field(default_factory=list)
    packs: list[Section] = field(default_factory=list)
    hosts: list[Section] = field(default_factory=list)
    outputs: dict[str, Section] = field(default_factory=dict)  # sections that are there once, by title
    changes: list[Change] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def default_keys() -> Keys:
    """Every key that may stand in [DEFAULT]."""
    of_packs = {**keys.reading_keys(), **keys.pack_keys()}
    return {**keys.bus_keys(), **keys.program_keys(), **keys.service_keys(), **keys.bank_keys(), **of_packs}


def allowed_keys() -> Mapping[str, Keys]:
    """Every key that may stand in a section, by the kind of the section."""
    return {
        DEFAULT: default_keys(),
        "bus": {**keys.bus_keys(), **keys.reading_keys(), **keys.pack_keys()},
        "pack": {**keys.name_keys(), **keys.reading_keys(), **keys.pack_keys()},
        "host": {**keys.host_keys(), **keys.pack_keys()},
        "mqtt": keys.mqtt_keys(),
        "web": keys.web_keys(),
        "history": keys.history_keys(),
    }


def understand(sections: Sections) -> Parsed:
    """Parse every section; what is wrong is collected, and the rest goes on without it."""
    allowed = allowed_keys()
    parsed = Parsed()
    places = {"bus": parsed.buses, "pack": parsed.packs, "host": parsed.hosts}
    for title, entries in sections.items():
        kind, _, name = title.partition(":")
        if kind not in allowed or bool(name) != (kind in places):
            if len(parsed.problems) < MOST_PROBLEMS:
                parsed.problems.append(_unknown_section(title, entries))
            continue
        own, changes = translate(entries, allowed[kind]) if kind not in OURS else (entries, [])
        section = Section(name or kind, own, _parse(own, allowed, kind, parsed.problems))
        parsed.problems += [Problem(change.entry, change.why) for change in changes if change.kind is Kind.REFUSED]
        parsed.changes += [change for change in changes if change.kind is not Kind.REFUSED]
        if kind == DEFAULT:
            parsed.default = section
        elif kind in places:
            places[kind].append(section)
        else:
            parsed.outputs[kind] = section
    return parsed


def _parse(
    entries: Mapping[str, Entry], allowed: Mapping[str, Keys], kind: str, problems: list[Problem]
) -> dict[str, Any]:
    values = {}
    for name, entry in entries.items():
        key = allowed[kind].get(name)
        if key is None:
            if len(problems) < MOST_PROBLEMS:
                problems.append(_unknown_key(entry, allowed, kind))
            continue
        try:
            values[name] = key.parse(entry.value)
        except ValueError as error:
            problems.append(Problem(entry, str(error)))
    return values


def _unknown_key(entry: Entry, allowed: Mapping[str, Keys], kind: str) -> Problem:
    elsewhere = [TITLES[other] for other, own in allowed.items() if entry.key in own]
    if elsewhere:
        return Problem(entry, f"has no place here; move it to {' or '.join(elsewhere)}")
    close = get_close_matches(entry.key, allowed[kind], n=1)
    remedy = f"did you mean {close[0]}?" if close else "remove it; docs/config.md lists all keys"
    return Problem(entry, f"unknown key; {remedy}")


def _unknown_section(title: str, entries: Mapping[str, Entry]) -> Problem:
    kinds = {kind.lower(): shown for kind, shown in TITLES.items()}
    close = get_close_matches(title.partition(":")[0].strip().lower(), kinds, n=1)
    remedy = f"did you mean {kinds[close[0]]}?" if close else f"sections are {', '.join(kinds.values())}"
    first = min((entry.line for entry in entries.values()), default=0)
    return Problem(Entry(title, "", "", first), f"unknown section; {remedy}")
