"""Rows in which chargers heed no CCL, as with DC feed-in: only the CVL stops them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from packbank.model.controls import Controls
from packbank.sim.bank import BankSpec, Odd
from packbank.sim.inverter import FEED_IN_OFFSET
from packbank.sim.scenario import Ask, Scenario
from packbank.sim.weather import REST, Profile, steps

_SUN = 0.4
_COLD = BankSpec(ambient=0.7)  # nothing may flow into it
_AFTER_REST = Profile(points=steps((0, 0, REST), (60, _SUN, 0), (900, 0, 0)))
_WITHOUT_LOADS = Profile(points=steps((0, 0, 0), (60, _SUN, 0), (900, 0, 0)))
_SUN_GOES_DOWN = Profile(
    points=steps((0, 0, 0), (60, _SUN, 0), (400, 0.05, 0), (500, _SUN, 0), (800, 0, 0), (900, 0, 0))
)
_LOADS_COME_AND_GO = Profile(
    points=steps(
        (0, 0, REST), (60, _SUN, 0.05), *((300 + 60 * k, _SUN, 0.3 if k % 2 == 0 else 0.05) for k in range(8)),
        (900, 0, 0),
    )
)  # fmt: skip
_SUN_RETURNS = Profile(
    points=steps((0, 0, 0), (120, 1.3, 0), (500, 0, 0), (800, 1.3, 0), (1000, 0.05, 0), (1200, 1.3, 0), (1500, 0, 0))
)
_MORE_THAN_ONE_TAKES = Profile(points=steps((0, 0, 0), (60, 0.75, 0), (900, 0, 0)))
_SWITCHED = ((0.0, Controls()), (300.0, Controls(charge_off=True)), (700.0, Controls()))
_STOPS = Ask(over_20=60.0, charge_at_zero=0.02)
_EXPORTS = replace(_STOPS, drawn=0.5)
_HELD = Ask(over_20=60.0)
_ALL = 2.0  # more than the sun gives


def _row(name: str, summary: str, profile: Profile, ask: Ask, **changes: object) -> Scenario:
    row = Scenario(name=name, summary=summary, bank=_COLD, profile=profile, packs=8, feed_in=True, ask=ask, seconds=900)
    return replace(row, **changes)  # type: ignore[arg-type]


FEED_IN = (
    _row(
        "leading-cell-feed-in",
        "one cell five points ahead of its pack, chargers heed no CCL",
        Profile(points=steps((0, 0, REST), (60, 0.5, 0), (1200, 0, 0))),
        _HELD,
        bank=BankSpec(soc=91.0, odd=(Odd(leading_cell=5.0),)),
        seconds=1200,
    ),
    _row(
        "feed-in-big",
        "chargers heed no CCL and give 1.3 times what the packs may take; the sun goes and returns twice",
        _SUN_RETURNS,
        replace(_HELD, trips=4, cvl_turns=1.0),  # once, before anything is known
        bank=BankSpec(),
        packs=4,
        exports=_ALL,
        seconds=1500,
    ),
    _row(
        "feed-in-cool",
        "one pack at 2.5 degC, chargers heed no CCL and give more than it may take",
        _MORE_THAN_ONE_TAKES,
        _HELD,
        bank=BankSpec(odd=(Odd(ambient=-22.5),)),
        packs=4,
        exports=_ALL,
    ),
    _row("feed-in-cold", "all packs at 0.7 degC, chargers heed no CCL", _AFTER_REST, _STOPS),
    _row(
        "feed-in-exports",
        "the same, and the inverter exports what is above the CVL; chargers hold 0.4 V more",
        _WITHOUT_LOADS,
        _EXPORTS,
        exports=_ALL,
        charger_error=FEED_IN_OFFSET,
    ),
    _row(
        "feed-in-limited",
        "the same, but it may export only half of the sun, which goes down twice",
        _SUN_GOES_DOWN,
        replace(_EXPORTS, drawn=1.0, exported_below=1.0),  # until DVCC looks
        exports=_SUN / 2,
        charger_error=FEED_IN_OFFSET,
    ),
    _row(
        "feed-in-high",
        "all packs at 0.7 degC, chargers heed no CCL and hold 0.4 V more than the CVL, no export",
        _AFTER_REST,
        _STOPS,
        charger_error=FEED_IN_OFFSET,
    ),
    _row(
        "feed-in-low",
        "all packs at 0.7 degC, chargers heed no CCL and hold 0.2 V less than the CVL",
        _AFTER_REST,
        _STOPS,
        charger_error=-0.2,
    ),
    _row(
        "feed-in-loads",
        "all packs at 0.7 degC, chargers heed no CCL; loads come and go that the sun could feed",
        _LOADS_COME_AND_GO,
        replace(_STOPS, drawn=6.0),  # the first minute, and what chargers lag behind
    ),
    _row(
        "feed-in-clouds",
        "all packs at 0.7 degC, chargers heed no CCL, clouds and load steps",
        Profile(points=((0, 0.5, 0.15), (1500, 0.5, 0.15)), clouds=0.9, appliances=0.8),
        replace(_STOPS, cvl_turns=2.0),
        seconds=1500,
    ),
    _row(
        "feed-in-warms",
        "packs from 0.7 degC on, warming by 12 K an hour, chargers heed no CCL",
        Profile(points=steps((0, 0, REST), (60, 0.1, 0), (5400, 0, 0))),
        Ask(over_20=np.inf, charge_at_zero=0.02),
        bank=replace(_COLD, warming=12.0, heater=300.0),
        step=0.5,
        seconds=5400,
    ),
    _row(
        "feed-in-off",
        "warm packs, the user switches charging off and on again, chargers heed no CCL",
        _AFTER_REST,
        _STOPS,
        bank=BankSpec(),
        controls=_SWITCHED,
    ),
    _row(
        "feed-in-off-exports",
        "the same, and the inverter exports what is above the CVL",
        _WITHOUT_LOADS,
        _EXPORTS,
        bank=BankSpec(),
        controls=_SWITCHED,
        exports=_ALL,
        charger_error=FEED_IN_OFFSET,
    ),
)
