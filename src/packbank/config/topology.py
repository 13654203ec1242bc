"""Which buses and packs a file asks for: one port a bus, one address a pack, nothing twice."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from packbank.aggregator.settings import PackSettings
from packbank.bms.protocol import Protocol
from packbank.config import keys
from packbank.config.entry import Entry
from packbank.config.keys import Keys
from packbank.config.model import REMOTE, SPARE, BusConfig, Mode, PackConfig
from packbank.config.ports import wrong_port
from packbank.config.problems import Problem
from packbank.config.sections import DEFAULT, Parsed, Section
from packbank.config.values import format_addresses, parse_address
from packbank.model.identity import ANY, Place

MOST_BUSES = 64
LONGEST_NAME = 64  # characters of a name
NO_BUS = (
    "no bus: write PORT = /dev/serial/by-id/... into [DEFAULT], or a [bus:NAME] section with PORT for each adapter "
    "('packbank scan' prints them)"
)

At = tuple[str, int]  # bus and address
Protocols = Mapping[str, Protocol]


def build_buses(parsed: Parsed, ports: Sequence[str], protocols: Protocols) -> tuple[BusConfig, ...]:
    """The buses of a file, or of the ports given on the command line; problems go to ``parsed.problems``."""
    default, chosen = parsed.default, keys.bus_keys()
    shared = default.pick(chosen)
    if not parsed.buses:
        named = [port for port in (ports or [shared.get("port", "")]) if port]
        if not named and not parsed.hosts:
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
    alike: dict[str, str] = {}  # a name as it stands on the D-Bus and in topics -> the bus that has it
    if len(sources) > MOST_BUSES:
        parsed.problems.append(Problem(Entry("", "", ""), f"{len(sources)} buses; one packbank reads {MOST_BUSES}"))
    for section, values in sources[:MOST_BUSES]:
        bus = BusConfig(name=section.name, **values)
        buses.append(bus)
        twin = alike.setdefault(re.sub(r"[^A-Za-z0-9]", "_", bus.name), bus.name)
        if twin != bus.name:
            text = f"has the same name as [bus:{twin}] on the D-Bus, where only letters and digits count; rename one"
            parsed.problems.append(Problem(Entry(f"bus:{bus.name}", "", ""), text))
        for key, text in (*_wrong_with_bus(bus, protocols), *_wrong_with_port(bus, owners)):
            entry = section.entries.get(key) or parsed.default.entries.get(key)
            shown = {"PORT": bus.port, "PROTOCOL": bus.protocol}.get(key, "")
            parsed.problems.append(Problem(entry or Entry(f"bus:{bus.name}", key, shown), text))
    return tuple(buses)


def _wrong_with_bus(bus: BusConfig, protocols: Protocols) -> Iterator[tuple[str, str]]:
    if re.search(r"[\s/]", bus.name) or not bus.name.isprintable():
        yield "", "a bus's name goes without blanks and slashes; change it"
    if len(bus.name) > LONGEST_NAME:
        yield "", f"a bus's name has at most {LONGEST_NAME} characters; shorten it"
    if bus.protocol not in protocols:
        yield "PROTOCOL", f"is not known; write {' or '.join(protocols)}"
        return
    protocol = protocols[bus.protocol]
    if bus.mode is not Mode.POLL and protocol.overhear() is None:
        yield "MODE", f"{protocol.title} can only be polled; write poll"
    if bus.mode is Mode.AUTO and bus.addresses == (0,) and 0 not in protocol.addresses:
        yield "BATTERY_ADDRESSES", "names only the master, which nobody can ask; write MODE = listen"
    twice = sorted(address for address, times in Counter(bus.addresses).items() if times > 1)
    if twice:
        yield (
            "BATTERY_ADDRESSES",
            f"{format_addresses(twice)} stands in the list twice; every pack needs an address of its own",
        )
    wrong = [address for address in dict.fromkeys(bus.addresses) if address not in candidates(bus, protocols)]
    for same in ([address for address in wrong if address == 0], [address for address in wrong if address]):
        if same:
            others = f" (the same holds for {format_addresses(same[1:])})" if same[1:] else ""
            yield "BATTERY_ADDRESSES", protocol.explain_address(same[0]) + others


def _wrong_with_port(bus: BusConfig, owners: dict[str, str]) -> Iterator[tuple[str, str]]:
    if not bus.port:
        yield "PORT", "a bus needs a port; write /dev/serial/by-id/... ('packbank scan' prints them)"
        return
    if wrong := wrong_port(bus.port):
        yield "PORT", wrong
    device = bus.port.lower() if "://" in bus.port else os.path.realpath(bus.port)
    if owners.setdefault(device, bus.name) != bus.name:
        same = "" if device == bus.port else f" (it is {device})"
        yield "PORT", f"is the port of bus {owners[device]} too{same}; one adapter is one bus"


def candidates(bus: BusConfig, protocols: Protocols) -> tuple[int, ...]:
    """Every address a pack of this bus can have; a master that is heard is the pack at 0, where no other can be.

    Those of rows that wait for packs of another host only number the rows.
    """
    if bus.protocol == REMOTE:
        return bus.addresses or tuple(range(SPARE))
    if bus.protocol not in protocols:
        return ()
    own = tuple(protocols[bus.protocol].addresses)
    return own if bus.mode is Mode.POLL or 0 in own else (0, *own)


def build_packs(parsed: Parsed, buses: Sequence[BusConfig], protocols: Protocols) -> tuple[PackConfig, ...]:
    """The rows of the matrix: every address of every bus, with its name and settings."""
    _place_sections(parsed, buses, protocols)
    of_bus = _sections_of(parsed, buses)
    of_pack = {section.place: section for section in parsed.packs if section.place}
    reading, settings = keys.reading_keys(), keys.pack_keys()
    packs = []
    for bus in buses:
        addresses = tuple(dict.fromkeys(bus.addresses)) or candidates(bus, protocols)
        sure = bool(bus.addresses) or len(addresses) == 1
        for address in addresses:
            own = of_pack.get((bus.name, address), Section(""))
            layers = [parsed.default, of_bus.get(bus.name, Section("")), own]
            usual = f"pack {address}" if len(buses) == 1 and not bus.host else Place(bus.name, address).title
            packs.append(
                PackConfig(
                    bus=bus.name,
                    address=address,
                    name=own.values.get("NAME") or usual,
                    named="NAME" in own.values,
                    expected=sure or own.place is not None,
                    settings=PackSettings(**_merged(layers, settings)),
                    **_merged(layers, reading),
                )
            )
    _check_names(parsed, packs, of_pack)
    _check_ceilings(parsed, packs, buses, protocols)
    return tuple(packs)


def _sections_of(parsed: Parsed, buses: Sequence[BusConfig]) -> dict[str, Section]:
    """The section that each bus has: its own, or that of the host that reads it."""
    of_host = {section.name: section for section in parsed.hosts}
    own = {section.name: section for section in parsed.buses}
    return own | {bus.name: of_host[bus.host] for bus in buses if bus.host}


def _merged(layers: Sequence[Section], chosen: Keys) -> dict[str, Any]:
    """The values of the chosen keys by field name; the narrowest section, which is the last, wins."""
    return {name: value for section in layers for name, value in section.pick(chosen).items()}


def _place_sections(parsed: Parsed, buses: Sequence[BusConfig], protocols: Protocols) -> None:
    """Find the pack that each [pack:BUS/ADDRESS] section names; those that name nothing we have are problems."""
    known = {bus.name: bus for bus in buses if not bus.name.endswith(f"/{ANY}")}
    found: dict[At, Section] = {}
    for section in parsed.packs:
        name, _, text = section.name.rpartition("/")
        try:
            place = (name, _address(known, name, text, protocols))
            if place in found:
                raise ValueError(f"is the pack of [pack:{found[place].name}] too; put their keys together")
        except ValueError as error:
            line = min((entry.line for entry in section.entries.values()), default=0)
            parsed.problems.append(Problem(Entry(f"pack:{section.name}", "", "", line), str(error)))
            continue
        found[place] = section
        section.place = place


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
    if bus.protocol in protocols and address not in candidates(bus, protocols):
        raise ValueError(protocols[bus.protocol].explain_address(address))
    if bus.addresses and address not in bus.addresses:
        where = f"PACKS of [host:{bus.host}]" if bus.host else "its BATTERY_ADDRESSES"
        raise ValueError(f"bus {name} has no pack 0x{address:02X}; add it to {where}")
    return address


def _check_names(parsed: Parsed, packs: Sequence[PackConfig], of_pack: Mapping[At, Section]) -> None:
    owners: dict[str, PackConfig] = {}
    for pack in packs:
        first = owners.setdefault(pack.name, pack)
        if first is not pack:
            sections = [of_pack.get((one.bus, one.address), Section("")) for one in (pack, first)]
            entry = next(section.entries["NAME"] for section in sections if "NAME" in section.entries)
            place = f"{first.bus}/0x{first.address:02X} and {pack.bus}/0x{pack.address:02X}"
            parsed.problems.append(Problem(entry, f"is the name of {place}; every pack needs its own"))


def _check_ceilings(
    parsed: Parsed, packs: Sequence[PackConfig], buses: Sequence[BusConfig], protocols: Protocols
) -> None:
    """Packs that do not report their limits need them from the configuration."""
    wrong = {problem.entry.key for problem in parsed.problems}
    of_bus = {section.name: section for section in parsed.buses}
    for bus in buses:
        if bus.protocol not in protocols or protocols[bus.protocol].reports_limits:
            continue
        own = [pack.settings for pack in packs if pack.bus == bus.name]
        text = f"{protocols[bus.protocol].title} does not say what current a pack allows; write it, in A for each pack"
        for key in ("MAX_BATTERY_CHARGE_CURRENT", "MAX_BATTERY_DISCHARGE_CURRENT"):
            if key not in wrong and any(getattr(settings, key.lower()) is None for settings in own):
                section = f"bus:{bus.name}" if parsed.buses else DEFAULT
                entry = of_bus.get(bus.name, parsed.default).entries.get(key) or Entry(section, key, "")
                parsed.problems.append(Problem(entry, text))
