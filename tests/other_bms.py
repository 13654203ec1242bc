"""Rows that Daly, EG4 LifePower and JKBMS packs can report, and one question after the other without a wire."""

from __future__ import annotations

from random import Random

import numpy as np

from packbank.bms.protocol import Exchange, Protocol, Row, Topic
from packbank.model.columns import ALARMS, CELL_VOLTAGES, COLUMNS, Alarm, Column
from packbank.model.identity import Identity
from packbank.sim.responder import Responder

VALUES = {
    Column.VOLTAGE: 53.0,
    Column.CURRENT: -12.3,
    Column.SOC: 61.0,
    Column.SOH: 97.0,
    Column.REMAINING_CAPACITY: 170.8,
    Column.FULL_CAPACITY: 280.0,
    Column.NOMINAL_CAPACITY: 280.0,
    Column.CYCLES: 41.0,
    Column.CHARGE_MOSFET: 1.0,
    Column.DISCHARGE_MOSFET: 0.0,
    Column.TEMPERATURE_MOS: 31.0,
    Column.TEMPERATURE_1: 24.0,
    Column.TEMPERATURE_2: -5.0,
    Column.BALANCING: 0.0,
    Column.HEATING: 1.0,
    Column.CHARGE_CURRENT_LIMIT: 100.0,
    Column.DISCHARGE_CURRENT_LIMIT: 150.0,
    Column.CHARGE_UTP: -3.0,
    Column.CELL_OVP: 3.65,
    Column.CELL_UVP: 2.6,
    Column.CELL_COUNT: 16.0,
}


def blank() -> Row:
    return np.full(COLUMNS, np.nan)


def pack_row(cells: int = 16, **changes: float) -> Row:
    """A pack at 3.31 V a cell; ``changes`` by the columns' keys."""
    row = blank()
    for column, value in VALUES.items():
        row[column] = value
    row[CELL_VOLTAGES][:cells] = 3.31 + np.arange(cells) % 4 / 1000
    row[Column.CELL_COUNT] = cells
    row[Column.VOLTAGE] = round(float(row[CELL_VOLTAGES][:cells].sum()), 1)
    row[ALARMS] = 0.0
    for key, value in changes.items():
        row[Column[key.upper()] if key.upper() in Column.__members__ else Alarm[key.upper()].column] = value
    return row


def answered(exchange: Exchange, responder: Responder, row: Row, seed: int = 1) -> bool:
    """Put one question to a simulated pack and the whole answer back."""
    if not responder.wants(exchange.request):
        return exchange.feed(b"")
    bursts = responder.answer(exchange.request, row, Random(seed))
    return exchange.feed(b"".join(burst.data for burst in bursts)) or exchange.feed(b"")


def ask(protocol: Protocol, responder: Responder, row: Row, tries: int = 2) -> tuple[Row, Identity]:
    """Everything that a simulated pack reports, asked as a poller does."""
    reported, identity = blank(), Identity()
    for topic in (Topic.SETTINGS, Topic.ABOUT, Topic.STATUS):
        for question in protocol.questions_to(responder.address, topic) if topic in protocol.questions else ():
            for _ in range(tries):
                exchange = protocol.exchange(question, responder.address)
                if answered(exchange, responder, row):
                    identity = protocol.decode(exchange.address, exchange.question, exchange.answer, reported, identity)
                    break
            else:
                assert protocol.may_lack(responder.address, question), question
    protocol.check(reported, blank())
    return reported, identity


def check_alarms(protocol: Protocol, responder: Responder, raises: set[tuple[Alarm, int]]) -> None:
    """Each alarm and level of ``raises`` is read back as it was raised; of all other alarms nothing is known."""
    for alarm in Alarm:
        for level in (1, 2):
            row = pack_row()
            row[alarm.column] = level
            read, _ = ask(protocol, responder, row)
            if any(alarm is raised for raised, _ in raises):
                assert read[alarm.column] == (level if (alarm, level) in raises else 0.0), (alarm, level)
            else:
                assert np.isnan(read[alarm.column]), alarm


def check_hearing(responder: Responder, request: bytes) -> None:
    """``request`` is heard, and neither with a wrong bit in any byte nor without its end."""
    assert responder.wants(request)
    for at in range(len(request)):
        wrong = bytearray(request)
        wrong[at] ^= 0x01
        assert not responder.wants(bytes(wrong)), at
    assert not responder.wants(request[:-1])
