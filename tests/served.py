"""A bank of three packs with something to see, and a socket that serves it as a daemon does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np

from packbank.model.battery import Cause, Limit, Presence
from packbank.model.bus_stats import BusState, BusStats, PackLink, Refused, Trouble
from packbank.model.catalogue import PACK_SETTINGS, plain
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.model.snapshot import Snapshot
from packbank.outputs.json_lines import snapshot_dict
from packbank.outputs.local_socket import LocalSocket
from virtual_battery import pack_view, snapshot

BUS = BusStats(
    name="roof",
    port="/dev/ttyUSB0",
    state=BusState.POLLING,
    error="",
    silence=0.031,
    rounds=3300,
    round_time=1.07,
    round_time_mean=1.08,
    requests=9900,
    answers=9890,
    missed=10,
    retries=10,
    lost=0,
    refused={"sum8": 4},
    recent=(Refused(0.0, 2, "sum8", "12 instead of 34", b""), Refused(0.0, 3, "length", "", b"")),
    troubles=(Trouble(3, "answers, but garbled", "look at its cable"),),
    foreign=0,
    reopened=0,
    line_use=0.38,
    wakeups=400,
    seconds=7200.0,
    links=(PackLink(2, 8, 4),),
)


def bank(second: float = 100.0, **changes: Any) -> Snapshot:
    """Pack 1 is well, pack 2 limits the charge, pack 3 is lost."""
    rows = empty_matrix(3)
    rows[:, Column.SETTINGS_TIME] = second - 30.0
    rows[:, Column.CELL_OVP] = 3.65
    rows[:, Column.CHARGE_ENABLED] = 1.0
    rows[0, CELL_VOLTAGES] = [*([3.300] * 15), 3.316, *([np.nan] * 16)]
    rows[1, CELL_VOLTAGES] = [3.294, *([3.320] * 10), 3.470, *([3.320] * 4), *([np.nan] * 16)]
    rows[:2, Column.VOLTAGE] = 53.12
    rows[:2, Column.CURRENT] = 4.5, -16.8
    rows[:2, Column.SOC] = 80.0, 70.0
    rows[:2, Column.TEMPERATURE_1] = 20.5, 21.5
    views = (
        pack_view("pack 1"),
        pack_view(
            "pack 2", blocks_charge=True, charge_limit=30.0, charge_cause=Cause.CELL_VOLTAGE, alarms={Alarm.LOW_SOC: 1}
        ),
        pack_view("pack 3", presence=Presence.LOST, age=75.0),
    )
    values: dict[str, Any] = {
        "packs": views,
        "alarms": {Alarm.LOW_SOC: 1, Alarm.BMS_CABLE: 2, Alarm.HIGH_CELL_VOLTAGE: 0},
        "charge_current_limit": Limit(30.0, 1, Cause.CELL_VOLTAGE, 0.5, "cell 12 3.470 V"),
    }
    shown = snapshot(time=second, rows=rows, buses=(BUS,), **(values | changes))
    return replace(shown, identities=(Identity(model="JK_PB2A16S20P", serial="123"), Identity(), Identity()))


def line(shown: Snapshot) -> dict[str, Any]:
    """``shown`` as a client of the socket has it, with the settings of all packs."""
    report: dict[str, Any] = json.loads(json.dumps(snapshot_dict(shown)))
    for pack, of_snapshot in zip(report["packs"], shown.packs(), strict=True):
        pack["settings"] = plain(PACK_SETTINGS, of_snapshot)
    return report


@contextmanager
def serving(config: Path, shown: Snapshot, period: float = 0.05) -> Iterator[None]:
    """Serve ``shown`` for the configuration ``config`` while the context is open."""
    output, over, begun = LocalSocket(config), Event(), Event()

    def serve() -> None:
        second = shown.time
        while not over.wait(period):
            second += 1.0
            output.show(replace(shown, time=second, number=int(second)))
            begun.set()
        output.close()

    thread = Thread(target=serve)
    thread.start()
    begun.wait(10.0)
    try:
        yield
    finally:
        over.set()
        thread.join()
