"""``packbank demo``: simulated packs, the real daemon over them, a live table, and at the end what it all came to."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from typing import TextIO

from packbank.cli.live import SIGNAL, STEADY, Account, play
from packbank.cli.simulate import add_bank_arguments, check_bank_arguments, plans_of
from packbank.model.bus_stats import BusStats
from packbank.model.reasons import MEANINGS
from packbank.outputs.terminal import Display, Lines, limit_texts, number


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_bank_arguments(parser)
    parser.add_argument("--no-dbus", action="store_true", help="leave the D-Bus out")
    parser.epilog = (
        "The packs are simulated in a process of their own, at the pace of real RS485. The daemon is the real one;\n"
        "its battery is published on a D-Bus of the demo's own. The demo ends with a summary: exit 0, or 1 when no\n"
        "battery appeared, or when answers were lost although no fault was asked for."
    )


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C, SIGTERM or the end of ``--seconds``, then sum up."""
    check_bank_arguments(args)
    plans = plans_of(args)
    packs = sum(len(plan.addresses) for plan in plans)
    print(f"packs: {packs}, buses: {len(plans)}; the battery appears when all settings have been read", flush=True)
    account = play(args, open_display)
    if account is None:
        print("no battery appeared", file=sys.stderr)
        return 1
    print("\n".join(summary(account)))
    return 1 if account.lost and not (args.fault or args.faults) else 0


def open_display(stream: TextIO = sys.stdout) -> Display:
    """A table when ``stream`` is a terminal and rich is installed, lines of text otherwise."""
    if not stream.isatty() or find_spec("rich") is None:
        return Lines(stream)
    from packbank.outputs.screen import Screen  # noqa: PLC0415  (rich is an extra)

    return Screen(stream)


def summary(account: Account) -> list[str]:
    """What it all came to, in lines."""
    battery, seconds, signals = account.last.battery, account.seconds, account.signals
    lines = [f"battery after {account.start:.1f} s: {battery.online} of {len(battery.packs)} packs"]
    lines += [bus_line(stats) for stats in account.last.buses]
    off = f"off by {account.off:.2f} A at most, compared {account.compared} times, while the load is steady"
    if not account.compared:
        off = f"not compared, the load was never steady for {STEADY:.0f} s"
    lines.append(f"bank current against the simulator's truth: {off}")
    lines += [f"{name} {text}" for name, text in limit_texts(battery)]
    limits = (battery.charge_voltage_limit, battery.charge_current_limit, battery.discharge_current_limit)
    causes = dict.fromkeys(limit.cause for limit in limits if limit.cause in MEANINGS)
    lines += [f"  {cause.value}: {MEANINGS[cause]}" for cause in causes]
    lines.append(f"daemon: {account.cpu:.2f} s of CPU a minute without this display, {account.memory:.0f} MB with it")
    if signals is not None:
        lines.append(f"D-Bus: {signals} {SIGNAL} in {seconds:.0f} s ({signals / seconds:.2f} a second)")
    return lines


def bus_line(stats: BusStats) -> str:
    """How a bus did, in one line."""
    refused = ", ".join(f"{count} {reason}" for reason, count in stats.refused.items())
    return (
        f"{stats.name}: round {number(stats.round_time, '.2f')} s (mean {number(stats.round_time_mean, '.2f')} s), "
        f"silence {number(1000 * stats.silence, '.0f')} ms, {stats.answers} answers, {stats.missed} missed, "
        f"{stats.lost} lost, {refused or '0'} refused"
    )
