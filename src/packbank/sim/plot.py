"""A picture of one run: limits and current of the bank, its packs, state of charge and voltage over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.errors import PackbankError
from packbank.sim.trial import Run

Array = NDArray[np.float64]


@dataclass(slots=True)
class Trace:
    """What a plot needs of a run, as often as ``every`` s."""

    every: float = 30.0
    bank: list[tuple[float, ...]] = field(default_factory=list)  # hour, current, CCL, DCL, voltage, CVL
    soc: list[Array] = field(default_factory=list)
    load: list[Array] = field(default_factory=list)  # fraction of its own limit that each pack carries

    def __call__(self, run: Run) -> None:
        """Take note of the state after a step."""
        bank, limits = run.bank, run.limits
        if self.bank and bank.time / 3600 < self.bank[-1][0] + self.every / 3600 - 1e-9:
            return
        self.bank.append((bank.time / 3600, bank.current, limits.ccl, -limits.dcl, bank.voltage, limits.cvl))
        self.soc.append(bank.cells.soc.mean(axis=0))
        self.load.append(100 * run.watch.load)


def draw(trace: Trace, title: str, path: Path) -> None:
    """Write the picture; needs matplotlib (the extra ``plot``)."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise PackbankError("--plot needs matplotlib: pip install 'packbank[plot]'") from error
    hour, current, ccl, dcl, voltage, cvl = np.array(trace.bank).T
    with mpl.rc_context({"font.size": 8, "axes.grid": True, "grid.alpha": 0.3, "lines.linewidth": 0.9}):
        figure = Figure(figsize=(9, 7), layout="constrained")
        axes: Any = figure.subplots(4, 1, sharex=True)
        axes[0].set_title(title)
        axes[0].plot(hour, ccl, "C2", hour, dcl, "C3", hour, current, "C0")
        axes[0].legend(["CCL", "DCL", "current"], loc="upper right", ncols=3)
        axes[0].set_ylabel("bank, A")
        axes[1].plot(hour, np.array(trace.load), "C0", linewidth=0.4, alpha=0.5)
        axes[1].axhline(100, color="C3")
        axes[1].set_ylim(0, 115)
        axes[1].set_ylabel("each pack's current,\n% of its own limit")
        axes[2].plot(hour, np.array(trace.soc), "C1", linewidth=0.5, alpha=0.6)
        axes[2].set_ylabel("packs' SoC, %")
        axes[3].plot(hour, cvl, "C2", hour, voltage, "C0")
        axes[3].legend(["CVL", "voltage"], loc="lower right", ncols=2)
        axes[3].set_ylabel("bank, V")
        axes[3].set_xlabel("hours")
        axes[3].set_xlim(0, hour[-1])
        figure.savefig(path, dpi=110)
