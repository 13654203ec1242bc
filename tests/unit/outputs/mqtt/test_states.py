from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bank_rows import healthy
from packbank.model.battery import Cause, Limit, Presence
from packbank.model.columns import Alarm
from packbank.model.snapshot import Snapshot
from packbank.outputs.mqtt.states import Urgency
from virtual_battery import pack_view, snapshot


def limit(value: float) -> Limit:
    return Limit(value, 1, Cause.CELL_VOLTAGE, 0.5)


@pytest.mark.parametrize(
    ("change", "urgent"),
    [
        ({}, False),
        ({"voltage": 54.0, "current": 20.0, "soc": 70.0}, False),
        ({"charge_current_limit": limit(100.0)}, True),
        ({"charge_current_limit": limit(150.0)}, False),
        ({"discharge_current_limit": limit(0.0)}, True),
        ({"charge_voltage_limit": Limit(54.0)}, True),
        ({"alarms": {Alarm.LOW_SOC: 1}}, True),
        ({"stage": "absorption"}, True),
        ({"online": 1, "offline": 1}, True),
    ],
)
def test_a_limit_that_falls_and_an_alarm_cannot_wait(change: dict[str, Any], urgent: bool) -> None:
    urgency = Urgency()
    assert not urgency.bank(snapshot())
    assert urgency.bank(snapshot(**change)) is urgent
    assert not urgency.bank(snapshot(**change))


def test_a_pack_whose_standing_changes_cannot_wait() -> None:
    def packs(**second: Any) -> Snapshot:
        return snapshot(rows=healthy(2), packs=(pack_view("pack 1"), pack_view("pack 2", **second)))

    urgency = Urgency()
    assert urgency.packs(packs()) == []
    for change in (
        {"presence": Presence.LOST},
        {"blocks_charge": True},
        {"blocks_discharge": True},
        {"alarms": {Alarm.CELL_IMBALANCE: 1}},
    ):
        assert urgency.packs(packs(**change)) == [1]
        assert urgency.packs(packs(**change)) == []
        assert urgency.packs(packs()) == [1]
    assert urgency.packs(packs(charge_limit=1.0, age=3.0, coldest=np.nan)) == []
