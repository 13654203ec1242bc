"""The live table, drawn with rich: the virtual battery and the buses above, the packs below.

It takes the terminal's shape: as many columns as its width holds uncut, and the packs side by side when its height
does not hold them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from types import TracebackType
from typing import NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from packbank.cli.table import Display, Scene, limit_texts, number, raised_alarms
from packbank.model.battery import PackView, Presence, VirtualBattery
from packbank.model.bus_stats import BusStats
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, Column

GAP = 2  # between two columns
ASIDE = 4  # between two tables
HEAD = 3  # lines above the packs: a blank one, the titles, a rule
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
        self._live.update(Picture(scene), refresh=True)


class Picture:
    """A scene as rich draws it; what finds no place even side by side is cut off below."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The summary, then the packs in the room that is left."""
        summary = _summary(self._scene)
        above = HEAD + len(console.render_lines(summary, options, pad=False))
        yield summary
        yield ""
        yield _packs(self._scene, options.max_width, options.max_height - above)


Row = NDArray[np.float64]


class Field(NamedTuple):
    """A column of the packs' table; its texts keep their width, or columns would come and go with the values."""

    title: str
    text: Callable[[PackView, Row], str]
    rank: int  # the highest are left out first


def _cell(choose: Callable[[Row], np.intp]) -> Callable[[PackView, Row], str]:
    def text(_: PackView, row: Row) -> str:
        cells = row[CELL_VOLTAGES]
        if np.isnan(cells).all():
            return "-"
        index = choose(cells)
        return f"{cells[index]:.3f} #{index + 1:<2}"

    return text


def _temperatures(_: PackView, row: Row) -> str:
    sensors = row[list(BATTERY_TEMPERATURES)]
    return "-" if np.isnan(sensors).all() else f"{np.nanmin(sensors):.0f}..{np.nanmax(sensors):.0f}"


FIELDS = (
    Field("V", lambda _, row: number(row[Column.VOLTAGE], ".2f"), 8),
    Field("A", lambda _, row: number(row[Column.CURRENT], ">+z6.1f"), 1),
    Field("SoC", lambda _, row: number(row[Column.SOC], ">3.0f", " %"), 2),
    Field("low cell", _cell(np.nanargmin), 4),
    Field("high cell", _cell(np.nanargmax), 3),
    Field("cells °C", _temperatures, 7),
    Field("MOS °C", lambda _, row: number(row[Column.TEMPERATURE_MOS], ".0f"), 10),
    Field("charge", lambda p, _: "blocked" if p.blocks_charge else number(p.charge_limit, ".0f", " A"), 5),
    Field("discharge", lambda p, _: "blocked" if p.blocks_discharge else number(p.discharge_limit, ".0f", " A"), 6),
    Field("share", lambda p, _: number(100 * p.charge_share, ".0f", " %"), 11),
    Field("age", lambda p, _: number(p.age, ">4.1f", " s"), 9),
)


def _packs(scene: Scene, width: int, height: int) -> Table:
    """The packs in tables side by side, each with the fields that are whole in its share of ``width``."""
    packs = scene.battery.packs
    rows = [[field.text(pack, row) for field in FIELDS] for pack, row in zip(packs, scene.matrix, strict=True)]
    columns = zip([field.title for field in FIELDS], *rows, strict=True)
    widths = [GAP + max(map(len, column)) for column in columns]
    names = max(cell_len(pack.name) for pack in packs) + GAP + max(len(pack.presence) for pack in packs)
    most_wanted = min(zip(FIELDS, widths, strict=True), key=lambda pair: pair[0].rank)[1]
    room = (width + ASIDE) // (ASIDE + names + most_wanted)
    tables = max(1, min(ceil(len(packs) / max(height, 1)), room))
    chosen = _fitting(widths, (width + ASIDE) // tables - ASIDE - names)
    each = ceil(len(packs) / tables)
    grid = Table.grid(padding=(0, ASIDE, 0, 0))
    parts = range(0, len(packs), each)
    grid.add_row(*(_table(packs[at : at + each], rows[at : at + each], chosen) for at in parts))
    return grid


def _fitting(widths: Sequence[int], room: int) -> list[int]:
    """The fields that ``room`` holds, the most wanted first to be taken."""
    chosen: list[int] = []
    for index in sorted(range(len(FIELDS)), key=lambda index: FIELDS[index].rank):
        room -= widths[index]
        if room < 0:
            break
        chosen.append(index)
    return sorted(chosen)


def _table(packs: Sequence[PackView], rows: Sequence[Sequence[str]], chosen: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, GAP - 1, 0, 0), pad_edge=False)
    table.add_column("pack", overflow="fold")
    table.add_column("", no_wrap=True)
    for index in chosen:
        table.add_column(FIELDS[index].title, justify="right", no_wrap=True)
    for pack, row in zip(packs, rows, strict=True):
        presence = f"[{STYLES[pack.presence]}]{pack.presence}[/]"
        table.add_row(escape(pack.name), presence, *(row[index] for index in chosen))
    return table


def _summary(scene: Scene) -> Table:
    battery = scene.battery
    grid = Table.grid(padding=(0, 2))
    grid.add_row("[bold]battery[/]", _battery(battery))
    for name, text in limit_texts(battery):
        grid.add_row(name, escape(text))
    raised = raised_alarms(battery)
    grid.add_row("alarms", f"[bold red]{raised}[/]" if raised else "none")
    for bus in scene.buses:
        grid.add_row(escape(bus.name), escape(_bus(bus)))
    return grid


def _battery(battery: VirtualBattery) -> str:
    measured = (
        f"{number(battery.voltage, '.2f')} V",
        f"{number(battery.current, '+z.1f')} A",
        f"{number(battery.soc, '.1f')} %",
    )
    rest = (
        f"{number(battery.remaining_capacity, '.0f')} of {number(battery.installed_capacity, '.0f')} Ah",
        f"{battery.online} of {len(battery.packs)} packs",
        battery.stage,
    )
    return f"[bold]{' · '.join(measured)}[/] · {' · '.join(rest)}"


def _bus(bus: BusStats) -> str:
    refused = sum(bus.refused.values())
    return bus.error or (
        f"{bus.state}, round {number(bus.round_time, '.2f')} s, {bus.answers} answers, {bus.missed} missed, "
        f"{refused} refused, line {number(100 * bus.line_use, '.0f')} %"
    )
