"""The live table, drawn with rich: the virtual battery and the buses above, the packs below.

It takes the terminal's shape: as many columns as its width holds uncut, and the packs side by side when its height
does not hold them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from types import TracebackType
from typing import TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from packbank.model.battery import Presence, VirtualBattery
from packbank.model.bus_stats import BusStats
from packbank.model.catalogue import PACK, Quantity, Value
from packbank.model.snapshot import PackSnapshot, Snapshot
from packbank.outputs.terminal import GAP, WIDEST, Display, fitting, limit_texts, number, raised_alarms

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

    def show(self, snapshot: Snapshot) -> None:
        """Draw the table."""
        self._live.update(Picture(snapshot), refresh=True)


class Picture:
    """A snapshot as rich draws it; what finds no place even side by side is cut off below."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The summary, then the packs in the room that is left."""
        summary = _summary(self._snapshot)
        above = HEAD + len(console.render_lines(summary, options, pad=False))
        yield summary
        yield ""
        yield _packs(self._snapshot, options.max_width, options.max_height - above)


# The columns of the packs' table, from the catalogue; the highest rank is left out first.
FIELDS: tuple[Quantity[PackSnapshot], ...] = tuple(row for row in PACK if row.rank)


def _texts(pack: PackSnapshot) -> list[str]:
    """The fields of one pack; without units, which stand in the heads."""
    return [_text(row, row.value(pack)) for row in FIELDS]


def _text(row: Quantity[PackSnapshot], value: Value) -> str:
    if value is None:
        return "-"
    return f"{value:.{row.unit.digits}f}" if isinstance(value, float) else str(value)


def _packs(snapshot: Snapshot, width: int, height: int) -> Table:
    """The packs in tables side by side, each with the fields that are whole in its share of ``width``."""
    packs = list(snapshot.packs())
    rows = [_texts(pack) for pack in packs]
    columns = zip([row.column for row in FIELDS], *rows, strict=True)
    widths = [GAP + max(WIDEST.get(column[0], 0), *map(len, column)) for column in columns]
    names = max(cell_len(pack.view.name) for pack in packs) + GAP + max(len(pack.view.presence) for pack in packs)
    most_wanted = min(zip(FIELDS, widths, strict=True), key=lambda pair: pair[0].rank)[1]
    room = (width + ASIDE) // (ASIDE + names + most_wanted)
    tables = max(1, min(ceil(len(packs) / max(height, 1)), room))
    chosen = fitting([row.rank for row in FIELDS], widths, (width + ASIDE) // tables - ASIDE - names)
    each = ceil(len(packs) / tables)
    grid = Table.grid(padding=(0, ASIDE, 0, 0))
    parts = range(0, len(packs), each)
    grid.add_row(*(_table(packs[at : at + each], rows[at : at + each], chosen) for at in parts))
    return grid


def _table(packs: Sequence[PackSnapshot], rows: Sequence[Sequence[str]], chosen: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, GAP - 1, 0, 0), pad_edge=False)
    table.add_column("pack", overflow="fold")
    table.add_column("", no_wrap=True)
    for index in chosen:
        table.add_column(FIELDS[index].column, justify="right", no_wrap=True)
    for pack, row in zip(packs, rows, strict=True):
        presence = f"[{STYLES[pack.view.presence]}]{pack.view.presence}[/]"
        table.add_row(escape(pack.view.name), presence, *(row[index] for index in chosen))
    return table


def _summary(snapshot: Snapshot) -> Table:
    battery = snapshot.battery
    grid = Table.grid(padding=(0, 2))
    grid.add_row("[bold]battery[/]", _battery(battery))
    for name, text in limit_texts(battery):
        grid.add_row(name, escape(text))
    raised = raised_alarms(battery)
    grid.add_row("alarms", f"[bold red]{raised}[/]" if raised else "none")
    for bus in snapshot.buses:
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
        f"{battery.online} of {battery.online + battery.offline} packs",
        battery.stage,
    )
    return f"[bold]{' · '.join(measured)}[/] · {' · '.join(rest)}"


def _bus(bus: BusStats) -> str:
    refused = sum(bus.refused.values())
    return bus.error or (
        f"{bus.state}, round {number(bus.round_time, '.2f')} s, {bus.answers} answers, {bus.missed} missed, "
        f"{refused} refused, line {number(100 * bus.line_use, '.0f')} %"
    )
