"""What the trial puts a bank through, as data: the bank, the sun and the loads, and what happens when."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.settings import BankSettings
from packbank.sim.bank import BankSpec, PhysicalBank

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Sun and loads in W a pack, linear between ``points`` of (hour, sun, load), again after the last hour.

    ``clouds`` is the deepest shadow as a fraction of the sun, ``appliances`` what loads switch, as a fraction.
    """

    points: tuple[tuple[float, float, float], ...]
    clouds: float = 0.0
    appliances: float = 0.0

    def powers(self, seconds: int, packs: int, seed: int) -> tuple[Array, Array]:
        """Sun and load of the whole bank for each second."""
        rng = np.random.default_rng((seed, 7))
        hour, sun, load = np.array(self.points).T
        time = np.arange(seconds) / 3600 % hour[-1]
        shadow = 1 - self.clouds * _telegraph(rng, seconds, 45)
        switched = 1 + self.appliances * (2 * _telegraph(rng, seconds, 60) - 1)
        return packs * np.interp(time, hour, sun) * shadow, packs * np.interp(time, hour, load) * switched


def _telegraph(rng: np.random.Generator, seconds: int, every: float) -> Array:
    """A level between 0 and 1 that jumps to a new one about once in ``every`` s."""
    jumps = rng.random(seconds) < 1 / every
    levels = rng.random(seconds)
    last = np.maximum.accumulate(np.where(jumps, np.arange(seconds), 0))
    return levels[last]


class Effect(Enum):
    """What can happen to the special pack, or to all."""

    SILENCE = "its answers stop"
    ANSWER = "it answers again"
    CHARGE_OFF = "its charge MOSFET is switched off"
    DISCHARGE_OFF = "its discharge MOSFET is switched off"
    BOTH_ON = "its MOSFETs are switched on"
    ALL_SILENCE = "the buses fall silent"
    ALL_ANSWER = "the buses are back"

    def apply(self, bank: PhysicalBank) -> None:
        """Let it happen."""
        pack = bank.spec.special
        match self:
            case Effect.SILENCE | Effect.ANSWER:
                bank.telemetry.silent[pack] = self is Effect.SILENCE
            case Effect.ALL_SILENCE | Effect.ALL_ANSWER:
                bank.telemetry.silent[:] = self is Effect.ALL_SILENCE
            case Effect.CHARGE_OFF:
                bank.charge_enabled[pack] = False
            case Effect.DISCHARGE_OFF:
                bank.discharge_enabled[pack] = False
            case Effect.BOTH_ON:
                bank.charge_enabled[pack] = bank.discharge_enabled[pack] = True


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One trial. ``events`` are (hour, effect); ``step`` is the simulated step, s, ``calm`` the one far from limits."""

    name: str
    summary: str
    bank: BankSpec = field(default_factory=BankSpec)
    profile: Profile
    settings: BankSettings = field(default_factory=BankSettings)
    hours: float = 4.0
    events: tuple[tuple[float, Effect], ...] = ()
    tolerance: float = 0.05  # overshoot that may last
    utilisation: float = 0.0  # of the best possible current, asked of our policy
    step: float = 1.0
    calm: float = 1.0


# A day in four hours: half an hour of loads beyond every limit, a pause, sun beyond every limit until the bank is full,
# then loads and clouds by turns.
HARD = Profile(
    points=(
        (0.00, 0, 9500),
        (0.50, 0, 9500),
        (0.52, 0, 300),
        (0.60, 0, 300),
        (0.62, 7500, 500),
        (3.40, 7500, 500),
        (3.42, 2500, 1500),
        (4.00, 500, 4000),
    ),
    appliances=0.1,
)
DAY = Profile(
    points=(
        (0, 0, 350),
        (5.5, 0, 300),
        (7, 200, 1800),
        (8.5, 1800, 900),
        (11, 5200, 700),
        (13.5, 6500, 900),
        (16, 3800, 800),
        (18, 400, 2500),
        (19, 0, 4500),
        (20.5, 0, 8500),
        (21, 0, 3500),
        (22.5, 0, 700),
        (24, 0, 350),
    ),
    clouds=0.7,
    appliances=0.3,
)
MODERATE = Profile(
    points=(
        (0, 0, 150),
        (6, 0, 200),
        (8, 1100, 350),
        (12, 3200, 400),
        (16, 1600, 350),
        (18, 0, 800),
        (22, 0, 500),
        (24, 0, 150),
    ),
    clouds=0.6,
    appliances=0.3,
)
_MIXED = BankSpec(capacity_spread=0.25, oldest=2.5)

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="equal", summary="new packs of one make", profile=HARD, utilisation=0.97),
        Scenario(
            name="mixed",
            summary="capacity +-25 %, resistance up to 2.5 times",
            bank=_MIXED,
            profile=HARD,
            utilisation=0.88,
        ),
        Scenario(name="soc-spread", summary="packs spread over 30 points", bank=BankSpec(soc_spread=15), profile=HARD),
        Scenario(name="cold-pack", summary="one pack at 4 degC", bank=BankSpec(cold_pack=4.0), profile=HARD),
        Scenario(
            name="runaway-cell",
            summary="one cell full long before its pack",
            bank=BankSpec(runaway_cell=6.0),
            profile=HARD,
        ),
        Scenario(
            name="pack-lost",
            summary="one pack falls silent while it conducts, and is back",
            bank=BankSpec(capacity_spread=0.1, oldest=1.5),
            profile=HARD,
            events=((0.2, Effect.SILENCE), (0.4, Effect.ANSWER), (1.0, Effect.SILENCE), (1.6, Effect.ANSWER)),
        ),
        Scenario(
            name="mosfet-off",
            summary="one pack's MOSFETs go off and on",
            bank=BankSpec(capacity_spread=0.1, oldest=1.5),
            profile=HARD,
            events=(
                (0.15, Effect.DISCHARGE_OFF),
                (0.35, Effect.BOTH_ON),
                (1.0, Effect.CHARGE_OFF),
                (1.5, Effect.BOTH_ON),
            ),
        ),
        Scenario(
            name="bus-lost",
            summary="every pack falls silent, and all are back",
            bank=BankSpec(capacity_spread=0.1, oldest=1.5),
            profile=HARD,
            events=((1.0, Effect.ALL_SILENCE), (1.2, Effect.ALL_ANSWER)),
        ),
        Scenario(
            name="noisy-sensors",
            summary="current sensors 3 % and 1.5 A off, deaf below 2 A",
            bank=BankSpec(
                capacity_spread=0.1,
                oldest=1.5,
                sensor_gain=0.03,
                sensor_offset=1.5,
                sensor_dead_band=2.0,
                sensor_noise=1.0,
                cell_noise=0.002,
            ),
            profile=HARD,
            tolerance=0.08,
        ),
        Scenario(name="day", summary="a day of a mixed bank", bank=_MIXED, profile=DAY, hours=24, calm=10.0),
        Scenario(
            name="month",
            summary="thirty days of a mixed bank with top balancing",
            bank=BankSpec(capacity_spread=0.1, oldest=1.5, cell_soc_spread=1.5),
            profile=MODERATE,
            settings=BankSettings(soc_reset_after_days=10),
            hours=720,
            step=3.0,
            calm=60.0,
        ),
    )
}
