"""A dbus-serialbattery configuration as one of ours, with an account of what became of every key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from packbank.config.inifile import Sections
from packbank.config.loader import build
from packbank.config.problems import Entry, Problem
from packbank.config.sections import DEFAULT, default_keys
from packbank.config.serialbattery import Change, Kind, translate
from packbank.config.values import format_value
from packbank.errors import ConfigError

GUESSED_PORT = "/dev/ttyUSB0"
COMMENT = re.compile(r"\s+[;#].*")

# What a file of dbus-serialbattery means when it leaves a key out and our default is another.
DRIVER_DEFAULTS = {"MAX_BATTERY_CHARGE_CURRENT": "50", "MAX_BATTERY_DISCHARGE_CURRENT": "60"}


def _fast(amperes_per_second: float) -> bool:
    return amperes_per_second > 10 or amperes_per_second == 0


# Values that are right for one pack and doubtful for many in parallel: key, when, why.
DOUBTS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("MAX_BATTERY_CHARGE_CURRENT", bool, "holds for each pack; busbar and chargers: MAX_BANK_CHARGE_CURRENT"),
    ("MAX_BATTERY_DISCHARGE_CURRENT", bool, "holds for each pack; busbar and inverters: MAX_BANK_DISCHARGE_CURRENT"),
    ("MAX_CELL_VOLTAGE", lambda volts: volts > 3.55, "every pack sees it; near 3.65 V the weakest cell trips its BMS"),
    (
        "SOC_RESET_CELL_VOLTAGE",
        lambda volts: volts >= 3.6,
        "all packs are raised to it on the same day, at most to 30 mV below their BMS's protection",
    ),
    ("SOC_RESET_AFTER_DAYS", bool, "the whole bank is raised on the same day, with at most 5 % of each pack's ceiling"),
    ("VOLTAGE_DROP", bool, "is added once for the bank; measure it at the bank's current, not at one pack's"),
    ("CCL_RECOVERY_RATE_A_PER_SEC", _fast, "is for each pack; ours is 10"),
    ("DCL_RECOVERY_RATE_A_PER_SEC", _fast, "is for each pack; ours is 10"),
    ("CVCM_ENABLE", lambda on: not on, "the bank then holds its target voltage for ever"),
    ("CCCM_CV_ENABLE", lambda on: not on, "no high cell slows the charging any more"),
    ("DCCM_CV_ENABLE", lambda on: not on, "no low cell slows the discharging any more"),
    ("CCCM_T_ENABLE", lambda on: not on, "one frozen pack is then charged like the others"),
    ("DCCM_T_ENABLE", lambda on: not on, "one hot pack is then loaded like the others"),
    ("TEMPERATURE_SOURCE_BATTERY", lambda sensors: len(sensors) < 4, "sensors that are left out guard nothing"),
    (
        "BATTERY_CAPACITY",
        lambda ah: ah == 99,
        "is the driver's default; a wrong figure is a wrong weight in SoC and share",
    ),
    ("SWITCH_TO_FLOAT_CELL_VOLTAGE_DIFF", lambda volts: volts >= 1, "no pack is then waited for until it is balanced"),
)


@dataclass(frozen=True, slots=True)
class Migration:
    """The new file's text, what became of every key, and what to think about."""

    text: str
    changes: tuple[Change, ...]
    doubts: tuple[str, ...]


def migrate(sections: Sections, ports: Sequence[str] = ()) -> Migration:
    """Turn the sections of a dbus-serialbattery file into a configuration that passes every check of ours."""
    if any(name.startswith(("bus:", "pack:")) for name in sections):
        raise ConfigError("has [bus:...] or [pack:...] sections, so it is packbank's own already; 'packbank check' it")
    changes = list(_foreign(sections))
    tidy, found = _without_comments(sections.get(DEFAULT, {}))
    changes += found
    entries, found = translate(tidy, default_keys())
    changes += found
    changes += _drop_empty_ceilings(entries)
    changes += _drop_wrong(entries, ports)
    told = {change.entry.key for change in changes}
    changes += [Change(Kind.TAKEN, key, entry) for key, entry in entries.items() if key not in told]
    for key, value in DRIVER_DEFAULTS.items():
        if key not in entries:
            entries[key] = Entry(DEFAULT, key, value)
            changes.append(
                Change(Kind.ADDED, key, entries[key], "dbus-serialbattery's default; empty: what the BMS allows")
            )
    return Migration(_render(entries, ports), tuple(changes), tuple(_doubts(entries, ports)))


def _foreign(sections: Sections) -> Iterator[Change]:
    """Sections other than [DEFAULT], which had no effect."""
    for name, entries in sections.items():
        if name != DEFAULT:
            for key, entry in entries.items():
                yield Change(Kind.DROPPED, key, entry, f"dbus-serialbattery reads [DEFAULT] only, not [{name}]")


def _without_comments(entries: Mapping[str, Entry]) -> tuple[dict[str, Entry], list[Change]]:
    """Values without the comments behind them, which dbus-serialbattery took for a part of the value."""
    tidy: dict[str, Entry] = {}
    changes = []
    for key, entry in entries.items():
        value = COMMENT.sub("", entry.value)
        tidy[key] = replace(entry, value=value)
        if value != entry.value:
            why = "the comment behind it made dbus-serialbattery read something else; it has no such comments"
            changes.append(Change(Kind.CHANGED, key, tidy[key], why))
    return tidy, changes


def _drop_empty_ceilings(entries: dict[str, Entry]) -> Iterator[Change]:
    """An empty ceiling was 0 A to the driver and is no ceiling to us; neither can be meant."""
    for key in DRIVER_DEFAULTS:
        if key in entries and not entries[key].value:
            yield Change(Kind.DROPPED, key, entries.pop(key), "dbus-serialbattery reads an empty ceiling as 0 A")


def _drop_wrong(entries: dict[str, Entry], ports: Sequence[str]) -> Iterator[Change]:
    """Take out what our own checks refuse, so that our default holds; nothing else decides what is wrong."""
    keys = default_keys()
    while True:
        problems = [problem for problem in _problems(entries, ports) if problem.entry.key in entries]
        if not problems:
            return
        for name, text in {problem.entry.key: problem.text for problem in problems}.items():
            holds = f"; until then it is {format_value(keys[name].default) or 'empty'}" if name in keys else ""
            yield Change(Kind.DROPPED, name, entries.pop(name), text + holds)


def _problems(entries: dict[str, Entry], ports: Sequence[str]) -> list[Problem]:
    return build({DEFAULT: entries}, ports or [GUESSED_PORT])[1]


def _doubts(entries: Mapping[str, Entry], ports: Sequence[str]) -> Iterator[str]:
    if not ports:
        yield f"PORT: {GUESSED_PORT} is a guess; 'packbank scan' finds the right one, or give --port"
    keys = default_keys()
    for key, doubtful, why in DOUBTS:
        if key in entries and key in keys and doubtful(keys[key].parse(entries[key].value)):
            yield f"{key} = {entries[key].value}: {why}"


def _render(entries: Mapping[str, Entry], ports: Sequence[str]) -> str:
    lines = ["[DEFAULT]"]
    if len(ports) < 2:
        lines.append(f"PORT = {ports[0] if ports else GUESSED_PORT}")
    lines += [f"{key} = {' '.join(entry.value.split())}".rstrip() for key, entry in entries.items()]
    if len(ports) > 1:
        for number, port in enumerate(ports, start=1):
            lines += ["", f"[bus:bus{number}]", f"PORT = {port}"]
    return "\n".join(lines) + "\n"
