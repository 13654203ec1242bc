from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from packbank.model import reasons
from packbank.model.battery import Cause, Extreme, Limit, Presence
from packbank.model.columns import Alarm
from virtual_battery import lost_battery, pack_view, virtual_battery

FREE = Limit(200.0, 0, Cause.BMS, 0.5)


def test_the_count_stands_first_and_the_limiting_pack_is_named() -> None:
    assert reasons.connection_information(virtual_battery()) == "2/2 packs, pack 2 limits charge (cell 12 3.470 V)"


def test_usual_limits_are_no_news() -> None:
    battery = virtual_battery(charge_current_limit=FREE, discharge_current_limit=Limit(9.0, 1, Cause.CONFIG))
    assert reasons.connection_information(battery) == "2/2 packs"


@pytest.mark.parametrize(
    ("alarms", "balancing", "status"),
    [
        ({}, False, 0),  # no pack can report that the cells differ
        ({}, True, 2),
        ({Alarm.CELL_IMBALANCE: 0}, False, 1),
        ({Alarm.CELL_IMBALANCE: 0}, True, 2),
        ({Alarm.CELL_IMBALANCE: 1}, True, 3),
    ],
)
def test_balancer_status(alarms: dict[Alarm, int], balancing: bool, status: int) -> None:
    assert reasons.balancer_status(virtual_battery(alarms=alarms, balancing=balancing)) == status


def test_a_lost_bank_has_no_balancer_status() -> None:
    assert reasons.balancer_status(dataclasses.replace(lost_battery(), alarms={Alarm.CELL_IMBALANCE: 0})) == 0


def test_lost_packs_are_named_three_at_most() -> None:
    packs = [pack_view(f"p{n}", presence=Presence.LOST if n > 2 else Presence.FRESH) for n in range(1, 8)]
    battery = virtual_battery(packs=tuple(packs), online=2, offline=5, charge_current_limit=FREE)
    assert reasons.connection_information(battery) == "2/7 packs, p3, p4, p5 and 2 more lost"


def test_a_limit_of_no_single_pack() -> None:
    blocked = Limit(0.0, -1, Cause.BLOCKED)
    battery = virtual_battery(charge_current_limit=FREE, discharge_current_limit=blocked)
    assert reasons.connection_information(battery) == "2/2 packs, discharge limited (blocked)"
    assert reasons.reason(battery, blocked) == "blocked"


def test_why_a_limit_is_what_it_is() -> None:
    limit = Limit(50.0, 1, Cause.TEMPERATURE, 0.09, "4.0 degC")
    assert reasons.reason(virtual_battery(), limit) == "pack 2: temperature, 4.0 degC, carries 9% of the current"
    assert reasons.reason(virtual_battery(), Limit(55.2)) == ""


def test_the_stage_says_whom_it_waits_for() -> None:
    assert reasons.charge_mode(virtual_battery(stage="float")) == "float"
    assert (
        reasons.charge_mode(virtual_battery(stage="absorption", waiting_for=(1,))) == "absorption, waiting for pack 2"
    )


def test_a_place_fits_a_modbus_text_of_eight_characters() -> None:
    assert reasons.place(Extreme(3.47, 1, 12), "C") == "P2C12"
    assert reasons.place(Extreme(), "T") == ""
    assert len(reasons.place(Extreme(3.47, 999, 32), "C")) <= 8


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, 9),
        ({"allow_to_charge": False}, 9),
        ({"allow_to_charge": False, "allow_to_discharge": False}, 14),
        ({"alarms": {Alarm.INTERNAL_FAILURE: 1}}, 9),
        ({"alarms": {Alarm.INTERNAL_FAILURE: 2}}, 9),  # one pack's fault is not the bank's
    ],
)
def test_state(changes: dict[str, Any], state: int) -> None:
    assert reasons.state(virtual_battery(**changes)) == state
    assert reasons.error_code(virtual_battery(**changes)) == 0


def test_a_lost_bank() -> None:
    assert reasons.state(lost_battery()) == 10
    assert reasons.error_code(lost_battery()) == 0  # the cable alarm reports it already
    assert reasons.error_code(dataclasses.replace(lost_battery(), alarms={})) == 39
    assert reasons.connection_information(lost_battery()).startswith("0/2 packs, pack 1, pack 2 lost")
