"""The hosts whose packs a file takes in, and the buses that they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from packbank.config import keys
from packbank.config.entry import Entry
from packbank.config.model import REMOTE, BusConfig, HostConfig, HostPacks, MqttConfig
from packbank.config.outputs import wrong_with_mqtt
from packbank.config.problems import Problem
from packbank.config.sections import Parsed, Section
from packbank.config.values import TOPIC_NAME, format_host_packs, parse_address, parse_host_packs, parse_topic_name
from packbank.model.identity import ANY

Announced = Mapping[str, HostPacks]  # by host


def build_hosts(parsed: Parsed, mqtt: MqttConfig | None, announced: Announced) -> tuple[HostConfig, ...]:
    """The hosts of a file; one without PACKS has those that it ``announced`` and those with a section of their own."""
    hosts = []
    for section in parsed.hosts:
        for key, text in _wrong_name(section.name):
            parsed.problems.append(Problem(Entry(f"host:{section.name}", key, ""), text))
        login = section.pick(keys.login_keys())
        # Another broker must not get the password of the one in [mqtt].
        base = MqttConfig(bank=(mqtt or MqttConfig()).bank) if "broker" in login else mqtt or MqttConfig()
        where = replace(base, **login)
        wrong = {problem.entry.key for problem in parsed.problems if problem.entry.section == f"host:{section.name}"}
        for key, text in wrong_with_mqtt(where, wrong):
            entry = section.entries.get(key, Entry(f"host:{section.name}", key, ""))
            parsed.problems.append(Problem(entry, text))
        packs: HostPacks = section.values.get("PACKS", ())
        listed = bool(packs) or "PACKS" in wrong
        if not listed:
            packs = _with_sections(announced.get(section.name, ()), parsed, section.name)
        hosts.append(HostConfig(name=section.name, mqtt=where, packs=packs, listed=listed))
    for section in parsed.packs:
        if "INVERT_CURRENT_MEASUREMENT" in section.entries and _host_of(section) in {host.name for host in hosts}:
            text = f"belongs to where the pack is wired; write it in the configuration of {_host_of(section)}"
            parsed.problems.append(Problem(section.entries["INVERT_CURRENT_MEASUREMENT"], text))
    return tuple(hosts)


def saved_hosts(saved: object) -> dict[str, HostPacks]:
    """The packs that hosts announced before, as the state has them; without what is damaged: they announce it again."""
    found = {}
    for host, packs in saved.items() if isinstance(saved, dict) else ():
        with suppress(TypeError, ValueError):
            found[host] = parse_host_packs(format_host_packs(packs))
    return found


def host_buses(hosts: tuple[HostConfig, ...]) -> Iterator[BusConfig]:
    """The buses that these hosts read; last, for each host without a list, one of rows for what it announces later."""
    for host in hosts:
        for bus, addresses in host.packs:
            yield BusConfig(
                name=f"{host.name}/{bus}",
                port=host.mqtt.broker,
                protocol=REMOTE,
                addresses=tuple(addresses),
                host=host.name,
            )
    for host in hosts:
        if not host.listed:
            yield BusConfig(name=f"{host.name}/{ANY}", port=host.mqtt.broker, protocol=REMOTE, host=host.name)


def _wrong_name(name: str) -> Iterator[tuple[str, str]]:
    try:
        parse_topic_name(name)
    except ValueError as error:
        yield "", f"the host's name {error}"


def _host_of(section: Section) -> str:
    return section.name.partition("/")[0] if section.name.count("/") == 2 else ""


def _with_sections(packs: HostPacks, parsed: Parsed, host: str) -> HostPacks:
    """``packs`` and those that have a [pack:HOST/BUS/ADDRESS] section."""
    found = {bus: list(addresses) for bus, addresses in packs}
    for section in parsed.packs:
        if _host_of(section) != host:
            continue
        _, bus, text = section.name.split("/")
        if not TOPIC_NAME.fullmatch(bus):
            continue
        try:
            address = parse_address(text)
        except ValueError:
            continue  # said where sections are placed
        addresses = found.setdefault(bus, [])
        if address not in addresses:
            addresses.append(address)
    return tuple((bus, tuple(sorted(addresses))) for bus, addresses in found.items())
