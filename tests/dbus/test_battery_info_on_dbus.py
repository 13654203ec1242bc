"""The page "Individual Battery Info" as gui-v2 uses it: GetItems once, then ItemsChanged, one SetValue a choice."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from packbank.config.model import ServiceConfig
from packbank.model.battery import Presence
from packbank.model.columns import CELL_VOLTAGES, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.model.snapshot import Snapshot
from packbank.outputs.venus.bank import BankOutput
from packbank.outputs.venus.bindings import dbus
from virtual_battery import pack_view, snapshot

NAME = "com.victronenergy.battery.packbank"
REQUEST = "/Battery/Request/Id"
SILENT = {4: (0.0, float("inf")), 9: (30.0, 60.0)}  # the numbers of packs that are lost, from and until when


def lost(number: int, second: float) -> bool:
    begin, end = SILENT.get(number, (0.0, 0.0))
    return begin <= second < end


def bank(packs: int, second: float) -> Snapshot:
    rows = empty_matrix(packs)
    rows[:, CELL_VOLTAGES][:, :16] = 3.3 + np.arange(packs)[:, None] / 1000 + np.arange(16) / 1000
    rows[:, Column.VOLTAGE] = 52.0 + np.arange(packs) / 100
    views = [
        pack_view(f"pack {n}", presence=Presence.LOST if lost(n, second) else Presence.FRESH)
        for n in range(1, packs + 1)
    ]
    shown = snapshot(time=second, rows=rows, packs=tuple(views), online=packs - 1, offline=1)
    return replace(shown, identities=tuple(Identity(serial=f"JK{n}") for n in range(1, packs + 1)))


class Gui:
    """A client that believes what GetItems and ItemsChanged say and asks nothing else."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.connection = bench.connect()
        self.signals = 0
        self.values: dict[str, Any] = {}
        self.connection.add_signal_receiver(self._take, "ItemsChanged", "com.victronenergy.BusItem", path="/")
        items = bench.ask(self.connection, NAME, "/", "GetItems")
        self.size = len(items)
        self._note(items)

    def _take(self, items: Any) -> None:
        self.signals += 1
        self._note(items)

    def _note(self, items: Any) -> None:
        for path, item in items.items():
            valid = not isinstance(item["Value"], dbus.Array)
            self.values[str(path)] = item["Value"] if valid else None

    def choose(self, number: int) -> int:
        return int(self.bench.ask(self.connection, NAME, REQUEST, "SetValue", "v", number))

    def rows(self) -> dict[str, Any]:
        """What the page shows: valid values only, by their path below the pack that it shows."""
        base = f"/Battery/{self.values[REQUEST]}/"
        return {
            path.removeprefix(base): value
            for path, value in self.values.items()
            if path.startswith(base) and value is not None
        }

    def cost(self, packs: int) -> tuple[int, int]:
        """Paths of the page in all, and those that have a value, besides one serial a pack."""
        page = [value for path, value in self.values.items() if path.startswith("/Battery/")]
        return len(page) - packs, len([value for value in page if value is not None]) - packs


def start(bench: Any, packs: int) -> BankOutput:
    output = BankOutput(ServiceConfig(), connection="RS485, 1 bus", bus=bench.bus(), send=lambda _: None)
    output.show(bank(packs, 0.0))
    return output


def test_a_hundred_choices_among_fifteen_packs(bench: Any) -> None:
    output = start(bench, 15)
    gui = Gui(bench)
    chooser = [gui.values[f"/Battery/{number}/Serial"] for number in range(1, gui.values["/System/NrOfBatteries"] + 1)]
    assert chooser == [f"pack {n} · JK{n}" for n in range(1, 16)]
    choices = random.Random(17)
    for second in range(1, 101):
        number = choices.randint(1, 15)
        before = gui.signals
        changed = number != gui.values[REQUEST]
        assert gui.choose(number) == 0
        bench.settle()
        assert gui.signals - before == changed  # one signal has it all
        rows = gui.rows()
        if lost(number, second - 1.0):
            assert set(rows) == {"Serial"}
        else:
            assert rows["Voltage"] == pytest.approx(52.0 + (number - 1) / 100)
            assert [rows[f"Cell/{cell}/Voltage"] for cell in range(1, 17)] == pytest.approx(
                3.3 + (number - 1) / 1000 + np.arange(16) / 1000
            )
        output.show(bank(15, float(second)))
        bench.settle()
        assert ("Voltage" in gui.rows()) == (not lost(number, second))  # as soon as it is lost, or back
    assert gui.cost(15)[1] <= 1 + 6 + 16
    for wrong in (0, 16, -1):
        assert gui.choose(wrong) == 2


def test_three_hundred_packs(bench: Any) -> None:
    """Measured by benchmarks/bench_publish.py: what GetItems costs there."""
    output = start(bench, 300)
    gui = Gui(bench)
    assert gui.cost(300) == (1 + 6 + 16, 1 + 1 + 16)  # this bank tells no capacity, version, current or temperature
    for second in range(1, 61):
        output.show(bank(300, float(second)))
    bench.settle()
    assert gui.signals <= 60
    for number in (300, 150, 1):
        assert gui.choose(number) == 0
        bench.settle()
        assert gui.rows()["Serial"] == f"pack {number} · JK{number}"
    assert gui.cost(300) == (1 + 3 * (6 + 16), 1 + 1 + 16)  # paths are made when a pack is first chosen, and stay
