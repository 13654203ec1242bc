"""``config.ini`` to :class:`Config`: all of it checked, every problem reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from packbank.aggregator.settings import BankSettings
from packbank.bms import registry
from packbank.config import keys
from packbank.config.crosscheck import crosscheck
from packbank.config.dip import table
from packbank.config.hosts import Announced, build_hosts, host_buses
from packbank.config.inifile import Sections, read
from packbank.config.model import Config, ServiceConfig
from packbank.config.outputs import build_history, build_mqtt, build_web, open_to_others, service_problems
from packbank.config.problems import InvalidConfigError, Problem
from packbank.config.program import hindrances
from packbank.config.sections import understand
from packbank.config.serialbattery import Change, Kind
from packbank.config.topology import build_buses, build_packs

NOTHING: Announced = MappingProxyType({})
NO_LIMITS = (
    "PUBLISH_LIMITS = False: the GX shows this battery and is not controlled by it; remove the line when all is right"
)


def load(
    path: Path, ports: Sequence[str] = (), state_file: Path | None = None, announced: Announced = NOTHING
) -> Config:
    """The configuration in ``path``, with which ``run`` starts on this machine.

    ``ports`` and ``state_file``, of the command line, stand in for a ``PORT`` in [DEFAULT] and for ``STATE_FILE``;
    ``announced`` are the packs of hosts that the file lists none of.

    Raises InvalidConfigError, with every problem of the file and its remedy.
    """
    sections, problems = read(path)
    if sections or not problems:
        config, found = build(sections, ports, announced)
        problems += found
        if config is not None and not problems:
            problems += hindrances(path, config, state_file)
        if config is not None and not problems:
            return config
    raise InvalidConfigError(path, problems, table() if any("DIP" in problem.text for problem in problems) else "")


def build(
    sections: Sections, ports: Sequence[str] = (), announced: Announced = NOTHING
) -> tuple[Config | None, list[Problem]]:
    """The configuration that a file's sections ask for, or ``None`` and what is wrong."""
    parsed = understand(sections)
    protocols = registry.protocols()
    mqtt = build_mqtt(parsed)
    hosts = build_hosts(parsed, mqtt, announced)
    buses = (*build_buses(parsed, ports, protocols), *host_buses(hosts))
    packs = build_packs(parsed, buses, protocols)
    default = parsed.default
    bank = BankSettings(**default.pick(keys.bank_keys()))
    parsed.problems += list(crosscheck(parsed, packs, bank))
    parsed.problems += list(service_problems(parsed))
    web = build_web(parsed)
    if parsed.problems:
        return None, parsed.problems
    service = ServiceConfig(**default.pick(keys.service_keys()))
    config = Config(
        buses=buses,
        packs=packs,
        bank=bank,
        service=service,
        mqtt=mqtt,
        history=build_history(parsed),
        web=web,
        hosts=hosts,
        notes=(
            *notes(parsed.changes),
            *([] if service.publish_limits else [NO_LIMITS]),
            *open_to_others(web),
        ),
        **default.pick(keys.program_keys()),
    )
    return config, []


def notes(changes: Sequence[Change]) -> tuple[str, ...]:
    """What became of dbus-serialbattery's keys, as lines for the log; keys dropped for one reason share a line."""
    dropped: dict[str, list[str]] = {}
    lines = []
    for change in changes:
        if change.kind is Kind.DROPPED:
            dropped.setdefault(change.why, []).append(change.old)
        else:
            lines.append(f"{change.old} is read as {change.entry.key} = {change.entry.value}")
    return (*lines, *(f"ignored: {', '.join(names)} ({why})" for why, names in dropped.items()))
