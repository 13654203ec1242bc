"""The real daemon over a simulated bank, each in a process of its own: what the try-outs of starts and joins run on."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from packbank.cli.simulate import add_bank_arguments, stanza
from packbank.cli.simulator import Simulator
from packbank.sim.wire_bank import BusPlan

LIMITS = {"CCL": "charge_current_limit", "DCL": "discharge_current_limit"}


class Seen(NamedTuple):
    """What the daemon said at monotonic time ``time``."""

    time: float
    ready: bool
    zeros: tuple[str, ...]  # the current limits that are 0 or unknown, each with its reason
    members: frozenset[str]  # names of the packs that count in full


def read(line: str) -> Seen:
    """A line of ``packbank run --json``."""
    battery = json.loads(line)
    limits = {name: battery[key] for name, key in LIMITS.items()}
    zeros = (f"{name} 0 A: {limit['reason']}" for name, limit in limits.items() if not (limit["value"] or 0.0) > 0.0)
    members = frozenset(pack["name"] for pack in battery["packs"] if pack["presence"] == "fresh")
    return Seen(time.monotonic(), battery["ready"], tuple(zeros), members)


def simulator(packs: int, seed: int, faults: Sequence[str]) -> Simulator:
    """A bank of JK PB packs on one bus, to be entered as a context."""
    parser = argparse.ArgumentParser()
    add_bank_arguments(parser)
    arguments = [f"--packs={packs}", f"--seed={seed}", *(f"--fault={fault}" for fault in faults)]
    return Simulator(parser.parse_args(arguments))


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for the time of the context."""
    with tempfile.TemporaryDirectory(prefix="packbank-") as folder:
        yield Path(folder)


@contextmanager
def daemon(folder: Path, bank: Simulator, packs: int, settings: str = "") -> Iterator[Iterator[Seen]]:
    """The daemon over ``bank``, with an empty state; what it says, once a second, until it ends or the context does."""
    config, state = folder / "config.ini", folder / "state.json"
    buses = stanza(bank.ports, [BusPlan(packs=packs)])
    config.write_text(f"[DEFAULT]\nLOGGING = ERROR\n{settings}{buses}", encoding="utf-8")
    state.unlink(missing_ok=True)
    command = [sys.executable, "-m", "packbank", "run", "--no-dbus", "--json"]
    command += [f"--config={config}", f"--state={state}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        try:
            yield _said(child, bank)
        finally:
            child.terminate()


def _said(child: subprocess.Popen[str], bank: Simulator) -> Iterator[Seen]:
    for line in child.stdout or ():
        bank.read()  # else its output has no room and it stops
        yield read(line)


def times_text(times: Sequence[float]) -> str:
    """Median and worst of times in seconds."""
    return f"median {statistics.median(times):.1f} s, worst {max(times):.1f} s"
