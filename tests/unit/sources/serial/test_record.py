"""What is known of a pack, and how an answer that contradicts it finds its way in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from other_bms import answered, pack_row
from packbank.bms.daly import Daly
from packbank.bms.jkpb import JkPb
from packbank.bms.protocol import Answer, Row, Topic
from packbank.model.columns import CELL_RESISTANCES, CELL_VOLTAGES, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.responder_daly import DalyResponder
from packbank.sim.responder_jkpb import frame
from packbank.sources.serial.record import (
    CAUTION,
    FROZEN_AT_REST,
    FROZEN_UNDER_LOAD,
    REREAD_WAIT,
    Judgement,
    Record,
)

ADDRESS = 3
ACCEPTED = ""


class Pack:
    """A JK PB pack whose values a test changes at will; its clock runs as long as ``ticking``."""

    def __init__(self, serial: str = "ONE", boot: float = 0.0) -> None:
        bank = PhysicalBank(BankSpec(packs=1, seed=1))
        bank.step(1.0, 20.0)
        self.row: Row = bank.answers()[0].copy()
        self.identity = Identity(model="JK_PB2A16S20P", software="15.41", serial=serial)
        self.boot = boot
        self.ticking = True

    def says(self, topic: Topic, now: float) -> Answer:
        if self.ticking:
            self.row[Column.TICKS] = now - self.boot
        data = frame(topic, self.row, ADDRESS, self.identity)
        return Answer(ADDRESS, topic, {topic.value: data}, now)

    def rebuilt(self, cells: int) -> None:
        known = self.row[CELL_VOLTAGES]
        known[cells:] = self.row[CELL_RESISTANCES][cells:] = np.nan
        self.row[Column.CELL_COUNT] = cells
        self.row[Column.VOLTAGE] = np.nansum(known)
        self.row[Column.CELL_AVERAGE] = np.nanmean(known)
        self.row[Column.CELL_DELTA] = np.nanmax(known) - np.nanmin(known)


class Bench:
    """A record that knows everything of one pack since 1000 s."""

    def __init__(self) -> None:
        self.record = Record(JkPb())
        self.pack = Pack()
        for topic in Topic:
            assert self.ask(topic, 1000.0) == ACCEPTED
        assert self.ask(Topic.STATUS, 1001.0) == ACCEPTED
        self.last: Judgement

    def ask(self, topic: Topic, now: float, pack: Pack | None = None) -> str:
        """Why the answer is refused, or :data:`ACCEPTED`."""
        self.last = self.record.judge((pack or self.pack).says(topic, now))
        assert (self.last.row is None) is (self.last.error is not None)
        return self.last.error.reason if self.last.error else ACCEPTED

    def value(self, column: Column) -> float:
        assert self.last.row is not None
        return float(self.last.row[column])


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_pack_with_another_number_of_cells_is_accepted_once_its_settings_say_so(bench: Bench) -> None:
    bench.pack.rebuilt(15)
    assert bench.ask(Topic.STATUS, 1002.0) == "cells"
    assert bench.last.reread == (Topic.SETTINGS, Topic.ABOUT)
    assert bench.ask(Topic.SETTINGS, 1002.1) == ACCEPTED
    assert "read again" in bench.last.warning
    assert (bench.value(Column.CELL_COUNT), bench.value(Column.STATUS_TIME)) == (15.0, 1002.0)
    assert np.isfinite(bench.last.row[CELL_VOLTAGES]).sum() == 15  # type: ignore[index]
    assert bench.ask(Topic.STATUS, 1003.0) == ACCEPTED


def test_the_settings_may_come_before_the_status(bench: Bench) -> None:
    bench.pack.rebuilt(15)
    assert bench.ask(Topic.SETTINGS, 1002.0) == "cells"
    assert bench.last.reread == (Topic.STATUS,)
    assert bench.ask(Topic.STATUS, 1002.1) == ACCEPTED
    assert bench.value(Column.CELL_COUNT) == 15.0


def test_a_status_that_its_own_settings_contradict_stays_out(bench: Bench) -> None:
    """The new reading does not agree: then it is the status that is wrong."""
    wrong = Pack()
    wrong.rebuilt(15)
    wrong.row[Column.CELL_COUNT] = 16
    for second in range(100):
        assert bench.ask(Topic.STATUS, 1002.0 + second, wrong) == "cells"
        assert bench.ask(Topic.SETTINGS, 1002.1 + second, wrong) == ACCEPTED


def test_values_that_cannot_be_true_by_themselves_are_never_overruled(bench: Bench) -> None:
    bench.pack.row[Column.VOLTAGE] += 5.0
    for second in range(100):
        assert bench.ask(Topic.STATUS, 1002.0 + second) == "voltage"
        assert bench.last.reread == ()
    bench.pack.row[Column.VOLTAGE] -= 5.0
    assert bench.ask(Topic.STATUS, 1103.0) == ACCEPTED


def swapped(now: float) -> Pack:
    """Another pack, which has been running for half an hour at ``now``."""
    pack = Pack("TWO", now - 700.0)
    pack.row[Column.CHARGE_CURRENT_LIMIT] /= 2
    return pack


def test_another_clock_is_accepted_after_a_new_reading_and_with_the_lower_limits_for_a_minute(bench: Bench) -> None:
    high = bench.pack.row[Column.CHARGE_CURRENT_LIMIT]
    other = swapped(1005.0)
    assert bench.ask(Topic.STATUS, 1005.0, other) == "ticks"
    assert bench.last.reread == (Topic.SETTINGS, Topic.ABOUT)
    assert bench.ask(Topic.STATUS, 1005.3, other) == "ticks", "not before it was read again"
    assert bench.ask(Topic.SETTINGS, 1005.4, other) == ACCEPTED
    assert bench.value(Column.CHARGE_CURRENT_LIMIT) == high / 2
    assert bench.ask(Topic.ABOUT, 1005.5, other) == ACCEPTED
    assert bench.last.warning == "another pack, serial TWO instead of ONE"
    assert bench.last.identity is not None
    assert bench.last.identity.serial == "TWO"
    assert bench.ask(Topic.STATUS, 1006.0, other) == ACCEPTED
    other.row[Column.CHARGE_CURRENT_LIMIT] = high
    assert bench.ask(Topic.SETTINGS, 1010.0, other) == ACCEPTED
    assert bench.value(Column.CHARGE_CURRENT_LIMIT) == high / 2, "the lower one"
    assert bench.ask(Topic.STATUS, 1007.0 + CAUTION, other) == ACCEPTED
    assert bench.value(Column.CHARGE_CURRENT_LIMIT) == high


def test_another_clock_is_accepted_after_a_while_where_nothing_else_can_be_read(bench: Bench) -> None:
    other = swapped(1005.0)
    reasons = [bench.ask(Topic.STATUS, 1005.0 + second, other) for second in range(10)]
    assert reasons == ["ticks"] * int(REREAD_WAIT) + [ACCEPTED] * (10 - int(REREAD_WAIT))


def test_a_clock_that_is_far_ahead_is_doubted_as_well(bench: Bench) -> None:
    assert bench.ask(Topic.STATUS, 1002.0, Pack("TWO", -100_000.0)) == "ticks"


def test_a_restart_is_taken_at_once_and_everything_read_again(bench: Bench) -> None:
    bench.pack.boot = 1003.0
    assert bench.ask(Topic.STATUS, 1004.0) == ACCEPTED
    assert bench.last.reread == (Topic.SETTINGS, Topic.ABOUT)


def test_one_wrong_clock_at_the_start_cannot_keep_the_right_one_out_for_long() -> None:
    record, pack = Record(JkPb()), Pack()
    pack.boot = -4e8
    record.judge(pack.says(Topic.STATUS, 5.0))
    pack.boot = -100.0
    taken = [second for second in range(6, 30) if record.judge(pack.says(Topic.STATUS, float(second))).row is not None]
    assert taken == list(range(6 + int(REREAD_WAIT), 30))


def test_after_a_restart_the_lower_of_old_and_new_limits_holds_for_a_minute(bench: Bench) -> None:
    """It may be another pack, with limits that come before its name."""
    low, bench.pack.boot = bench.pack.row[Column.CHARGE_CURRENT_LIMIT], 1003.0
    assert bench.ask(Topic.STATUS, 1004.0) == ACCEPTED
    bench.pack.row[Column.CHARGE_CURRENT_LIMIT] = 2 * low
    assert bench.ask(Topic.SETTINGS, 1004.1) == ACCEPTED
    assert bench.value(Column.CHARGE_CURRENT_LIMIT) == low
    assert bench.ask(Topic.STATUS, 1005.0 + CAUTION) == ACCEPTED
    assert bench.value(Column.CHARGE_CURRENT_LIMIT) == 2 * low


@pytest.mark.parametrize("column", [Column.NOMINAL_CAPACITY, Column.FULL_CAPACITY])
def test_a_changed_capacity_makes_the_rest_be_read_again(bench: Bench, column: Column) -> None:
    bench.pack.row[column] *= 1.2
    topic = Topic.STATUS if column is Column.FULL_CAPACITY else Topic.SETTINGS
    assert bench.ask(topic, 1002.0) == ACCEPTED
    assert Topic.ABOUT in bench.last.reread


def test_a_pack_that_has_become_smaller_keeps_its_limits_in_proportion_until_they_are_read(bench: Bench) -> None:
    limit, capacity = bench.value(Column.CHARGE_CURRENT_LIMIT), bench.value(Column.FULL_CAPACITY)
    for second, part in ((1002.0, 0.5), (1003.0, 0.5), (1004.0, 0.8)):  # back up: still not known whose limit it is
        bench.pack.row[Column.FULL_CAPACITY] = part * capacity
        assert bench.ask(Topic.STATUS, second) == ACCEPTED
        assert bench.value(Column.CHARGE_CURRENT_LIMIT) == pytest.approx(0.5 * limit)
    assert bench.ask(Topic.SETTINGS, 1005.0) == ACCEPTED
    assert bench.ask(Topic.STATUS, 1006.0 + CAUTION) == ACCEPTED
    assert bench.value(Column.CHARGE_CURRENT_LIMIT) == pytest.approx(limit)


def test_a_limit_that_is_changed_in_the_app_holds_at_once_upwards_and_downwards(bench: Bench) -> None:
    for limit in (20.0, 150.0):
        bench.pack.row[Column.CHARGE_CURRENT_LIMIT] = limit
        assert bench.ask(Topic.SETTINGS, 1010.0) == ACCEPTED
        assert bench.value(Column.CHARGE_CURRENT_LIMIT) == limit


def test_a_pack_that_stands_still_to_the_last_byte_is_frozen_for_as_long_as_it_does(bench: Bench) -> None:
    bench.pack.ticking = False
    assert [bench.ask(Topic.STATUS, 1001.0 + second) for second in range(1, 1000)] == ["frozen"] * 999
    assert bench.last.reread == ()
    assert bench.ask(Topic.SETTINGS, 2001.0) == ACCEPTED
    assert bench.value(Column.STATUS_TIME) == 1001.0, "its settings do not bring its status along"
    bench.pack.ticking = True
    assert bench.ask(Topic.STATUS, 2002.0) == ACCEPTED


@pytest.mark.parametrize(("current", "patience"), [(20.0, FROZEN_UNDER_LOAD), (0.2, FROZEN_AT_REST)])
def test_a_firmware_without_a_clock_is_read(current: float, patience: float) -> None:
    record, pack = Record(JkPb()), Pack()
    pack.ticking, pack.row[Column.TICKS], pack.row[Column.CURRENT] = False, 0.0, current
    for second in range(100):
        pack.row[Column.SOC] = 50.0 + second % 2
        assert record.judge(pack.says(Topic.STATUS, float(second))).error is None
        assert record.clockless(60.0) is (second > 60)
    still = [record.judge(pack.says(Topic.STATUS, 100.0 + second)).error is None for second in range(800)]
    assert still.index(False) == pytest.approx(patience, abs=2.0), "but not for ever when nothing changes at all"


def test_two_packs_at_one_address_are_noticed_and_the_known_one_goes_on(bench: Bench) -> None:
    other = Pack("TWO", -100_000.0)
    taken = [bench.ask(Topic.STATUS, 1002.0 + turn, other if turn % 2 else bench.pack) for turn in range(12)]
    assert taken == [ACCEPTED, "ticks"] * 6
    assert bench.record.shared


def test_one_exchange_of_packs_is_not_two_packs(bench: Bench) -> None:
    other = Pack("TWO", -100_000.0)
    for turn in range(100):
        bench.ask(Topic.STATUS, 1002.0 + turn, other)
    assert not bench.record.shared


def test_the_limits_of_the_pack_before_are_not_those_of_another_serial(bench: Bench) -> None:
    other = Pack("TWO", -100_000.0)
    other.row[Column.CHARGE_CURRENT_LIMIT] = 50.0
    assert bench.ask(Topic.ABOUT, 1002.0, other) == ACCEPTED
    assert np.isnan(bench.value(Column.CHARGE_CURRENT_LIMIT))
    assert np.isnan(bench.value(Column.SETTINGS_TIME))
    assert bench.ask(Topic.STATUS, 1003.0) == ACCEPTED
    assert np.isnan(bench.value(Column.CHARGE_CURRENT_LIMIT)), "also with the caution for a changed pack"
    assert bench.ask(Topic.SETTINGS, 1004.0, other) == ACCEPTED
    assert bench.value(Column.CHARGE_CURRENT_LIMIT) == 50.0


def test_settings_that_came_since_the_clock_was_set_back_are_those_of_the_new_serial(bench: Bench) -> None:
    other = Pack("TWO", 900.0)  # just switched on
    other.row[Column.CHARGE_CURRENT_LIMIT] = 50.0
    bench.ask(Topic.STATUS, 1002.0, other)
    bench.ask(Topic.STATUS, 1008.0, other)
    assert Topic.SETTINGS in bench.last.reread
    assert bench.ask(Topic.SETTINGS, 1009.0, other) == ACCEPTED
    assert bench.ask(Topic.ABOUT, 1010.0, other) == ACCEPTED
    assert bench.value(Column.CHARGE_CURRENT_LIMIT) == 50.0


def test_a_new_serial_number_is_a_warning_and_the_limits_are_read_again(bench: Bench) -> None:
    bench.pack.identity = replace(bench.pack.identity, serial="TWO")
    assert bench.ask(Topic.ABOUT, 1002.0) == ACCEPTED
    assert bench.last.reread == (Topic.SETTINGS,)
    assert "TWO instead of ONE" in bench.last.warning


def test_an_inverted_pack_is_turned_round_and_what_an_answer_leaves_stays_as_it_was() -> None:
    protocol, responder, row = Daly(), DalyResponder(1), pack_row(current=20.0, high_charge_current=2)
    record = Record(protocol, inverted=True)

    def says(questions: tuple[str, ...], now: float) -> Answer:
        said = {}
        for question in questions:
            exchange = protocol.exchange(question, 1)
            assert answered(exchange, responder, row), question
            said[question] = exchange.answer
        return Answer(1, Topic.STATUS, said, now)

    first = record.judge(says(("counts", "pack", "cells", "alarms"), 1.0))
    second = record.judge(says(("pack", "cells"), 2.0))
    for judgement in (first, second):
        assert judgement.row is not None, judgement.error
        assert judgement.row[Column.CURRENT] == -20.0
        assert judgement.row[Column.POWER] == pytest.approx(-20.0 * 53.0)
        assert judgement.row[Alarm.HIGH_DISCHARGE_CURRENT.column] == 2
        assert judgement.row[Alarm.HIGH_CHARGE_CURRENT.column] == 0
    third = record.judge(says(("pack", "state", "cells"), 3.0))  # the state says that it charges
    assert third.error is not None
    assert third.error.reason == "sign"
