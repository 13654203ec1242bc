"""What tests of the history share: a bank that lives through days in seconds, and files to keep them in."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

import numpy as np

from bank_rows import healthy
from packbank.config.model import HistoryConfig
from packbank.model.battery import Extreme
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.model.snapshot import Snapshot
from packbank.outputs.history.events import Untaken
from packbank.outputs.history.location import Location
from packbank.outputs.history.output import HistoryOutput
from packbank.outputs.history.reader import History
from packbank.outputs.journal import Line
from virtual_battery import pack_view, snapshot, virtual_battery

START = 1_700_000_400.0  # wall clock: 2023-11-14 22:20:00 UTC, where a row of every period up to 20 min begins
CELLS = 16


class Past:
    """A bank of ``packs`` and the output that keeps its history; ``clock`` is s since the boot, ``wall`` is apart."""

    def __init__(
        self, folder: Path, packs: int = 2, config: HistoryConfig | None = None, flash: Path | None = None
    ) -> None:
        """``flash`` is where the files of the history are, ``folder / "state.history"`` if not given."""
        self.location = Location(flash or folder / "state.history", folder / "run" / "config.ini.history")
        self.config = config or HistoryConfig()
        self.clock = 100.0
        self.offset = START - self.clock
        self.boot = "boot1"
        self.noise = np.random.default_rng(1)
        views = tuple(pack_view(f"pack {number}") for number in range(1, packs + 1))
        self.shown = snapshot(virtual_battery(packs=views), rows=healthy(packs))
        self.untaken = Untaken()
        self.output = self._output()

    @property
    def wall(self) -> float:
        return self.clock + self.offset

    def second(self, seconds: float = 1.0) -> None:
        """One more snapshot, ``seconds`` later."""
        self.clock += seconds
        self.output.show(self.snapshot())

    def snapshot(self) -> Snapshot:
        return replace(self.shown, time=self.clock - 50.0, wall=self.wall)

    def run(self, seconds: float, every: float = 1.0) -> None:
        """The same as often as it takes."""
        for _ in range(round(seconds / every)):
            self.second(every)

    def live(self, seconds: float, every: float) -> None:
        """Charge and discharge with the noise that real packs show: mV of the cells, tenths of A, quarters of degC."""
        for _ in range(round(seconds / every)):
            self.shown = self._real()
            self.second(every)

    def _real(self) -> Snapshot:
        hours = self.clock / 3600.0
        rows = self.shown.rows.copy()
        packs = len(rows)
        current = 40.0 * np.sin(hours / 24.0 * 2 * np.pi) + 8.0 * np.sin(hours * 5.0) + self.noise.normal(0, 2.0)
        rows[:, Column.CURRENT] = np.round(current * np.linspace(0.8, 1.2, packs), 1) + self.noise.normal(0, 0.2, packs)
        level = 3.3 + 0.001 * current + 0.02 * np.sin(hours / 24.0 * 2 * np.pi)
        spread = 0.003 * np.sin(np.arange(packs * CELLS)).reshape(packs, CELLS)
        cells = np.round(level + spread + self.noise.normal(0, 0.0006, (packs, CELLS)), 3)
        rows[:, CELL_VOLTAGES][:, :CELLS] = cells
        rows[:, Column.VOLTAGE] = cells.sum(axis=1)
        rows[:, Column.SOC] = np.round(50 + 40 * np.sin(hours / 24.0 * 2 * np.pi))
        for column in (Column.TEMPERATURE_1, Column.TEMPERATURE_2, Column.TEMPERATURE_MOS):
            rows[:, column] = np.round(25 + 3 * np.sin(hours / 24.0) + self.noise.normal(0, 0.1, packs), 1)
        whole = float(rows[:, Column.CURRENT].sum())
        volts = float(rows[:, Column.VOLTAGE].mean())
        battery = replace(
            self.shown.battery,
            voltage=volts,
            current=whole,
            power=volts * whole,
            soc=float(rows[:, Column.SOC].mean()) + hours % 1.0,
            lowest_cell=Extreme(float(cells.min()), 0, 1),
            highest_cell=Extreme(float(cells.max()), 0, 2),
        )
        return replace(self.shown, rows=rows, battery=battery)

    def event(self, text: str, level: int = logging.INFO, kind: str = "pack", packs: tuple[str, ...] = ()) -> None:
        self.untaken.put(self.snapshot(), Line(level, text, kind, packs))

    def restart(self, *, killed: bool = False, power_cut: bool = False) -> None:
        """Start the program anew; after a power cut the memory is empty, and the clock since the boot begins anew."""
        if power_cut:
            for path in (self.location.rows, self.location.events):
                path.unlink(missing_ok=True)
            self.boot += "'"
            self.offset, self.clock = self.wall + 30.0, 0.0
        elif not killed:
            self.output.close()
        self.output = self._output()

    def history(self) -> History:
        return History(self.location.folder, self.location.rows, self.location.events)

    def on_flash(self) -> int:
        """Bytes in the folder."""
        return (
            sum(path.stat().st_size for path in self.location.folder.glob("*")) if self.location.folder.exists() else 0
        )

    def _output(self) -> HistoryOutput:
        return HistoryOutput(self.config, self.location, self.untaken, boot=self.boot, clock=lambda: self.clock)


@contextmanager
def full_disk(room: int = 0) -> Iterator[None]:
    """No file of this process can grow beyond ``room`` bytes."""
    before = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        setrlimit(RLIMIT_FSIZE, before)
