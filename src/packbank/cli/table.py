"""The bank in a terminal: a live table with rich on a screen, else a line of text every few seconds."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from math import isnan
from types import TracebackType
from typing import NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from packbank.journal import explain
from packbank.model.battery import Limit, PackView, VirtualBattery
from packbank.model.bus_stats import BusStats

LINE_EVERY = 2.0  # s between two lines of text
LEVELS = ("ok", "warning", "alarm")


class Scene(NamedTuple):
    """What there is to show at one instant; ``matrix`` has the packs' rows in the order of ``battery.packs``."""

    battery: VirtualBattery
    matrix: NDArray[np.float64]
    buses: Sequence[BusStats]


class Display(ABC):
    """Where scenes are shown, while the context is open."""

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @abstractmethod
    def show(self, scene: Scene, now: float) -> None:
        """Show ``scene`` at monotonic time ``now``."""


class Lines(Display):
    """One line of text every few seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._due = 0.0

    def show(self, scene: Scene, now: float) -> None:
        """Print the line when it is time."""
        if now >= self._due:
            self._due = now + LINE_EVERY
            print(line(scene), file=self._stream, flush=True)


def open_display(stream: TextIO = sys.stdout) -> Display:
    """A table when ``stream`` is a terminal and rich is installed, lines of text otherwise."""
    if not stream.isatty() or find_spec("rich") is None:
        return Lines(stream)
    screen: Display = import_module("packbank.cli.screen").Screen(stream)
    return screen


def line(scene: Scene) -> str:
    """The bank in one line of text."""
    battery = scene.battery
    rounds = " ".join(f"{bus.name} {number(bus.round_time, '.2f')} s" for bus in scene.buses)
    raised = raised_alarms(battery)
    return (
        f"{battery.online}/{len(battery.packs)} packs  {number(battery.voltage, '.2f')} V  "
        f"{number(battery.current, '+z.1f')} A  {number(battery.soc, '.1f')} %  "
        f"cells {number(battery.lowest_cell.value, '.3f')}..{number(battery.highest_cell.value, '.3f')} V  "
        f"CVL {number(battery.charge_voltage_limit.value, '.2f')} V  "
        f"CCL {number(battery.charge_current_limit.value, '.1f')} A  "
        f"DCL {number(battery.discharge_current_limit.value, '.1f')} A  {battery.stage}  rounds {rounds}"
        + (f"  ALARMS {raised}" if raised else "")
    )


def raised_alarms(battery: VirtualBattery) -> str:
    """The alarms that are on, with their levels; ``""`` when there is none."""
    return ", ".join(f"{alarm.venus} {LEVELS[level]}" for alarm, level in battery.alarms.items() if level)


def limit_texts(battery: VirtualBattery) -> list[tuple[str, str]]:
    """CVL, CCL and DCL by name, each with its value and its reason."""
    return [
        ("CVL", limit_text(battery.charge_voltage_limit, "V", battery.packs)),
        ("CCL", limit_text(battery.charge_current_limit, "A", battery.packs)),
        ("DCL", limit_text(battery.discharge_current_limit, "A", battery.packs)),
    ]


def limit_text(limit: Limit, unit: str, packs: Sequence[PackView]) -> str:
    """A limit with its reason: ``"112.5 A: Pack 3, cell voltage, cell 12 3.470 V, share 9%"``."""
    return f"{number(limit.value, '.2f' if unit == 'V' else '.1f')} {unit}{explain(limit, packs)}"


def number(value: float, form: str, unit: str = "") -> str:
    """``value`` with its unit; ``-`` when it is not known."""
    return "-" if isnan(value) else f"{value:{form}}{unit}"
