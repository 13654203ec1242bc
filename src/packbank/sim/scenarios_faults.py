"""Rows in which something fails: answers, current sensors, breakers, chargers that heed no limit."""

from __future__ import annotations

import numpy as np

from packbank.sim import events
from packbank.sim.bank import BankSpec, Odd
from packbank.sim.scenario import ONE_NEW, SIMILAR, Ask, Scenario
from packbank.sim.weather import BOTH, REST, SUN, Profile, steps

STRONGEST = BankSpec(odd=(Odd(resistance=0.6),))
BLIND = Ask(use=0.65, over_20=60.0, recovery=np.inf)
ANY_USE = Ask(use=0.0, recovery=np.inf)

FAULTS = (
    Scenario(
        name="leading-cell-feed-in",
        summary="the same with chargers that heed no CCL",
        bank=BankSpec(soc=91.0, odd=(Odd(leading_cell=5.0),)),
        profile=Profile(points=steps((0, 0, REST), (60, 0.5, 0), (1200, 0, 0))),
        packs=8,
        feed_in=True,
        ask=Ask(over_20=np.inf),
        seconds=1200,
    ),
    Scenario(
        name="soc-jump",
        summary="a BMS forgets its SoC",
        profile=BOTH,
        packs=8,
        events=((200, events.forget_soc), (600, events.forget_soc)),
        seconds=900,
    ),
    Scenario(
        name="ccl-ignored",
        summary="packs at 5 degC, twice ten seconds of chargers that ignore the CCL",
        bank=BankSpec(ambient=5.0, oldest=1.3),
        profile=Profile(points=steps((0, 0, REST), (60, 0.75, 0), (900, 0, 0))),
        packs=8,
        events=((300, events.ignore_limits), (600, events.ignore_limits)),
        ask=Ask(over_20=40.0),
        seconds=900,
    ),
    Scenario(
        name="held",
        summary="a quarter of the packs silent for ten seconds at full current, four times",
        bank=SIMILAR,
        profile=BOTH,
        events=tuple(
            (start + dt, event)
            for start in (120, 200, 500, 700)
            for dt, event in ((0, events.silence_some), (10, events.answer))
        ),
        seconds=900,
    ),
    Scenario(
        name="silence",
        summary="nobody answers for 25 seconds at full current, four times, one pack new",
        bank=ONE_NEW,
        profile=BOTH,
        packs=8,
        events=tuple(
            (start + dt, event)
            for start in (75, 120, 380, 600)
            for dt, event in ((0, events.silence_all), (25, events.answer))
        ),
        seconds=900,
    ),
    Scenario(
        name="lost",
        summary="a pack falls silent for minutes while it conducts",
        bank=SIMILAR,
        profile=BOTH,
        events=((200, events.silence), (600, events.answer)),
        seconds=900,
    ),
    Scenario(
        name="lost-cold",
        summary="a pack at 2 degC among warm ones is lost",
        bank=BankSpec(odd=(Odd(ambient=-23.0),)),
        profile=BOTH,
        packs=8,
        events=((30, events.silence),),
        ask=ANY_USE,
        seconds=900,
    ),
    Scenario(
        name="lost-hot",
        summary="a pack is lost with MOSFETs at 91 degC, which cool down",
        profile=SUN,
        packs=8,
        events=((25, events.heat_mosfets), (30, events.silence)),
        ask=ANY_USE,
        seconds=900,
    ),
    Scenario(
        name="breaker",
        summary="two packs, one behind an open breaker that its BMS does not know of",
        bank=BankSpec(soc=60.0),
        profile=BOTH,
        packs=2,
        events=((30, events.open_breaker),),
        seconds=900,
    ),
    Scenario(
        name="blind",
        summary="the strongest pack's sensor says 0 A from the start",
        bank=STRONGEST,
        profile=BOTH,
        events=((0, events.blind),),
        ask=BLIND,
        seconds=900,
    ),
    Scenario(
        name="goes-blind",
        summary="the strongest pack's sensor says 0 A from the middle on",
        bank=STRONGEST,
        profile=BOTH,
        events=((600, events.blind),),
        ask=BLIND,
        seconds=900,
    ),
    Scenario(
        name="no-current",
        summary="the strongest pack tells no current",
        bank=STRONGEST,
        profile=BOTH,
        events=((0, events.no_current),),
        ask=BLIND,
        seconds=900,
    ),
    Scenario(
        name="frozen",
        summary="the strongest pack's sensor keeps the value it had at rest",
        bank=STRONGEST,
        profile=BOTH,
        events=((30, events.freeze),),
        ask=BLIND,
        seconds=900,
    ),
    Scenario(
        name="frozen-at-load",
        summary="the strongest pack's sensor keeps the value it had at full load",
        bank=STRONGEST,
        profile=BOTH,
        events=((270, events.freeze),),
        ask=BLIND,
        seconds=900,
    ),
    Scenario(
        name="inverted",
        summary="the strongest pack's sensor has the wrong sign",
        bank=STRONGEST,
        profile=BOTH,
        events=((0, events.invert),),
        ask=BLIND,
        seconds=900,
    ),
    Scenario(
        name="feed-in-cold",
        summary="all packs at 0.7 degC, chargers heed no CCL",
        bank=BankSpec(ambient=0.7),
        profile=Profile(points=steps((0, 0, REST), (60, 0.4, 0), (900, 0, 0))),
        packs=8,
        feed_in=True,
        ask=Ask(over_20=60.0, last_minute=0.02),
        seconds=900,
    ),
    Scenario(
        name="feed-in-exports",
        summary="the same, and the inverter exports what is above the CVL",
        bank=BankSpec(ambient=0.7),
        profile=Profile(points=steps((0, 0, 0), (60, 0.4, 0), (900, 0, 0))),
        packs=8,
        feed_in=True,
        exports=True,
        ask=Ask(over_20=60.0, last_minute=0.02, drawn=0.5),
        seconds=900,
    ),
)
