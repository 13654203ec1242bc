"""Packs that change, on a simulated bus in real time: nobody is locked out, and what is heard is named."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from packbank.bms.jkpb import JkPb
from packbank.config.model import BusConfig
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.sim.faults import parse_fault
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_pty import Buses
from packbank.sources.serial.bus import Bus, start_bus
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store

PACKS = 3
SICK = 1  # index of the pack at address 2
PATIENCE = 30.0  # s, on a busy machine
BEGIN = 3.0  # s after the start


class Scene:
    """Three packs, of which the second does something odd."""

    def __init__(self, bus: Bus, store: Store, start: float) -> None:
        self.bus = bus
        self.store = store
        self.start = start

    def value(self, column: Column, index: int = SICK) -> float:
        return float(self.store.snapshot()[0][index, column])

    def age(self, index: int = SICK) -> float:
        return time.monotonic() - self.value(Column.STATUS_TIME, index)

    def until(self, true: Callable[[], bool], seconds: float = PATIENCE) -> float:
        """Wait; seconds since the faults began."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"not within {seconds} s: {self.bus.stats()}"
            time.sleep(0.05)
        return time.monotonic() - self.start - BEGIN


@contextmanager
def scene(folder: Path, *faults: str) -> Iterator[Scene]:
    start = time.monotonic()
    bank = LiveBank(demo_spec(PACKS, 16, 1), start)
    wires = wire_up(bank, [BusPlan("jkpb", PACKS)], [parse_fault(fault) for fault in faults], 1, start)
    store = Store(PACKS)
    members = [Member(index, index + 1, f"P{index + 1}") for index in range(PACKS)]
    with Buses(wires, folder) as buses:
        bus = start_bus(BusConfig(name="rack", port=buses.paths[0]), JkPb(), members, store)
        try:
            yield Scene(bus, store, start)
        finally:
            bus.stop()
            assert bus.join(3.0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_settings_whose_first_answers_are_lost_are_there_in_the_first_seconds(tmp_path: Path, count: int) -> None:
    with scene(tmp_path, f"silence=1@2,of=settings,count={count}") as packs:
        packs.until(lambda: not np.isnan(packs.value(Column.SETTINGS_TIME)))
        first = packs.value(Column.SETTINGS_TIME) - packs.start
        status = packs.value(Column.STATUS_TIME) - packs.start
    assert first < status + 3.0, "in the same visit, or in the next round"


def test_a_pack_without_settings_is_read_and_costs_the_others_little(tmp_path: Path) -> None:
    with scene(tmp_path, "silence=1@2,of=settings") as packs:
        packs.until(lambda: packs.bus.stats().rounds >= 8)
        assert np.isnan(packs.value(Column.SETTINGS_TIME))
        assert packs.age() < 2.0
        assert not np.isnan(packs.store.snapshot()[0][[0, 2], Column.SETTINGS_TIME]).any()


@pytest.mark.parametrize("silence", [[], ["3-12: silence=1@2"]], ids=["", "after silence"])
def test_a_rebuilt_pack_is_back_within_seconds(
    tmp_path: Path, silence: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with scene(tmp_path, "3: cells=15@2", *silence) as packs:
        packs.until(lambda: packs.value(Column.CELL_COUNT) == 15)
        packs.until(lambda: packs.age() < 1.5)
        assert np.isfinite(packs.store.snapshot()[0][SICK, CELL_VOLTAGES]).sum() == 15
        came = packs.value(Column.SETTINGS_TIME) - packs.start - BEGIN
    assert came < 10.0 + (9.0 if silence else 0.0)
    assert "does not answer" not in caplog.text or silence


def test_a_clock_that_stands_at_0_is_no_reason_to_lose_a_pack(tmp_path: Path) -> None:
    with scene(tmp_path, "ticks=0") as packs:
        packs.until(lambda: packs.bus.stats().rounds >= 20)
        assert max(packs.age(index) for index in range(PACKS)) < 2.0
        assert "frozen" not in packs.bus.stats().refused


def test_a_frozen_pack_goes_stale(tmp_path: Path) -> None:
    with scene(tmp_path, "3: frozen@2") as packs:
        packs.until(lambda: packs.bus.stats().refused.get("frozen", 0) > 5)
        packs.until(lambda: packs.age() > 5.0)
        assert packs.age(0) < 2.0


def test_another_pack_at_the_address_is_read_whole_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with scene(tmp_path, "3: swap=0.5@2") as packs:
        packs.until(lambda: not np.isnan(packs.value(Column.SETTINGS_TIME)))
        before = packs.value(Column.CHARGE_CURRENT_LIMIT)
        packs.until(lambda: packs.value(Column.CHARGE_CURRENT_LIMIT) == pytest.approx(before / 2))
        packs.until(lambda: "S" in packs.store.snapshot()[1][SICK].serial[-5:])
        assert packs.value(Column.SETTINGS_TIME) - packs.start < BEGIN + 3.0
    assert "another pack, serial" in caplog.text


def test_a_limit_lowered_in_the_app_is_there_within_half_a_minute(tmp_path: Path) -> None:
    with scene(tmp_path, "3: charge-limit=20@2") as packs:
        packs.until(lambda: packs.value(Column.CHARGE_CURRENT_LIMIT) == 20.0, 40.0)
        assert packs.value(Column.SETTINGS_TIME) - packs.start - BEGIN < 30.0


@pytest.mark.parametrize(
    ("fault", "says", "cure"),
    [
        ("two-in-turn@2", "two packs answer at this address", "an address of its own"),
        ("two-at-once@2", "answers, but is refused", "two packs at one address"),
        ("exception=1@2", "Modbus exception", "001 'JK BMS RS485 Modbus V1.0'"),
        ("bit-flip=1@2", "answers, but is refused", "termination"),
    ],
)
def test_what_is_heard_is_named_within_a_minute_with_its_remedy(
    tmp_path: Path, fault: str, says: str, cure: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with scene(tmp_path, fault) as packs:
        packs.until(lambda: bool(packs.bus.stats().troubles), 60.0)
        (trouble,) = packs.bus.stats().troubles
        assert max(packs.age(index) for index in (0, 2)) < 2.0
    assert trouble.address == 2
    assert says in trouble.text
    assert cure in trouble.text + trouble.remedy
    (message,) = [message for message in caplog.messages if "P2" in message and "another pack" not in message]
    assert message.startswith(f"rack: P2 (0x02) {trouble.text.split('(')[0].strip()}")
    assert "does not answer" not in caplog.text
