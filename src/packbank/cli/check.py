"""``packbank check``: what a configuration file would run, or everything that is wrong with it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from statistics import median
from typing import Any

from packbank.cli.arguments import add_config_file, needed_config_file
from packbank.config.keys import Key, Keys, bank_keys, mqtt_keys, pack_keys, service_keys, web_keys
from packbank.config.loader import load
from packbank.config.model import BusConfig, Config, PackConfig
from packbank.config.values import format_addresses, format_value
from packbank.model.identity import Place
from packbank.sources.replay import SCHEME, recorded


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of ``packbank check``."""
    add_config_file(parser, "a config.ini, ours or dbus-serialbattery's")
    parser.epilog = "Nothing is started and no port is opened. Exit codes: 0 the file is right, 2 it is not."


def run(args: Namespace) -> int:
    """Print what would run; InvalidConfigError carries the problems, and is exit code 2."""
    file = needed_config_file(args)
    config = load(file, args.port)
    for bus in config.buses:
        if bus.port.startswith(SCHEME):
            recorded(bus)
    buses, packs = sum(not _waits(bus.name) for bus in config.buses), sum(pack.expected for pack in config.packs)
    counted = f"{packs} pack{'s' * (packs != 1)}" if packs else "packs as they answer"
    print(f"{file} is right: {buses} bus{'es' * (buses != 1)}, {counted}")
    lines = (*_topology(config), *_outputs(config), *_settings(config), *_reserve(config), *config.notes)
    for line in lines:
        print(f"  {line}")
    return 0


def _topology(config: Config) -> Iterator[str]:
    for bus in config.buses:
        if bus.host:
            if not _waits(bus.name):
                yield f"bus {bus.name}: sent by {bus.host} over {bus.port}, {_packs(config, bus)}"
            continue
        rates = f" {format_value(bus.baudrates)} baud" if bus.baudrates else ""
        yield f"bus {bus.name}: {bus.port}, {bus.protocol}{rates}, {bus.mode}, {_packs(config, bus)}"
    for host in config.hosts:
        if not host.listed:
            yield f"host {host.name}: over {host.mqtt.broker}, whatever packs it announces"


def _packs(config: Config, bus: BusConfig) -> str:
    names = ", ".join(pack.name for pack in config.packs if pack.bus == bus.name and pack.expected)
    if bus.addresses:
        return f"{format_addresses(bus.addresses)} ({names})"
    return f"whoever answers, and always {names}" if names else "whoever answers"


def _outputs(config: Config) -> Iterator[str]:
    for name, keys, section, usual in (
        ("mqtt", mqtt_keys(), config.mqtt, config.mqtt and config.mqtt.broker),
        ("web", web_keys(), config.web, config.web and f"http://{config.web.listen}/"),
    ):
        if section is not None:
            changed = [f"{key.name} = {format_value(getattr(section, key.field))}" for key in _changed(keys, section)]
            yield f"{name}: {', '.join(changed) or usual}"


def _settings(config: Config) -> Iterator[str]:
    """Every setting that is not at its default, with the packs it holds for where it is not all of them."""
    for keys, owner in ((service_keys(), config.service), (bank_keys(), config.bank)):
        for key in _changed(keys, owner):
            yield f"{key.name} = {format_value(getattr(owner, key.field))} ({_default(key)})"
    for key in pack_keys().values():
        holders: dict[Any, dict[str, None]] = {}
        for pack in config.packs:
            holders.setdefault(getattr(pack.settings, key.field), {})[_who(pack)] = None
        for value, names in holders.items():
            if value != key.default:
                whose = "" if len(holders) == 1 else f"{', '.join(names)}: "
                yield f"{whose}{key.name} = {format_value(value)} ({_default(key)})"


def _who(pack: PackConfig) -> str:
    return f"whatever {pack.bus.partition('/')[0]} announces" if _waits(pack.bus) else pack.name


def _waits(bus: str) -> bool:
    return Place(bus, 0).waits


def _reserve(config: Config) -> Iterator[str]:
    """What room for packs that drop out costs in this bank, by the packs' parts of the current."""
    packs = [pack.settings for pack in config.packs if pack.expected]
    reserved = max(config.bank.reserve_packs, 1)
    if len(packs) <= reserved:
        return
    known = [own.battery_capacity for own in packs if own.battery_capacity]
    usual = median(known) if known else 1.0
    weights = sorted((own.battery_capacity or usual) / own.resistance_factor for own in packs)
    price = sum(weights[-reserved:]) / sum(weights)
    keeps = "keeps" if config.bank.reserve_packs else "would keep"
    yield (
        f"RESERVE_PACKS = {reserved} {keeps} about {price:.0%} of the charge limit free, so that a pack that opens "
        "trips no other; a charge over-current delay of 6 s or more in every BMS makes it needless"
    )


def _changed(keys: Keys, owner: object) -> Iterator[Key]:
    return (key for key in keys.values() if getattr(owner, key.field) != key.default)


def _default(key: Key) -> str:
    return f"default {format_value(key.default)}" if key.default not in (None, "") else "empty by default"
