"""Draw docs/demo.svg, the live table, from a running daemon: scripts/draw-demo.

A nearly full bank, in which a leading cell limits the charge and one pack falls silent.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from packbank.cli.simulate import stanza
from packbank.config.loader import load
from packbank.daemon import TICK, Daemon
from packbank.model.battery import Cause, Presence
from packbank.model.snapshot import Snapshot
from packbank.outputs.screen import Picture
from packbank.sim.faults import parse_fault
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_pty import Buses

PACKS, SEED, LOST = 15, 1, 9
SOC = 94.0  # %
QUICK = "[DEFAULT]\nHELD_AFTER = 5\nLOST_AFTER = 8\n"  # else a lost pack takes half a minute
LEAST = 50.0  # A of charge that are left
SILENT_FROM = 12.0  # s
PATIENCE = 90.0  # s
WIDTH = 100  # columns


def worth_seeing(snapshot: Snapshot) -> bool:
    """A lost pack, and a charge limit with the cell that it is for."""
    battery = snapshot.battery
    limit = battery.charge_current_limit
    others = [pack.presence for index, pack in enumerate(battery.packs) if index != LOST - 1]
    lost = battery.packs[LOST - 1].presence is Presence.LOST and set(others) == {Presence.FRESH}
    return battery.ready and lost and limit.cause is Cause.CELL_VOLTAGE and limit.value > LEAST


def draw(picture: Path) -> None:
    """Run the bank until there is something worth seeing. Raises SystemExit when that does not come."""
    start = time.monotonic()
    bank = LiveBank(replace(demo_spec(PACKS, 16, SEED), soc=SOC), start)
    plans = [BusPlan(packs=PACKS)]
    faults = [parse_fault(f"{SILENT_FROM:.0f}:silence=1@{LOST}")]
    with tempfile.TemporaryDirectory() as name, Buses(wire_up(bank, plans, faults, SEED, start), Path(name)) as buses:
        config = Path(name, "config.ini")
        config.write_text(QUICK + stanza(buses.paths, plans), encoding="utf-8")
        with Daemon(load(config)) as daemon:
            snapshot = daemon.step(time.monotonic())
            while not worth_seeing(snapshot):
                if time.monotonic() - start > PATIENCE:
                    raise SystemExit(f"draw_demo: waited {PATIENCE:.0f} s in vain")
                time.sleep(TICK)
                snapshot = daemon.step(time.monotonic())
    console = Console(record=True, width=WIDTH, height=40, file=io.StringIO(), force_terminal=True)
    console.print(Picture(snapshot))
    console.save_svg(str(picture), title="packbank demo")


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
