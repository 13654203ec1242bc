"""The page "Individual Battery Info" as gui-v2 uses it: GetItems once, then ItemsChanged, one SetValue a choice."""

from __future__ import annotations

import random
from collections.abc import Collection, Container
from dataclasses import replace
from typing import Any, NamedTuple

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


def lost_at(second: float) -> list[int]:
    """The packs that are lost at ``second``."""
    return [number for number, (begin, end) in SILENT.items() if begin <= second < end]


def bank(packs: int, second: float, silent: Container[int] = (), absent: Collection[int] = ()) -> Snapshot:
    """Packs whose cell voltages show their numbers; ``silent`` ones are lost, ``absent`` ones were never heard."""
    rows = empty_matrix(packs)
    rows[:, CELL_VOLTAGES][:, :16] = 3.3 + np.arange(packs)[:, None] / 1000 + np.arange(16) / 1000
    rows[:, Column.VOLTAGE] = 52.0 + np.arange(packs) / 100
    heard = [Presence.LOST if n in silent else Presence.FRESH for n in range(1, packs + 1)]
    presence = [Presence.ABSENT if n in absent else one for n, one in enumerate(heard, start=1)]
    views = tuple(pack_view(f"pack {n}", presence=one) for n, one in enumerate(presence, start=1))
    offline = presence.count(Presence.LOST)
    shown = snapshot(time=second, rows=rows, packs=views, online=packs - offline - len(absent), offline=offline)
    return replace(shown, identities=tuple(Identity(serial=f"JK{n}") for n in range(1, packs + 1)))


class Gui:
    """A client that believes what GetItems and ItemsChanged say and asks nothing else."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.connection = bench.connect()
        self.signals = 0
        self.of_page = 0  # signals with something for this page
        self.values: dict[str, Any] = {}
        self.connection.add_signal_receiver(self._take, "ItemsChanged", "com.victronenergy.BusItem", path="/")
        items = bench.ask(self.connection, NAME, "/", "GetItems")
        self.size = len(items)
        self._note(items)

    def _take(self, items: Any) -> None:
        self.signals += 1
        self.of_page += any(str(path).startswith("/Battery/") for path in items)
        self._note(items)

    def _note(self, items: Any) -> None:
        for path, item in items.items():
            valid = not isinstance(item["Value"], dbus.Array)
            self.values[str(path)] = item["Value"] if valid else None

    def chooser(self) -> list[str]:
        """The texts of its list, which has as many lines as there are batteries."""
        numbers = range(1, self.values["/System/NrOfBatteries"] + 1)
        serials = (path for path, value in self.values.items() if path.endswith("/Serial") and value is not None)
        assert {path for path in serials if path != "/Serial"} == {f"/Battery/{number}/Serial" for number in numbers}
        return [self.values[f"/Battery/{number}/Serial"] for number in numbers]

    def choose(self, number: Any) -> int:
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


def start(bench: Any, packs: int, silent: Container[int] = ()) -> BankOutput:
    output = BankOutput(ServiceConfig(), connection="RS485, 1 bus", bus=bench.bus(), send=lambda _: None)
    output.show(bank(packs, 0.0, silent))
    return output


class Step(NamedTuple):
    """What happens, and what the page shows right after it."""

    what: str
    choose: Any = None  # written by the page
    second: float | None = None  # a snapshot of this second is shown
    silent: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()
    answer: int = 0
    chosen: int = 1  # its number
    pack: int = 1  # its place in the configuration
    values: bool = True  # it shows its measurements
    signals: int = 1


RULES = (
    Step("another pack is chosen", choose=2, chosen=2, pack=2),
    Step("the same again", choose=2, chosen=2, pack=2, signals=0),
    *(Step(f"there is no pack {n!r}", choose=n, answer=2, chosen=2, pack=2, signals=0) for n in (0, 6, -1, "3", True)),
    Step("nothing is due", second=2.0, chosen=2, pack=2, signals=0),
    Step("it is lost", second=3.0, silent=(2,), chosen=2, pack=2, values=False),
    Step("it stays lost", second=9.0, silent=(2,), chosen=2, pack=2, values=False, signals=0),
    Step("one that lives is chosen", choose=4, chosen=4, pack=4),
    Step("the lost one is chosen", choose=2, chosen=2, pack=2, values=False),
    Step("it is back", second=15.0, chosen=2, pack=2),
    Step("the last one is chosen", choose=5, chosen=5, pack=5),
    Step("one before it is forgotten", second=20.0, absent=(3,), chosen=4, pack=5),
    Step("it is forgotten itself", second=25.0, absent=(3, 5), chosen=1, pack=1),
    Step("only those that are left can be chosen", choose=4, answer=2, signals=0),
    Step("the third is the fourth of the configuration", choose=3, chosen=3, pack=4),
)


def test_the_rules_of_the_page(bench: Any) -> None:
    """In an order in which they happen, on one service."""
    output = start(bench, 5)
    gui, packs = Gui(bench), 5
    for step in RULES:
        before = gui.of_page
        if step.second is None:
            assert gui.choose(step.choose) == step.answer, step.what
        else:
            output.show(bank(5, step.second, step.silent, step.absent))
            packs = 5 - len(step.absent)
        bench.settle()
        rows = gui.rows()
        volts = pytest.approx(52.0 + (step.pack - 1) / 100) if step.values else None
        assert (gui.values[REQUEST], rows["Serial"]) == (step.chosen, f"pack {step.pack} · JK{step.pack}"), step.what
        assert rows.get("Voltage") == volts, step.what
        assert ("Cell/16/Voltage" in rows) == step.values, step.what
        assert gui.of_page - before == step.signals, step.what
        assert len(gui.chooser()) == packs, step.what


def test_a_hundred_choices_among_fifteen_packs(bench: Any) -> None:
    output = start(bench, 15, lost_at(0.0))
    gui = Gui(bench)
    assert gui.chooser() == [f"pack {n} · JK{n}" for n in range(1, 16)]
    choices = random.Random(17)
    for second in range(1, 101):
        number = choices.randint(1, 15)
        before = gui.signals
        changed = number != gui.values[REQUEST]
        assert gui.choose(number) == 0
        bench.settle()
        assert gui.signals - before == changed  # one signal has it all
        rows = gui.rows()
        if number in lost_at(second - 1.0):
            assert set(rows) == {"Serial"}
        else:
            assert rows["Voltage"] == pytest.approx(52.0 + (number - 1) / 100)
            assert [rows[f"Cell/{cell}/Voltage"] for cell in range(1, 17)] == pytest.approx(
                3.3 + (number - 1) / 1000 + np.arange(16) / 1000
            )
        output.show(bank(15, float(second), lost_at(second)))
        bench.settle()
        assert ("Voltage" in gui.rows()) == (number not in lost_at(second))  # as soon as it is lost, or back
    assert gui.cost(15)[1] <= 1 + 6 + 16
    for wrong in (0, 16, -1):
        assert gui.choose(wrong) == 2


def test_three_hundred_packs(bench: Any) -> None:
    """Measured by benchmarks/bench_publish.py: what GetItems costs there."""
    output = start(bench, 300)
    gui = Gui(bench)
    assert gui.cost(300) == (1 + 6 + 16, 1 + 1 + 16)  # this bank reports no capacity, version, current or temperature
    for second in range(1, 61):
        output.show(bank(300, float(second)))
    bench.settle()
    assert gui.signals <= 60
    for number in (300, 150, 1):
        assert gui.choose(number) == 0
        bench.settle()
        assert gui.rows()["Serial"] == f"pack {number} · JK{number}"
    assert gui.cost(300) == (1 + 3 * (6 + 16), 1 + 1 + 16)  # paths are made when a pack is first chosen, and stay
