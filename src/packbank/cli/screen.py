"""The live table, drawn with rich: the virtual battery and the buses above, the packs below."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from packbank.aggregator.battery import PackView, Presence
from packbank.aggregator.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, Column
from packbank.bus.stats import BusStats
from packbank.cli.table import Display, Scene, limit_texts, number, raised_alarms

FULL_ROWS = 15  # more packs than that are shown side by side, with fewer columns
STYLES = {
    Presence.FRESH: "green",
    Presence.JOINING: "cyan",
    Presence.HELD: "yellow",
    Presence.LOST: "bold red",
    Presence.ABSENT: "dim",
}


class Screen(Display):
    """A table that is drawn anew in its place."""

    def __init__(self, stream: TextIO) -> None:
        self._live = Live(console=Console(file=stream), auto_refresh=False)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, scene: Scene, now: float) -> None:  # noqa: ARG002
        """Draw the table."""
        self._live.update(picture(scene), refresh=True)


def picture(scene: Scene) -> Group:
    """The virtual battery and the buses above a table of the packs, which a low window may cut off."""
    packs = list(zip(scene.battery.packs, scene.matrix, strict=True))
    if len(packs) <= FULL_ROWS:
        return Group(_summary(scene), _full_table(packs))
    parts = [packs[first : first + FULL_ROWS] for first in range(0, len(packs), FULL_ROWS)]
    return Group(_summary(scene), Columns([_compact_table(part) for part in parts]))


def _full_table(packs: Sequence[tuple[PackView, NDArray[np.float64]]]) -> Table:
    titles = ("V", "A", "SoC", "lowest cell", "highest cell", "cells degC", "MOS degC", "charge", "discharge", "share")
    table = _table(*titles, "age")
    for pack, row in packs:
        table.add_row(
            escape(pack.name),
            _presence(pack),
            number(row[Column.VOLTAGE], ".2f"),
            number(row[Column.CURRENT], "+.1f"),
            number(row[Column.SOC], ".0f", " %"),
            *_cells(row, "{volts:.3f} #{number:<2}"),
            _temperatures(row),
            number(row[Column.TEMPERATURE_MOS], ".0f"),
            "blocked" if pack.blocks_charge else number(pack.charge_limit, ".0f", " A"),
            "blocked" if pack.blocks_discharge else number(pack.discharge_limit, ".0f", " A"),
            number(100 * pack.charge_share, ".0f", " %"),
            number(pack.age, ".1f", " s"),
        )
    return table


def _compact_table(packs: Sequence[tuple[PackView, NDArray[np.float64]]]) -> Table:
    table = _table("A", "SoC", "cells V", "age")
    for pack, row in packs:
        table.add_row(
            escape(pack.name),
            _presence(pack),
            number(row[Column.CURRENT], "+.1f"),
            number(row[Column.SOC], ".0f", " %"),
            "..".join(_cells(row, "{volts:.3f}")),
            number(pack.age, ".1f"),
        )
    return table


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("pack", no_wrap=True)
    table.add_column("")
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _summary(scene: Scene) -> Table:
    battery = scene.battery
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        "[bold]battery[/]",
        f"[bold]{number(battery.voltage, '.2f')} V  {number(battery.current, '+.1f')} A  "
        f"{number(battery.soc, '.1f')} %[/]  {number(battery.remaining_capacity, '.0f')} of "
        f"{number(battery.installed_capacity, '.0f')} Ah, {battery.online} of {len(battery.packs)} packs, "
        f"{battery.stage}",
    )
    for name, text in limit_texts(battery):
        grid.add_row(name, escape(text))
    raised = raised_alarms(battery)
    grid.add_row("alarms", f"[bold red]{raised}[/]" if raised else "none")
    for bus in scene.buses:
        grid.add_row(escape(bus.name), escape(_bus(bus)))
    return grid


def _bus(bus: BusStats) -> str:
    refused = sum(bus.refused.values())
    return bus.error or (
        f"{bus.state}, round {number(bus.round_time, '.2f')} s (mean {number(bus.round_time_mean, '.2f')}), guard "
        f"{number(1000 * bus.guard, '.0f')} ms, {bus.answers} answers, {bus.missed} missed, {refused} refused, "
        f"line {number(100 * bus.line_use, '.0f')} %"
    )


def _presence(pack: PackView) -> str:
    return f"[{STYLES[pack.presence]}]{pack.presence}[/]"


def _cells(row: NDArray[np.float64], form: str) -> tuple[str, str]:
    """The lowest and the highest cell; ``form`` takes ``volts`` and ``number``."""
    cells = row[CELL_VOLTAGES]
    if np.isnan(cells).all():
        return "-", "-"
    lowest, highest = int(np.nanargmin(cells)), int(np.nanargmax(cells))
    texts = [form.format(volts=cells[index], number=index + 1) for index in (lowest, highest)]
    return texts[0], texts[1]


def _temperatures(row: NDArray[np.float64]) -> str:
    sensors = row[list(BATTERY_TEMPERATURES)]
    return "-" if np.isnan(sensors).all() else f"{np.nanmin(sensors):.0f}..{np.nanmax(sensors):.0f}"
