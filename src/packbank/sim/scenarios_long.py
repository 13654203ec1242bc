"""Rows of hours and weeks: packs that are lost for a day, charge stages, wall clocks. They run only when named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from packbank.aggregator.settings import BankSettings
from packbank.sim import events
from packbank.sim.bank import BankSpec, Odd
from packbank.sim.scenario import CLOCK, MIXED, Ask, Scenario
from packbank.sim.weather import DAY, FULL_SUN, MODERATE, TOP_CYCLES, Profile

_HOUR, _DAY = 3600.0, 86400.0
_YEARS = 12 * 365 * _DAY
_BANK = BankSpec(ambient=1.0, warming=8.0, soc=20.0)
_SHED = BankSpec(soc=20.0, odd=2 * (Odd(ambient=-21.0),))
_WARM = Profile(points=((0, 0, 0.03), (5 * _HOUR, 0.05, 0.03), (5 * _HOUR + 1, FULL_SUN, 0), (6 * _HOUR, FULL_SUN, 0)))
_BACK_AT = 4.5 * _HOUR
_LOST = Scenario(
    name="dawn",
    summary="all packs at 1 degC, one is lost at dawn, then five hours of warming and an hour of sun",
    bank=_BANK,
    profile=_WARM,
    packs=8,
    events=((300, events.silence),),
    ask=Ask(use=0.5, recovery=np.inf),  # that pack may conduct or not
    step=1.0,
    calm=10.0,
    seconds=6 * _HOUR,
    apart=True,
)
_HOT = ((60, events.overheat), (65, events.silence))

LOST_FOR_HOURS = (
    _LOST,
    replace(
        _LOST,
        name="dawn-back",
        summary="the same, and it answers again in the afternoon",
        events=(*_LOST.events, (_BACK_AT, events.answer)),
        ask=Ask(use=0.85),
    ),
    replace(
        _LOST,
        name="shed",
        summary="two packs in a shed at 4 degC, the others at 25; one of the two is lost, sun five hours later",
        bank=_SHED,
        ask=Ask(use=0.5, over_20=60.0, recovery=np.inf),
    ),
    replace(
        _LOST,
        name="shed-alone",
        summary="the same with that pack alone in the shed",
        bank=replace(_SHED, odd=_SHED.odd[:1]),
        ask=Ask(use=0.0, over_20=np.inf, recovery=np.inf),  # no other pack shows how cold it is there
    ),
    replace(
        _LOST,
        name="noon",
        summary="a pack is lost with cells at 52 and MOSFETs at 91 degC, which cool down; sun five hours later",
        bank=BankSpec(soc=20.0),
        events=_HOT,
    ),
    replace(
        _LOST,
        name="noon-back",
        summary="the same, and it answers again before the sun",
        bank=BankSpec(soc=20.0),
        events=(*_HOT, (_BACK_AT, events.answer)),
        ask=Ask(use=0.85),
    ),
)

_EIGHT_HOURS = Scenario(
    name="charger-low",
    summary="chargers that hold 0.2 V less than the CVL, eight hours",
    bank=BankSpec(soc=92.0, soc_spread=1.0),
    profile=Profile(points=((0, 0.3, 0.02), (28800, 0.3, 0.02))),
    packs=4,
    charger_error=-0.2,
    ask=Ask(use=0.0, recovery=np.inf, stage="float"),
    step=1.0,
    calm=5.0,
    seconds=8 * _HOUR,
    apart=True,
)
# Packs that go through 82 to 100 % once a day, so that float alone never ends.
_WEEK = Scenario(
    name="week",
    summary="seven days between 82 and 100 %, a top balance every three days",
    bank=BankSpec(soc=84.0, soc_spread=1.0, cell_soc_spread=1.0),
    profile=TOP_CYCLES,
    packs=4,
    settings=BankSettings(soc_reset_after_days=3),
    ask=Ask(use=0.0, recovery=np.inf, over_20=np.inf, top_balances=(2, 3), absorption=4.2 * _HOUR, cvl_fall=0.5),
    step=6.0,
    calm=60.0,
    seconds=7 * _DAY,
    apart=True,
)
_TWO_DAYS = replace(_WEEK.ask, top_balances=(0, 0))
_ONCE_OR_TWICE = replace(_WEEK.ask, top_balances=(1, 3))

STAGES = (
    _EIGHT_HOURS,
    replace(
        _EIGHT_HOURS,
        name="reads-low",
        summary="a pack that reads 0.2 V less than the others, eight hours",
        bank=replace(_EIGHT_HOURS.bank, odd=(Odd(reads=-0.2),)),
        charger_error=0.0,
        ask=Ask(use=0.0, recovery=np.inf, over_20=np.inf, stage="float"),  # nobody knows the voltage better
    ),
    replace(
        _EIGHT_HOURS,
        name="pause",
        summary="the process stands still for 20 minutes, a minute after the start of absorption",
        charger_error=0.0,
        pause=1200.0,
        ask=Ask(use=0.0, recovery=np.inf, shortest_absorption=900.0, over_20=np.inf),
        seconds=4 * _HOUR,
    ),
    _WEEK,
    replace(_WEEK, name="week-low", summary="the same with chargers that hold 0.2 V less", charger_error=-0.2),
    replace(
        _WEEK,
        name="week-reads-low",
        summary="the same with a pack that reads 0.2 V less",
        bank=replace(_WEEK.bank, odd=(Odd(reads=-0.2),)),
    ),
    replace(
        _WEEK,
        name="clock-past",
        summary="the wall clock starts in 1970 and is set after ten minutes; two days, no top balance is due",
        clock=((0.0, 0.0), (600.0, CLOCK)),
        ask=_TWO_DAYS,
        seconds=2 * _DAY,
    ),
    replace(
        _WEEK,
        name="clock-past-week",
        summary="the same for seven days",
        clock=((0.0, 0.0), (600.0, CLOCK)),
        ask=_ONCE_OR_TWICE,
    ),
    replace(
        _WEEK,
        name="clock-future",
        summary="the wall clock is twelve years ahead and is set after a day; seven days",
        clock=((0.0, CLOCK + _YEARS), (_DAY, CLOCK)),
        ask=_ONCE_OR_TWICE,
    ),
    replace(
        _WEEK,
        name="clock-restart",
        summary="a restart every day, each in 1970 until the clock is set after ten minutes; seven days",
        restarts=tuple(day * _DAY for day in range(1, 7)),
        clock=tuple(
            (day * _DAY + dt, ahead - (0.0 if ahead else day * _DAY))
            for day in range(7)
            for dt, ahead in ((0.0, 0.0), (600.0, CLOCK))
        ),
        ask=_ONCE_OR_TWICE,
    ),
)

LONG = (
    *LOST_FOR_HOURS,
    *STAGES,
    Scenario(
        name="day",
        summary="a day of a mixed bank",
        bank=MIXED,
        profile=DAY,
        step=1.0,
        calm=10.0,
        seconds=_DAY,
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
        seconds=30 * _DAY,
        apart=True,
    ),
)
