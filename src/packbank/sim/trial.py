"""One run of one scenario under one policy: bank, inverter and limits in a closed loop, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.settings import PackSettings
from packbank.sim.bank import PhysicalBank
from packbank.sim.busbar import Network
from packbank.sim.inverter import DVCC_PERIOD, Inverter, InverterSpec
from packbank.sim.judge import Judge
from packbank.sim.policy import Limits, Oracle, Policy, policy
from packbank.sim.scenarios import Scenario

Array = NDArray[np.float64]

LASTING = 10.0  # s, an overshoot beyond the tolerance may take this long until the loop has answered
OVERSHOOT = 0.05
FAINT = 0.1  # of the packs' ceilings: smaller currents, near full and empty, are not compared
CALM = 0.5  # of a limit: a current below this is far from it
PLATEAU = (3.2, 3.35)  # V a cell, far from both ends of charge
CHARGER = 130.0  # A a pack, of the chargers
INVERTER = 180.0  # A a pack
ORACLE = "oracle"
START = 60.0  # s until the first comparison with the best possible current
SAMPLE = 10.0  # s between two comparisons with the best possible current
_FULL_CELL = 3.38  # V: a pack whose mean cell is above ...
_BALANCED = 0.025  # V: ... and whose cells are this near to each other is full and balanced


@dataclass(slots=True)
class Score:
    """What a run is judged by. Times are s, energies J."""

    worst_overshoot: float = -1.0
    overshoot_seconds: float = 0.0
    breach_seconds: float = 0.0  # longest time beyond the scenario's own tolerance
    moved: float = 0.0
    could: float = 0.0  # sum of the best possible currents at the samples where it was wanted
    did: float = 0.0
    changes: int = 0
    full: Array = field(default_factory=lambda: np.empty(0))  # hour of each pack's first time full and balanced


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the trial, with the keys of its JSON."""

    scenario: str
    policy: str
    packs: int
    hours: float
    seed: int
    worst_overshoot: float
    overshoot_seconds: float
    bms_trips: int
    current_utilisation: float | None
    energy_utilisation: float | None
    limit_changes_per_minute: float
    all_full_hours: float | None

    def json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)


class Watch:
    """Keeps the score of a run."""

    def __init__(self, bank: PhysicalBank, judge: Judge, tolerance: float) -> None:
        self.score = Score(full=np.full(bank.spec.packs, np.inf))
        self._bank = bank
        self._judge = judge
        self._tolerance = tolerance
        self._over = np.zeros(bank.spec.packs)
        self._breach = np.zeros(bank.spec.packs)
        self._counted: Array | None = None
        self.load = np.zeros(bank.spec.packs)  # fraction of what it may carry
        total = bank.spec.packs * np.array([judge.charge.ceiling.mean(), judge.discharge.ceiling.mean()])
        self._notable = np.array([0.05, *(0.01 * total)])  # V, A, A: a smaller change of a limit is none

    def step(self, dt: float, network: Network, cvl: float) -> None:
        """After a step of the bank, under the published ``cvl``."""
        bank, score = self._bank, self.score
        over = self._judge.overshoot(network, cvl)
        self.load = np.maximum(1 + over, 0.0)
        worst = float(over.max())
        score.worst_overshoot = max(score.worst_overshoot, worst)
        self._over = np.where(over > OVERSHOOT, self._over + dt, 0.0)
        self._breach = np.where(over > self._tolerance, self._breach + dt, 0.0)
        if worst > OVERSHOOT:
            score.overshoot_seconds = max(score.overshoot_seconds, float(self._over.max()))
            score.breach_seconds = max(score.breach_seconds, float(self._breach.max()))
        score.moved += abs(bank.voltage * bank.current) * dt
        if bank.voltage > _FULL_CELL * bank.spec.cells - 0.5:
            cells = bank.cell_voltages
            full = (cells.mean(axis=0) > _FULL_CELL) & (np.ptp(cells, axis=0) < _BALANCED)
            score.full[full] = np.minimum(score.full[full], bank.time / 3600)

    def published(self, limits: Limits) -> None:
        """Count notable changes of what is published."""
        new = np.nan_to_num(np.array([limits.cvl, limits.ccl, limits.dcl]))
        if self._counted is None:
            self._counted = new
        elif (np.abs(new - self._counted) > self._notable).any():
            self.score.changes += 1
            self._counted = new

    def compare(self, wanted: float, ceiling: float) -> None:
        """Hold the bank's current against the best possible one, where more is wanted than that."""
        side = self._judge.charge if wanted > 0 else self._judge.discharge
        best = self._judge.best(side, 1.0, ceiling)
        if abs(wanted) > best > FAINT * float(side.ceiling.sum()):
            self.score.could += best
            self.score.did += max(side.sign * self._bank.current, 0.0)


class Run:
    """A closed loop of bank, inverter and policy."""

    def __init__(self, scenario: Scenario, name: str, packs: int, seed: int) -> None:
        settings = PackSettings()
        self.scenario, self.name = scenario, name
        self.bank = PhysicalBank(replace(scenario.bank, packs=packs, seed=seed, protected=name != ORACLE))
        judge = Judge(self.bank, settings)
        self.policy: Policy = (
            Oracle(self.bank, judge, settings) if name == ORACLE else policy(name, packs, settings, scenario.settings)
        )
        self.watch = Watch(self.bank, judge, scenario.tolerance)
        self.inverter = Inverter(InverterSpec(charge=packs * CHARGER, discharge=packs * INVERTER))
        self.limits = Limits(np.nan, 0.0, 0.0)
        self._events = [(hour * 3600, effect) for hour, effect in scenario.events]

    def play(self, hours: float, tell: Callable[[Run], None] | None = None) -> Score:
        """Simulate ``hours``; ``tell`` is called after every step."""
        bank, seconds = self.bank, int(hours * 3600)
        solar, load = self.scenario.profile.powers(seconds, bank.spec.packs, bank.spec.seed)
        tick, sample = 0.0, START
        while bank.time < seconds:
            while self._events and self._events[0][0] <= bank.time:
                self._events.pop(0)[1].apply(bank)
            self.limits = self.policy.step(bank.rows(), bank.time)
            if bank.time >= tick:
                self.inverter.take_limits(self.limits.cvl, self.limits.ccl, self.limits.dcl)
                self.watch.published(self.limits)
                tick = bank.time + DVCC_PERIOD
            second = int(bank.time)
            if bank.time >= sample:
                self.watch.compare((solar[second] - load[second]) / bank.voltage, self.inverter.ceiling)
                sample = bank.time + SAMPLE
            self._advance(self._pace(), solar[second], load[second])
            if tell:
                tell(self)
        return self.watch.score

    def _advance(self, dt: float, solar: float, load: float) -> None:
        bank = self.bank
        current = self.inverter.request(dt, solar, load, bank.voltage)
        self.watch.step(dt, bank.step(dt, current, self.inverter.ceiling), self.limits.cvl)
        self.inverter.settle(bank.current)

    def _pace(self) -> float:
        """The next step, s: a scenario's long one only far from every limit and from both ends of charge."""
        bank, limits = self.bank, self.limits
        small = -CALM * limits.dcl < bank.current < CALM * limits.ccl
        flat = PLATEAU[0] < bank.voltage / bank.spec.cells < PLATEAU[1]
        step = self.scenario.calm if small and flat else self.scenario.step
        return max(step, DVCC_PERIOD) if self.name == ORACLE else step


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def best_possible(scenario: Scenario, packs: int, hours: float, seed: int) -> Score:
    """The score of the oracle, which other policies' energy is measured against."""
    return Run(scenario, ORACLE, packs, seed).play(hours)


def trial(run: Run, hours: float, best: Score, tell: Callable[[Run], None] | None = None) -> tuple[Result, Score]:
    """Play ``run`` and say what came of it, measured against the ``best`` possible."""
    score = run.play(hours, tell)
    last = float(score.full.max())
    result = Result(
        scenario=run.scenario.name,
        policy=run.name,
        packs=run.bank.spec.packs,
        hours=hours,
        seed=run.bank.spec.seed,
        worst_overshoot=max(score.worst_overshoot, 0.0),
        overshoot_seconds=score.overshoot_seconds,
        bms_trips=run.bank.trips,
        current_utilisation=_share(score.did, score.could),
        energy_utilisation=_share(score.moved, best.moved),
        limit_changes_per_minute=score.changes / (hours * 60),
        all_full_hours=last if np.isfinite(last) else None,
    )
    return result, score


def broken(scenario: Scenario, result: Result, score: Score) -> list[str]:
    """What a run breaks of what is asked of our policy, in words."""
    faults = []
    if score.breach_seconds > LASTING:
        faults.append(f"a pack was {scenario.tolerance:.0%} over its own limit for {score.breach_seconds:.0f} s")
    if result.bms_trips:
        faults.append(f"{result.bms_trips} BMS trips")
    if result.current_utilisation is not None and result.current_utilisation < scenario.utilisation:
        faults.append(f"used {result.current_utilisation:.1%} of the best current, {scenario.utilisation:.0%} is asked")
    return faults
