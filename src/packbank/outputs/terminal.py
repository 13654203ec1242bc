"""The bank in a terminal: as a line of text every few seconds, and what that has in common with a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import isnan
from types import TracebackType
from typing import TextIO

from packbank.model import reasons
from packbank.model.battery import Limit, VirtualBattery
from packbank.model.snapshot import Snapshot

GAP = 2  # between two columns
WIDEST = {"A": 6, "SoC %": 5, "age s": 4}  # texts that change their length, or columns would come and go with them
LINE_EVERY = 2.0  # s between two lines of text


class Display(ABC):
    """Where snapshots are shown, while the context is open."""

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @abstractmethod
    def show(self, snapshot: Snapshot) -> None:
        """Show ``snapshot``."""


class Lines(Display):
    """One line of text every few seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._due = 0.0

    def show(self, snapshot: Snapshot) -> None:
        """Print the line when it is time."""
        if snapshot.time >= self._due:
            self._due = snapshot.time + LINE_EVERY
            print(line(snapshot), file=self._stream, flush=True)


def line(snapshot: Snapshot) -> str:
    """The bank in one line of text."""
    battery = snapshot.battery
    rounds = " ".join(f"{bus.name} {number(bus.round_time, '.2f')} s" for bus in snapshot.buses)
    raised = raised_alarms(battery)
    return (
        f"{battery.online}/{battery.online + battery.offline} packs  {number(battery.voltage, '.2f')} V  "
        f"{number(battery.current, '+z.1f')} A  {number(battery.soc, '.1f')} %  "
        f"cells {number(battery.lowest_cell.value, '.3f')}..{number(battery.highest_cell.value, '.3f')} V  "
        f"CVL {number(battery.charge_voltage_limit.value, '.2f')} V  "
        f"CCL {number(battery.charge_current_limit.value, '.1f')} A  "
        f"DCL {number(battery.discharge_current_limit.value, '.1f')} A  {battery.stage}  rounds {rounds}"
        + (f"  ALARMS {raised}" if raised else "")
    )


def raised_alarms(battery: VirtualBattery) -> str:
    """The alarms that are on, with their levels; ``""`` when there is none."""
    return reasons.raised(battery.alarms)


def limit_texts(battery: VirtualBattery) -> list[tuple[str, str]]:
    """CVL, CCL and DCL by name, each with its value and its reason."""
    return [
        ("CVL", _limit_text(battery, battery.charge_voltage_limit, ".2f", "V")),
        ("CCL", _limit_text(battery, battery.charge_current_limit, ".1f", "A")),
        ("DCL", _limit_text(battery, battery.discharge_current_limit, ".1f", "A")),
    ]


def _limit_text(battery: VirtualBattery, limit: Limit, form: str, unit: str) -> str:
    """A limit with its reason: ``"112.5 A: Pack 3: cell voltage, cell 12 3.470 V, carries 9% of the current"``."""
    why = reasons.reason(battery, limit)
    return f"{number(limit.value, form)} {unit}{f': {why}' if why else ''}"


def fitting(ranks: Sequence[int], widths: Sequence[int], room: int) -> list[int]:
    """The columns that ``room`` holds, those of the lowest rank first to be taken."""
    chosen: list[int] = []
    for index in sorted(range(len(ranks)), key=lambda index: ranks[index]):
        room -= widths[index]
        if room < 0:
            break
        chosen.append(index)
    return sorted(chosen)


def number(value: float, form: str, unit: str = "") -> str:
    """``value`` with its unit; ``-`` when it is not known."""
    return "-" if isnan(value) else f"{value:{form}}{unit}"
