"""A setting of a BMS that cannot be never raises a limit, and never stops a bank."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bank_rows import Rig, set_cells
from packbank.aggregator.plausible import JUDGED
from packbank.aggregator.ramp import STEP, WORTH
from packbank.aggregator.settings import BankSettings
from packbank.model.columns import Column
from packbank.model.controls import External
from packbank.model.identity import Identity

# Values that each setting cannot have beside three packs of 280 Ah with the settings of ``healthy``.
NONSENSE = {
    Column.FULL_CAPACITY: [0.0, 2.0, 4.0, 2e4, 1e6],
    Column.NOMINAL_CAPACITY: [0.0, 2.0, 4.0, 2e4, 1e6],
    Column.CHARGE_CURRENT_LIMIT: [0.0, 0.1, -5.0, 1000.0, 2500.0, 6000.0, 1e9],
    Column.DISCHARGE_CURRENT_LIMIT: [0.0, 0.1, -5.0, 1500.0, 2500.0, 6000.0, 1e9],
    Column.CELL_OVP: [0.0, 1.0, 2.6, 4.2, 5.0, 65535.0],
    Column.CELL_UVP: [0.0, 0.5, 3.7, 5.0, -1.0],
    Column.CELL_COUNT: [0.0, 1.0, 8.0, 32.0, 255.0],
    Column.CHARGE_OTP: [0.0, -40.0, 6553.5],
    Column.DISCHARGE_OTP: [0.0, -40.0, 6553.5],
    Column.CHARGE_UTP: [60.0, -100.0, 6553.5],
    Column.DISCHARGE_UTP: [60.0, -100.0, 6553.5],
    Column.MOS_OTP: [0.0, 20.0, 6553.5],
    Column.CHARGE_OCP_DELAY: [-1.0, 300.0, 1e5],
    Column.DISCHARGE_OCP_DELAY: [-1.0, 300.0, 1e5],
    Column.CHARGE_OCP_RELEASE: [-1.0, 1e5],
    Column.DISCHARGE_OCP_RELEASE: [-1.0, 1e5],
    Column.CELL_OVP_RECOVERY: [0.0, 5.0],
    Column.CELL_UVP_RECOVERY: [0.0, 5.0],
    Column.CHARGE_OTP_RECOVERY: [-40.0, 6553.5],
    Column.DISCHARGE_OTP_RECOVERY: [-40.0, 6553.5],
    Column.CHARGE_UTP_RECOVERY: [-100.0, 6553.5],
    Column.DISCHARGE_UTP_RECOVERY: [-100.0, 6553.5],
    Column.MOS_OTP_RECOVERY: [-100.0, 6553.5],
}
assert set(NONSENSE) == set(JUDGED), "every setting"
WRONG = st.sampled_from([(column, value) for column, values in NONSENSE.items() for value in values])
NOTHING = {"cell": 3.25, "current": 0.0, "mosfets": 20.0, "battery": 25.0}
STATE = st.fixed_dictionaries(
    {
        "cell": st.floats(3.05, 3.46),
        "current": st.floats(-80.0, 80.0),
        "mosfets": st.floats(20.0, 85.0),
        "battery": st.floats(1.0, 50.0),
    }
)


AT_ONCE = BankSettings(
    ccl_recovery_hold_sec=0.0,
    dcl_recovery_hold_sec=0.0,
    ccl_recovery_rate_a_per_sec=0.0,
    dcl_recovery_rate_a_per_sec=0.0,
)  # a bank that starts later, since it waits for unknown settings, is on another part of its way up


def rig_of(packs: int, state: dict[str, float], bank: BankSettings | None = None) -> Rig:
    rig = Rig(packs, bank)
    set_cells(rig.rows, slice(None), state["cell"])
    rig.rows[:, Column.CURRENT] = state["current"]
    rig.rows[:, Column.TEMPERATURE_MOS] = state["mosfets"]
    rig.rows[:, Column.TEMPERATURE_1] = state["battery"]
    rig.rows[:, Column.NOMINAL_CAPACITY] = 280.0
    rig.rows[:, [Column.CHARGE_OCP_DELAY, Column.DISCHARGE_OCP_DELAY]] = 3.0
    return rig


def check(rig: Rig, sound: Rig, room: float) -> None:
    """For a while ``rig`` never allows more than ``sound``, and something wherever that does."""
    for _ in range(8):
        battery, well = rig.step(), sound.step()
        for name in ("charge_voltage_limit", "charge_current_limit", "discharge_current_limit"):
            value, most = getattr(battery, name).value, getattr(well, name).value
            assert value <= most * (1.0 + room) + 1e-9, name
            assert value > 0.0 or most == 0.0, name


@example(state=NOTHING, wrong=[(Column.CELL_OVP, 0.0), (Column.CELL_UVP, 3.7)], limits=(5.0, 5.0))
@example(state=NOTHING, wrong=[(Column.CELL_OVP, 2.6), (Column.CELL_UVP, 0.0)], limits=(5.0, 5.0))
@example(state=NOTHING, wrong=[(Column.CELL_OVP, 4.2), (Column.CELL_UVP, 3.7)], limits=(5.0, 5.0))
@given(state=STATE, wrong=st.lists(WRONG, min_size=1, max_size=3), limits=st.tuples(st.floats(5, 90), st.floats(5, 90)))
@settings(max_examples=40, deadline=None)
def test_a_setting_that_turns_into_nonsense_never_raises_a_limit(
    state: dict[str, float], wrong: list[Any], limits: tuple[float, float]
) -> None:
    rig, sound = rig_of(4, state), rig_of(4, state)
    for each in (rig, sound):  # the pack itself is set lower than its neighbours: that stays known
        each.rows[0, [Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT]] = limits
        each.run(6)
    for column, value in wrong:
        rig.rows[0, column] = value
    check(rig, sound, 1e-9)


@example(packs=3, state=NOTHING, wrong=[(Column.CELL_OVP, 0.0), (Column.CELL_UVP, 3.7)])
@example(packs=3, state=NOTHING, wrong=[(Column.CELL_OVP, 2.6), (Column.CELL_UVP, 0.0)])
@example(packs=3, state=NOTHING, wrong=[(Column.CELL_OVP, 4.2), (Column.CELL_UVP, 3.7)])
@given(packs=st.integers(3, 5), state=STATE, wrong=st.lists(WRONG, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_nonsense_from_the_start_never_raises_a_limit(packs: int, state: dict[str, float], wrong: list[Any]) -> None:
    rig, sound = rig_of(packs, state, AT_ONCE), rig_of(packs, state, AT_ONCE)
    for column, value in wrong:
        rig.rows[0, column] = value
    # A start waits for unknown settings and publishes without a ramp until then: let the sound bank's ramp catch up.
    for _ in range(15):
        rig.step(), sound.step()
    check(rig, sound, STEP + WORTH)


@given(
    settings_of=st.lists(
        st.fixed_dictionaries(
            {
                Column.CHARGE_CURRENT_LIMIT: st.floats(1.0, 1999.0),
                Column.DISCHARGE_CURRENT_LIMIT: st.floats(1.0, 1999.0),
                Column.FULL_CAPACITY: st.floats(100.0, 1000.0),
                Column.CHARGE_OCP_DELAY: st.sampled_from([3.0, 6.0, 10.0, 300.0]),
            }
        ),
        min_size=3,
        max_size=6,
    ),
    current=st.floats(-80.0, 80.0),
    loads=st.sampled_from([0.0, 60.0]),
)
@settings(max_examples=40, deadline=None)
def test_comparison_with_packs_of_its_kind_never_raises_a_limit(
    settings_of: list[dict[Column, float]], current: float, loads: float
) -> None:
    compared, alone = Rig(len(settings_of), AT_ONCE), Rig(len(settings_of), AT_ONCE)
    alone.identities = [Identity(model=f"make {pack}") for pack in range(len(settings_of))]
    for rig in (compared, alone):
        rig.external = External(loads=loads)
        rig.rows[:, Column.CURRENT] = current
        for pack, values in enumerate(settings_of):
            for column, value in values.items():
                rig.rows[pack, column] = value
        rig.run(8)
    check(compared, alone, STEP + WORTH)
