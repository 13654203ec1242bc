"""Packs of every family, each family on its own simulated bus, read by the real daemon into one battery."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from packbank.bms import registry
from packbank.config.loader import load
from packbank.daemon import Daemon
from packbank.model.battery import Presence, VirtualBattery
from packbank.model.columns import Column
from packbank.model.snapshot import Snapshot
from packbank.sim.wire import Wire
from packbank.sim.wire_bank import LiveBank, demo_spec, mix, wire_up
from packbank.sim.wire_pty import Buses
from patience import PATIENCE

PLANS = mix()
PACKS = [plan.protocol for plan in PLANS for _ in plan.addresses]  # the family of each row
CONFIG = """
[DEFAULT]
HELD_AFTER = 3
LOST_AFTER = 4
JOIN_AFTER = 0
MAX_BATTERY_CHARGE_CURRENT = 80
MAX_BATTERY_DISCHARGE_CURRENT = 120
"""
LATE = {"truncated", "foreign"}  # what an answer is whose end a busy machine brings too late


class Scene:
    """The daemon over the simulated buses, and the battery that it published last."""

    name = "test"

    def __init__(self, daemon: Daemon, wires: list[Wire], bank: LiveBank) -> None:
        self.daemon = daemon
        self.wires = wires
        self.bank = bank
        self.last: Snapshot | None = None

    def show(self, snapshot: Snapshot) -> None:
        self.last = snapshot

    def close(self) -> None:
        pass

    def until(self, true: Callable[[VirtualBattery], bool]) -> VirtualBattery:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.daemon.tick()
            if self.last is not None and true(self.last.battery):
                return self.last.battery
            time.sleep(0.25)
        raise AssertionError(f"not within {PATIENCE} s: {self.last}")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    start = time.monotonic()
    bank = LiveBank(demo_spec(len(PACKS), 16, 1), start)
    wires = wire_up(bank, PLANS, [], 1, start)
    with Buses(wires, tmp_path) as buses:
        sections = [
            f"[bus:{plan.protocol}]\nPORT = {port}\nPROTOCOL = {plan.protocol}\n"
            f"BATTERY_ADDRESSES = {plan.addresses[0]:#04x}-{plan.addresses[-1]:#04x}\n"
            for plan, port in zip(PLANS, buses.paths, strict=True)
        ]
        config = tmp_path / "config.ini"
        config.write_text(CONFIG + "\n".join(sections))
        daemon = Daemon(load(config))
        made = Scene(daemon, wires, bank)
        daemon.outputs.add_vital(made)
        with daemon:
            yield made


def presences(battery: VirtualBattery) -> list[Presence]:
    return [pack.presence for pack in battery.packs]


@pytest.mark.slow
def test_packs_of_every_family_are_one_battery_and_are_lost_and_found_alike(scene: Scene) -> None:
    there = [Presence.FRESH] * len(PACKS)
    battery = scene.until(lambda battery: presences(battery) == there)
    assert battery.online == len(PACKS)
    assert battery.cells_per_pack == 16
    # The packs without limits of their own have the configured ones; the others report theirs.
    assert all(pack.charge_limit <= 80 for pack in battery.packs)
    assert 0 < battery.charge_current_limit.value <= len(PACKS) * 80
    assert scene.last is not None
    matrix = scene.last.rows
    assert np.isfinite(matrix[:, [Column.VOLTAGE, Column.CURRENT, Column.SOC]]).all()
    silent = np.isnan(matrix[:, Column.CHARGE_CURRENT_LIMIT])
    assert not any(registry.protocol(PACKS[row]).reports_limits for row in np.flatnonzero(silent))
    assert battery.voltage == pytest.approx(scene.bank.truth(time.monotonic()).voltage, abs=0.5)

    taken = [wire.packs.pop() for wire in scene.wires]
    battery = scene.until(lambda battery: presences(battery).count(Presence.LOST) == len(taken))
    last = [plan.packs - 1 == place for plan in PLANS for place in range(plan.packs)]
    assert presences(battery) == [Presence.LOST if gone else Presence.FRESH for gone in last]
    assert (battery.online, battery.offline) == (len(PACKS) - len(taken), len(taken))

    for wire, pack in zip(scene.wires, taken, strict=True):
        wire.packs.append(pack)
    battery = scene.until(lambda battery: presences(battery) == there)
    assert (battery.online, battery.offline) == (len(PACKS), 0)
    assert [(stats.name, stats.recent) for stats in scene.last.buses if set(stats.refused) - LATE] == []
