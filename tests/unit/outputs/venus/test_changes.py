from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from packbank.model.battery import Limit
from packbank.model.columns import Alarm
from packbank.outputs.venus.changes import Changes, ModulePages
from packbank.outputs.venus.paths import BANK_PATHS, BANK_PATHS_WITHOUT_LIMITS, MODULE, MODULES
from virtual_battery import pack_view, snapshot, virtual_battery

CCL = "/Info/MaxChargeCurrent"


def test_the_first_call_returns_everything() -> None:
    assert set(Changes(BANK_PATHS).select(snapshot(), 100.0)) == {row.path for row in BANK_PATHS}
    assert len(ModulePages().select(virtual_battery())) == MODULES * len(MODULE)


def test_without_limits_the_battery_is_shown_and_is_no_bms() -> None:
    shown = Changes(BANK_PATHS).select(snapshot(), 100.0)
    without = Changes(BANK_PATHS_WITHOUT_LIMITS).select(snapshot(), 100.0)
    differ = {path for path in shown if shown[path] != without[path]}
    assert differ == {"/Info/MaxChargeVoltage", CCL, "/Info/MaxDischargeCurrent"}
    assert all(without[path].value is None for path in differ)


def test_a_tick_that_comes_a_little_early_is_on_time() -> None:
    changes = Changes(BANK_PATHS)
    changes.select(snapshot(), 0.0)
    assert set(changes.select(snapshot(voltage=50.0), 0.9)) == {"/Dc/0/Voltage"}


def test_between_the_seconds_only_alarms_and_falling_limits_go_out() -> None:
    changes = Changes(BANK_PATHS)
    changes.select(snapshot(), 0.0)
    shown = snapshot(voltage=50.0, charge_current_limit=Limit(10.0), alarms={Alarm.LOW_SOC: 2})
    sent = changes.select(shown, 0.3)
    assert sent[CCL].value == 10.0
    assert sent["/Alarms/LowSoc"].value == 2
    assert "/Dc/0/Voltage" not in sent


def test_only_the_page_that_changed_is_sent_again() -> None:
    pages = ModulePages()
    pages.select(virtual_battery())
    alarmed = virtual_battery(packs=(pack_view("a", alarms={Alarm.LOW_SOC: 1}),), alarms={Alarm.LOW_SOC: 1})
    assert {name: item.value for name, item in pages.select(alarmed).items()} == {
        "/Diagnostics/Module0/Id": "a",
        "/Diagnostics/Module0/Alarms/LowSoc": 1,
    }
    assert pages.select(alarmed) == {}


limits = st.lists(st.tuples(st.floats(0.3, 3.0), st.floats(0.0, 300.0) | st.just(float("nan"))), min_size=1)


@given(limits)
def test_what_the_bus_says_is_never_above_the_limit_for_long_nor_unknown(steps: list[tuple[float, float]]) -> None:
    changes, now, on_bus = Changes(BANK_PATHS), 0.0, None
    for pause, limit in steps:
        now += pause
        sent = changes.select(snapshot(charge_current_limit=Limit(limit)), now)
        on_bus = sent[CCL].value if CCL in sent else on_bus
        assert isinstance(on_bus, float)
        assert on_bus <= (0.0 if math.isnan(limit) else limit) + 1e-6


@given(limits)
def test_a_limit_that_stays_is_sent_within_five_seconds(steps: list[tuple[float, float]]) -> None:
    changes, now, on_bus = Changes(BANK_PATHS), 0.0, None
    for pause, limit in [*steps, *[(1.0, 77.77)] * 6]:
        now += pause
        sent = changes.select(snapshot(charge_voltage_limit=Limit(limit)), now)
        on_bus = sent["/Info/MaxChargeVoltage"].value if "/Info/MaxChargeVoltage" in sent else on_bus
    assert on_bus == 77.77
