"""What one trial consists of, and what is asked of a rule in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from packbank.aggregator.settings import BankSettings
from packbank.sim.bank import BankSpec, Odd
from packbank.sim.events import Event
from packbank.sim.weather import Profile


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a rule must show in a scenario where the oracle has no trip."""

    use: float = 0.88  # of the best possible current
    turns: float = 0.5  # of a limit, a minute
    over_20: float = 6.0  # s with some pack over 20 % over its own limit
    recovery: float = 45.0  # s from the first full load and the first full sun
    trips: int = 0
    rise_while_held: float = 0.02  # of the packs' ceilings
    stage: str = ""  # of the charge at the end
    last_minute: float = np.inf  # current of the last minute, of the bank's capacity
    drawn: float = np.inf  # Ah out of the packs


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
    feed_in: bool = False
    exports: bool = False
    events: tuple[tuple[float, Event], ...] = ()
    restarts: tuple[float, ...] = ()  # s, of the process that sets the limits
    charger_error: float = 0.0  # V, by which the chargers hold another voltage than the CVL
    ask: Ask = field(default_factory=Ask)
    recovery_from: float = 0.0
    step: float = 0.25
    calm: float = 0.0
    apart: bool = False


# Banks of several rows.
MIXED = BankSpec(capacity_spread=0.25, oldest=2.5)
SIMILAR = BankSpec(capacity_spread=0.1, oldest=1.5)
ONE_NEW = BankSpec(newest=2.2, oldest=2.2, odd=(Odd(resistance=0.8 / 2.2),))
