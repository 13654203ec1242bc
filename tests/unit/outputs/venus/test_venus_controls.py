from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from packbank.model.controls import Controls
from packbank.outputs.venus.controls import WISHES, Wish
from packbank.outputs.venus.path import Value

NUMBERS = st.floats() | st.integers(-(10**6), 10**6) | st.text() | st.none()


@given(st.sampled_from(WISHES), NUMBERS)
def test_what_is_taken_reads_back_and_changes_nothing_else(wish: Wish, value: Value) -> None:
    before = Controls(charge_current=1.0, discharge_current=2.0, charge_voltage=50.0)
    after = wish.changed(before, value)
    if after is None:
        return
    assert wish.path.get(after) == value
    others = [other for other in WISHES if other is not wish]
    assert [other.path.get(after) for other in others] == [other.path.get(before) for other in others]


def test_none_means_no_cap() -> None:
    by_name = {wish.path.name: wish for wish in WISHES}
    capped = Controls(charge_current=10.0, charge_voltage=50.0)
    assert by_name["/Settings/MaxChargeCurrent"].changed(capped, -1) == Controls(charge_voltage=50.0)
    assert by_name["/Settings/MaxChargeVoltage"].changed(capped, 0) == Controls(charge_current=10.0)
    assert by_name["/Settings/MaxChargeCurrent"].changed(capped, 0) == Controls(charge_current=0.0, charge_voltage=50.0)
