"""What must hold of the bank whatever its packs say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from math import isnan
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bank_rows import WALL, healthy
from packbank.aggregator.bank import Bank
from packbank.aggregator.instant import Instant
from packbank.aggregator.lines import Lines
from packbank.aggregator.predict import LEAST, SIGMAS, Side, after_loss, highest_drives, shared_limit
from packbank.aggregator.settings import BankSettings, PackSettings, SocMode
from packbank.model.battery import Cause, VirtualBattery
from packbank.model.columns import ALARMS, CELL_VOLTAGES, COLUMNS, Column
from packbank.model.identity import Identity

Rows = NDArray[np.float64]
NAN = float("nan")

# A healthy pack's columns that a drawn pack bends, and how far.
BENDS = {
    Column.CURRENT: st.floats(-200.0, 200.0),
    Column.SOC: st.floats(0.0, 100.0),
    Column.FULL_CAPACITY: st.floats(20.0, 1000.0),
    Column.CHARGE_CURRENT_LIMIT: st.floats(1.0, 400.0),
    Column.DISCHARGE_CURRENT_LIMIT: st.floats(1.0, 400.0),
    Column.TEMPERATURE_1: st.floats(-20.0, 70.0),
    Column.TEMPERATURE_MOS: st.floats(0.0, 110.0),
    Column.CHARGE_MOSFET: st.sampled_from([0.0, 1.0, 1.0, 1.0]),
    Column.DISCHARGE_MOSFET: st.sampled_from([0.0, 1.0, 1.0, 1.0]),
}
PACK = st.fixed_dictionaries(
    {
        "cells": st.lists(st.floats(3.0, 3.5), min_size=16, max_size=16),
        "missing": st.lists(st.integers(0, COLUMNS - 1), max_size=4),
    },
    optional={column.key: values for column, values in BENDS.items()},
)


def rows_of(packs: list[dict[str, Any]], holes: bool = False) -> Rows:
    rows = healthy(len(packs))
    for row, pack in zip(rows, packs, strict=True):
        row[:16] = pack["cells"]
        row[Column.VOLTAGE] = sum(pack["cells"])
        for column in BENDS:
            row[column] = pack.get(column.key, row[column])
        if holes:
            row[pack["missing"]] = NAN
    return rows


class Watched(Bank):
    """A bank whose last step can be looked into, of packs that are all of different models.

    Within a model current limits are compared, and how many say the same decides: one more pack may then end a doubt
    about another. tests/property/test_nonsense_properties.py is about that.
    """

    seen: Instant

    def _look(self, matrix: Rows, now: float, wall: float, identities: Sequence[Identity]) -> Instant:
        unlike = [Identity(model=name) for name in self.names]
        self.seen = super()._look(matrix, now, wall, identities or unlike)
        return self.seen


def bank(packs: int, settings: BankSettings | None = None, **pack_settings: Any) -> Watched:
    return Watched(
        [f"pack {i}" for i in range(packs)], [PackSettings(**pack_settings)] * packs, settings or BankSettings()
    )


def look(rows: Rows, now: float = 1000.0, settings: BankSettings | None = None, **pack_settings: Any) -> VirtualBattery:
    """The battery at the first step, every pack having just answered."""
    rows = rows.copy()
    rows[:, Column.STATUS_TIME] = now
    return bank(len(rows), settings, **pack_settings).step(rows, now, WALL)


def near() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Packs that all hang on one busbar: their voltages are within the joining threshold."""
    return st.lists(PACK, min_size=1, max_size=6).map(_same_voltage)


def _same_voltage(packs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    mean = sum(sum(pack["cells"]) for pack in packs) / len(packs) / 16
    return [pack | {"cells": [v - sum(pack["cells"]) / 16 + mean for v in pack["cells"]]} for pack in packs]


def check(battery: VirtualBattery, rows: Rows) -> None:
    """The invariants of every step."""
    for limit in (battery.charge_current_limit, battery.discharge_current_limit):
        assert np.isfinite(limit.value)
        assert limit.value >= 0.0
        stopped = limit.cause in {Cause.BLOCKED, Cause.USER, Cause.CONFIG, Cause.RAMP} or limit.pack < 0
        if limit.value == 0.0 and not stopped:
            view = battery.packs[limit.pack]
            own = view.charge_limit if limit is battery.charge_current_limit else view.discharge_limit
            assert own == 0.0, "0 only when a pack's own limit is 0 or nothing conducts"
    known = [rows[i, Column.SOC] for i, p in enumerate(battery.packs) if p.presence in {"fresh", "held", "joining"}]
    known = [soc for soc in known if not isnan(soc)]
    assert isnan(battery.soc) == (not known)
    if known:
        assert min(known) - 1e-9 <= battery.soc <= max(known) + 1e-9
    assert battery.consumed_ah <= 0.0 or isnan(battery.consumed_ah)


def check_predictions(subject: Watched, battery: VirtualBattery) -> None:
    """At the published limit each conducting pack's predicted current, with its uncertainty, is within its own limit.

    But for the least that is always allowed, since 0 would shut an islanded inverter down; and where less current would
    only be farther from what has been measured, thus more uncertain.
    """
    instant = subject.seen
    for direction, limit in enumerate((battery.charge_current_limit, battery.discharge_current_limit)):
        sure, own = instant.sets.sure[direction], instant.own.value[direction]
        if not sure.any():
            continue
        side = Side.of(instant.lines, direction, sure, instant.sets.one_way[direction])
        whole = side.weight[sure].sum()

        def highest(drive: float, side: Side = side) -> Rows:
            variance = side.xx + 2.0 * drive * side.xw + drive * drive * side.ww
            currents: Rows = side.exchange + side.weight * drive + SIGMAS * np.sqrt(np.maximum(variance, 0.0))
            return currents

        drive = (limit.value - side.exchange[sure].sum()) / whole
        within = highest(drive) <= own + 1e-6 * (1.0 + own)
        pointless = highest(drive) > highest(drive + 1e-6 * (1.0 + abs(drive)))
        conducting = sure | instant.sets.maybe[direction]
        least = LEAST * whole * (own / side.weight)[conducting].min()
        assert (within | pointless)[sure].all() or limit.value <= least * (1.0 + 1e-9)


@given(
    packs=st.lists(PACK, min_size=1, max_size=6),
    silences=st.lists(
        st.tuples(st.floats(0.5, 20.0), st.sets(st.integers(0, 5)), st.randoms()), min_size=1, max_size=8
    ),
    mode=st.sampled_from(SocMode),
)
@settings(max_examples=150, deadline=None)
def test_whatever_happens_limits_are_safe_and_values_are_true(
    packs: list[dict[str, Any]], silences: list[tuple[float, set[int], Any]], mode: SocMode
) -> None:
    rows = rows_of(packs, holes=True)
    subject = bank(len(packs), BankSettings(soc_mode=mode, lost_after=10.0, start_timeout=5.0))
    now = 1000.0
    for seconds, silent, random in silences:
        now += seconds
        for pack in set(range(len(packs))) - silent:
            rows[pack, Column.STATUS_TIME] = now
            rows[pack, Column.CURRENT] = random.uniform(-300.0, 300.0)
            rows[pack, Column.CHARGE_MOSFET] = random.choice([0.0, 1.0, 1.0, NAN])
        battery = subject.step(rows, now, WALL + now)
        check(battery, rows)
        check_predictions(subject, battery)
        cvl = battery.charge_voltage_limit.value
        assert isnan(cvl) or cvl > 16 * 2.5
        json.dumps(subject.state(), allow_nan=False)


@given(packs=st.lists(PACK, min_size=1, max_size=6), random=st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_order_of_packs_changes_nothing_but_their_names(packs: list[dict[str, Any]], random: Any) -> None:
    order = list(range(len(packs)))
    random.shuffle(order)
    rows = rows_of(packs)
    one, other = look(rows), look(rows[order])
    for name in ("voltage", "current", "soc", "soh", "temperature", "remaining_capacity", "installed_capacity"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), nan_ok=True)
    for name in ("charge_voltage_limit", "charge_current_limit", "discharge_current_limit"):
        assert getattr(one, name).value == pytest.approx(getattr(other, name).value, nan_ok=True)
    assert [p.charge_limit for p in other.packs] == [one.packs[i].charge_limit for i in order]
    assert other.highest_cell.value == one.highest_cell.value
    assert (one.online, one.blocking_charge, one.alarms) == (other.online, other.blocking_charge, other.alarms)


@given(currents=st.lists(st.tuples(st.floats(-300.0, 300.0), st.floats(-300.0, 300.0)), min_size=2, max_size=4))
@settings(max_examples=60, deadline=None)
def test_packs_of_unknown_limits_share_as_uncertainly_as_others(currents: list[tuple[float, float]]) -> None:
    rows = rows_of([{"cells": [3.0] * 16}, {"cells": [3.0] * 15 + [3.5]}])
    rows[0, Column.DISCHARGE_CURRENT_LIMIT] = NAN
    subject = bank(2)
    for now, pair in enumerate(currents, 1001):
        rows[:, Column.STATUS_TIME], rows[:, Column.CURRENT] = now, pair
        check_predictions(subject, subject.step(rows, now, WALL))


AT_3_V: dict[str, Any] = {"cells": [3.0] * 16, "missing": [], "current": 0.0, "charge_mosfet": 0.0}


@example(packs=[AT_3_V, AT_3_V | {"full_capacity": 20.0}])  # packs that only discharge were taken for open ones
@given(packs=near())
@settings(max_examples=60, deadline=None)
def test_a_missing_or_blocked_pack_never_raises_a_limit(packs: list[dict[str, Any]]) -> None:
    rows = rows_of(packs)
    rows[:, Column.CURRENT] = 0.0
    alone = look(rows)
    extra = healthy(1)
    extra[0, Column.VOLTAGE] = rows[0, Column.VOLTAGE]
    extra[0, [Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET]] = 0.0
    with_blocked = look(np.vstack([rows, extra]))
    missing = np.vstack([rows, np.full((1, COLUMNS), NAN)])
    missing[:-1, Column.STATUS_TIME] = 1000.0
    with_missing = bank(len(missing)).step(missing, 1000.0, WALL)
    for other in (with_blocked, with_missing):
        assert other.charge_current_limit.value <= alone.charge_current_limit.value + 1e-9
        assert other.discharge_current_limit.value <= alone.discharge_current_limit.value + 1e-9


@given(packs=st.lists(PACK, min_size=2, max_size=6).map(_same_voltage))
@settings(max_examples=60, deadline=None)
def test_one_more_pack_adds_at_most_its_own_limit(packs: list[dict[str, Any]]) -> None:
    rows = rows_of(packs)
    rows[:, [Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET]] = 1.0
    rows[:, Column.CURRENT] = 0.0
    fewer, all_of_them = look(rows[:-1]), look(rows)
    last = all_of_them.packs[-1]
    assert all_of_them.charge_current_limit.value <= fewer.charge_current_limit.value + last.charge_limit + 1e-9
    assert (
        all_of_them.discharge_current_limit.value <= fewer.discharge_current_limit.value + last.discharge_limit + 1e-9
    )


@given(packs=near(), worse=st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_a_pack_that_gets_worse_never_raises_a_limit(packs: list[dict[str, Any]], worse: float) -> None:
    rows = rows_of(packs)
    rows[:, Column.CURRENT] = 0.0
    before = look(rows)
    limits = [Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT]
    rows[0, limits] = np.maximum(rows[0, limits] * worse, 0.5)  # less cannot be, and counts as unknown
    after = look(rows)
    assert after.charge_current_limit.value <= before.charge_current_limit.value + 1e-9
    assert after.discharge_current_limit.value <= before.discharge_current_limit.value + 1e-9


@given(
    history=st.lists(
        st.lists(st.lists(st.floats(3.2, 3.7), min_size=16, max_size=16), min_size=3, max_size=3),
        min_size=1,
        max_size=10,
    )
)
@settings(max_examples=60, deadline=None)
def test_cvl_never_exceeds_what_any_conducting_pack_allows(history: list[list[list[float]]]) -> None:
    subject, rows, now = bank(3), healthy(3), 1000.0
    target, floor = 3.45, 16 * 3.275
    for cells in history:
        now += 1.0
        rows[:, CELL_VOLTAGES][:, :16] = cells
        rows[:, Column.VOLTAGE] = 54.0
        rows[:, Column.STATUS_TIME] = now
        cvl = subject.step(rows, now, WALL + now).charge_voltage_limit.value
        assert cvl >= floor - 1e-9
        for pack in cells:
            allowed = sum(min(v, target) for v in pack) if max(pack) > target else 16 * target
            assert cvl <= max(allowed, floor) + 1e-9


@given(packs=near(), drop=st.floats(0.01, 0.99))
@settings(max_examples=60, deadline=None)
def test_limits_fall_at_once(packs: list[dict[str, Any]], drop: float) -> None:
    rows = rows_of(packs)
    rows[:, Column.CURRENT] = 0.0
    rows[:, ALARMS] = 0.0
    subject = bank(len(packs))
    for now in (1000.0, 1001.0, 1002.0):
        rows[:, Column.STATUS_TIME] = now
        before = subject.step(rows, now, WALL)
    limits = [Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT]
    rows[:, limits] = np.maximum(rows[:, limits] * drop, 0.5)  # less cannot be, and counts as unknown
    rows[:, Column.STATUS_TIME] = 1003.0
    after = subject.step(rows, 1003.0, WALL + 1.0)
    check_predictions(subject, after)
    for name in ("charge_current_limit", "discharge_current_limit"):
        assert getattr(after, name).value <= getattr(before, name).value + 1e-9


# Lines of packs as the estimator might leave them, drawn freely: what must hold of every prediction.
LINE = st.tuples(
    st.floats(-60.0, 60.0),  # exchange
    st.floats(5.0, 500.0),  # weight
    st.floats(0.01, 30.0),  # error of the exchange
    st.floats(0.0, 0.7),  # error of the weight, relative
    st.floats(-0.99, 0.99),  # their correlation
    st.floats(0.0, 200.0),  # own limit
    st.sampled_from(["sure", "sure", "sure", "maybe", "one_way", "returning", "off"]),
)
LINES = st.tuples(st.lists(LINE, min_size=1, max_size=6), st.floats(-0.5, 0.5))


def lines_of(drawn: list[Any], drive: float) -> tuple[Lines, Rows, dict[str, NDArray[np.bool_]]]:
    x, w, sx, sw, rho, own, kind = (np.array(column) for column in zip(*drawn, strict=True))
    lines = Lines(x, w, sx * sx, rho * sx * sw * w, (sw * w) ** 2, drive, drive)
    return lines, own, {name: kind == name for name in ("sure", "maybe", "one_way", "returning", "off")}


def bound(lines: Lines, own: Rows, kinds: dict[str, NDArray[np.bool_]], direction: int, *more: str) -> float:
    side = Side.of(lines, direction, kinds["sure"], kinds["one_way"])
    unsure = np.logical_or.reduce([kinds[name] for name in more]) if more else np.zeros(len(own), dtype=np.bool_)
    return shared_limit(side, highest_drives(side, own), own, kinds["sure"], unsure).value


def close(value: float) -> float:
    return value + 1e-6 * (1.0 + abs(value))


@given(drawn=LINES, direction=st.integers(0, 1), lower=st.floats(0.0, 1.0), which=st.integers(0, 5))
@settings(max_examples=300, deadline=None)
def test_a_packs_lower_own_limit_never_raises_the_banks(drawn: Any, direction: int, lower: float, which: int) -> None:
    lines, own, kinds = lines_of(*drawn)
    less = own.copy()
    less[which % len(own)] *= lower
    assert bound(lines, less, kinds, direction, "maybe") <= close(bound(lines, own, kinds, direction, "maybe"))


@given(drawn=LINES, direction=st.integers(0, 1), more=st.floats(0.0, 20.0), wide=st.floats(0.0, 0.5))
@settings(max_examples=300, deadline=None)
def test_more_uncertainty_never_raises_a_limit(drawn: Any, direction: int, more: float, wide: float) -> None:
    lines, own, kinds = lines_of(*drawn)
    vaguer = replace(lines, xx=lines.xx + more * more, ww=lines.ww + (wide * lines.weight) ** 2)
    assert bound(vaguer, own, kinds, direction, "maybe") <= close(bound(lines, own, kinds, direction, "maybe"))


@given(drawn=LINES, direction=st.integers(0, 1))
@settings(max_examples=300, deadline=None)
def test_a_pack_that_may_conduct_or_return_never_raises_a_limit(drawn: Any, direction: int) -> None:
    lines, own, kinds = lines_of(*drawn)
    alone = bound(lines, own, kinds, direction)
    with_maybe = bound(lines, own, kinds, direction, "maybe")
    with_both = bound(lines, own, kinds, direction, "maybe", "returning")
    assert with_both <= close(with_maybe)
    assert with_maybe <= close(alone)
    assert bound(lines, own, kinds, direction, "maybe", "one_way") <= close(with_maybe)


@given(drawn=LINES, direction=st.integers(0, 1))
@settings(max_examples=300, deadline=None)
def test_a_pack_that_carries_nothing_the_other_way_never_lowers_a_limit_more_than_one_that_may(
    drawn: Any, direction: int
) -> None:
    lines, own, kinds = lines_of(*drawn)
    with_one_way = bound(lines, own, kinds, direction, "maybe", "one_way")
    both_ways = kinds | {"one_way": np.zeros_like(kinds["sure"]), "maybe": kinds["maybe"] | kinds["one_way"]}
    assert bound(lines, own, both_ways, direction, "maybe") <= close(with_one_way)


@given(drawn=LINES, direction=st.integers(0, 1), lost=st.integers(1, 3))
@settings(max_examples=300, deadline=None)
def test_after_any_loss_the_others_stay_below_their_limits(drawn: Any, direction: int, lost: int) -> None:
    lines, own, kinds = lines_of(*drawn)
    sure = kinds["sure"]
    if np.count_nonzero(sure) <= lost:
        return
    side = Side.of(lines, direction, sure, kinds["one_way"])
    drives = highest_drives(side, own)
    kept = after_loss(side, drives, sure, lost).value
    worst = min(
        (side.exchange + side.weight * drives[list(rest)].min())[list(rest)].sum()
        for rest in combinations(np.flatnonzero(sure).tolist(), int(np.count_nonzero(sure)) - lost)
    )
    assert kept == pytest.approx(worst, rel=1e-6, abs=1e-6) or (kept == worst == -np.inf)


@given(
    packs=near(),
    which=st.integers(0, 5),
    currents=st.lists(st.floats(-100.0, 100.0), min_size=3, max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_a_pack_that_reports_no_current_is_never_freed_by_it(
    packs: list[dict[str, Any]], which: int, currents: list[float]
) -> None:
    rows = rows_of(packs)
    rows[:, [Column.CHARGE_MOSFET, Column.DISCHARGE_MOSFET]] = 1.0
    which %= len(packs)
    subject, now = bank(len(packs)), 1000.0
    for current in currents:
        now += 1.0
        rows[:, Column.STATUS_TIME] = now
        rows[:, Column.CURRENT] = current
        rows[which, Column.CURRENT] = NAN
        battery = subject.step(rows, now, WALL + now)
        instant = subject.seen
        weights, sure = instant.lines.weight, instant.sets.sure[0]
        if sure[which]:
            share = weights[which] / weights[sure].sum()
            prior = instant.tele.capacity[which] / instant.tele.capacity[sure].sum()
            assert share >= 0.5 * prior, "its share is what it was taken for"
            assert instant.lines.ww[which] >= (0.5 * weights[which]) ** 2
        check_predictions(subject, battery)
