"""What must hold of CVL and CCL while a charge limit is not followed, whatever flows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_rows import CELLS_USED, Rig, set_cells, set_temperature
from packbank.aggregator.settings import BankSettings
from packbank.aggregator.stop import DRAINS, FAR, NOISE_FRACTION, OFFSET, RISE, SINK
from packbank.model.battery import FAULTY
from packbank.model.columns import Column

PACKS = 3
FLOOR = CELLS_USED * (3.375 - 0.1 - OFFSET)  # that, where chargers hold so much more than CVL
NOISE = NOISE_FRACTION * 280.0 * PACKS  # A

# Seconds, current of each pack in A, cell voltage, temperature, packs that are silent.
MOMENTS = st.lists(
    st.tuples(
        st.integers(1, 40),
        st.sampled_from([0.0, 30.0, 90.0, -0.5, -5.0, -60.0]),
        st.sampled_from([3.0, 3.2, 3.3, 3.33, 3.4, 3.44, 3.5]),
        st.sampled_from([-5.0, -5.0, 4.0, 20.0]),
        st.sampled_from([(), (), (), (1,)]),
    ),
    min_size=1,
    max_size=8,
)


@dataclass(frozen=True)
class Seen:
    """One step of two banks with the same rows, the second without the rule."""

    cvl: float
    without: float
    ccl: float
    flow: float  # A, of the bank; that of a lost pack is not known; NaN: a sensor is taken for wrong
    fresh: bool
    volts: float  # of the packs


def play(moments: list[Any], jitter: int) -> list[Seen]:
    random = np.random.default_rng(jitter)
    rigs = [Rig(PACKS, BankSettings(stop_charge_by_voltage=rule, cvl_recovery_hold_sec=0.0)) for rule in (True, False)]
    seen = []
    for seconds, current, cell, degrees, silent in moments:
        for _ in range(seconds):
            currents = current + random.normal(0.0, 0.5, PACKS)
            volts = cell + random.normal(0.0, 0.001)
            batteries = []
            for rig in rigs:
                rig.silent = set(silent)
                loud = [pack for pack in range(PACKS) if pack not in silent]
                for pack in loud:
                    set_cells(rig.rows, pack, volts)
                    set_temperature(rig.rows, pack, degrees)
                rig.rows[loud, Column.CURRENT] = currents[loud]
                batteries.append(rig.step())
            with_rule, without = (battery.charge_voltage_limit.value for battery in batteries)
            packs = batteries[0].packs
            heard = [index for index, pack in enumerate(packs) if pack.presence != "lost"]
            believed = not any(pack.current_sensor in FAULTY for pack in packs)  # cells and currents are not one here
            flow = float(rigs[0].rows[heard, Column.CURRENT].sum()) if believed else np.nan
            fresh = all(pack.presence == "fresh" for pack in packs)
            seen.append(
                Seen(with_rule, without, batteries[0].charge_current_limit.value, flow, fresh, CELLS_USED * volts)
            )
    return seen


@given(moments=MOMENTS, jitter=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_cvl_is_never_higher_than_without_the_rule_nor_below_the_floor(moments: list[Any], jitter: int) -> None:
    seen = play(moments, jitter)
    assert all(FLOOR - 1e-9 <= step.cvl <= step.without + 1e-9 for step in seen)
    for before, now in pairwise(seen):
        if now.ccl > 0.0:
            holds_above_0(before, now)
            continue
        if now.flow > NOISE:
            assert now.cvl <= before.cvl + 1e-9, "it rises while current flows in"
        elif now.fresh and now.flow <= NOISE:
            assert now.cvl >= min(before.cvl, now.without) - 1e-9, "it falls though nothing flows in"
        if now.fresh and now.flow < -DRAINS * NOISE:
            assert now.cvl > before.cvl or now.cvl == now.without, "it does not rise while current flows out"


def holds_above_0(before: Seen, now: Seen) -> None:
    """What holds from one step to the next while some charge current is allowed."""
    lowered = now.cvl < now.without - 0.01
    if lowered and now.flow > now.ccl + NOISE:
        assert now.cvl <= before.cvl + 1e-9, "it rises while more flows than is allowed"
    if now.fresh and now.flow <= now.ccl + NOISE:
        assert now.cvl >= min(before.cvl, now.without) - SINK - 1e-9, "it falls though no more flows than is allowed"
    if now.fresh and now.flow < -NOISE:
        assert now.cvl >= min(now.volts, now.without) - 0.01, "what lies above it would be exported"
    if lowered and now.flow >= -DRAINS * NOISE:
        assert now.cvl <= max(before.cvl, FLOOR) + RISE + 1e-9, "it rises by a leap"
    if before.cvl < before.without - 0.5 and before.cvl > FLOOR + 0.5 and before.flow > before.ccl + FAR * NOISE:
        assert now.ccl <= before.ccl + 1e-9, "a limit rises that is not followed"
