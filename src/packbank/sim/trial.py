"""One run of one scenario under one policy: bank, inverter and limits in a closed loop, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.settings import PackSettings
from packbank.sim.bank import PhysicalBank
from packbank.sim.inverter import DVCC_PERIOD, Inverter, InverterSpec
from packbank.sim.judge import Judge
from packbank.sim.meter import Meter
from packbank.sim.oracle import ORACLE, Oracle
from packbank.sim.policy import ABSENT, Policy, policy
from packbank.sim.scenario import Scenario

Array = NDArray[np.float64]

MACHINES = 2.5  # of what the packs' BMSes allow: chargers and inverters are never what limits
SECOND = 1.0  # s, the aggregator is asked once in it
CALM = 0.5  # of a limit: a current below this is far from it
PLATEAU = (3.2, 3.35)  # V a cell, far from both ends of charge


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one run, with the keys of its JSON. Fractions are of 1; ``None`` is what had no occasion."""

    scenario: str
    policy: str
    packs: int
    seed: int
    delay: float  # s, of the BMSes' charge over-current protection
    trips: int
    repeated_trips: int  # of packs that had tripped before
    over: float  # s in which some pack's true current was 1 % over its own limit
    over_5: float  # s in which it was 5 % over
    over_20: float
    worst: float  # largest excess over a pack's own limit
    use: float | None  # current against the best possible
    turns: float  # of the limit that turns most often, a minute
    recovery: float | None  # s until the limit stays above 95 % of the best possible
    charge: float  # Ah moved in and out
    drawn: float  # Ah moved out
    highest_cell: float  # V
    rise_while_held: float  # of the packs' ceilings, by which a limit rose while packs were held
    last_minute: float  # mean amount of the current, of the bank's capacity
    stage: str  # of the charge at the end

    def json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)


class Run:
    """A closed loop of bank, inverter and policy."""

    def __init__(self, scenario: Scenario, name: str, packs: int, seed: int) -> None:
        settings = PackSettings()
        self.scenario, self.name, self.seed = scenario, name, seed
        self.bank = PhysicalBank(replace(scenario.bank, packs=packs, seed=seed))
        self.judge = Judge(self.bank, settings)
        reserve = scenario.settings.reserve_packs
        self.policy: Policy = (
            Oracle(self.bank, self.judge, settings, scenario.feed_in, reserve)
            if name == ORACLE
            else policy(name, packs, settings, scenario.settings)
        )
        self.meter = Meter(self.bank, self.judge, scenario.recovery_from)
        self.ampere = float(self.judge.charge.ceiling.sum())  # what a sun or load of 1 is
        most = MACHINES * self.ampere
        self.inverter = Inverter(
            InverterSpec(charge=most, discharge=most, feed_in=scenario.feed_in, exports=scenario.exports)
        )
        self.limits = ABSENT

    def play(self, seconds: float, tell: Callable[[Run], None] | None = None) -> Result:
        """Simulate ``seconds``; ``tell`` is called after every second."""
        bank, events, restarts = self.bank, list(self.scenario.events), list(self.scenario.restarts)
        sun, load = (self.ampere * x for x in self.scenario.profile.fractions(int(seconds) + 1, self.seed))
        look = float(self.seed % int(DVCC_PERIOD))  # the next one of DVCC
        while bank.time < seconds - 1e-6:
            while events and events[0][0] <= bank.time:
                events.pop(0)[1](bank, self.inverter)
            if restarts and restarts[0] <= bank.time:
                restarts.pop(0)
                self.policy.restart()
            self.limits = self.policy.step(bank.rows(), bank.time, self.inverter.draw)
            second = int(bank.time)
            self.meter.published(self.limits)
            if bank.time >= look - 1e-6:
                wanted = sun[second] - load[second]
                self.meter.compare(wanted, self.limits, self.inverter.ceiling, self.inverter.room)
                held = self.limits.cvl + self.scenario.charger_error
                self.inverter.take_limits(held, self.limits.ccl, self.limits.dcl)
                look += DVCC_PERIOD * np.ceil((bank.time + 1e-3 - look) / DVCC_PERIOD)
            self._advance(self._pace(), sun[second], load[second])
            if tell:
                tell(self)
        return self._result()

    def _advance(self, seconds: float, sun: float, load: float) -> None:
        """Let the physics run until the aggregator is asked again."""
        bank, dt = self.bank, self.scenario.step if seconds == SECOND else seconds
        for _ in range(round(seconds / dt)):
            current = self.inverter.request(dt, sun, load)
            network = bank.step(dt, current, self.inverter.ceiling, self.inverter.least)
            self.inverter.settle(bank.current)
            self.meter.step(dt, network, self.limits.cvl)

    def _pace(self) -> float:
        """Seconds until the aggregator is asked again: more than one only in a scenario that allows it."""
        bank, limits = self.bank, self.limits
        small = -CALM * limits.dcl < bank.current < CALM * limits.ccl
        flat = PLATEAU[0] < bank.voltage / bank.spec.cells < PLATEAU[1]
        return max(SECOND, self.scenario.step, self.scenario.calm if small and flat else 0.0)

    def _result(self) -> Result:
        meter, bank = self.meter, self.bank
        return Result(
            scenario=self.scenario.name,
            policy=self.name,
            packs=bank.spec.packs,
            seed=self.seed,
            delay=bank.spec.charge_delay,
            trips=int(bank.trips.sum()),
            repeated_trips=int(np.maximum(bank.trips - 1, 0).sum()),
            over=meter.over,
            over_5=meter.over_5,
            over_20=meter.over_20,
            worst=max(meter.worst, 0.0),
            use=meter.did / meter.could if meter.could > 0 and not self.scenario.feed_in else None,
            turns=meter.turns(),
            recovery=None if self.scenario.feed_in else meter.recovery(),
            charge=meter.moved,
            drawn=meter.drawn,
            highest_cell=meter.highest_cell,
            rise_while_held=meter.rise,
            last_minute=meter.last_minute(),
            stage=self.policy.stage,
        )
