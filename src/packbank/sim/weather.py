"""Sun and loads of a trial, as fractions of what the packs' BMSes may be charged with.

So 1.5 of sun is more than any rule may take, and a discharge beyond every limit needs a load of 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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
    held = [(point, (after[0] - 0.5, *point[1:])) for point, after in pairwise(points)]
    return (*(point for pair in held for point in pair), points[-1])


def _telegraph(rng: np.random.Generator, seconds: int, every: float) -> Array:
    """A level between 0 and 1 that jumps to a new one about once in ``every`` s."""
    jumps = rng.random(seconds) < 1 / every
    levels = rng.random(seconds)
    last = np.maximum.accumulate(np.where(jumps, np.arange(seconds), 0))
    return levels[last]


REST = 0.02  # of a load
FULL_LOAD = 2.2
FULL_SUN = 1.5
# A cold start into four minutes of loads beyond every limit, a pause, and sun beyond every limit.
BOTH = Profile(points=steps((0, 0, REST), (60, 0, FULL_LOAD), (300, 0, REST), (360, FULL_SUN, 0), (900, 0, 0)))
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
# Three hours of sun a day; the loads take 18 % of 280 Ah in the other 21.
TOP_CYCLES = Profile(
    points=tuple((3600 * hour, sun, 0.024) for hour, sun in ((0, 0), (8, 0), (8.2, 0.4), (11, 0.4), (11.2, 0), (24, 0)))
)
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
