"""The score of a run: excess over the packs' own limits, use of the best possible current, how the limits move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packbank.model.columns import Column
from packbank.sim.bank import PhysicalBank
from packbank.sim.busbar import Network
from packbank.sim.judge import Judge
from packbank.sim.policy import Limits

Array = NDArray[np.float64]

FAINT = 0.1  # of the packs' ceilings: smaller currents, near full and empty, are not compared
NOTABLE = 0.02  # of the packs' ceilings: a current limit that turns by less has not turned
NOTABLE_CVL = 0.05  # V
RECOVERED = 0.95  # of the best possible
STAYS = 30.0  # s above it
PATIENT = 6.0  # s of over-current that outlast a look of DVCC and the lag of the chargers
HELD = (7.0, 29.0)  # s of silence in which a pack is held
LOST = 30.0  # s of silence after which it is lost


class Meter:
    """Keeps the score of a run."""

    def __init__(self, bank: PhysicalBank, judge: Judge, recovery_from: float) -> None:
        self._bank = bank
        self._judge = judge
        self._from = recovery_from
        self.worst = -1.0
        self.over = self.over_5 = self.over_20 = 0.0  # s
        self.could = self.did = 0.0  # A, summed over the looks at which more was wanted than is possible
        self.moved = self.drawn = 0.0  # Ah, both ways and out of the packs
        self.exported_below = 0.0  # Ah, out of the packs into the grid below the voltage at the start
        self._start = bank.voltage
        self.highest_cell = 0.0  # V
        self.rise = 0.0  # of the packs' ceilings, by which a current limit rose while packs were held
        self.cvl_rise = 0.0  # V, likewise
        self._silent_since = np.inf
        self._lowest = np.full(3, np.inf)  # limits of this silence
        self.load = np.zeros(bank.spec.packs)  # fraction of what each pack may carry
        self._ceilings = np.array([judge.charge.ceiling.sum(), judge.discharge.ceiling.sum()])
        self._notable = np.array([*(NOTABLE * self._ceilings), NOTABLE_CVL])
        self._extreme = np.zeros(3)  # CCL, DCL, CVL where they turned last, or have gone since
        self._heading = np.zeros(3)
        self._turns = np.zeros(3)
        self._looks: dict[float, list[tuple[float, float]]] = {1.0: [], -1.0: []}  # by direction: time, of the best

    def step(self, dt: float, network: Network, cvl: float, draw: float) -> None:
        """After a step of the bank, under the published ``cvl``, with loads of ``draw`` A."""
        excess = self._judge.excess(network, cvl)
        self.load = 1 + excess
        worst = float(excess.max())
        self.worst = max(self.worst, worst)
        self.over += dt * (worst > 0.01)
        self.over_5 += dt * (worst > 0.05)
        self.over_20 += dt * (worst > 0.20)
        self.moved += abs(self._bank.current) * dt / 3600
        self.drawn += max(-self._bank.current, 0.0) * dt / 3600
        if self._bank.voltage < self._start:
            self.exported_below += max(-self._bank.current - draw, 0.0) * dt / 3600
        self.highest_cell = max(self.highest_cell, float(self._bank.cell_voltages.max()))

    def published(self, limits: Limits) -> None:
        """Count where a limit turns, and see whether one rises while packs are held."""
        new = np.array([limits.ccl, limits.dcl, limits.cvl if limits.cvl > 0 else self._extreme[2]])
        self._watch_silence(new)
        further = self._heading * (new - self._extreme) > 0
        self._extreme = np.where(further, new, self._extreme)
        turned = np.abs(new - self._extreme) > self._notable
        self._turns += turned & (self._heading != 0)
        self._heading = np.where(turned, np.sign(new - self._extreme), self._heading)
        self._extreme = np.where(turned, new, self._extreme)

    def compare(self, wanted: float, limits: Limits, ceiling: float, room: float) -> None:
        """Hold limit and current against the best possible current, where more is ``wanted`` than that.

        The best charge leaves ``room`` for known loads that may go off, as the oracle does. The limit is compared with
        that room in both: in what little large loads leave, each per cent of the bank would count several times. And
        it is compared with the best that holds whether lost packs conduct or not, since nobody can see which.
        """
        side, bank = self._judge.side(wanted), self._bank
        ceiling = ceiling if ceiling > 0 else np.inf
        most, _ = self._judge.best(side, 1.0, ceiling)
        room = room if side.sign > 0 and bank.spec.charge_delay < PATIENT else 0.0
        best = most - room
        if abs(wanted) <= best or best < FAINT * float(side.ceiling.sum()):
            return
        self.could += best
        self.did += max(side.sign * bank.current, 0.0)
        lost = bank.time - bank.telemetry.rows[:, Column.STATUS_TIME] > LOST
        if lost.any():
            most = min(most, self._judge.best(side, 1.0, ceiling, opening=lost)[0])
        limit = limits.ccl if side.sign > 0 else limits.dcl
        if most > 0:
            self._looks[side.sign].append((bank.time, (limit + room) / most))

    def _watch_silence(self, new: Array) -> None:
        now = self._bank.time
        if not self._bank.telemetry.silent.any():
            self._silent_since, self._lowest = np.inf, np.full(3, np.inf)
            return
        self._silent_since = min(self._silent_since, now)
        if HELD[0] <= now - self._silent_since <= HELD[1]:
            self._lowest = np.minimum(self._lowest, new)
            rise = new - self._lowest
            self.rise = max(self.rise, float((rise[:2] / self._ceilings).max()))
            self.cvl_rise = max(self.cvl_rise, float(rise[2]))

    def cvl_turns(self) -> float:
        """Turns of CVL a minute."""
        return float(self._turns[2]) / (self._bank.time / 60)

    def turns(self) -> float:
        """Turns a minute of the limit that turns most often."""
        return float(self._turns.max()) / (self._bank.time / 60)

    def recovery(self) -> float | None:
        """Seconds from the first full load, and from the first full sun, until the limit stays near the best."""
        needed = [time for looks in self._looks.values() if (time := self._settles(looks)) is not None]
        return max(needed, default=None)

    def _settles(self, looks: list[tuple[float, float]]) -> float | None:
        looks = [look for look in looks if look[0] >= self._from]
        if not looks:
            return None
        times, ratios = np.array(looks).T
        low = times[ratios < RECOVERED]
        for start in (times[0], *(times[times > time][0] for time in low if (times > time).any())):
            if not ((low >= start) & (low < start + STAYS)).any():
                return float(start - times[0])
        return float(times[-1] - times[0])
