"""Rows in which every sensor and every answer is right: how the current is shared, and who comes and goes."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from packbank.sim import events
from packbank.sim.bank import BankSpec, Odd
from packbank.sim.scenario import MIXED, ONE_NEW, SIMILAR, Ask, Scenario
from packbank.sim.weather import (
    BOTH,
    FULL_LOAD,
    FULL_SUN,
    LOAD,
    LOADS_GO_OFF,
    REST,
    SUN,
    SUN_AT_180,
    SUN_AT_ONCE,
    WEATHER,
    Profile,
    steps,
)

BEHIND = BankSpec(soc=68.0, odd=(Odd(soc=-10.0, connected=False),))
NEAR_FULL = Ask(use=0.82)
ONE_TRIP = Ask(trips=1)

LIMITS = (
    Scenario(name="equal", summary="new packs of one make", profile=BOTH, seconds=900),
    Scenario(
        name="mixed", summary="capacity +-25 %, resistance up to 2.5 times", bank=MIXED, profile=BOTH, seconds=900
    ),
    Scenario(
        name="ladder",
        summary="daisy-chained busbar, 0.1 mOhm a link",
        bank=BankSpec(link=1e-4),
        profile=BOTH,
        seconds=900,
    ),
    Scenario(
        name="one-new",
        summary="one new pack among old ones of nearly three times its resistance",
        bank=ONE_NEW,
        profile=BOTH,
        packs=8,
        seconds=900,
    ),
    Scenario(
        name="cold-pack",
        summary="one pack at 2 degC, 5 % smaller, 30 % more resistance",
        bank=BankSpec(odd=(Odd(ambient=-23.0, capacity=0.95, resistance=1.3),)),
        profile=BOTH,
        seconds=900,
    ),
    Scenario(
        name="unequal",
        summary="100 Ah/50 A beside 300 Ah/200 A, the small ones of low resistance",
        bank=BankSpec(
            capacity=300.0,
            charge_limit=200.0,
            discharge_limit=200.0,
            odd=2 * (Odd(capacity=1 / 3, rating=0.25, resistance=0.45),),
        ),
        profile=BOTH,
        packs=4,
        seconds=900,
    ),
    Scenario(
        name="sensors",
        summary="current sensors 3 % and 1 A off, deaf below 1 A",
        bank=BankSpec(
            capacity_spread=0.05,
            oldest=1.3,
            sensor_gain=0.02,
            sensor_offset=0.7,
            sensor_dead_band=1.0,
            sensor_noise=0.3,
            cell_noise=0.001,
        ),
        profile=BOTH,
        seconds=900,
    ),
    Scenario(
        name="soc-spread",
        summary="packs spread over 30 points",
        bank=BankSpec(soc_spread=15.0),
        profile=BOTH,
        seconds=900,
    ),
    Scenario(
        name="large",
        summary="200 packs, five odd ones",
        bank=BankSpec(
            odd=(
                Odd(resistance=0.5),
                Odd(resistance=2.5),
                Odd(soc=-10.0),
                Odd(capacity=0.5, rating=0.5),
                Odd(ambient=-20.0),
            )
        ),
        profile=BOTH,
        packs=200,
        seconds=900,
        step=0.5,
    ),
    Scenario(
        name="opens-4",
        summary="a charge MOSFET opens at full charge, closes some minutes later",
        profile=SUN,
        packs=4,
        events=((450, events.open_charge), (650, events.close)),
        ask=ONE_TRIP,
        seconds=900,
    ),
    Scenario(
        name="opens-16",
        summary="the same among 16",
        profile=SUN,
        events=((450, events.open_charge), (650, events.close)),
        ask=ONE_TRIP,
        seconds=900,
    ),
    Scenario(
        name="opens-load",
        summary="a discharge MOSFET opens at full load, closes some minutes later",
        bank=BankSpec(soc=60.0),
        profile=LOAD,
        packs=8,
        events=((300, events.open_discharge), (600, events.close)),
        seconds=900,
    ),
    Scenario(
        name="joins-at-rest",
        summary="a pack ten points behind closes at rest, then sun",
        bank=BEHIND,
        profile=SUN_AT_180,
        packs=8,
        events=((120, events.close),),
        ask=Ask(use=0.82),
        seconds=900,
    ),
    Scenario(
        name="joins-under-load",
        summary="a pack four points behind closes at full charge",
        bank=replace(BEHIND, odd=(Odd(soc=-4.0, connected=False),)),
        profile=SUN,
        packs=8,
        events=((300, events.close),),
        ask=Ask(trips=1, use=0.82),
        recovery_from=300,
        seconds=900,
    ),
    Scenario(
        name="cold-start-full",
        summary="cold start near full into the sun, packs 16 points apart",
        bank=BankSpec(soc=90.0, soc_spread=8.0),
        profile=SUN_AT_ONCE,
        packs=8,
        ask=NEAR_FULL,
        seconds=900,
    ),
    Scenario(
        name="winter",
        summary="packs between -0.5 and 2 degC, warming",
        bank=BankSpec(ambient=0.75, ambient_spread=1.25, heater=300.0),
        profile=Profile(points=steps((0, 0, REST), (60, FULL_SUN, 0), (2400, 0, 0))),
        packs=8,
        ask=Ask(over_20=12.0, recovery=inf),  # temperatures are reported in steps of 0.1 K, a limit of 2 %
        step=0.5,
        seconds=2400,
    ),
    Scenario(
        name="clouds", summary="clouds and load steps", bank=SIMILAR, profile=WEATHER, ask=Ask(turns=2.0), seconds=1500
    ),
    Scenario(
        name="loads-go-off",
        ask=Ask(turns=2.0),
        summary="a load of a fifth goes off at full charge, six times",
        profile=LOADS_GO_OFF,
        seconds=900,
    ),
    Scenario(
        name="leading-cell",
        summary="one cell five points ahead of its pack",
        bank=BankSpec(soc=91.0, odd=(Odd(leading_cell=5.0),)),
        profile=SUN,
        packs=8,
        ask=NEAR_FULL,
        seconds=1200,
    ),
    Scenario(
        name="low-soc",
        summary="loads beyond every limit at a very low SoC",
        bank=BankSpec(soc=9.0, soc_spread=2.5),
        profile=LOAD,
        packs=8,
        ask=NEAR_FULL,
        seconds=900,
    ),
    Scenario(
        name="learns-low",
        summary="one pack new, fifteen minutes of a small load, then full load",
        bank=ONE_NEW,
        profile=Profile(points=steps((0, 0, REST), (60, 0, 0.11), (960, 0, FULL_LOAD), (1200, 0, 0))),
        packs=8,
        seconds=1200,
    ),
    Scenario(
        name="restart",
        summary="one pack new; the process restarts at rest and under full load, with what it learned",
        bank=ONE_NEW,
        profile=BOTH,
        packs=8,
        restarts=(330, 600, 700),
        recovery_from=600,
        seconds=900,
    ),
    Scenario(
        name="forgets",
        summary="one pack new, full load, an hour of small loads, full load again",
        bank=ONE_NEW,
        profile=Profile(
            points=steps((0, 0, REST), (30, 0, FULL_LOAD), (180, 0, 0.1), (3780, 0, FULL_LOAD), (4020, 0, 0))
        ),
        packs=8,
        recovery_from=3600,
        step=0.5,
        seconds=4020,
    ),
)
