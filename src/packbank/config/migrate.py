"""A dbus-serialbattery configuration as one of ours, with an account of what became of every key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from packbank.config.entry import Entry
from packbank.config.inifile import Sections
from packbank.config.loader import build
from packbank.config.migrated_text import GUESSED_PORT, NO_COMMENTS, Comments, render
from packbank.config.outputs import wrong_service
from packbank.config.problems import Problem
from packbank.config.sections import DEFAULT, default_keys
from packbank.config.serialbattery import Change, Kind, translate
from packbank.config.values import format_addresses, parse_addresses
from packbank.errors import ConfigError

COMMENT = re.compile(r"\s+[;#].*")
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
ADDRESSES = "BATTERY_ADDRESSES"
NEEDLESS = {"SOC_RESET_AFTER_DAYS"}
SENSOR_DEVICE = ("EXTERNAL_SENSOR_DBUS_DEVICE", "EXTERNAL_CURRENT_SENSOR_DBUS_DEVICE")
SENSOR_PATHS = {
    "CURRENT_FROM": ("EXTERNAL_SENSOR_DBUS_PATH_CURRENT", "EXTERNAL_CURRENT_SENSOR_DBUS_PATH"),
    "SOC_FROM": ("EXTERNAL_SENSOR_DBUS_PATH_SOC",),
}

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
    problems: tuple[Problem, ...]  # what has to be put right first: it cannot be read, and the text lacks it


def migrate(sections: Sections, ports: Sequence[str] = (), comments: Comments = NO_COMMENTS) -> Migration:
    """Turn the sections of a dbus-serialbattery file into a configuration that passes every check of ours.

    ``comments`` are those of the file by the line that they stand above. A value that cannot be read is never left
    out without a word: the migration then has problems, and its text is not to be used.
    """
    if any(name.startswith(("bus:", "pack:")) for name in sections):
        raise ConfigError("has [bus:...] or [pack:...] sections, so it is packbank's own already; 'packbank check' it")
    changes = list(_foreign(sections))
    tidy, found = _without_comments(sections.get(DEFAULT, {}))
    changes += found
    entries, found = translate(tidy, default_keys())
    changes += [change for change in found if change.kind is not Kind.REFUSED]
    problems = [Problem(change.entry, change.why) for change in found if change.kind is Kind.REFUSED]
    changes += _read_decimal_commas(entries)
    changes += _drop_bad_addresses(entries, ports)
    changes += _drop_needless(entries, ports)
    problems += _take_out_wrong(entries, ports)
    reported = {change.entry.key for change in changes}
    changes += [Change(Kind.TAKEN, key, entry) for key, entry in entries.items() if key not in reported]
    for key, value in DRIVER_DEFAULTS.items():
        if key not in entries:
            entries[key] = Entry(DEFAULT, key, value)
            changes.append(
                Change(Kind.ADDED, key, entries[key], "dbus-serialbattery's default; empty: what the BMS allows")
            )
    problems += _problems(entries, ports)
    doubts = [*_doubts(entries, ports), *_shunt(tidy)]
    text = render(entries, ports, changes, doubts, comments)
    return Migration(text, tuple(changes), tuple(doubts), tuple(problems))


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
            comment = entry.value[len(value) :].strip()
            why = f"'{comment}' behind it made dbus-serialbattery read something else; it knows no such comments"
            changes.append(Change(Kind.CHANGED, key, tidy[key], why))
    return tidy, changes


def _read_decimal_commas(entries: dict[str, Entry]) -> Iterator[Change]:
    """A number with a decimal comma, where a list cannot be meant."""
    keys = default_keys()
    for name, entry in entries.items():
        if DECIMAL_COMMA.fullmatch(entry.value) and name in keys and not isinstance(keys[name].default, tuple):
            entries[name] = replace(entry, value=entry.value.replace(",", "."))
            yield Change(Kind.CHANGED, name, entries[name], "the decimal comma became a point")


def _drop_bad_addresses(entries: dict[str, Entry], ports: Sequence[str]) -> Iterator[Change]:
    """Keep the addresses that a pack can have."""
    entry = entries.get(ADDRESSES)
    if entry is None:
        return
    try:
        numbers = parse_addresses(entry.value)
    except ValueError:
        return  # it cannot be read at all
    good, why = [], ""
    for number in dict.fromkeys(numbers):
        alone = entries | {ADDRESSES: replace(entry, value=format_addresses([number]))}
        wrong = [problem for problem in _problems(alone, ports) if problem.entry.key == ADDRESSES]
        why = wrong[0].text if wrong else why
        if not wrong:
            good.append(number)
    if good and len(good) < len(numbers):
        entries[ADDRESSES] = replace(entry, value=format_addresses(good))
        yield Change(Kind.CHANGED, ADDRESSES, entries[ADDRESSES], why or "an address stood there twice")


def _drop_needless(entries: dict[str, Entry], ports: Sequence[str]) -> Iterator[Change]:
    """Keys without which nothing is less safe, whose figures our own checks refuse."""
    for name in NEEDLESS & {problem.entry.key for problem in _problems(entries, ports)}:
        why = next(problem.text for problem in _problems(entries, ports) if problem.entry.key == name)
        if name in entries:
            yield Change(Kind.DROPPED, name, entries.pop(name), f"{why}; until then it is never done")


def _take_out_wrong(entries: dict[str, Entry], ports: Sequence[str]) -> Iterator[Problem]:
    """What our own checks refuse; nothing else decides what is wrong. An empty ceiling is 0 A to the driver."""
    for key in DRIVER_DEFAULTS:
        if key in entries and not entries[key].value:
            text = "is empty, which dbus-serialbattery reads as 0 A; write the amperes, or remove the line"
            yield Problem(entries.pop(key), text)
    while True:
        problems = [problem for problem in _problems(entries, ports) if problem.entry.key in entries]
        if not problems:
            return
        yield from problems
        for problem in problems:
            entries.pop(problem.entry.key, None)


def _shunt(entries: Mapping[str, Entry]) -> Iterator[str]:
    """What could stand for the driver's external sensor, which measured one pack's current or all of it."""
    service = next((entries[key].value for key in SENSOR_DEVICE if key in entries), "")
    if not service or wrong_service(service):
        return
    for key, names in SENSOR_PATHS.items():
        if any(name in entries and entries[name].value for name in names):
            yield f"{key} = {service}: write this if that shunt measures the whole bank"


def _problems(entries: dict[str, Entry], ports: Sequence[str]) -> list[Problem]:
    if len(ports) > 1:
        buses = {f"bus:bus{number}": _port_of(number, port) for number, port in enumerate(ports, start=1)}
        return build({DEFAULT: entries, **buses})[1]
    return build({DEFAULT: entries}, ports or [GUESSED_PORT])[1]


def _port_of(number: int, port: str) -> dict[str, Entry]:
    return {"PORT": Entry(f"bus:bus{number}", "PORT", port)}


def _doubts(entries: Mapping[str, Entry], ports: Sequence[str]) -> Iterator[str]:
    if not ports:
        yield f"PORT: {GUESSED_PORT} is a guess; 'packbank scan' finds the right one, or give --port"
    keys = default_keys()
    for key, doubtful, why in DOUBTS:
        if key in entries and key in keys and doubtful(keys[key].parse(entries[key].value)):
            yield f"{key} = {entries[key].value}: {why}"
