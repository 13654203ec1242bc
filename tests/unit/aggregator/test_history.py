"""History and incidents as pure keepers: what they make of given moments, without a bank."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from math import isnan
from typing import Any

import pytest

from bank_rows import Rig
from packbank.aggregator.history import HistoryKeeper, Moment
from packbank.aggregator.incidents import SETTLE, IncidentLog
from packbank.aggregator.settings import BankSettings
from packbank.model.battery import History, Incident
from packbank.model.columns import Alarm, Column

INSTALLED = 1000.0


def moment(consumed: float, **changes: Any) -> Moment:
    values: dict[str, Any] = {"voltage": 53.0, "current": 0.0, "lowest_cell": 3.3, "highest_cell": 3.3}
    values |= {"coldest": 20.0, "hottest": 21.0, "consumed": consumed, "installed": INSTALLED}
    return Moment(**values | changes)


def after(*steps: tuple[float, str], keeper: HistoryKeeper | None = None) -> History:
    """The history after steps of (consumed, what happens)."""
    keeper, history = keeper or HistoryKeeper(), History()
    for consumed, event in steps:
        history = keeper.step(moment(consumed, **({event: True} if event else {})), 1.0)
    return history


COUNTS = ("full_discharges", "automatic_syncs", "low_voltage_alarms", "high_voltage_alarms")


def test_nothing_is_known_at_first_but_what_is_measured() -> None:
    """A bank that is found at 16 % was not discharged by 3362 Ah as far as anybody knows."""
    measured = {"voltage", "cell_voltage", "temperature"}
    for seconds in (1, 12, 1000):
        history = asdict(after(*[(-3362.0, "")] * seconds))
        known = {name for name, value in history.items() if not isnan(value)}
        assert known == {f"{end}_{what}" for end in ("minimum", "maximum") for what in measured}


@pytest.mark.parametrize(
    ("steps", "last", "deepest", "average"),
    [
        ([(-300.0, ""), (-500.0, "")], None, None, None),  # from where, nobody knows
        ([(0.0, "full"), (-30.0, "")], None, None, None),  # too little to be one
        ([(0.0, "full"), (-300.0, ""), (-200.0, "")], -300.0, -300.0, None),
        ([(0.0, "full"), (-300.0, ""), (0.0, "full"), (-20.0, "")], -300.0, -300.0, -300.0),
        ([(0.0, "full"), (-300.0, ""), (0.0, "full"), (-100.0, ""), (0.0, "full")], -100.0, -300.0, -200.0),
        ([(0.0, "full"), (0.0, "full"), (-100.0, ""), (0.0, "full")], -100.0, -100.0, -100.0),
        ([(-400.0, "full"), (-400.0, ""), (-500.0, "")], -100.0, -100.0, None),  # the packs' SoC was far off
        ([(-400.0, "full"), (0.0, ""), (-80.0, "")], -80.0, -80.0, None),  # and was then put right
    ],
)
def test_discharges(
    steps: list[tuple[float, str]], last: float | None, deepest: float | None, average: float | None
) -> None:
    history = after(*steps)
    shown = [history.last_discharge, history.deepest_discharge, history.average_discharge]
    assert [None if isnan(value) else value for value in shown] == [last, deepest, average]


@pytest.mark.parametrize(
    ("steps", "count"),
    [
        ([(-900.0, "")], None),
        ([(-990.0, "empty")], 1),
        ([(-990.0, "empty"), (-995.0, "empty"), (-994.0, ""), (-996.0, "empty")], 1),  # a cell that recovers at rest
        ([(-990.0, "empty"), (-940.0, ""), (-960.0, "empty")], 2),  # it was charged meanwhile
    ],
)
def test_full_discharges(steps: list[tuple[float, str]], count: int | None) -> None:
    value = after(*steps).full_discharges
    assert (None if isnan(value) else value) == count


@pytest.mark.parametrize("event", ["synced", "low_voltage", "high_voltage"])
def test_a_count_begins_with_its_first_event(event: str) -> None:
    field = "automatic_syncs" if event == "synced" else f"{event}_alarms"
    assert isnan(getattr(after((0.0, "")), field))
    history = after((0.0, event), (0.0, ""), (0.0, event))
    assert getattr(history, field) == 2.0
    assert sum(not isnan(getattr(history, name)) for name in COUNTS) == 1


def restarts(keeper: HistoryKeeper) -> Iterator[HistoryKeeper]:
    yield keeper
    again = HistoryKeeper()
    again.restore(json.loads(json.dumps(keeper.save(), allow_nan=False)))
    yield again


def test_a_restart_changes_nothing() -> None:
    keeper = HistoryKeeper()
    after((0.0, "full"), (-300.0, ""), (0.0, "full"), (-990.0, "empty"), keeper=keeper)
    results = [after((-995.0, "empty"), (0.0, "full"), keeper=one) for one in list(restarts(keeper))]
    assert results[0].full_discharges == results[1].full_discharges == 1.0
    assert results[0].average_discharge == results[1].average_discharge == pytest.approx(-647.5)


def test_a_record_of_the_first_version_is_taken_over() -> None:
    keeper = HistoryKeeper()
    keeper.restore({"record": {"charge_cycles": 3.0, "last_discharge": -7.0}, "full_at": 5.0, "discharge": -120.0})
    history = after((-130.0, ""), keeper=keeper)
    assert (history.charge_cycles, history.last_discharge) == (3.0, -120.0)


def test_incidents_are_the_newest_first_and_have_numbers() -> None:
    log = IncidentLog()
    levels = dict.fromkeys(Alarm, 0)
    assert log.step(levels, 0.0) == ()
    assert list(log.step(levels | {Alarm.LOW_SOC: 1, Alarm.BMS_CABLE: 1}, 1.0)) == [Alarm.LOW_SOC, Alarm.BMS_CABLE]
    assert list(log.step(levels | {Alarm.LOW_SOC: 1, Alarm.BMS_CABLE: 2}, 2.0)) == []  # it was raised before
    assert log.last == (Incident(Alarm.BMS_CABLE, 1.0),)  # no number describes a low SoC
    for second in range(3, 13):
        log.step(levels | {Alarm.CONTACTOR: second % 2}, float(second))
    assert [one.time for one in log.last] == [11.0, 9.0, 7.0, 5.0]


def test_an_alarm_that_outlives_a_restart_is_no_new_incident() -> None:
    log = IncidentLog()
    log.step({Alarm.BMS_CABLE: 1}, 0.0)
    again = IncidentLog()
    again.restore(json.loads(json.dumps(log.save())))
    again.step({}, 100.0)
    again.step({Alarm.BMS_CABLE: 1}, 103.0)
    assert again.last == (Incident(Alarm.BMS_CABLE, 0.0),)
    again.step({}, 110.0)
    again.step({Alarm.BMS_CABLE: 1}, 120.0)
    assert [one.time for one in again.last] == [120.0, 0.0]


def test_what_stood_before_a_restart_and_comes_much_later_is_new() -> None:
    again = IncidentLog()
    again.restore({"raised": ["BmsCable", "OfAnotherVersion"], "last": [["OfAnotherVersion", 1.0]]})
    again.step({}, 0.0)
    again.step({Alarm.BMS_CABLE: 1}, SETTLE + 1.0)
    assert again.last == (Incident(Alarm.BMS_CABLE, SETTLE + 1.0),)


def test_the_bank_counts_alarms_syncs_and_incidents() -> None:
    rig = Rig(2, BankSettings(alarm_delay=1.0))
    rig.run(5)
    for alarm in (Alarm.LOW_CELL_VOLTAGE, Alarm.HIGH_VOLTAGE, Alarm.LOW_CELL_VOLTAGE):
        rig.rows[1, alarm.column] = 2.0
        rig.run(3)
        rig.rows[1, alarm.column] = 0.0
        battery = rig.run(3)
    assert (battery.history.low_voltage_alarms, battery.history.high_voltage_alarms) == (2.0, 1.0)
    assert [one.alarm for one in battery.incidents] == [
        Alarm.LOW_CELL_VOLTAGE,
        Alarm.HIGH_VOLTAGE,
        Alarm.LOW_CELL_VOLTAGE,
    ]
    again = Rig(2, state=json.loads(json.dumps(rig.bank.state(), allow_nan=False)))
    assert again.step().incidents == battery.incidents


def test_a_bank_that_is_empty_counts_it_once() -> None:
    rig = Rig(2)
    rig.run(5)
    rig.rows[:, Column.SOC], rig.rows[:, Column.REMAINING_CAPACITY] = 2.0, 5.6
    rig.rows[0, 3] = 2.5
    battery = rig.run(30)
    assert battery.charge_request
    assert battery.history.full_discharges == 1.0
