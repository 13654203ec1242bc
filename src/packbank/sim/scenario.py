"""What one trial consists of, and what is asked of a rule in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from packbank.aggregator.settings import BankSettings
from packbank.model.controls import Controls
from packbank.sim.bank import BankSpec, Odd
from packbank.sim.events import Event
from packbank.sim.weather import Profile

CLOCK = 1_800_000_000.0  # s since 1970: a morning in January 2027


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a rule must show in a scenario where the oracle has no trip."""

    use: float = 0.88  # of the best possible current
    turns: float = 0.5  # of a limit, a minute
    over_20: float = 6.0  # s with some pack over 20 % over its own limit
    recovery: float = 45.0  # s from the first full load and the first full sun
    trips: int = 0
    rise_while_held: float = 0.02  # of the packs' ceilings
    cvl_rise_while_held: float = 0.1  # V
    cvl_turns: float = 0.5  # a minute
    charge_at_zero: float = np.inf  # charge current while CCL has been 0 for a minute, of the bank's capacity
    exported_below: float = 0.5  # Ah, out of the packs into the grid below the voltage at the start
    drawn: float = np.inf  # Ah out of the packs
    named: float = 60.0  # s after the first notable step of the current, in which a wrong sensor is named
    use_once_named: float = 0.65
    false_alarms: int = 0
    stage: str = ""  # of the charge at the end
    absorption: float = np.inf  # s, the longest
    shortest_absorption: float = 0.0  # s, of those that ended in float
    unnamed: float = 5400.0  # s of an absorption in which no pack is named for it
    top_balances: tuple[int, int] = (0, 1000)
    cvl_fall: float = np.inf  # V, the largest between two looks of DVCC


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One trial of ``seconds``, of banks of ``packs``.

    ``step`` is the simulated step, s, ``calm`` the one far from limits. ``recovery_from`` says when what is to be
    learned has happened. ``apart`` keeps a long one out of "all".
    """

    name: str
    summary: str
    bank: BankSpec = field(default_factory=BankSpec)
    profile: Profile
    seconds: float
    packs: int = 16
    settings: BankSettings = field(default_factory=BankSettings)
    feed_in: bool = False  # chargers heed no CCL
    exports: float = 0.0  # of what the packs' BMSes may be charged with: what the inverter feeds into the grid at most
    events: tuple[tuple[float, Event], ...] = ()
    restarts: tuple[float, ...] = ()  # s, of the process that sets the limits
    pause: float = 0.0  # s for which that process stands still, a minute after absorption has begun
    charger_error: float = 0.0  # V, by which the chargers hold another voltage than the CVL
    controls: tuple[tuple[float, Controls], ...] = ((0.0, Controls()),)  # what the user sets, and when
    clock: tuple[tuple[float, float], ...] = ((0.0, CLOCK),)  # s, and what the wall clock is ahead of it from then on
    ask: Ask = field(default_factory=Ask)
    recovery_from: float = 0.0
    step: float = 0.25
    calm: float = 0.0
    apart: bool = False


# Banks of several rows.
MIXED = BankSpec(capacity_spread=0.25, oldest=2.5)
SIMILAR = BankSpec(capacity_spread=0.1, oldest=1.5)
ONE_NEW = BankSpec(newest=2.2, oldest=2.2, odd=(Odd(resistance=0.8 / 2.2),))
