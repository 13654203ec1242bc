"""``packbank simulate``: simulated buses on pseudo-terminals, for any client that speaks to a serial port."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from math import inf
from pathlib import Path

from packbank.bms import registry
from packbank.bms.jkpb import JkPb
from packbank.cli.signals import check_read, ended_by_signals
from packbank.errors import ConfigError, PackbankError
from packbank.sim.faults import FAULTS, Fault, parse_fault, parse_schedule
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, mix, wire_up
from packbank.sim.wire_pty import Buses

PACKS = range(1, 16)
BUSES = range(1, 65)
CELLS = range(1, 33)
REPORT_EVERY = 0.2  # s, with --json
FAULT_HELP = """\
Faults are written [FROM[-TO]:]NAME[=NUMBER][@[BUS/][ADDRESS]][,of=TOPIC][,count=N]. Buses count from 1; without BUS or
ADDRESS a fault befalls all. FROM and TO are seconds since the start. NUMBER is the part of the answers (requests,
slots, time), 0.1 unless given, where the list does not say what it is. A damaged answer may be one of TOPIC (status,
settings, about) only, and only the first N are damaged:

  late=0.05@2/0x03                    one of twenty answers of pack 0x03 on bus 2 comes too late
  silence=1@3,of=settings,count=1     the first settings answer of pack 3 is lost
  30-42: silence=1@3                  pack 3 is silent from second 30 to 42
  36: swap@3                          and when it is back, it is another pack

--faults FILE reads such lines from a file, one fault a line; '#' begins a remark.

{faults}
"""
LIMITS = """[DEFAULT]
; not every make reports the currents that it allows
MAX_BATTERY_CHARGE_CURRENT = 100
MAX_BATTERY_DISCHARGE_CURRENT = 150
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_bank_arguments(parser)
    parser.add_argument("--folder", type=Path, help="where the ports appear; default: a temporary folder")
    parser.add_argument("--json", action="store_true", help="the ports, then the bank's true figures, as JSON lines")
    parser.epilog = FAULT_HELP.format(faults="\n".join(f"  {name:15} {kind.meaning}" for name, kind in FAULTS.items()))


def add_bank_arguments(parser: argparse.ArgumentParser, packs: int = 4, seconds: float | None = None) -> None:
    """The arguments that describe a simulated bank; ``demo`` and ``bench`` have them as well."""
    end = "at Ctrl-C" if seconds is None else f"{seconds:g}"
    parser.add_argument(
        "--packs", type=int, default=packs, metavar="N", help="packs on each bus, 1 to 15 (%(default)s)"
    )
    parser.add_argument("--buses", type=int, default=1, metavar="N", help="buses (%(default)s)")
    parser.add_argument(
        "--protocol", choices=registry.NAMES, default=JkPb.name, metavar="NAME", help="their family (%(default)s)"
    )
    parser.add_argument("--cells", type=int, default=16, metavar="N", help="cells in series (%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=seconds, metavar="S", help=f"end after S seconds; default: {end}"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="K", help="the same seed, the same bank (%(default)s)")
    parser.add_argument(
        "--mix",
        action="store_true",
        help="instead: two packs of every family (one of JKBMS and of JBD), each family on its own bus",
    )
    parser.add_argument(
        "--master", action="store_true", help="one more pack on each bus, at DIP 0: it asks the others, we only listen"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="F",
        help="let a fault befall packs or buses, e.g. late=0.1@3; 'simulate --help' lists them; may be repeated",
    )
    parser.add_argument(
        "--faults", action="append", default=[], type=Path, metavar="FILE", help="faults from a file, one a line"
    )


def check_bank_arguments(args: argparse.Namespace) -> None:
    """Raise ConfigError for a bank that cannot be."""
    for name, allowed in (("packs", PACKS), ("buses", BUSES), ("cells", CELLS)):
        chosen = getattr(args, name)
        if chosen not in allowed:
            more = _on_more_buses(chosen * args.buses) if name == "packs" else ""
            raise ConfigError(f"--{name} {chosen}: write {allowed[0]} to {allowed[-1]}{more}")
    if args.seconds is not None and not args.seconds > 0:
        raise ConfigError(f"--seconds {args.seconds:g}: write more than 0, or leave it away to go on until Ctrl-C")
    if args.mix and (args.master or args.protocol != JkPb.name):
        raise ConfigError("--mix has all families and no master; leave away --mix, or --master and --protocol")
    protocol = registry.protocol(args.protocol)
    if args.packs > (most := len(protocol.addresses)):
        raise ConfigError(f"--packs {args.packs}: write 1 to {most}; so many packs of {args.protocol} are on a bus")
    if args.master and protocol.overhear() is None:
        raise ConfigError(f"--master: packs of {args.protocol} have no master that can be listened to")
    faults_of(args)


def _on_more_buses(packs: int) -> str:
    """How so many packs can be had; they share no more buses than they need."""
    buses = -(-packs // PACKS[-1])
    if buses not in BUSES:
        return ""
    each = -(-packs // buses)
    return f"; for {each * buses} packs write --packs {each} --buses {buses}"


def faults_of(args: argparse.Namespace) -> list[Fault]:
    """The faults of the arguments; ConfigError for one that is misspelled or a file that cannot be read."""
    faults = [parse_fault(text) for text in args.fault]
    for file in args.faults:
        try:
            faults += parse_schedule(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--faults {file}: {error}") from None
    return faults


def run(args: argparse.Namespace) -> int:
    """Serve the buses until Ctrl-C, SIGTERM or the end of ``--seconds``."""
    check_bank_arguments(args)
    faults = faults_of(args)
    start = time.monotonic()
    plans = plans_of(args)
    bank = LiveBank(demo_spec(sum(len(plan.addresses) for plan in plans), args.cells, args.seed), start)
    wires = wire_up(bank, plans, faults, args.seed, start)
    until = start + (args.seconds or inf)
    with ended_by_signals(), port_folder(args.folder) as folder, Buses(wires, folder) as buses:
        if args.json:
            print(json.dumps({"ports": buses.paths, "start": start}), flush=True)
        else:
            print(stanza(buses.paths, plans), flush=True)
        with suppress(KeyboardInterrupt):
            while (now := time.monotonic()) < until:
                time.sleep(min(REPORT_EVERY, until - now))
                check_read(sys.stdout)
                if buses.failed:
                    raise PackbankError("the simulation has failed; the reason stands above")
                if args.json:
                    print(json.dumps(asdict(bank.truth(time.monotonic()))), flush=True)
    if not args.json:
        for path, wire in zip(buses.paths, wires, strict=True):
            print(f"{path}: {wire.tally.requests} requests, {wire.tally.answers} answers", file=sys.stderr)
    return 0


@contextmanager
def port_folder(folder: Path | None) -> Iterator[Path]:
    """The folder for the ports: the given one, or a temporary one that is removed afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="packbank-") as temporary:
        yield Path(temporary)


def plans_of(args: argparse.Namespace) -> list[BusPlan]:
    """The buses that the arguments ask for."""
    return mix() if args.mix else [BusPlan(args.protocol, args.packs, args.master)] * args.buses


def stanza(ports: Sequence[str], plans: Sequence[BusPlan]) -> str:
    """The configuration that reads these buses."""
    sections = [] if all(plan.protocol == "jkpb" for plan in plans) else [LIMITS]
    sections += [_section(number, *bus) for number, bus in enumerate(zip(ports, plans, strict=True), start=1)]
    return "\n".join(sections)


def _section(number: int, port: str, plan: BusPlan) -> str:
    first, last = plan.addresses[0], plan.addresses[-1]
    addresses = f"{first:#04x}" if first == last else f"{first:#04x}-{last:#04x}"
    mode = "MODE = listen\n" if plan.master else ""
    return f"[bus:bus{number}]\nPORT = {port}\nPROTOCOL = {plan.protocol}\nBATTERY_ADDRESSES = {addresses}\n{mode}"
