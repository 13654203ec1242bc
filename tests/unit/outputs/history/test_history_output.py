"""The output over hours and days: restarts, power cuts, wrong clocks, disks that are full or closed, and bounds."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packbank.config.model import HistoryConfig
from packbank.outputs.history import blocks, recorder
from packbank.outputs.history.rows import HIGH, LOW, MEAN
from past import START, Past, full_disk

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
LATER = 4e9  # after everything


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """A bank of two packs and its history."""
    return Past(tmp_path)


def counted(past: Past, seconds: float, every: float = 30.0) -> None:
    """Live on with a voltage of the bank that counts the seconds, so that rows show when they were taken."""
    for _ in range(round(seconds / every)):
        past.shown = replace(
            past.shown, battery=replace(past.shown.battery, voltage=past.shown.battery.voltage + every)
        )
        past.second(every)


def begin(past: Past) -> None:
    past.shown = replace(past.shown, battery=replace(past.shown.battery, voltage=0.0))


def test_a_minute_is_a_row_and_an_hour_is_on_the_flash(past: Past) -> None:
    begin(past)
    counted(past, 2.5 * HOUR)
    series = past.history().read(None, 0.0, LATER)
    assert set(np.diff(series.times)) == {60.0, 300.0}
    assert series.times[0] == START
    volts = series.values["voltage"]
    assert volts[0].tolist() == [150.0, 30.0, 270.0]  # the first five minutes, and the first sample comes after 30 s
    assert np.all(np.diff(volts[:, MEAN]) > 0)
    assert np.all(volts[:, LOW] <= volts[:, MEAN])
    assert np.all(volts[:, MEAN] <= volts[:, HIGH])
    assert series.seconds.sum() * 30.0 > 2.5 * HOUR - 2 * MINUTE


def test_nothing_is_written_to_the_flash_within_the_hour(past: Past) -> None:
    past.run(35 * MINUTE, 20.0)
    assert not past.location.folder.exists()
    past.run(10 * MINUTE, 20.0)  # 23:00
    before = past.on_flash()
    assert before > 0
    past.run(50 * MINUTE, 20.0)
    assert past.on_flash() == before


def test_a_pack_has_its_cells_and_one_that_is_not_there_has_none(past: Past) -> None:
    past.live(10 * MINUTE, 10.0)
    series = past.history().read("pack 2", 0.0, LATER)
    assert [key for key in series.values if key.startswith("cells.")] == [f"cells.{number}" for number in range(1, 17)]
    assert np.all(series.values["cells.16"] > 3.0)
    assert past.history().read("pack 9", 0.0, LATER).times.size == 0
    assert past.history().places()[1] == {"name": "pack 2", "bus": "roof", "address": 2}


def test_points_merge_rows(past: Past) -> None:
    past.live(5 * HOUR, 30.0)
    whole = past.history().read("pack 1", START, past.wall)
    few = past.history().read("pack 1", START, past.wall, points=10)
    assert 5 <= len(few.times) <= 11
    assert few.seconds.sum() == whole.seconds.sum()
    assert few.values["cells.3"][:, HIGH].max() == whole.values["cells.3"][:, HIGH].max()


def test_a_clean_stop_loses_less_than_a_minute(past: Past) -> None:
    begin(past)
    counted(past, 25 * MINUTE)
    past.output.close()
    assert not past.location.rows.exists()
    assert not past.location.link.is_symlink()
    series = past.history().read(None, 0.0, LATER)
    assert series.values["voltage"][-1, HIGH] >= 24 * MINUTE
    past.restart()
    counted(past, 10 * MINUTE)
    again = past.history().read(None, 0.0, LATER)
    assert len(again.times) == len(set(again.times))
    assert np.all(np.diff(again.values["voltage"][:, MEAN]) > 0)


def test_a_process_that_is_killed_loses_less_than_a_minute(past: Past) -> None:
    begin(past)
    counted(past, 25 * MINUTE)
    past.restart(killed=True)
    counted(past, 2 * HOUR)
    series = past.history().read(None, 0.0, LATER)
    assert series.seconds.sum() * 30.0 >= 25 * MINUTE + 2 * HOUR - 3 * MINUTE
    assert np.all(np.diff(series.values["voltage"][:, MEAN]) > 0)


class PowerCutError(BaseException):
    """Nothing runs any more."""


def cut_before(call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the power go before the call with that number that changes something on a disk; half of a write is done."""
    left = call

    def cut(real: Callable[..., Any], half: Callable[..., Any] | None = None) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                if half:
                    half(*arguments)
                raise PowerCutError
            return real(*arguments, **named)

        return called

    write, unlink, opened, fsync = os.write, Path.unlink, os.open, os.fsync
    monkeypatch.setattr(os, "write", cut(write, lambda to, data: write(to, data[: len(data) // 2])))
    monkeypatch.setattr(os, "open", cut(opened))
    monkeypatch.setattr(os, "fsync", cut(fsync))
    monkeypatch.setattr(Path, "unlink", cut(unlink))


@pytest.mark.parametrize("call", [pytest.param(n, marks=[] if n % 6 == 1 else pytest.mark.slow) for n in range(1, 42)])
def test_a_power_cut_before_any_write_costs_an_hour_at_most(
    past: Past, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    monkeypatch.setattr(recorder, "DAY", 2 * HOUR)  # files of two hours, so that hours are made too
    begin(past)
    counted(past, HOUR, 60.0)
    past.event("before", logging.WARNING)
    with monkeypatch.context() as patch:
        cut_before(call, patch)
        try:
            counted(past, 7 * HOUR, 60.0)
        except PowerCutError:
            at = past.shown.battery.voltage
        else:
            pytest.fail("the power never went: there are fewer writes now, let the range of this test be shorter")
    past.restart(power_cut=True)
    series = past.history().read(None, 0.0, LATER)
    assert np.all(np.diff(series.values["voltage"][:, MEAN]) > 0)
    assert series.values["voltage"][-1, HIGH] > at - HOUR - 2 * MINUTE
    counted(past, 1.5 * HOUR, 60.0)
    after = past.history().read(None, 0.0, LATER)
    assert np.all(np.diff(after.values["voltage"][:, MEAN]) > 0)
    assert np.all(np.diff(after.times) > 0)
    assert after.seconds.sum() * 60.0 >= past.shown.battery.voltage - HOUR - 4 * MINUTE


STEPS = st.lists(
    st.sampled_from(["stop", "kill", "power cut", "full", "clock back", "clock ahead", "clock 1970"])
    | st.integers(1, 100),
    max_size=6,
)


@settings(max_examples=10, deadline=None)
@given(STEPS)
def test_whatever_happens_rows_stay_in_order_and_are_there_once(steps: list[str | int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        past = Past(Path(folder))
        begin(past)
        cuts, restarts, full = 0, 0, 0
        for step in steps:
            if isinstance(step, int):
                counted(past, step * MINUTE, 60.0)
            elif step == "full":
                full += 1
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(blocks, "LEAST_FREE", 1 << 60)
                    counted(past, 70 * MINUTE, 60.0)
            elif step.startswith("clock"):
                past.offset = {"back": past.offset - 5000.0, "ahead": past.offset + 1e6, "1970": -past.clock}[step[6:]]
            else:
                restarts += 1
                cuts += step == "power cut"
                past.restart(killed=step == "kill", power_cut=step == "power cut")
        past.output.close()
        series = past.history().read(None, -1e12, 1e12)
        lived = past.shown.battery.voltage
        assert np.all(np.diff(series.values["voltage"][:, MEAN]) > 0)
        least = lived - cuts * (HOUR + MINUTE) - (full * 70 * MINUTE if cuts else 0.0) - (restarts + 1) * MINUTE
        assert least <= series.seconds.sum() * 60.0 <= lived


def test_a_clock_that_is_set_after_the_start_puts_right_what_was_before(past: Past) -> None:
    past.offset = -past.clock  # 1970
    past.run(150 * MINUTE, 20.0)  # more than an hour of it on the flash
    past.event("seen before the clock was set")
    past.second()
    past.offset = START - past.clock
    past.run(30 * MINUTE, 20.0)
    series = past.history().read(None, START - DAY, past.wall)
    assert series.times[0] == pytest.approx(START - 150 * MINUTE, abs=62)
    assert np.all(np.diff(series.times) > 0)
    (event,) = past.history().events(START - DAY, past.wall)
    assert event.time == pytest.approx(START, abs=22)


def test_a_clock_that_was_never_set_keeps_the_order(past: Past) -> None:
    past.run(70 * MINUTE, 20.0)
    past.restart(power_cut=True)
    past.offset = -1000.0
    past.run(70 * MINUTE, 20.0)
    times = past.history().read(None, -DAY, LATER).times
    back = np.flatnonzero(np.diff(times) < 0)
    assert len(back) == 1
    assert times[back[0]] > START
    assert times[back[0] + 1] < DAY


@pytest.mark.slow
def test_a_clock_that_is_set_each_second_writes_no_more(past: Past) -> None:
    sizes = set()
    for second in range(1800):
        past.offset = START + 7200.0 * second
        past.second()
        sizes.add(past.on_flash())
    assert len(sizes) - 1 in (2, 3, 4)  # times that something was written in half an hour
    assert max(sizes) < 200_000


def test_a_full_disk_is_one_line_and_its_rows_come_later(
    past: Past, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(past)
    counted(past, HOUR)
    with caplog.at_level(logging.INFO), monkeypatch.context() as patch:
        patch.setattr(blocks, "LEAST_FREE", 1 << 60)
        counted(past, 3 * HOUR)
        (line,) = caplog.messages
        assert "No space left on device; what is new stays in memory" in line
    before = past.on_flash()
    with caplog.at_level(logging.INFO):
        counted(past, HOUR)
    assert caplog.messages[1:] == ["history: can be written again"]
    assert past.on_flash() > before
    series = past.history().read(None, 0.0, LATER)
    assert series.seconds.sum() * 30.0 >= 5 * HOUR - 2 * MINUTE


@pytest.mark.parametrize("flash", [Path("/sys/state.history"), Path("/dev/null/state.history")])
def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, flash: Path
) -> None:
    past = Past(tmp_path, flash=flash)
    if flash.parent.is_dir():
        past.event("an alarm", logging.WARNING)
        past.run(3 * HOUR, 30.0)
        past.output.close()
        (line,) = caplog.messages
        assert str(flash) in line
        assert past.history().read(None, 0.0, LATER).times.size >= 170
    else:  # the runner of outputs says so once, and tries again
        with pytest.raises(OSError, match="history cannot be read"):
            past.second()


def test_memory_that_is_full_for_a_while_is_whole_again(past: Past, caplog: pytest.LogCaptureFixture) -> None:
    """The runtime folder: others do not see the last hour, and what was not to be seen is there later."""
    past.run(5 * MINUTE, 20.0)
    with full_disk(1000):
        past.run(10 * MINUTE, 20.0)
    (line,) = caplog.messages
    assert "do not see the last hour" in line
    past.run(5 * MINUTE, 20.0)
    past.restart(killed=True)
    past.second()
    assert past.history().read(None, 0.0, LATER).seconds.sum() >= 19 * 3


def test_memory_is_bounded_while_nothing_can_be_written(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "LARGEST_WAITING", 20_000)
    past.restart()
    with full_disk(100_000):
        monkeypatch.setattr(blocks, "LEAST_FREE", 1 << 60)
        past.run(6 * HOUR, 30.0)
    monkeypatch.undo()
    past.run(HOUR, 30.0)
    times = past.history().read(None, 0.0, LATER).times
    assert times[0] > START + 3 * HOUR
    assert np.all(np.diff(times) > 0)


@pytest.mark.slow
@pytest.mark.parametrize("days", [1, 2])
def test_days_become_hours_and_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    monkeypatch.setattr(recorder, "DAY", 2 * HOUR)
    monkeypatch.setattr(recorder, "MONTH", 3)
    monkeypatch.setattr(recorder, "KEPT_A_YEAR", 4)
    past = Past(tmp_path, config=HistoryConfig(days=days, years=1))
    begin(past)
    counted(past, 30 * HOUR, 60.0)
    names = sorted(path.name for path in past.location.folder.iterdir())
    assert sum(name.startswith("days") for name in names) == days + 1
    assert sum(name.startswith("years") for name in names) == 4
    series = past.history().read(None, 0.0, LATER)
    steps = np.diff(series.times)
    assert set(steps) == {3600.0, 300.0, 60.0} or set(steps) == {3600.0, 300.0}
    assert np.all(np.diff(steps) <= 0)  # hours, then minutes, without a gap
    assert 18 * HOUR < past.wall - series.times[0] < 30 * HOUR
    hours = past.history().read(None, START, past.wall, points=30)
    assert set(np.diff(hours.times)) == {3600.0}


def test_a_battery_that_is_not_ready_leaves_no_row(past: Past) -> None:
    """Its limits are 0 only because nothing is known yet."""
    known = past.shown
    past.shown = replace(known, battery=replace(known.battery, ready=False))
    past.run(5 * MINUTE, 20.0)
    past.shown = known
    past.run(5 * MINUTE, 20.0)
    series = past.history().read(None, 0.0, LATER)
    assert 10 <= series.seconds.sum() <= 15
    assert series.times[0] == START + 5 * MINUTE


def test_hours_stay_to_be_read_when_the_days_are_gone(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "DAY", 2 * HOUR)
    past.run(5 * HOUR, 60.0)
    past.output.close()
    for path in past.location.folder.glob("days-*"):
        path.unlink()
    past.restart()
    past.run(3 * HOUR, 60.0)
    times = past.history().read(None, 0.0, LATER).times
    assert times[0] == START - 20 * MINUTE  # an hour begins
    assert np.all(np.diff(times) > 0)
    assert times[-1] > START + 7.9 * HOUR


def test_another_bank_can_follow(tmp_path: Path) -> None:
    """A pack more and another name: what was before stays to be read."""
    Past(tmp_path, 2).run(70 * MINUTE, 30.0)
    later = Past(tmp_path, 3)
    later.clock, later.offset = 2 * HOUR, START
    later.run(70 * MINUTE, 30.0)
    history = later.history()
    assert len(history.read("pack 1", 0.0, LATER).times) > len(history.read("pack 3", 0.0, LATER).times) > 0
    assert [place["name"] for place in history.places()] == ["pack 1", "pack 2", "pack 3"]


def test_a_warning_is_on_the_flash_at_once_but_not_each_time(past: Past) -> None:
    past.run(5 * MINUTE, 20.0)
    past.event("pack 1: lost", logging.WARNING, packs=("pack 1",))
    past.second()
    first = past.on_flash()
    assert first > 0
    for _ in range(20):
        past.event("pack 1: lost", logging.WARNING, packs=("pack 1",))
        past.run(20.0, 20.0)
    assert past.on_flash() == first
    past.location.events.unlink()  # a power cut
    past.location.rows.unlink()
    assert [event.text for event in past.history().events(0.0, LATER)] == ["pack 1: lost"]
    past.run(5 * MINUTE, 20.0)
    assert len(past.history().events(0.0, LATER)) == 21


@pytest.mark.slow
def test_events_are_bounded_and_in_order(past: Past) -> None:
    for number in range(50_000):
        past.event(f"pack {number % 300}: lost (silent for 31 s); check cable, DIP switches and power {number}")
        if number % 990 == 0:
            past.run(HOUR, 1800.0)
    found = past.history().events(0.0, LATER)
    numbers = [int(event.text.rsplit(" ", 1)[1]) for event in found]
    assert numbers == sorted(numbers)
    assert 7 * 4096 < len(found) <= 8 * (4096 + 1000)
    assert past.on_flash() < 4 << 20


def test_a_day_of_15_packs_is_small(tmp_path: Path) -> None:
    past = Past(tmp_path, 15)
    past.live(4 * HOUR + MINUTE, 30.0)
    assert past.on_flash() * 6 < 300_000  # measured: 0.13 MB with a sample each second
