"""Rules across settings, which the aggregator states, as problems of the entries they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from packbank.aggregator import checks
from packbank.aggregator.settings import BankSettings
from packbank.config.entry import Entry
from packbank.config.keys import Keys
from packbank.config.model import PackConfig
from packbank.config.problems import Problem
from packbank.config.sections import DEFAULT, Parsed, Section, default_keys
from packbank.config.values import format_value

KEY = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")


def crosscheck(parsed: Parsed, packs: Sequence[PackConfig], bank: BankSettings) -> Iterator[Problem]:
    """What is wrong between settings that are right one by one, each reported once."""
    keys = default_keys()
    wrong = {problem.entry.key for problem in parsed.problems}
    reported: set[Problem] = set()
    for layers, found in _found(parsed, packs, bank):
        for rule in found:
            problem = _problem(rule, layers, keys)
            if problem not in reported and not wrong & {problem.entry.key, rule.field.upper(), *KEY.findall(rule.text)}:
                reported.add(problem)
                yield problem


def _found(
    parsed: Parsed, packs: Sequence[PackConfig], bank: BankSettings
) -> Iterator[tuple[list[Section], list[checks.WrongSetting]]]:
    yield [parsed.default], checks.bank_problems(bank)
    buses = {section.name: section for section in parsed.buses}
    hosts = {section.name: section for section in parsed.hosts}
    own = {section.place: section for section in parsed.packs}
    for pack in packs:
        layers = [
            own.get((pack.bus, pack.address)),
            buses.get(pack.bus) or hosts.get(pack.bus.partition("/")[0]),
            parsed.default,
        ]
        yield [section for section in layers if section is not None], checks.pack_problems(pack.settings)


def _problem(rule: checks.WrongSetting, layers: Sequence[Section], keys: Keys) -> Problem:
    """Tie a rule to the entry that a user would change: its own, or else the one that it does not go with."""
    own = rule.field.upper()
    for name in (own, *KEY.findall(rule.text)):
        for section in layers:
            if entry := section.entries.get(name):
                text = rule.text if name == own else f"{own} (now {format_value(keys[own].default)}) {rule.text}"
                return Problem(entry, text)
    return Problem(Entry(DEFAULT, own, format_value(keys[own].default)), rule.text)
