"""``packbank scan``: which packs answer on which port, as a config.ini with what was found in its comments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby

from packbank.bms import registry
from packbank.cli.progress import open_progress
from packbank.errors import ConfigError, LinkError
from packbank.sources.serial.ports import serial_ports, stable_path
from packbank.sources.serial.scan import HARMLESS_ORDER, Scan, scan

NOTHING = """Nothing answered. Look at these, in this order:
  - is another program or another adapter asking the same packs? Only one may
  - are the packs switched on, and was each restarted after its DIP switches were set ('packbank dip')?
  - does the cable sit in RS485-2 of the pack (the two sockets side by side), A to A and B to B? Try them swapped"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "port",
        nargs="*",
        metavar="PORT",
        help="device, socket://HOST:PORT or rfc2217://HOST:PORT; default: all adapters",
    )
    parser.add_argument(
        "--protocol", action="append", choices=registry.NAMES, help="look for this one only; may be repeated"
    )
    parser.epilog = (
        "What is printed is a configuration: packbank scan > config.ini\n"
        "Each address is asked for its status, and if it answers also for what it is; nothing is ever set.\n"
        "A bus on which somebody else asks is only heard. Exit code 1: nothing found."
    )


def run(args: argparse.Namespace) -> int:
    """Scan, print what was found and how to configure it."""
    ports = args.port or serial_ports()
    if not ports:
        raise ConfigError(
            "no serial adapter found; plug one in, or name a port: packbank scan socket://192.168.1.40:4196"
        )
    names = [name for name in HARMLESS_ORDER if not args.protocol or name in args.protocol]
    scans = [found for port in ports if (found := _scan_port(port, names))]
    if not scans:
        print(NOTHING, file=sys.stderr)
        return 1
    print("\n".join(f"# {line}" for line in _table(scans)), end="\n\n")
    print("\n\n".join(_stanza(number, found) for number, found in enumerate(scans, start=1)))
    return 0


def _scan_port(port: str, names: Sequence[str]) -> Scan | None:
    """The first protocol that answers on ``port``; a port that cannot be used is said and passed over."""
    if better := stable_path(port):
        port = better
    for name in names:
        protocol = registry.protocol(name)
        try:
            with open_progress(f"{port} {name}", len(protocol.addresses)) as step:
                result = scan(port, protocol, step)
        except LinkError as error:
            print(error, file=sys.stderr)
            return None
        if result.found or result.overheard:
            return result
    return None


def _table(scans: Sequence[Scan]) -> Iterator[str]:
    for found in scans:
        yield f"{found.port} ({registry.protocol(found.protocol).title})"
        if found.overheard:
            heard = ", ".join(f"{address:#04x}" for address in found.overheard)
            yield f"  another master asks here; heard: {heard}. Read this bus with MODE = listen"
        for pack in found.found:
            who = pack.identity
            yield (
                f"  {pack.address:#04x}  {who.model or '-':<16} {who.serial or '-':<16} {who.software or '-':<8} "
                f"{pack.cells:2d} cells  {pack.voltage:6.2f} V  {pack.response_time * 1000.0:4.0f} ms"
            )


def _stanza(number: int, found: Scan) -> str:
    lines = [f"[bus:bus{number}]", f"PORT = {found.port}", f"PROTOCOL = {found.protocol}"]
    addresses = [pack.address for pack in found.found]
    lines.append("MODE = listen" if found.overheard else f"BATTERY_ADDRESSES = {ranges(addresses)}")
    if not registry.protocol(found.protocol).tells_limits:
        lines.append("# What this BMS does not tell: the currents that each pack allows, in A. Fill them in.")
        lines += ["MAX_BATTERY_CHARGE_CURRENT =", "MAX_BATTERY_DISCHARGE_CURRENT ="]
    return "\n".join(lines)


def ranges(addresses: Sequence[int]) -> str:
    """Sorted addresses as a configuration writes them: ``0x01-0x04, 0x07``."""
    runs = (
        [address for _, address in run]
        for _, run in groupby(enumerate(sorted(addresses)), key=lambda item: item[1] - item[0])
    )
    return ", ".join(f"{run[0]:#04x}-{run[-1]:#04x}" if len(run) > 1 else f"{run[0]:#04x}" for run in runs)
