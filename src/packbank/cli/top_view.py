"""What ``packbank top`` shows, as a pure function of the daemon's line, the size of the screen and what was pressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from packbank.cli.pages.bank import Column, buses, extremes, pack_columns, presence_style, row_text, summary
from packbank.cli.pages.pack import pack_page
from packbank.cli.pages.words import Line, Report, Style

ROOMY = 20  # lines of a screen that has room for the extremes and the buses
FEWEST_ROWS = 3  # packs that are seen however much there is to say above them


class Key(Enum):
    """What a user may press."""

    UP = "up"
    DOWN = "down"
    PAGE_UP = "page up"
    PAGE_DOWN = "page down"
    FIRST = "home"
    LAST = "end"
    LEFT = "<"
    RIGHT = ">"
    OPEN = "enter"
    BACK = "escape"
    REVERSE = "r"


STEPS = {Key.UP: -1, Key.DOWN: 1, Key.PAGE_UP: -10, Key.PAGE_DOWN: 10, Key.FIRST: -(10**6), Key.LAST: 10**6}
SIDES = {Key.LEFT: -1, Key.RIGHT: 1}


@dataclass(frozen=True, slots=True)
class View:
    """What the user looks at."""

    selected: int = 0  # index of a pack
    opened: bool = False  # its own page
    scroll: int = 0  # lines of that page above the screen
    sort: int = 0  # which of the columns that can be sorted by
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A screen full of lines, the line that is marked, and the view as far as it is possible."""

    lines: Sequence[Line]
    marked: int | None
    footer: str
    view: View


def press(view: View, key: Key, report: Report, width: int) -> View:
    """The view after ``key``."""
    return _press_in_pack(view, key, len(report["packs"])) if view.opened else _press_in_bank(view, key, report, width)


def _press_in_pack(view: View, key: Key, packs: int) -> View:
    if key in SIDES:
        return replace(view, selected=(view.selected + SIDES[key]) % packs)
    if key in STEPS:
        return replace(view, scroll=max(0, view.scroll + STEPS[key]))
    return replace(view, opened=key is Key.REVERSE)


def _press_in_bank(view: View, key: Key, report: Report, width: int) -> View:
    columns = pack_columns(report, width)
    if key in SIDES:
        return replace(view, sort=(view.sort + SIDES[key]) % len(_sortable(columns)), reverse=False)
    if key in STEPS:
        order = _order(view, columns)
        at = order.index(view.selected) + STEPS[key]
        return replace(view, selected=order[min(max(at, 0), len(order) - 1)])
    if key is Key.REVERSE:
        return replace(view, reverse=not view.reverse)
    return replace(view, opened=key is Key.OPEN, scroll=0)


def frame(view: View, report: Report, width: int, height: int) -> Frame:
    """What a screen of ``width`` and ``height`` shows; one line is left for the footer."""
    view = replace(view, selected=min(view.selected, len(report["packs"]) - 1))
    shown = _pack_frame if view.opened else _bank_frame
    return shown(view, report, width, max(height - 1, 1))


def _pack_frame(view: View, report: Report, width: int, height: int) -> Frame:
    lines = pack_page(report, view.selected, width)
    view = replace(view, scroll=min(view.scroll, max(len(lines) - height, 0)))
    seen = lines[view.scroll : view.scroll + height]
    where = f"{view.scroll + 1}-{view.scroll + len(seen)} of {len(lines)}"
    return Frame(seen, None, f"q quit  Esc back  </> other packs  up/down: {where}", view)


def _bank_frame(view: View, report: Report, width: int, height: int) -> Frame:
    columns = pack_columns(report, width)
    packs = report["packs"]
    view = replace(view, sort=min(view.sort, len(_sortable(columns)) - 1))
    roomy = height + 1 >= ROOMY
    head = [*summary(report, width), *(extremes(report, width) if roomy else ())]
    head += [line for line in buses(report, width) if roomy or line.style is Style.ALARM]
    head = head[: max(height - FEWEST_ROWS - 1, 0)]
    if roomy:
        head.append(Line(""))
    if height > 1:
        head.append(Line(row_text(columns, None), Style.TITLE))
    order = _order(view, columns)
    rows = max(height - len(head), 1)
    at = order.index(view.selected)
    first = min(max(at - rows // 2, 0), max(len(order) - rows, 0))
    seen = order[first : first + rows]
    lines = [*head, *(Line(row_text(columns, index), presence_style(packs[index])) for index in seen)]
    by = f"{_sortable(columns)[view.sort].head}{', reversed' if view.reverse else ''}"
    return Frame(lines, len(head) + at - first, f"q quit  Enter open  r reverse  </> sort by: {by}", view)


def _sortable(columns: Sequence[Column]) -> list[Column]:
    """Without the numbers of cells, which stand beside their voltages."""
    return [column for at, column in enumerate(columns) if at == 0 or column.head != "#"]


def _order(view: View, columns: Sequence[Column]) -> list[int]:
    """The packs as they are sorted, what is not known at the end."""
    able = _sortable(columns)
    values = able[min(view.sort, len(able) - 1)].values
    known = [index for index, value in enumerate(values) if value is not None]
    known.sort(key=lambda index: values[index], reverse=view.reverse)
    return [*known, *(index for index, value in enumerate(values) if value is None)]
