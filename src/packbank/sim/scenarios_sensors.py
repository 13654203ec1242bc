"""Rows about the packs' current sensors: those that are wrong, in every place of a bank, and those that are inexact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from packbank.sim import events
from packbank.sim.bank import BankSpec, Odd
from packbank.sim.events import Event
from packbank.sim.scenario import MIXED, ONE_NEW, Ask, Scenario
from packbank.sim.weather import BOTH, MODERATE, WEATHER

STRONGEST = BankSpec(odd=(Odd(resistance=0.6),))
# Of the use the rows ask little before a wrong sensor is named, and more from then on.
BLIND = Ask(use=0.3, over_20=60.0, recovery=np.inf)

_AT_REST, _AT_LOAD = 30.0, 270.0  # s in BOTH
_WRONG: tuple[tuple[str, str, float, Event], ...] = (
    ("zero", "says 0 A", 0.0, events.blind),
    ("none", "says nothing", 0.0, events.no_current),
    ("constant", "says 30 A", 0.0, events.stick),
    ("frozen-rest", "keeps the value it had at rest", _AT_REST, events.freeze),
    ("frozen-load", "keeps the value it had at full load", _AT_LOAD, events.freeze),
    ("inverted", "has the wrong sign", 0.0, events.invert),
)
_BANKS = (
    ("", "equal packs", BankSpec(in_turn=True)),
    ("-unequal", "unequal packs", replace(MIXED, in_turn=True)),
    ("-strong", "packs, the strongest,", replace(STRONGEST, in_turn=True)),
)

IN_EVERY_PLACE = tuple(
    Scenario(
        name=f"{what}-{packs}{suffix}",
        summary=f"the sensor of one of {packs} {kind} {says}; each seed another place",
        bank=bank,
        profile=BOTH,
        packs=packs,
        events=((at, event),),
        # The BMS of an inverted sensor takes a discharge for a charge beyond its limit.
        ask=replace(BLIND, trips=4) if what == "inverted" else BLIND,
        seconds=900,
        apart=True,
    )
    for what, says, at, event in _WRONG
    for packs in (4, 16)
    for suffix, kind, bank in _BANKS
)

# Nobody can say then which is wrong: the limits must hold all the same.
ALL_WRONG = tuple(
    Scenario(
        name=f"{what}-all{suffix}",
        summary=f"the sensors of all {kind} {say}",
        bank=bank,
        profile=BOTH,
        packs=8,
        events=((at, event),),
        ask=replace(BLIND, named=np.inf, over_20=6.0),
        seconds=900,
        apart=True,
    )
    for what, say, at, event in (
        ("zero", "say 0 A", 0.0, events.blind_all),
        ("none", "say nothing", 0.0, events.no_currents),
        ("zero-load", "say 0 A from full load on", _AT_LOAD, events.blind_all),
        ("frozen-load", "keep the values they had at full load", _AT_LOAD, events.freeze_all),
    )
    for suffix, kind, bank in (("", "packs", MIXED), ("-new", "packs, seven old and one new,", ONE_NEW))
)

_STRONGEST_ONES = (
    ("blind", "sensor says 0 A from the start", 0.0, events.blind),
    ("goes-blind", "sensor says 0 A from the middle on", 600.0, events.blind),
    ("no-current", "reports no current", 0.0, events.no_current),
    ("frozen", "sensor keeps the value it had at rest", _AT_REST, events.freeze),
    ("frozen-at-load", "sensor keeps the value it had at full load", _AT_LOAD, events.freeze),
    ("inverted", "sensor has the wrong sign", 0.0, events.invert),
)

# What is inexact and not wrong: up to 3 % and 1 A off, deaf below 1 A. Four packs stand at the corners of that.
_CORNERS = tuple(Odd(gain=1 + 0.03 * gain, offset=offset) for gain in (1, -1) for offset in (1.0, -1.0))
_NOISE = BankSpec(
    sensor_gain=0.01, sensor_offset=0.3, sensor_dead_band=1.0, sensor_noise=0.3, cell_noise=0.001, odd=_CORNERS
)
_NOISY_MIXED = replace(_NOISE, capacity_spread=0.25, oldest=2.5)

SENSORS = (
    *(
        Scenario(
            name=name,
            summary=f"the strongest pack's {says}" if says.startswith("sensor") else f"the strongest pack {says}",
            bank=STRONGEST,
            profile=BOTH,
            events=((at, event),),
            ask=replace(BLIND, trips=4) if name == "inverted" else BLIND,
            seconds=900,
        )
        for name, says, at, event in _STRONGEST_ONES
    ),
    Scenario(
        name="noisy",
        summary="sensors up to 3 % and 1 A off, deaf below 1 A, the worst of them together",
        bank=_NOISE,
        profile=BOTH,
        ask=Ask(turns=1.0),
        seconds=900,
    ),
    Scenario(
        name="noisy-4",
        summary="the same with four unequal packs, under clouds and load steps",
        bank=_NOISY_MIXED,
        profile=WEATHER,
        packs=4,
        ask=Ask(turns=2.0, use=0.8, recovery=np.inf),
        seconds=1500,
    ),
    *IN_EVERY_PLACE,
    *ALL_WRONG,
    *(
        Scenario(
            name=f"noisy-{name}",
            summary=f"{days} days with such sensors",
            bank=_NOISY_MIXED,
            profile=MODERATE,
            packs=4,
            ask=Ask(use=0.5, over_20=np.inf, recovery=np.inf, unnamed=np.inf),
            step=step,
            calm=60.0,
            seconds=days * 86400,
            apart=True,
        )
        for name, days, step in (("week", 7, 6.0), ("month", 30, 15.0))
    ),
)
