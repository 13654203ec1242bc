"""``packbank scan``: which packs answer on which port, as a config.ini with what was found in its comments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import count, groupby
from pathlib import Path

from packbank.bms import registry
from packbank.cli.progress import open_progress
from packbank.config.keys import bus_keys
from packbank.config.loader import load
from packbank.config.model import Config
from packbank.errors import ConfigError, LinkError
from packbank.files import replace_text
from packbank.sources.serial.ports import holder, serial_ports, stable_path
from packbank.sources.serial.scan import Scan, scan

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
    parser.add_argument(
        "--baudrates",
        type=_baudrates,
        default=(),
        metavar="RATES",
        help="rates to try, such as 9600,19200; default: all that packs of each family have",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write the configuration here if everything heard was identified",
    )
    parser.add_argument(
        "--extend", action="store_true", help="FILE is there: add the buses that it lacks, change nothing else"
    )
    parser.epilog = (
        "What is printed is a configuration; write it with -o FILE ('> FILE' empties a file that is there).\n"
        "Each address is asked for its status, and if it answers also for what it is; nothing is ever set.\n"
        "A bus on which somebody else asks is only heard.\n"
        "Exit code 1: nothing was found, or something was heard that could not be identified."
    )


def _baudrates(text: str) -> tuple[int, ...]:
    rates: tuple[int, ...] = bus_keys()["BAUDRATES"].parse(text)
    return rates


def run(args: argparse.Namespace) -> int:
    """Scan, print what was found and how to configure it, or write that to a file."""
    known = _known(args.output, args.extend)
    adapters = args.port or serial_ports()
    if not adapters:
        raise ConfigError(
            "no serial adapter found; plug one in, or name a port: packbank scan socket://192.168.1.40:4196"
        )
    ports = args.port or _free(adapters)
    names = [name for name in registry.NAMES if not args.protocol or name in args.protocol]
    scans = [found for port in ports if (found := _scan_port(_absolute(port), names, args.baudrates))]
    if not scans:
        print(NOTHING, file=sys.stderr)
        return 1
    table = "\n".join(f"# {line}" for line in _table(scans))
    new = [found for found in scans if (found.found or found.master) and not _bus_of(known, found)]
    numbers = (number for number in count(1) if all(bus.name != f"bus{number}" for bus in known.buses))
    text = "\n\n".join([table, *(_stanza(number, found) for number, found in zip(numbers, new, strict=False))]) + "\n"
    failed = any(found.troubles for found in scans)
    if args.output is None or failed:
        print(text, end="")
    if args.output is None:
        return int(failed)
    _say_known(known, scans)
    return _write(args.output, text, new, failed)


def _known(output: Path | None, extend: bool) -> Config:
    """The configuration that is to be extended; an empty one when there is none."""
    if output is None or not output.exists():
        if extend and output is None:
            raise ConfigError("--extend needs -o FILE")
        return Config(buses=(), packs=())
    if not extend:
        raise ConfigError(f"{output} exists; add --extend to add what it lacks, or name another file")
    return load(output)


def _write(output: Path, text: str, new: Sequence[Scan], failed: bool) -> int:
    if failed:
        print(f"{output}: not written, because something was heard that is no pack as it should be", file=sys.stderr)
        return 1
    if output.exists() and not new:
        print(f"{output}: has every bus that was found; not changed", file=sys.stderr)
        return 0
    old = output.read_text(encoding="utf-8").rstrip() + "\n\n" if output.exists() else ""
    try:
        replace_text(output, old + text)
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {error.strerror}") from error
    buses, packs = len(new), sum(len(scan.found) for scan in new)
    written = f"{buses} bus{'es' * (buses != 1)}, {packs} pack{'s' * (packs != 1)} written"
    print(f"{output}: {written}; look at it with 'packbank check {output}'", file=sys.stderr)
    return 0


def _free(ports: Sequence[str]) -> list[str]:
    """Those of ``ports`` that no program has open: what another one asks there must not be disturbed unasked."""
    taken = {port: who for port in ports if (who := holder(port))}
    for port, who in taken.items():
        print(f"{port}: in use by {who}, so it was left alone; stop that, or name the port to ask it", file=sys.stderr)
    return [port for port in ports if port not in taken]


def _absolute(port: str) -> str:
    """The path by which a port stays found, wherever the daemon is started."""
    if "://" in port:
        return port
    return stable_path(port) or str(Path(port).absolute())


def _scan_port(port: str, names: Sequence[str], baudrates: Sequence[int]) -> Scan | None:
    """The first protocol that answers on ``port``, or what was heard; a port that cannot be used is passed over."""
    heard = None
    for name, baudrate in _tries(port, names, baudrates):
        protocol = registry.protocol(name)
        protocol.line = protocol.line.at(baudrate)
        try:
            with open_progress(f"{port} {name} {baudrate} baud", 2 * len(protocol.addresses)) as step:
                result = scan(port, protocol, step)
        except LinkError as error:
            print(error, file=sys.stderr)
            return None
        if result.found or result.master:
            return result
        heard = heard or (result if result.troubles else None)
    return heard


def _tries(port: str, names: Sequence[str], baudrates: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Each protocol with each rate to try; a gateway has a rate of its own, which nobody can set from here."""
    for name in names:
        rates = baudrates or registry.protocol(name).line.baudrates
        for rate in rates[:1] if port.startswith("socket://") else rates:
            yield name, rate


def _bus_of(known: Config, found: Scan) -> str:
    """The name of the bus that has this port in the configuration, or ``""``."""
    here = Path(found.port).resolve() if "://" not in found.port else found.port
    for bus in known.buses:
        if here == (Path(bus.port).resolve() if "://" not in bus.port else bus.port):
            return bus.name
    return ""


def _say_known(known: Config, scans: Sequence[Scan]) -> None:
    """What the file says otherwise about buses that it has already."""
    for found in scans:
        if name := _bus_of(known, found):
            listed = {pack.address for pack in known.packs if pack.bus == name}
            lacking = [pack.address for pack in found.found if pack.address not in listed]
            if lacking:
                print(f"[bus:{name}] lacks {ranges(lacking)}: add to its BATTERY_ADDRESSES", file=sys.stderr)


def _table(scans: Sequence[Scan]) -> Iterator[str]:
    for found in scans:
        yield f"{found.port} ({registry.protocol(found.protocol).title})"
        if found.master:
            heard = ", ".join(f"{address:#04x}" for address in found.overheard) or "nobody"
            yield f"  another master asks here; answered: {heard}. Read this bus with MODE = listen"
        for pack in found.found:
            who = pack.identity
            yield (
                f"  {pack.address:#04x}  {who.model or '-':<16} {who.serial or '-':<16} {who.software or '-':<8} "
                f"{pack.cells:2d} cells  {pack.voltage:6.2f} V  {pack.response_time * 1000.0:4.0f} ms"
            )
        if found.gaps:
            yield f"  nothing at {ranges(found.gaps)}: is a pack missing there? Check its power, cable and DIP switches"
        for trouble in found.troubles:
            yield f"  {trouble.address:#04x}  {trouble.text}: {trouble.remedy}"


def _stanza(number: int, found: Scan) -> str:
    lines = [f"[bus:bus{number}]", f"PORT = {found.port}", f"PROTOCOL = {found.protocol}"]
    protocol, addresses = registry.protocol(found.protocol), [pack.address for pack in found.found]
    if protocol.line.baudrates != (found.baudrate,):
        lines.append(f"BAUDRATES = {found.baudrate}")
    lines.append("MODE = listen" if found.master else f"BATTERY_ADDRESSES = {ranges(addresses)}")
    if not protocol.reports_limits:
        lines.append("# What this BMS does not report: the currents that each pack allows, in A. Fill them in.")
        lines += ["MAX_BATTERY_CHARGE_CURRENT =", "MAX_BATTERY_DISCHARGE_CURRENT ="]
    return "\n".join(lines)


def ranges(addresses: Sequence[int]) -> str:
    """Sorted addresses as a configuration writes them: ``0x01-0x04, 0x07``."""
    runs = (
        [address for _, address in run]
        for _, run in groupby(enumerate(sorted(addresses)), key=lambda item: item[1] - item[0])
    )
    return ", ".join(f"{run[0]:#04x}-{run[-1]:#04x}" if len(run) > 1 else f"{run[0]:#04x}" for run in runs)
