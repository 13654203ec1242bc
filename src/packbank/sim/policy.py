"""Ways to combine the packs' limits into the bank's, side by side on the same packs and the same curves."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.bank import Bank
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.battery import PackView, Presence, VirtualBattery
from packbank.model.controls import Controls, External

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a policy publishes; a CVL of ``NaN`` says that the battery is not on the bus."""

    cvl: float
    ccl: float
    dcl: float


ABSENT = Limits(np.nan, 0.0, 0.0)
AWAY = 1.0  # s from the last step of a process to the first of the next


NO_CONTROLS = Controls()


@dataclass(frozen=True, slots=True)
class Moment:
    """When a policy is asked, and what it may know beside the matrix."""

    now: float  # s, monotonic
    wall: float  # s since 1970, as the clock of the GX says, which may jump
    loads: float = 0.0  # A, as the GX sees them: the chargers feed them too
    controls: Controls = NO_CONTROLS  # the user's wishes


class Policy(Protocol):
    """Once a second the matrix, out come limits."""

    def step(self, rows: Array, moment: Moment) -> Limits:
        """The limits to publish at that moment."""

    def restart(self) -> None:
        """The process ends and begins again, with the state that it saved."""

    @property
    def battery(self) -> VirtualBattery | None:
        """What it published last beside the limits, where it publishes a battery."""


class Packbank:
    """packbank's own aggregator."""

    def __init__(self, packs: int, settings: PackSettings, bank: BankSettings) -> None:
        names = [f"pack {number + 1}" for number in range(packs)]
        self._make = partial(Bank, names, [settings] * packs, bank, [True] * packs, state_age=AWAY)
        self._bank = self._make(None)
        self.battery: VirtualBattery | None = None

    def restart(self) -> None:
        """Begin again with the state as it comes back from a file."""
        self._bank = self._make(json.loads(json.dumps(self._bank.state())))

    def step(self, rows: Array, moment: Moment) -> Limits:
        """Publish what the aggregator says, once it is ready, as the daemon does."""
        external = External(loads=moment.loads)
        battery = self.battery = self._bank.step(rows, moment.now, moment.wall, moment.controls, external)
        if battery.lost or not battery.ready:
            return ABSENT
        limits = (battery.charge_voltage_limit, battery.charge_current_limit, battery.discharge_current_limit)
        return Limits(*(limit.value for limit in limits))


Combine = Callable[[Sequence[float]], float]
_COUNTED = (Presence.FRESH, Presence.HELD)


class Rival:
    """The same packs, the same limit of each pack and the same CVL, but another way to combine currents.

    ``n-min``: the smallest limit times the number of packs that conduct, as dbus-aggregate-batteries does.
    ``sum``: all limits added up, as masters of several makers do. Lost and blocked packs are left out. Both are
    given our margin, which they do not have, so that what is left to differ is the way to combine.
    """

    def __init__(self, combine: Combine, packs: int, settings: PackSettings, bank: BankSettings) -> None:
        self._packbank = Packbank(packs, settings, bank)
        self._combine = combine
        self._margin = 1 + bank.sensor_error
        self.restart = self._packbank.restart

    @property
    def battery(self) -> VirtualBattery | None:
        """Packbank's, whose limits are left out."""
        return self._packbank.battery

    def step(self, rows: Array, moment: Moment) -> Limits:
        """Combine the packs' own limits."""
        limits = self._packbank.step(rows, moment)
        packs: Sequence[PackView] = self.battery.packs if self.battery else ()
        counted = [pack for pack in packs if pack.presence in _COUNTED]
        charge = [pack.charge_limit for pack in counted if not pack.blocks_charge]
        discharge = [pack.discharge_limit for pack in counted if not pack.blocks_discharge]
        return Limits(limits.cvl, self._combine(charge) / self._margin, self._combine(discharge) / self._margin)


def n_min(limits: Sequence[float]) -> float:
    """The smallest times their number."""
    return len(limits) * min(limits, default=0.0)


RIVALS: dict[str, Combine] = {"n-min": n_min, "sum": sum}
PACKBANK = "packbank"


def policy(name: str, packs: int, settings: PackSettings, bank: BankSettings) -> Policy:
    """The policy called ``name``: packbank's or a rival's."""
    return Packbank(packs, settings, bank) if name == PACKBANK else Rival(RIVALS[name], packs, settings, bank)
