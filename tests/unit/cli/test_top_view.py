"""What ``packbank top`` shows after which keys, without a terminal."""

from __future__ import annotations

import re
from typing import Any

import pytest

from packbank.cli.pages.words import width_of
from packbank.cli.top_view import Frame, Key, View, frame, press
from served import bank, line

SIZES = [(80, 24), (60, 15), (120, 50), (40, 10), (20, 4), (10, 2), (1, 1)]


@pytest.fixture
def report() -> dict[str, Any]:
    return line(bank())


def many(packs: int) -> dict[str, Any]:
    report = line(bank())
    report["packs"] = [{**report["packs"][0], "name": f"pack {n}", "current": float(n)} for n in range(1, packs + 1)]
    return report


def after(report: dict[str, Any], *keys: Key, width: int = 80, height: int = 24, view: View | None = None) -> Frame:
    view = view or View()
    for key in keys:
        view = frame(press(view, key, report, width), report, width, height).view
    return frame(view, report, width, height)


def order(shown: Frame) -> list[str]:
    return [found[1] for one in shown.lines if (found := re.match(r" *\d+  (pack \d+)", one.text))]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("opened", [False, True])
def test_a_frame_fits_its_screen(report: dict[str, Any], width: int, height: int, opened: bool) -> None:
    shown = frame(View(opened=opened), report, width, height)
    assert len(shown.lines) <= max(height - 1, 1)
    assert shown.marked is None or 0 <= shown.marked < max(len(shown.lines), 1)


@pytest.mark.parametrize(("width", "height", "rows"), [(80, 24, 10), (60, 15, 4)])
def test_small_screens_have_room_for_packs(width: int, height: int, rows: int) -> None:
    report = many(16)
    shown = frame(View(), report, width, height)
    assert len(order(shown)) >= rows
    table = [one.text for one in shown.lines if re.match(r" *\d+  pack", one.text)]
    assert max(map(width_of, [*table, shown.footer])) <= width


@pytest.mark.parametrize("packs", [1, 16, 100])
def test_every_pack_can_be_reached_and_is_seen(packs: int) -> None:
    report, view = many(packs), View()
    for number in range(1, packs + 1):
        shown = frame(view, report, 60, 15)
        assert shown.marked is not None
        assert f"{number}  pack {number} " in shown.lines[shown.marked].text
        view = press(view, Key.DOWN, report, 60)
    assert view.selected == packs - 1
    assert after(report, Key.LAST).view.selected == packs - 1
    assert after(report, Key.LAST, Key.FIRST).view.selected == 0


def test_packs_are_sorted_by_the_chosen_column(report: dict[str, Any]) -> None:
    by_current = [Key.RIGHT] * 5
    assert "sort by: A" in after(report, *by_current).footer
    assert order(after(report, *by_current)) == ["pack 2", "pack 1", "pack 3"]  # pack 3 does not report it
    reverse = after(report, *by_current, Key.REVERSE)
    assert order(reverse) == ["pack 1", "pack 2", "pack 3"]
    assert "A, reversed" in reverse.footer
    assert order(after(report, Key.LEFT, Key.RIGHT)) == ["pack 1", "pack 2", "pack 3"]


def test_the_selected_pack_stays_selected_when_the_order_changes(report: dict[str, Any]) -> None:
    shown = after(report, Key.DOWN, *[Key.RIGHT] * 5)
    assert shown.marked is not None
    assert "pack 2" in shown.lines[shown.marked].text
    assert shown.view.selected == 1


def test_a_pack_is_opened_scrolled_left_for_its_neighbour_and_closed(report: dict[str, Any]) -> None:
    opened = after(report, Key.DOWN, Key.OPEN)
    assert opened.lines[0].text.startswith("pack 2 · pack 2 of 3")
    assert opened.marked is None
    scrolled = after(report, Key.DOWN, Key.OPEN, Key.PAGE_DOWN)
    assert scrolled.lines[0] == opened.lines[10]
    last = after(report, Key.DOWN, Key.OPEN, Key.LAST)
    assert last.lines[-1].text == "  refused of this pack: sum8 (12 instead of 34)"
    assert after(report, Key.UP, view=last.view).lines[1] == last.lines[0]
    assert after(report, Key.DOWN, Key.OPEN, Key.RIGHT).lines[0].text.startswith("pack 3")
    assert after(report, Key.OPEN, Key.LEFT).lines[0].text.startswith("pack 3")
    assert after(report, Key.OPEN, Key.REVERSE).view.opened
    for key in (Key.BACK, Key.OPEN):
        assert not after(report, Key.OPEN, key).view.opened
    assert not after(report, Key.BACK).view.opened


def test_a_bank_that_has_become_smaller_has_a_selected_pack(report: dict[str, Any]) -> None:
    assert frame(View(selected=40), report, 80, 24).view.selected == 2


def test_a_screen_that_has_become_narrower_sorts_by_a_column_it_has(report: dict[str, Any]) -> None:
    wide = after(report, Key.LEFT, width=200)
    assert order(frame(wide.view, report, 40, 24))


def test_many_alarms_leave_room_for_packs(report: dict[str, Any]) -> None:
    report["alarms"] = dict.fromkeys(report["alarms"], 2)
    assert len(order(frame(View(), report, 60, 15))) == 3
