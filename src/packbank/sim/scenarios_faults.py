"""Rows in which something fails: answers, breakers, limits that are not heeded for a while."""

from __future__ import annotations

import numpy as np

from packbank.sim import events
from packbank.sim.bank import BankSpec, Odd
from packbank.sim.events import Event
from packbank.sim.scenario import ONE_NEW, SIMILAR, Ask, Scenario
from packbank.sim.weather import BOTH, REST, SUN, Profile, steps

STRONGEST = BankSpec(odd=(Odd(resistance=0.6),))
ANY_USE = Ask(use=0.0, recovery=np.inf)


def _silences(which: Event, *times: tuple[float, float]) -> tuple[tuple[float, Event], ...]:
    """Silence from each time on for so many seconds."""
    return tuple(pair for start, seconds in times for pair in ((start, which), (start + seconds, events.answer)))


FAULTS = (
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
        name="silence-one",
        summary="the strongest pack falls silent at full current: for ten seconds, for two minutes, in both directions",
        bank=STRONGEST,
        profile=BOTH,
        packs=8,
        events=_silences(events.silence, (120, 10), (170, 100), (450, 10), (600, 120)),
        seconds=900,
    ),
    Scenario(
        name="silence-bus",
        summary="a whole bus, 15 packs of 24, falls silent at full current: for 25 seconds, for minutes",
        bank=SIMILAR,
        profile=BOTH,
        packs=24,
        events=_silences(events.silence_bus, (120, 25), (190, 80), (450, 25), (600, 180)),
        # While they are silent nobody knows whether they carry their part; each silence is two turns.
        ask=Ask(use=0.3, turns=1.0),
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
        name="absent",
        summary="the strongest pack never answers, and carries current",
        bank=STRONGEST,
        profile=BOTH,
        packs=8,
        events=((0, events.never_answer),),
        ask=ANY_USE,
        seconds=900,
        apart=True,
    ),
    Scenario(
        name="absent-open",
        summary="a pack like the others never answers, and its breaker is open",
        bank=SIMILAR,
        profile=BOTH,
        packs=8,
        events=((0, events.never_answer), (0, events.open_breaker)),
        ask=ANY_USE,
        seconds=900,
        apart=True,
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
)
