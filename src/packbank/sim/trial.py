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
from packbank.sim.policy import ABSENT, Moment, Policy, policy
from packbank.sim.scenario import Scenario
from packbank.sim.watch import SensorWatch, StageWatch, ZeroWatch

Array = NDArray[np.float64]

MACHINES = 2.5  # of what the packs' BMSes allow: chargers and inverters are never what limits
PAUSE_AFTER = 60.0  # s after the start of the first absorption
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
    use_once_named: float | None  # the same, from when the wrong sensor was named
    turns: float  # of the limit that turns most often, a minute
    cvl_turns: float  # of CVL
    recovery: float | None  # s until the limit stays above 95 % of the best possible
    charge: float  # Ah moved in and out
    drawn: float  # Ah moved out
    exported_below: float  # Ah out of the packs into the grid, below the voltage at the start
    charge_at_zero: float | None  # charge while CCL had been 0 for a minute: worst 10 s, of the capacity an hour
    highest_cell: float  # V
    rise_while_held: float  # of the packs' ceilings, by which a current limit rose while packs were held
    cvl_rise_while_held: float  # V, likewise
    stepped: bool  # the current made a notable step with a wrong sensor
    named: float | None  # s from that step until every wrong sensor was named
    false_alarms: int  # of sensors that are right
    stage: str  # of the charge at the end
    stages: dict[str, float]  # h
    absorption: float  # s, the longest
    shortest_absorption: float | None  # s, of those that ended in float, without pauses of the process; None: none did
    unnamed: float  # s of one absorption in which no pack was named for it
    top_balances: int  # begun
    top_balance: float  # s, the longest
    cvl_fall: float  # V, the largest between two looks

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
            Oracle(self.bank, self.judge, settings, self._lower if scenario.feed_in else None, reserve)
            if name == ORACLE
            else policy(name, packs, settings, scenario.settings)
        )
        self.meter = Meter(self.bank, self.judge, scenario.recovery_from)
        self.stages, self.zero = StageWatch(), ZeroWatch(self.bank)
        self._before_naming = (0.0, 0.0)  # A, what was used and what was possible until then
        self.ampere = float(self.judge.charge.ceiling.sum())  # what a sun or load of 1 is
        self.sensors = SensorWatch(self.bank, self.ampere)
        most = MACHINES * self.ampere
        self.inverter = Inverter(
            InverterSpec(
                charge=most,
                discharge=most,
                feed_in=scenario.feed_in,
                exports=scenario.exports * self.ampere,
                charger_error=scenario.charger_error,
            )
        )
        self.limits = ABSENT

    def play(self, seconds: float, each_second: Callable[[Run], None] | None = None) -> Result:
        """Simulate ``seconds``; ``each_second`` is called after every second."""
        bank, events, restarts = self.bank, list(self.scenario.events), list(self.scenario.restarts)
        sun, load = (self.ampere * x for x in self.scenario.profile.fractions(int(seconds) + 1, self.seed))
        look = float(self.seed % int(DVCC_PERIOD))  # the next one of DVCC
        while bank.time < seconds - 1e-6:
            while events and events[0][0] <= bank.time:
                events.pop(0)[1](bank, self.inverter)
            if restarts and restarts[0] <= bank.time:
                restarts.pop(0)
                self.policy.restart()
            second = int(bank.time)
            if not self._pauses():
                self.limits = self.policy.step(bank.rows(), self._moment())
                self._watch()
            if bank.time >= look - 1e-6:
                wanted = sun[second] - load[second]
                self.meter.compare(wanted, self.limits, self.inverter.ceiling, self.inverter.room)
                self.inverter.take_limits(self.limits.cvl, self.limits.ccl, self.limits.dcl)
                look += DVCC_PERIOD * np.ceil((bank.time + 1e-3 - look) / DVCC_PERIOD)
            self._advance(self._pace(), sun[second], load[second])
            if each_second:
                each_second(self)
        return self._result()

    def _pauses(self) -> bool:
        """Whether the process stands still now; chargers and inverter keep the limits that they have."""
        begun = self.stages.first_absorption
        return begun is not None and 0 <= self.bank.time - begun - PAUSE_AFTER < self.scenario.pause

    def _lower(self) -> float:
        """The voltage by which the chargers lift the bus over the CVL.

        An inverter that exports all that there is holds the bus at the CVL, whatever the chargers' voltage.
        """
        spec = self.inverter.spec
        return 0.0 if spec.exports and spec.exports >= self.inverter.sun else spec.charger_error

    def _moment(self) -> Moment:
        now = self.bank.time
        _, controls = [entry for entry in self.scenario.controls if entry[0] <= now][-1]
        _, ahead = [entry for entry in self.scenario.clock if entry[0] <= now][-1]
        return Moment(now, now + ahead, self.inverter.draw, controls)

    def _watch(self) -> None:
        """Judge what was published."""
        battery, limits = self.policy.battery, self.limits
        self.meter.published(limits)
        self.zero.look(limits)
        self.stages.look(battery, limits, self.bank.time)
        self.sensors.look(battery)
        if self.sensors.named_at is None:
            self._before_naming = self.meter.did, self.meter.could

    def _advance(self, seconds: float, sun: float, load: float) -> None:
        """Let the physics run until the aggregator is asked again."""
        bank, dt = self.bank, self.scenario.step if seconds == SECOND else seconds
        for _ in range(round(seconds / dt)):
            current = self.inverter.request(dt, sun, load)
            network = bank.step(dt, current, self.inverter.ceiling, self.inverter.least, self.inverter.export)
            self.inverter.settle(bank.voltage, bank.current)
            self.meter.step(dt, network, self.limits.cvl, self.inverter.draw)

    def _pace(self) -> float:
        """Seconds until the aggregator is asked again: more than one only in a scenario that allows it."""
        bank, limits = self.bank, self.limits
        small = -CALM * limits.dcl < bank.current < CALM * limits.ccl
        flat = PLATEAU[0] < bank.voltage / bank.spec.cells < PLATEAU[1]
        return max(SECOND, self.scenario.step, self.scenario.calm if small and flat else 0.0)

    def _result(self) -> Result:
        meter, bank, stages, sensors = self.meter, self.bank, self.stages, self.sensors
        did, could = meter.did - self._before_naming[0], meter.could - self._before_naming[1]
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
            use_once_named=did / could if sensors.named_at is not None and could > 0 else None,
            turns=meter.turns(),
            cvl_turns=meter.cvl_turns(),
            recovery=None if self.scenario.feed_in else meter.recovery(),
            charge=meter.moved,
            drawn=meter.drawn,
            exported_below=meter.exported_below,
            charge_at_zero=self.zero.charge,
            highest_cell=meter.highest_cell,
            rise_while_held=meter.rise,
            cvl_rise_while_held=meter.cvl_rise,
            stepped=sensors.stepped_at is not None,
            named=sensors.named_after,
            false_alarms=sensors.false_alarms,
            stage=stages.stage,
            stages={stage: seconds / 3600 for stage, seconds in stages.seconds.items()},
            absorption=stages.absorption,
            shortest_absorption=stages.shortest,
            unnamed=stages.unnamed,
            top_balances=stages.top_balances,
            top_balance=stages.top_balance,
            cvl_fall=stages.cvl_fall,
        )
