"""What the trial puts a bank through, as data: the bank, the sun and the loads, what happens when, what is asked.

Sun and loads are fractions of what the packs' BMSes may be charged with, so that 1.5 is more than any rule may take
and a discharge beyond every limit needs 2.2. The pack that something happens to is the first odd one; the seed draws
where it hangs, its noise and the phase of DVCC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.settings import BankSettings
from packbank.sim.bank import BankSpec, Odd, PhysicalBank
from packbank.sim.inverter import Inverter

Array = NDArray[np.float64]
Event = Callable[[PhysicalBank, Inverter], None]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Sun and loads, linear between ``points`` of (s, sun, load), again after the last one.

    ``clouds`` is the deepest shadow as a fraction of the sun, ``appliances`` what loads switch, as a fraction.
    """

    points: tuple[tuple[float, float, float], ...]
    clouds: float = 0.0
    appliances: float = 0.0

    def fractions(self, seconds: int, seed: int) -> tuple[Array, Array]:
        """Sun and load for each second."""
        rng = np.random.default_rng((seed, 7))
        at, sun, load = np.array(self.points).T
        time = np.arange(seconds) % at[-1]
        shadow = 1 - self.clouds * _telegraph(rng, seconds, 45)
        switched = 1 + self.appliances * (2 * _telegraph(rng, seconds, 60) - 1)
        return np.interp(time, at, sun) * shadow, np.interp(time, at, load) * switched


def steps(*points: tuple[float, float, float]) -> tuple[tuple[float, float, float], ...]:
    """Points of a profile that keeps each (s, sun, load) until the next; the last one is the end."""
    held = [(point, (after[0] - 0.5, *point[1:])) for point, after in zip(points, points[1:], strict=False)]
    return (*(point for pair in held for point in pair), points[-1])


def _telegraph(rng: np.random.Generator, seconds: int, every: float) -> Array:
    """A level between 0 and 1 that jumps to a new one about once in ``every`` s."""
    jumps = rng.random(seconds) < 1 / every
    levels = rng.random(seconds)
    last = np.maximum.accumulate(np.where(jumps, np.arange(seconds), 0))
    return levels[last]


def open_charge(bank: PhysicalBank, _: Inverter) -> None:
    """Its charge MOSFET is switched off."""
    bank.charge_enabled[bank.special] = False


def open_discharge(bank: PhysicalBank, _: Inverter) -> None:
    """Its discharge MOSFET is switched off."""
    bank.discharge_enabled[bank.special] = False


def close(bank: PhysicalBank, _: Inverter) -> None:
    """Its MOSFETs are switched on."""
    bank.charge_enabled[bank.special] = bank.discharge_enabled[bank.special] = True


def open_breaker(bank: PhysicalBank, _: Inverter) -> None:
    """Its breaker opens, which its BMS does not know."""
    bank.breaker_open[bank.special] = True


def silence(bank: PhysicalBank, _: Inverter) -> None:
    """Its answers stop."""
    bank.telemetry.silent[bank.special] = True


def silence_some(bank: PhysicalBank, _: Inverter) -> None:
    """The answers of a quarter of the packs stop."""
    bank.telemetry.silent[bank.places[: max(1, bank.spec.packs // 4)]] = True


def silence_all(bank: PhysicalBank, _: Inverter) -> None:
    """The buses fall silent."""
    bank.telemetry.silent[:] = True


def answer(bank: PhysicalBank, _: Inverter) -> None:
    """Everybody answers again."""
    bank.telemetry.silent[:] = False


def blind(bank: PhysicalBank, _: Inverter) -> None:
    """Its current sensor says 0 A."""
    bank.sensor.gain[bank.special] = bank.sensor.offset[bank.special] = 0.0


def freeze(bank: PhysicalBank, _: Inverter) -> None:
    """Its current sensor keeps its last value."""
    bank.sensor.frozen[bank.special] = True


def invert(bank: PhysicalBank, _: Inverter) -> None:
    """Its current sensor has the wrong sign."""
    bank.sensor.gain[bank.special] *= -1


def no_current(bank: PhysicalBank, _: Inverter) -> None:
    """Its current is not told any more."""
    bank.sensor.offset[bank.special] = np.nan


def heat_mosfets(bank: PhysicalBank, _: Inverter) -> None:
    """Its MOSFETs are at 91 degC."""
    bank.heat.mos[bank.special] = 91.0


def forget_soc(bank: PhysicalBank, _: Inverter) -> None:
    """Its BMS counts SoC from 10 % on."""
    bank.counter.remaining[bank.special] = 0.1 * bank.counter.capacity[bank.special]


def ignore_limits(_: PhysicalBank, inverter: Inverter) -> None:
    """For 10 s the chargers give all that the sun gives."""
    inverter.ignore_limits(10.0)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a rule must show in a scenario where the oracle has no trip."""

    use: float = 0.88  # of the best possible current
    turns: float = 0.5  # of a limit, a minute
    over_20: float = 6.0  # s with some pack over 20 % over its own limit
    recovery: float = 45.0  # s from the first full load and the first full sun
    trips: int = 0
    rise_while_held: float = 0.02  # of the packs' ceilings
    last_minute: float = np.inf  # current of the last minute, of the bank's capacity


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
    ask: Ask = field(default_factory=Ask)
    recovery_from: float = 0.0
    step: float = 0.25
    calm: float = 0.0
    apart: bool = False


REST = 0.02  # of a load
FULL_LOAD = 2.2
FULL_SUN = 1.5
# A cold start into five minutes of loads beyond every limit, a pause, and sun beyond every limit.
BOTH = Profile(points=steps((0, 0, REST), (60, 0, FULL_LOAD), (360, 0, REST), (420, FULL_SUN, 0), (1200, 0, 0)))
SUN = Profile(points=steps((0, 0, REST), (60, FULL_SUN, 0), (1200, 0, 0)))
SUN_AT_ONCE = Profile(points=steps((0, FULL_SUN, 0), (1200, 0, 0)))
LOAD = Profile(points=steps((0, 0, REST), (60, 0, FULL_LOAD), (1200, 0, 0)))
SUN_AT_180 = Profile(points=steps((0, 0, REST), (180, FULL_SUN, 0), (1200, 0, 0)))
# A fifth of what the packs take goes off six times, at other phases of DVCC.
LOADS_GO_OFF = Profile(
    points=steps(
        (0, 0, REST),
        (60, FULL_SUN, 0.2),
        *((200 + 100 * k + dt, FULL_SUN, load) for k in range(6) for dt, load in ((k / 2, 0.0), (40, 0.2))),
        (900, 0, 0),
    )
)
WEATHER = Profile(points=((0, 1.8, 0.4), (1500, 1.8, 0.4)), clouds=0.9, appliances=1.0)
DAY = Profile(
    points=tuple(
        (3600 * hour, sun / 5500, load / 5500)
        for hour, sun, load in (
            (0, 0, 350), (5.5, 0, 300), (7, 200, 1800), (8.5, 1800, 900), (11, 5200, 700), (13.5, 6500, 900),
            (16, 3800, 800), (18, 400, 2500), (19, 0, 4500), (20.5, 0, 8500), (21, 0, 3500), (22.5, 0, 700),
            (24, 0, 350),
        )
    ),
    clouds=0.7,
    appliances=0.3,
)  # fmt: skip
MODERATE = Profile(
    points=tuple(
        (3600 * hour, sun / 5500, load / 5500)
        for hour, sun, load in (
            (0, 0, 150), (6, 0, 200), (8, 1100, 350), (12, 3200, 400), (16, 1600, 350), (18, 0, 800), (22, 0, 500),
            (24, 0, 150),
        )
    ),
    clouds=0.6,
    appliances=0.3,
)  # fmt: skip
MIXED = BankSpec(capacity_spread=0.25, oldest=2.5)
SIMILAR = BankSpec(capacity_spread=0.1, oldest=1.5)
BEHIND = BankSpec(soc=68.0, odd=(Odd(soc=-10.0, connected=False),))
ONE_NEW = BankSpec(newest=2.2, oldest=2.2, odd=(Odd(resistance=0.8 / 2.2),))
STRONGEST = BankSpec(odd=(Odd(resistance=0.6),))
NEAR_FULL = Ask(use=0.82)
BLIND = Ask(use=0.65, over_20=60.0, recovery=np.inf)
ANY_USE = Ask(use=0.0, recovery=np.inf)
ONE_TRIP = Ask(trips=1)

_ROWS = (
    Scenario(name="equal", summary="new packs of one make", profile=BOTH, seconds=1200),
    Scenario(
        name="mixed", summary="capacity +-25 %, resistance up to 2.5 times", bank=MIXED, profile=BOTH, seconds=1200
    ),
    Scenario(
        name="ladder",
        summary="daisy-chained busbar, 0.1 mOhm a link",
        bank=BankSpec(link=1e-4),
        profile=BOTH,
        seconds=1200,
    ),
    Scenario(
        name="one-new",
        summary="one new pack among old ones of nearly three times its resistance",
        bank=ONE_NEW,
        profile=BOTH,
        packs=8,
        seconds=1200,
    ),
    Scenario(
        name="cold-pack",
        summary="one pack at 2 degC, 5 % smaller, 30 % more resistance",
        bank=BankSpec(odd=(Odd(ambient=-23.0, capacity=0.95, resistance=1.3),)),
        profile=BOTH,
        seconds=1200,
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
        seconds=1200,
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
        seconds=1200,
    ),
    Scenario(
        name="soc-spread",
        summary="packs spread over 30 points",
        bank=BankSpec(soc_spread=15.0),
        profile=BOTH,
        seconds=1200,
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
        profile=Profile(points=steps((0, 0, REST), (30, 0, FULL_LOAD), (210, 0, REST), (240, FULL_SUN, 0), (540, 0, 0))),
        packs=200,
        seconds=540,
        step=0.5,
    ),
    Scenario(
        name="opens-4",
        summary="a charge MOSFET opens at full charge, closes five minutes later",
        profile=SUN,
        packs=4,
        events=((700, open_charge), (1000, close)),
        ask=ONE_TRIP,
        seconds=1200,
    ),
    Scenario(
        name="opens-16",
        summary="the same among 16",
        profile=SUN,
        events=((700, open_charge), (1000, close)),
        ask=ONE_TRIP,
        seconds=1200,
    ),
    Scenario(
        name="opens-load",
        summary="a discharge MOSFET opens at full load, closes five minutes later",
        bank=BankSpec(soc=60.0),
        profile=LOAD,
        packs=8,
        events=((500, open_discharge), (800, close)),
        seconds=1200,
    ),
    Scenario(
        name="joins-at-rest",
        summary="a pack ten points behind closes at rest, then sun",
        bank=BEHIND,
        profile=SUN_AT_180,
        packs=8,
        events=((120, close),),
        ask=Ask(use=0.82),
        seconds=1200,
    ),
    Scenario(
        name="joins-under-load",
        summary="a pack four points behind closes at full charge",
        bank=replace(BEHIND, odd=(Odd(soc=-4.0, connected=False),)),
        profile=SUN,
        packs=8,
        events=((400, close),),
        ask=Ask(trips=1, use=0.82),
        recovery_from=400,
        seconds=1200,
    ),
    Scenario(
        name="cold-start-full",
        summary="cold start near full into the sun, packs 16 points apart",
        bank=BankSpec(soc=90.0, soc_spread=8.0),
        profile=SUN_AT_ONCE,
        packs=8,
        ask=NEAR_FULL,
        seconds=1200,
    ),
    Scenario(
        name="winter",
        summary="packs between -0.5 and 2 degC, warming",
        bank=BankSpec(ambient=0.75, ambient_spread=1.25, heater=300.0),
        profile=Profile(points=steps((0, 0, REST), (60, FULL_SUN, 0), (2400, 0, 0))),
        packs=8,
        ask=Ask(over_20=12.0),
        step=0.5,
        seconds=2400,
    ),
    Scenario(
        name="clouds",
        summary="clouds and load steps",
        bank=SIMILAR,
        profile=WEATHER,
        ask=Ask(turns=2.0),
        seconds=1500,
    ),
    Scenario(
        name="loads-go-off",
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
        name="low-soc",
        summary="loads beyond every limit at a very low SoC",
        bank=BankSpec(soc=9.0, soc_spread=2.5),
        profile=LOAD,
        packs=8,
        ask=NEAR_FULL,
        seconds=900,
    ),
    Scenario(
        name="soc-jump",
        summary="a BMS forgets its SoC",
        profile=BOTH,
        packs=8,
        events=((200, forget_soc), (700, forget_soc)),
        seconds=1200,
    ),
    Scenario(
        name="ccl-ignored",
        summary="packs at 5 degC, twice ten seconds of chargers that ignore the CCL",
        bank=BankSpec(ambient=5.0, oldest=1.3),
        profile=Profile(points=steps((0, 0, REST), (60, 0.9, 0), (900, 0, 0))),
        packs=8,
        events=((300, ignore_limits), (600, ignore_limits)),
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
            for start in (120, 240, 600, 800)
            for dt, event in ((0, silence_some), (10, answer))
        ),
        seconds=1200,
    ),
    Scenario(
        name="silence",
        summary="nobody answers for 25 seconds at full current, four times, one pack new",
        bank=ONE_NEW,
        profile=BOTH,
        packs=8,
        events=tuple(
            (start + dt, event) for start in (75, 120, 440, 700) for dt, event in ((0, silence_all), (25, answer))
        ),
        seconds=1200,
    ),
    Scenario(
        name="lost",
        summary="a pack falls silent for ten minutes while it conducts",
        bank=SIMILAR,
        profile=BOTH,
        events=((200, silence), (800, answer)),
        seconds=1200,
    ),
    Scenario(
        name="lost-cold",
        summary="a pack at 2 degC among warm ones is lost",
        bank=BankSpec(odd=(Odd(ambient=-23.0),)),
        profile=BOTH,
        packs=8,
        events=((30, silence),),
        ask=ANY_USE,
        seconds=1200,
    ),
    Scenario(
        name="lost-hot",
        summary="a pack is lost with MOSFETs at 91 degC, which cool down",
        profile=SUN,
        packs=8,
        events=((25, heat_mosfets), (30, silence)),
        ask=ANY_USE,
        seconds=1200,
    ),
    Scenario(
        name="dawn",
        summary="all packs at 1 degC, one is lost at dawn, then seven hours of warm sun",
        bank=BankSpec(ambient=1.0, warming=8.0, soc=20.0),
        profile=Profile(points=((0, 0, 0.03), (3600, 0.05, 0.03), (7200, 0.3, 0.03), (25200, 0.3, 0.03))),
        packs=8,
        events=((300, silence),),
        ask=Ask(use=0.5),
        step=1.0,
        calm=5.0,
        seconds=25200,
        apart=True,
    ),
    Scenario(
        name="learns-low",
        summary="one pack new, fifteen minutes of a small load, then full load",
        bank=ONE_NEW,
        profile=Profile(points=steps((0, 0, REST), (60, 0, 0.15), (960, 0, FULL_LOAD), (1200, 0, 0))),
        packs=8,
        seconds=1200,
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
    Scenario(
        name="breaker",
        summary="two packs, one behind an open breaker that its BMS does not know of",
        bank=BankSpec(soc=60.0),
        profile=BOTH,
        packs=2,
        events=((30, open_breaker),),
        seconds=1200,
    ),
    Scenario(
        name="blind",
        summary="the strongest pack's sensor says 0 A from the start",
        bank=STRONGEST,
        profile=BOTH,
        events=((0, blind),),
        ask=BLIND,
        seconds=1200,
    ),
    Scenario(
        name="goes-blind",
        summary="the strongest pack's sensor says 0 A from the middle on",
        bank=STRONGEST,
        profile=BOTH,
        events=((600, blind),),
        ask=BLIND,
        seconds=1200,
    ),
    Scenario(
        name="no-current",
        summary="the strongest pack tells no current",
        bank=STRONGEST,
        profile=BOTH,
        events=((0, no_current),),
        ask=BLIND,
        seconds=1200,
    ),
    Scenario(
        name="frozen",
        summary="the strongest pack's sensor keeps the value it had at rest",
        bank=STRONGEST,
        profile=BOTH,
        events=((30, freeze),),
        ask=BLIND,
        seconds=1200,
    ),
    Scenario(
        name="frozen-at-load",
        summary="the strongest pack's sensor keeps the value it had at full load",
        bank=STRONGEST,
        profile=BOTH,
        events=((330, freeze),),
        ask=BLIND,
        seconds=1200,
    ),
    Scenario(
        name="inverted",
        summary="the strongest pack's sensor has the wrong sign",
        bank=STRONGEST,
        profile=BOTH,
        events=((0, invert),),
        ask=BLIND,
        seconds=1200,
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
        profile=Profile(points=steps((0, 0, REST), (60, 0.4, 0), (900, 0, 0))),
        packs=8,
        feed_in=True,
        exports=True,
        ask=Ask(over_20=60.0, last_minute=0.02),
        seconds=900,
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
SCENARIOS = {row.name: row for row in _ROWS}
