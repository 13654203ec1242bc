"""A picture of one run: limits and current of the bank, its packs, state of charge and voltage over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.sim.trial import Run

Array = NDArray[np.float64]

HOURS = 3 * 3600.0  # s: a longer run has hours on its axis, a shorter one minutes
STYLE = {
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 1.1,
}


@dataclass(slots=True)
class Trace:
    """What a plot needs of a run, as often as ``every`` s."""

    every: float
    bank: list[tuple[float, ...]] = field(default_factory=list)  # s, current, CCL, DCL, voltage, CVL
    soc: list[Array] = field(default_factory=list)
    load: list[Array] = field(default_factory=list)  # % of what each pack may carry

    def __call__(self, run: Run) -> None:
        """Take note of the state after a second."""
        bank, limits = run.bank, run.limits
        if self.bank and bank.time < self.bank[-1][0] + self.every - 1e-6:
            return
        self.bank.append((bank.time, bank.current, limits.ccl, -limits.dcl, bank.voltage, limits.cvl))
        self.soc.append(bank.cells.soc.mean(axis=0))
        self.load.append(100 * run.meter.load)


def draw(trace: Trace, title: str, path: Path) -> None:
    """Write the picture; needs matplotlib."""
    figures: Any = import_module("matplotlib.figure")
    time, current, ccl, dcl, voltage, cvl = np.array(trace.bank).T
    unit, scale = ("hours", 3600) if time[-1] > HOURS else ("minutes", 60)
    at = time / scale
    with import_module("matplotlib").rc_context(STYLE):
        figure = figures.Figure(figsize=(10, 8), layout="constrained")
        axes: Any = figure.subplots(4, 1, sharex=True, height_ratios=(3, 2, 1.5, 1.5))
        axes[0].set_title(title, loc="left")
        _draw_bank(axes[0], at, current, ccl, dcl)
        _draw_packs(axes[1], at, np.array(trace.load), "current of each pack,\n% of what it may carry", "C0")
        axes[1].axhline(100, color="black", linewidth=1.4, linestyle="--", label="its limit")
        axes[1].set_ylim(0, 150)
        _draw_packs(axes[2], at, np.array(trace.soc), "SoC of each pack, %", "C1")
        axes[3].plot(at, cvl, color="black", linestyle="--", label="CVL")
        axes[3].plot(at, voltage, color="C0", label="voltage")
        axes[3].set_ylabel("bank, V")
        axes[3].set_xlabel(unit)
        axes[3].set_xlim(0, at[-1])
        for one in axes:
            one.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        figure.savefig(path, dpi=110)


def _draw_bank(axes: Any, at: Array, current: Array, ccl: Array, dcl: Array) -> None:
    """The current as an area, the limits as the borders of what is allowed."""
    axes.fill_between(at, dcl, ccl, step="post", color="0.93", label="allowed")
    axes.step(at, ccl, where="post", color="C2", linewidth=1.6, label="CCL (charge limit)")
    axes.step(at, dcl, where="post", color="C3", linewidth=1.6, label="DCL (discharge limit)")
    axes.fill_between(at, 0, current, color="C0", alpha=0.35, linewidth=0)
    axes.plot(at, current, color="C0", linewidth=0.9, label="current")
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_ylabel("bank, A\n(+ charges)")


def _draw_packs(axes: Any, at: Array, values: Array, label: str, colour: str) -> None:
    lines = axes.plot(at, values, color=colour, linewidth=0.6, alpha=min(1.0, 6 / values.shape[1] ** 0.5 / 2))
    lines[0].set_label("one line a pack")
    axes.set_ylabel(label)
