"""Adding a pack of which nothing is known but its measurements never stops a bank."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_rows import Rig
from packbank.model.columns import Column

NAN = float("nan")
UNKNOWN = [
    Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT, Column.SETTINGS_TIME, Column.CELL_OVP, Column.CELL_UVP,
    Column.CHARGE_OTP, Column.DISCHARGE_OTP, Column.CHARGE_UTP, Column.DISCHARGE_UTP, Column.MOS_OTP,
    Column.NOMINAL_CAPACITY, Column.FULL_CAPACITY, Column.CELL_COUNT,
]  # fmt: skip


def limits(rig: Rig) -> tuple[float, float]:
    battery = rig.run(40)
    return battery.charge_current_limit.value, battery.discharge_current_limit.value


@given(
    known=st.lists(st.tuples(st.floats(20.0, 200.0), st.floats(20.0, 200.0)), min_size=1, max_size=5),
    unknown=st.integers(1, 3),
    holes=st.sets(st.sampled_from(UNKNOWN), min_size=1),
    current=st.floats(-20.0, 20.0),
)
@settings(deadline=None, max_examples=60)
def test_packs_of_unknown_limits_never_bring_a_limit_to_zero(
    known: list[tuple[float, float]], unknown: int, holes: set[Any], current: float
) -> None:
    rig = Rig(len(known) + unknown)
    ours = slice(0, len(known))
    rig.rows[ours, [Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT]] = known
    rig.rows[len(known) :, list(holes)] = NAN
    rig.rows[:, Column.CURRENT] = current
    charge, discharge = limits(rig)
    assert charge > 0.0
    assert discharge > 0.0
    lowest = np.min(known, axis=0)
    packs = rig.step().packs
    for pack in packs[len(known) :]:
        if pack.charge_estimated:
            assert pack.charge_limit <= lowest[0]
        if pack.discharge_estimated:
            assert pack.discharge_limit <= lowest[1]
