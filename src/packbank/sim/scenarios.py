"""Every row of the trial by its name. Those of hours and weeks stand here, and are not in "all"."""

from __future__ import annotations

import numpy as np

from packbank.aggregator.settings import BankSettings
from packbank.sim import events
from packbank.sim.bank import BankSpec, Odd
from packbank.sim.scenario import MIXED, Ask, Scenario
from packbank.sim.scenarios_faults import FAULTS
from packbank.sim.scenarios_limits import LIMITS
from packbank.sim.weather import DAY, FULL_SUN, MODERATE, Profile

LONG = (
    Scenario(
        name="dawn",
        summary="all packs at 1 degC, one is lost at dawn, then five hours of warming and an hour of sun",
        bank=BankSpec(ambient=1.0, warming=8.0, soc=20.0),
        profile=Profile(points=((0, 0, 0.03), (18000, 0.05, 0.03), (18001, FULL_SUN, 0), (21600, FULL_SUN, 0))),
        packs=8,
        events=((300, events.silence),),
        ask=Ask(use=0.5),
        step=1.0,
        calm=5.0,
        seconds=21600,
        apart=True,
    ),
    Scenario(
        name="charger-low",
        summary="chargers that hold 0.2 V less than the CVL, eight hours",
        bank=BankSpec(soc=92.0, soc_spread=1.0),
        profile=Profile(points=((0, 0.3, 0.02), (28800, 0.3, 0.02))),
        packs=4,
        charger_error=-0.2,
        ask=Ask(use=0.0, recovery=np.inf, stage="float"),
        step=1.0,
        calm=5.0,
        seconds=28800,
        apart=True,
    ),
    Scenario(
        name="reads-low",
        summary="a pack that reads 0.2 V less than the others, eight hours",
        bank=BankSpec(soc=92.0, soc_spread=1.0, odd=(Odd(reads=-0.2),)),
        profile=Profile(points=((0, 0.3, 0.02), (28800, 0.3, 0.02))),
        packs=4,
        ask=Ask(use=0.0, recovery=np.inf, over_20=np.inf, stage="float"),  # nobody knows the voltage better
        step=1.0,
        calm=5.0,
        seconds=28800,
        apart=True,
    ),
    Scenario(
        name="day",
        summary="a day of a mixed bank",
        bank=MIXED,
        profile=DAY,
        step=1.0,
        calm=10.0,
        seconds=86400,
        apart=True,
    ),
    Scenario(
        name="month",
        summary="thirty days of a mixed bank with top balancing",
        bank=BankSpec(capacity_spread=0.1, oldest=1.5, cell_soc_spread=1.5),
        profile=MODERATE,
        settings=BankSettings(soc_reset_after_days=10),
        step=3.0,
        calm=60.0,
        seconds=30 * 86400,
        apart=True,
    ),
)

SCENARIOS = {row.name: row for row in (*LIMITS, *FAULTS, *LONG)}
