"""``packbank bench --here``: what packbank costs this machine. Needs no source tree, no compiler and no pytest."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import count
from math import isnan
from pathlib import Path
from time import time

import numpy as np

from packbank import __version__
from packbank.aggregator.bank import Bank
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.bms.jkpb_fields import status_layout
from packbank.bms.jkpb_frames import KINDS, REGISTERS
from packbank.bms.protocol import Row, Topic
from packbank.cext.framing import acknowledgement, find_answer
from packbank.cli.live import Account, play
from packbank.cli.simulate import add_bank_arguments, check_bank_arguments
from packbank.cli.timing import net_ns
from packbank.errors import ConfigError
from packbank.model.battery import VirtualBattery
from packbank.model.columns import Column, empty_matrix
from packbank.model.identity import Identity
from packbank.model.snapshot import Snapshot
from packbank.outputs.terminal import Display, number
from packbank.sim.bank import PhysicalBank
from packbank.sim.responder_jkpb import frame
from packbank.sim.wire_bank import demo_spec

SCHEMA = 1  # of --json
CELLS, SEED = 16, 1
BANKS = (15, 64, 300)  # packs
NAMES = ("model name", "Hardware", "Model")  # keys of /proc/cpuinfo; which there are depends on the architecture
CODES = ("CPU implementer", "CPU part")  # of ARM: numbers that say nothing without their key


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured."""

    processor: str
    cores: int | None
    architecture: str
    load: float  # mean number of processes that wanted a core in the last minute, before the measurement
    python: str
    numpy: str
    packbank: str


@dataclass(frozen=True, slots=True)
class Calls:
    """Time of the arithmetic alone."""

    decode_us: float  # validate one answer and decode it into a row
    step_ms: dict[int, float]  # one step of the aggregator, by the number of packs


@dataclass(frozen=True, slots=True)
class Daemon:
    """The real daemon over simulated buses. Unknown figures are ``None``."""

    packs: int
    buses: int
    seconds: float
    start_s: float  # to the first battery
    round_s: dict[str, float | None]  # the last round, by bus
    round_mean_s: dict[str, float | None]  # the first rounds, with the settings, are longer and weigh less and less
    answers: int
    missed: int
    lost: int
    refused: int
    off_a: float | None  # the bank's current against the simulator's truth
    cpu_s_a_minute: float
    memory_mb: float
    signals_a_second: float | None  # D-Bus messages; None without a D-Bus


class Nothing(Display):
    """Shows nothing."""

    def show(self, snapshot: Snapshot) -> None:
        """Take it."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--here", action="store_true", help="measure this machine with what is installed")
    add_bank_arguments(parser, packs=15, seconds=30.0)
    parser.add_argument("--no-dbus", action="store_true", help="leave the D-Bus out")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.epilog = (
        "Prints what this machine is, how long it takes to decode an answer and to merge a bank, and what the real\n"
        "daemon costs over simulated packs in real time. It opens no port, and its battery is on a D-Bus of its own.\n"
        "Another packbank that runs here takes its part of the processor: stop it first for figures to compare.\n"
        "In the source tree, scripts/bench runs every benchmark beside its rivals.\n"
        "Exit codes: 0, or 1 when no battery appeared."
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    if not args.here:
        raise ConfigError(
            "write 'packbank bench --here' to measure this machine; the benchmarks beside rivals "
            "need the source tree: there it is 'scripts/bench'"
        )
    check_bank_arguments(args)
    print(f"packbank bench: the daemon runs for {args.seconds:g} s, then single calls are timed", file=sys.stderr)
    machine = this_machine()
    account = play(args, Nothing)
    if account is None:
        print("no battery appeared", file=sys.stderr)
        return 1
    daemon = daemon_figures(account)
    calls = Calls(net_ns(decoder()) / 1e3, {packs: net_ns(stepper(packs)) / 1e6 for packs in BANKS})
    if args.json:
        figures = {"machine": asdict(machine), "calls": asdict(calls), "daemon": asdict(daemon)}
        print(json.dumps({"schema": SCHEMA} | figures, indent=2))
    else:
        print("\n".join(page(machine, calls, daemon)))
    return 0


def this_machine() -> Machine:
    """The machine and the programs on it."""
    try:
        described = processor(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        described = ""
    return Machine(
        processor=described or platform.processor() or "unknown",
        cores=os.cpu_count(),
        architecture=platform.machine(),
        load=round(os.getloadavg()[0], 2),
        python=platform.python_version(),
        numpy=np.__version__,
        packbank=__version__,
    )


def processor(cpuinfo: str) -> str:
    """The processor that the text of ``/proc/cpuinfo`` describes; ``""`` when it does not say."""
    said: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        said.setdefault(key.strip(), value.strip())
    names = [said[key] for key in NAMES if said.get(key)]
    return ", ".join(names + [f"{key} {said[key]}" for key in CODES if said.get(key)])


def decoder() -> Callable[[], Row]:
    """What validates one answer of a JK PB pack and decodes it into a row."""
    address, register, kind = 3, REGISTERS[Topic.STATUS], KINDS[Topic.STATUS]
    sent = PhysicalBank(demo_spec(1, CELLS, SEED)).answers()[0]
    answer = frame(Topic.STATUS, sent, address, Identity()) + acknowledgement(address, register)
    decode_into = status_layout().decode_into
    row: Row = empty_matrix(1)[0]

    def decode() -> Row:
        decode_into(answer, row, find_answer(answer, address, register, kind))
        return row

    return decode


def stepper(packs: int) -> Callable[[], VirtualBattery]:
    """What takes the next second's step of the aggregator."""
    rows = PhysicalBank(demo_spec(packs, CELLS, SEED)).answers()
    bank = Bank([f"pack {n + 1}" for n in range(packs)], [PackSettings()] * packs, BankSettings())
    seconds, wall = count(1), time()

    def step() -> VirtualBattery:
        now = float(next(seconds))
        rows[:, [Column.STATUS_TIME, Column.SETTINGS_TIME]] = now
        return bank.step(rows, now, wall + now)

    return step


def daemon_figures(account: Account) -> Daemon:
    """The figures of a run."""
    buses, signals = account.last.buses, account.signals
    return Daemon(
        packs=len(account.last.battery.packs),
        buses=len(buses),
        seconds=account.seconds,
        start_s=account.start,
        round_s={bus.name: _or_none(bus.round_time) for bus in buses},
        round_mean_s={bus.name: _or_none(bus.round_time_mean) for bus in buses},
        answers=sum(bus.answers for bus in buses),
        missed=sum(bus.missed for bus in buses),
        lost=account.lost,
        refused=sum(sum(bus.refused.values()) for bus in buses),
        off_a=account.off if account.compared else None,
        cpu_s_a_minute=account.cpu,
        memory_mb=account.memory,
        signals_a_second=None if signals is None else signals / account.seconds,
    )


def page(machine: Machine, calls: Calls, daemon: Daemon) -> list[str]:
    """The figures in lines."""
    rounds = ", ".join(
        f"{name} {number(_or_nan(last), '.2f')} s (mean {number(_or_nan(daemon.round_mean_s[name]), '.2f')} s)"
        for name, last in daemon.round_s.items()
    )
    steps = ", ".join(f"{packs} packs {ms:.2f} ms" for packs, ms in calls.step_ms.items())
    lines = [
        f"processor  {machine.processor}; {machine.cores} cores, {machine.architecture}, load {machine.load:.2f}",
        f"programs   packbank {machine.packbank}, Python {machine.python}, numpy {machine.numpy}",
        f"decode     {calls.decode_us:.2f} us to validate and decode one answer of a JK PB pack",
        f"step       {steps}",
        f"daemon     {daemon.packs} simulated packs, {daemon.buses} x RS485, {daemon.seconds:.0f} s",
        f"  battery  after {daemon.start_s:.1f} s; current off by {number(_or_nan(daemon.off_a), '.2f')} A at most",
        f"  rounds   {rounds}",
        f"  answers  {daemon.answers}, {daemon.missed} missed, {daemon.lost} lost, {daemon.refused} refused",
        f"  CPU      {daemon.cpu_s_a_minute:.2f} s a minute",
        f"  memory   {daemon.memory_mb:.0f} MB",
    ]
    if daemon.signals_a_second is not None:
        lines.append(f"  D-Bus    {daemon.signals_a_second:.2f} messages a second")
    return lines


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _or_none(value: float) -> float | None:
    return None if isnan(value) else value
