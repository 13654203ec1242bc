"""Ways to combine the packs' limits into the bank's, side by side on the same packs and the same curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.bank import Bank
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.battery import PackView, Presence, VirtualBattery
from packbank.sim.bank import PhysicalBank
from packbank.sim.inverter import DVCC_PERIOD
from packbank.sim.judge import Judge

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a policy publishes; a CVL of ``NaN`` says that the battery has left the bus."""

    cvl: float
    ccl: float
    dcl: float


class Policy(Protocol):
    """Once a second the matrix, out come limits."""

    def step(self, rows: Array, now: float) -> Limits:
        """The limits to publish at ``now``."""


def _aggregator(packs: int, settings: PackSettings, bank: BankSettings) -> Bank:
    names = [f"pack {number + 1}" for number in range(packs)]
    return Bank(names, [settings] * packs, bank, [True] * packs, None)


class Share:
    """packbank's own aggregator."""

    def __init__(self, packs: int, settings: PackSettings, bank: BankSettings) -> None:
        self._bank = _aggregator(packs, settings, bank)
        self.battery: VirtualBattery | None = None

    def step(self, rows: Array, now: float) -> Limits:
        """Publish what the aggregator says."""
        battery = self.battery = self._bank.step(rows, now, now)
        cvl = np.nan if battery.lost else battery.charge_voltage_limit.value
        return Limits(cvl, battery.charge_current_limit.value, battery.discharge_current_limit.value)


Combine = Callable[[Sequence[float]], float]
_COUNTED = (Presence.FRESH, Presence.HELD)


class Rival:
    """The same packs, the same limit of each pack and the same CVL, but another way to combine currents.

    ``n-min``: the smallest limit times the number of packs that conduct, as dbus-aggregate-batteries does.
    ``sum``: all limits added up, as masters of several makers do. Lost and blocked packs are left out. Both are
    given our margin, which they do not have, so that what is left to differ is the way to combine.
    """

    def __init__(self, combine: Combine, packs: int, settings: PackSettings, bank: BankSettings) -> None:
        self._share = Share(packs, settings, bank)
        self._combine = combine
        self._margin = 1 + bank.sensor_error

    def step(self, rows: Array, now: float) -> Limits:
        """Combine the packs' own limits."""
        limits = self._share.step(rows, now)
        packs: Sequence[PackView] = self._share.battery.packs if self._share.battery else ()
        counted = [pack for pack in packs if pack.presence in _COUNTED]
        charge = [pack.charge_limit for pack in counted if not pack.blocks_charge]
        discharge = [pack.discharge_limit for pack in counted if not pack.blocks_discharge]
        return Limits(limits.cvl, self._combine(charge) / self._margin, self._combine(discharge) / self._margin)


def n_min(limits: Sequence[float]) -> float:
    """The smallest times their number."""
    return len(limits) * min(limits, default=0.0)


RIVALS: dict[str, Combine] = {"n-min": n_min, "sum": sum}
POLICIES = ("share", *RIVALS)


def policy(name: str, packs: int, settings: PackSettings, bank: BankSettings) -> Policy:
    """The policy called ``name``."""
    return Share(packs, settings, bank) if name == "share" else Rival(RIVALS[name], packs, settings, bank)


class Oracle:
    """The best possible: knows the true network and takes the largest current at which no pack exceeds its limit."""

    def __init__(self, bank: PhysicalBank, judge: Judge, settings: PackSettings) -> None:
        self._bank = bank
        self._judge = judge
        self._cvl = bank.spec.cells * settings.max_cell_voltage
        self._best = {1.0: 0.0, -1.0: 0.0}  # by the sign of the current; only the one in use is kept up to date

    def step(self, rows: Array, now: float) -> Limits:  # noqa: ARG002 it needs no measurement
        """The limits of this instant."""
        side, other = self._judge.charge, self._judge.discharge
        if self._bank.current < 0:
            side, other = other, side
        self._best[side.sign] = self._judge.best(side, DVCC_PERIOD, self._cvl)
        if not self._bank.current:
            self._best[other.sign] = self._judge.best(other, DVCC_PERIOD, self._cvl)
        return Limits(self._cvl, self._best[1.0], self._best[-1.0])
