"""Which buses and packs a file asks for: one port a bus, one address a pack, nothing twice."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from packbank.aggregator.settings import PackSettings
from packbank.bms.protocol import Protocol
from packbank.config import keys
from packbank.config.model import BusConfig, Mode, PackConfig
from packbank.config.problems import Entry, Problem
from packbank.config.sections import Parsed, Section
from packbank.config.values import parse_address

URL = re.compile(r"(socket|rfc2217)://[^/]+:\d+(/.*)?")
NO_BUS = (
    "no bus: write PORT = /dev/serial/by-id/... into [DEFAULT], or a [bus:NAME] section with PORT for each adapter "
    "('packbank scan' prints them)"
)

Protocols = Mapping[str, Protocol]


def build_buses(parsed: Parsed, ports: Sequence[str], protocols: Protocols) -> tuple[BusConfig, ...]:
    """The buses of a file, or of the ports given on the command line; problems go to ``parsed.problems``."""
    default, chosen = parsed.default, keys.bus_keys()
    shared = default.pick(chosen)
    if not parsed.buses:
        named = [port for port in (ports or [shared.get("port", "")]) if port]
        if not named:
            parsed.problems.append(Problem(Entry("", "", ""), NO_BUS))
        sources = [(Section(f"bus{number}"), {**shared, "port": port}) for number, port in enumerate(named, start=1)]
    else:
        if ports:
            text = "names its ports itself, in [bus:...] sections; leave --port away"
            parsed.problems.append(Problem(Entry("", "", ""), text))
        if "PORT" in default.entries:
            text = "a port belongs to one bus; move it to that [bus:...] section"
            parsed.problems.append(Problem(default.entries["PORT"], text))
        sources = [(section, {**shared, "port": "", **section.pick(chosen)}) for section in parsed.buses]
    return _checked(parsed, sources, protocols)


def _checked(
    parsed: Parsed, sources: Sequence[tuple[Section, Mapping[str, Any]]], protocols: Protocols
) -> tuple[BusConfig, ...]:
    buses: list[BusConfig] = []
    owners: dict[str, str] = {}  # what a port really is -> the bus that has it
    for section, values in sources:
        bus = BusConfig(name=section.name, **values)
        buses.append(bus)
        for key, text in (*_wrong_with_bus(bus, protocols), *_wrong_with_port(bus, owners)):
            entry = section.entries.get(key) or parsed.default.entries.get(key)
            shown = {"PORT": bus.port, "PROTOCOL": bus.protocol}.get(key, "")
            parsed.problems.append(Problem(entry or Entry(f"bus:{bus.name}", key, shown), text))
    return tuple(buses)


def _wrong_with_bus(bus: BusConfig, protocols: Protocols) -> Iterator[tuple[str, str]]:
    if re.search(r"[\s/]", bus.name):
        yield "", "a bus's name goes without blanks and slashes; change it"
    protocol = protocols.get(bus.protocol)
    if protocol is None:
        yield "PROTOCOL", f"is not known; write {' or '.join(protocols)}"
        return
    if bus.mode is not Mode.POLL and not can_listen(bus):
        yield "MODE", f"{protocol.title} packs can only be polled; write poll"
    wrong: dict[str, list[str]] = {}  # why -> addresses
    for address in bus.addresses:
        if address not in candidates(bus, protocol):
            wrong.setdefault(protocol.explain_address(address), []).append(f"0x{address:02X}")
    for why, addresses in wrong.items():
        yield "BATTERY_ADDRESSES", f"{', '.join(addresses)}: {why}"


def _wrong_with_port(bus: BusConfig, owners: dict[str, str]) -> Iterator[tuple[str, str]]:
    if not bus.port:
        yield "PORT", "a bus needs a port; write /dev/serial/by-id/... ('packbank scan' prints them)"
        return
    if "://" in bus.port:
        if not URL.fullmatch(bus.port):
            yield "PORT", "is not a gateway's address; write socket://HOST:PORT or rfc2217://HOST:PORT"
        device = bus.port.lower()
    else:
        if not bus.port.startswith("/"):
            yield "PORT", f"is not a device; write its whole path, such as /dev/{bus.port}"
        device = os.path.realpath(bus.port)
    if owners.setdefault(device, bus.name) != bus.name:
        same = "" if device == bus.port else f" (it is {device})"
        yield "PORT", f"is the port of bus {owners[device]} too{same}; one adapter is one bus"


def can_listen(bus: BusConfig) -> bool:
    """Whether packs of this bus may have another master that we can overhear."""
    return bus.protocol == "jkpb"


def candidates(bus: BusConfig, protocol: Protocol) -> tuple[int, ...]:
    """Every address a pack of this bus can have; a master that is only heard is the pack at 0."""
    own = tuple(protocol.addresses)
    return own if bus.mode is Mode.POLL else (0, *own)


def build_packs(parsed: Parsed, buses: Sequence[BusConfig], protocols: Protocols) -> tuple[PackConfig, ...]:
    """The rows of the matrix: every address of every bus, with its name and settings."""
    sections = _pack_sections(parsed, buses, protocols)
    of_bus = {section.name: section for section in parsed.buses}
    packs = []
    for bus in buses:
        layers = {**parsed.default.pick(keys.pack_keys())}
        if bus.name in of_bus:
            layers |= of_bus[bus.name].pick(keys.pack_keys())
        protocol = protocols.get(bus.protocol)
        found = bus.addresses or (candidates(bus, protocol) if protocol else ())
        for address in found:
            section = sections.get((bus.name, address))
            own = section.pick(keys.pack_keys()) if section else {}
            default = f"pack {address}" if len(buses) == 1 else f"{bus.name} {address}"
            packs.append(
                PackConfig(
                    bus=bus.name,
                    address=address,
                    name=(section.values.get("NAME") if section else "") or default,
                    expected=bool(bus.addresses) or section is not None or len(found) == 1,
                    settings=PackSettings(**{**layers, **own}),
                )
            )
    _check_names(parsed, packs, sections)
    return tuple(packs)


def _pack_sections(parsed: Parsed, buses: Sequence[BusConfig], protocols: Protocols) -> dict[tuple[str, int], Section]:
    """The [pack:BUS/ADDRESS] sections by what they name; those that name nothing we have are problems."""
    known = {bus.name: bus for bus in buses}
    found: dict[tuple[str, int], Section] = {}
    for section in parsed.packs:
        name, _, text = (word.strip() for word in section.name.rpartition("/"))
        try:
            place = (name, _address(known, name, text, protocols))
            if place in found:
                raise ValueError(f"is the pack of [pack:{found[place].name}] too; put their keys together")
            found[place] = section
        except ValueError as error:
            line = min((entry.line for entry in section.entries.values()), default=0)
            parsed.problems.append(Problem(Entry(f"pack:{section.name}", "", "", line), str(error)))
    return found


def _address(known: Mapping[str, BusConfig], name: str, text: str, protocols: Protocols) -> int:
    """The address that a pack section's title names; a ValueError says why it cannot be."""
    bus = known.get(name)
    if bus is None:
        close = get_close_matches(name, known, n=1)
        hint = (
            f"did you mean [pack:{close[0]}/{text}]?" if close else f"buses are {', '.join(known) or 'not there yet'}"
        )
        raise ValueError(f"there is no bus {name!r}; {hint}")
    address = parse_address(text)
    protocol = protocols.get(bus.protocol)
    if protocol is not None and address not in candidates(bus, protocol):
        raise ValueError(protocol.explain_address(address))
    if bus.addresses and address not in bus.addresses:
        raise ValueError(f"bus {name} has no pack 0x{address:02X}; add it to its BATTERY_ADDRESSES")
    return address


def _check_names(parsed: Parsed, packs: Sequence[PackConfig], sections: Mapping[tuple[str, int], Section]) -> None:
    owners: dict[str, PackConfig] = {}
    for pack in packs:
        first = owners.setdefault(pack.name, pack)
        if first is not pack:
            section = sections.get((pack.bus, pack.address)) or sections[first.bus, first.address]
            place = f"{first.bus}/0x{first.address:02X} and {pack.bus}/0x{pack.address:02X}"
            parsed.problems.append(
                Problem(section.entries["NAME"], f"is the name of {place}; every pack needs its own")
            )
