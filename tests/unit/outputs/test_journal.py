import dataclasses
import logging

import pytest

from packbank.model.battery import Cause, Limit, PackView, Presence, VirtualBattery
from packbank.model.bus_stats import Trouble
from packbank.model.columns import Alarm
from packbank.model.controls import Controls
from packbank.model.remarks import SETTLE
from packbank.outputs.journal import SETTLED, Journal
from packbank.sources.serial.statistics import Statistics
from virtual_battery import packs_of, snapshot, virtual_battery


def view(name: str, presence: Presence = Presence.FRESH, **changes: object) -> PackView:
    pack = PackView(name, presence, 0.5, False, False, 100.0, 100.0, 0.5, 0.5)
    return dataclasses.replace(pack, **changes)  # type: ignore[arg-type]


@pytest.fixture
def battery() -> VirtualBattery:
    """A bank of two packs with nothing to report."""
    return virtual_battery(
        packs=(view("P1"), view("P2")),
        stage="bulk",
        alarms=dict.fromkeys(Alarm, 0),
        charge_voltage_limit=Limit(55.2, cause=Cause.STAGE),
        charge_current_limit=Limit(100.0, 0, Cause.BMS),
        discharge_current_limit=Limit(100.0, 0, Cause.BMS),
    )


def with_packs(battery: VirtualBattery, *packs: PackView) -> VirtualBattery:
    return dataclasses.replace(battery, packs=packs_of(packs))


def texts(journal: Journal, battery: VirtualBattery, now: float) -> list[str]:
    return [text for _, text, *_ in journal.lines(snapshot(battery, now))]


def new_journal() -> Journal:
    return Journal([None, None])


def test_nothing_new_is_no_line(battery: VirtualBattery) -> None:
    journal = new_journal()
    journal.lines(snapshot(battery))
    assert journal.lines(snapshot(battery, 1.0)) == []


def test_packs_with_the_same_news_share_a_line(battery: VirtualBattery) -> None:
    assert "P1, P2: part of the bank" in texts(new_journal(), battery, 0.0)


def test_a_lost_pack_is_a_warning_that_says_for_how_long_and_what_to_do(battery: VirtualBattery) -> None:
    journal = new_journal()
    journal.lines(snapshot(battery))
    lost = with_packs(battery, view("P1"), view("P2", Presence.LOST, age=31.0))
    [(level, text, *_)] = journal.lines(snapshot(lost, 1.0))
    assert level == logging.WARNING
    assert text == "P2: lost (silent for 31 s); check cable, DIP switches and power"


def test_a_lost_pack_that_is_heard_gets_no_advice_to_check_its_cable(battery: VirtualBattery) -> None:
    journal = new_journal()
    journal.lines(snapshot(battery))
    lost = with_packs(battery, view("P1"), view("P2", Presence.LOST, age=31.0))
    trouble = Trouble(2, "answers, but is refused (modbus: exception 1)", "set UART2 to 001")
    stats = dataclasses.replace(Statistics("roof", "/dev/ttyUSB0").snapshot(60.0, 115200), troubles=(trouble,))
    elsewhere = dataclasses.replace(stats, name="cellar")
    [(level, text, *_)] = journal.lines(snapshot(lost, 1.0, buses=(elsewhere, stats)))
    assert level == logging.WARNING
    assert text == "P2: lost (answers, but is refused (modbus: exception 1)); set UART2 to 001"


def test_a_switch_is_logged_when_it_changes(battery: VirtualBattery) -> None:
    journal = new_journal()
    journal.lines(snapshot(battery))
    off = with_packs(battery, view("P1", blocks_charge=True), view("P2"))
    assert texts(journal, off, 1.0) == ["P1: blocks charge"]
    assert texts(journal, battery, 2.0) == ["P1: conducts again"]


def test_an_alarm_names_its_packs_and_its_end(battery: VirtualBattery) -> None:
    journal = new_journal()
    journal.lines(snapshot(battery))
    raised = {Alarm.HIGH_CELL_VOLTAGE: 2}
    alarm = dataclasses.replace(
        battery, alarms=battery.alarms | raised, packs=packs_of((view("P1"), view("P2", alarms=raised)))
    )
    assert texts(journal, alarm, 1.0) == ["HighCellVoltage: alarm (P2)"]
    assert texts(journal, battery, 2.0) == ["HighCellVoltage: over"]


def test_a_reason_that_flickers_is_no_news_one_that_lasts_is(battery: VirtualBattery) -> None:
    journal = new_journal()
    journal.lines(snapshot(battery))
    other = dataclasses.replace(battery, charge_current_limit=Limit(90.0, 1, Cause.CELL_VOLTAGE, 0.5, "cell 3 3.460 V"))
    for second in range(1, 20, 2):
        assert journal.lines(snapshot(other, second)) == []
        assert journal.lines(snapshot(battery, second + 1)) == []
    journal.lines(snapshot(other, 20.0))
    assert texts(journal, other, 20.0 + SETTLED) == [
        "CCL 90.0 A: P2: cell voltage, cell 3 3.460 V, carries 50% of the current"
    ]


def test_a_limit_of_zero_is_logged_at_once(battery: VirtualBattery) -> None:
    journal = new_journal()
    journal.lines(snapshot(battery))
    stopped = dataclasses.replace(battery, discharge_current_limit=Limit(0.0, cause=Cause.BLOCKED))
    assert texts(journal, stopped, 1.0) == ["DCL 0.0 A: blocked"]
    assert texts(journal, battery, 2.0) == ["DCL 100.0 A: P1: BMS setting"]


def test_the_stage_names_who_is_waited_for(battery: VirtualBattery) -> None:
    journal = new_journal()
    journal.lines(snapshot(battery))
    absorption = dataclasses.replace(battery, stage="absorption", waiting_for=(1,))
    assert texts(journal, absorption, 1.0) == ["charge stage absorption, waiting for P2"]


def test_no_limit_is_logged_before_there_is_a_battery(battery: VirtualBattery) -> None:
    assert not any("CVL" in text for text in texts(new_journal(), dataclasses.replace(battery, ready=False), 0.0))


def test_what_is_not_known_of_a_pack_is_said_once_with_the_remedy(battery: VirtualBattery) -> None:
    journal = new_journal()
    odd = with_packs(battery, view("P1"), view("P2", charge_estimated=True, discharge_unlimited=True))
    journal.lines(snapshot(odd))
    assert journal.lines(snapshot(odd, SETTLE - 10.0)) == []  # it may be on its way
    lines = texts(journal, odd, SETTLE + 5.0)
    assert lines == [
        "P2: its charge current limit is not known and taken from other packs; set MAX_BATTERY_CHARGE_CURRENT for it",
        "P2: no BMS reports a discharge current limit: 0 A until MAX_BATTERY_DISCHARGE_CURRENT is set",
    ]
    assert journal.lines(snapshot(odd, 2 * SETTLE)) == []


def test_sensors_that_may_not_be_fitted_are_named_and_packs_share_a_line(battery: VirtualBattery) -> None:
    journal = new_journal()
    odd = with_packs(battery, view("P1", suspect_sensors=(4, 5)), view("P2", suspect_sensors=(4, 5)))
    journal.lines(snapshot(odd))
    [text] = texts(journal, odd, SETTLE + 5.0)
    assert text.startswith("P1, P2: battery sensor T4 and T5 reads exactly 0 degC since the start and limits charge")
    found = with_packs(battery, view("P1", absent_sensors=(4, 5)), view("P2"))
    journal.lines(snapshot(found, 100.0))
    [(level, text, *_)] = journal.lines(snapshot(found, 140.0))
    assert (level, text) == (
        logging.INFO,
        "P1: battery sensor T4 and T5 reads 0 degC while others are warm: counts as not fitted",
    )


def test_what_a_user_sets_is_said_at_once_and_a_program_that_writes_for_ever_is_one_line(
    battery: VirtualBattery,
) -> None:
    journal = new_journal()

    def lines(second: int, amperes: float | None) -> list[str]:
        moment = dataclasses.replace(snapshot(battery, second), controls=Controls(charge_current=amperes))
        return [line.text for line in journal.lines(moment) if "user" in line.text]

    assert lines(0, None) == []
    assert lines(1, 50.0) == ["the user sets /Settings/MaxChargeCurrent to 50.0A"]
    assert lines(2, 50.0) == []
    flood = [line for second in range(3, 50) for line in lines(second, float(second % 7))]
    assert flood == []
    rest = [line for second in range(50, 70) for line in lines(second, 20.0)]
    assert rest == ["the user sets /Settings/MaxChargeCurrent to 20.0A"]
    for_an_hour = [line for second in range(130, 3730) for line in lines(second, float(second % 7))]
    assert len(for_an_hour) <= 60


def test_no_subject_fills_the_log(battery: VirtualBattery, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    journal = new_journal()
    high = dataclasses.replace(battery, alarms=dict.fromkeys(Alarm, 2))
    for second in range(3000):
        journal.show(snapshot(high if second % 2 else battery, float(second)))
    about = [record.message for record in caplog.records if Alarm.LOW_SOC.venus in record.message]
    assert 12 <= len(about) <= 2 * 12
    assert "not again within 60 minutes" in about[-1]
