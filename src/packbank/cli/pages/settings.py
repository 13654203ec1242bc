"""The table of all packs' identities and BMS settings: a line a quantity, a column a pack, what differs is marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from packbank.cli.comparison import IDENTITY, Difference, sentence, value_of
from packbank.cli.pages.words import PACK_ROWS, Line, Report, Style, cut, padded, printable, width_of, without_unit
from packbank.model.catalogue import PACK_SETTINGS, Quantity, Unit
from packbank.model.columns import Column

MARK = "*"
LONGEST = 16  # columns of a name or text
GAP = 1
ROWS = (*IDENTITY, PACK_ROWS[Column.CELL_COUNT.key], *PACK_SETTINGS)


def settings_page(packs: Sequence[Report], differences: Sequence[Difference], width: int) -> list[Line]:
    """The whole page: as many packs side by side as ``width`` holds, then the next; last what is marked, in words."""
    odd = {(one.row.key, index) for one in differences for index in one.values}
    heads = ["", *map(_head, ROWS)]
    first = max(map(width_of, heads))
    lines: list[Line] = []
    for block in _blocks([_column(pack, index, odd) for index, pack in enumerate(packs)], width - first):
        for number, head in enumerate(heads):
            texts = [column[number] for column in block]
            if any(text.strip() != "-" for text in texts):
                style = Style.WARNING if any(text.endswith(MARK) for text in texts) else Style.PLAIN
                lines.append(Line(_across(padded(head, first), block, texts), style if number else Style.TITLE))
        lines.append(Line(""))
    return [*lines, *_words(packs, differences)]


def _words(packs: Sequence[Report], differences: Sequence[Difference]) -> Iterator[Line]:
    if not differences:
        yield Line("packs of one model are set alike, as far as is known")
        return
    yield Line(f"{MARK} differs from the other packs of its model:")
    yield from (Line(printable(f"  {sentence(one, packs)}"), Style.WARNING) for one in differences)


def _head(row: Quantity[Any]) -> str:
    """The key, as in JSON and docs/json.md, with its unit."""
    return f"{row.key} {row.unit.unit}".rstrip()


def _column(pack: Report, index: int, odd: set[tuple[str, int]]) -> list[str]:
    """The pack's name, then its value of each row, each with a place for the mark."""
    texts = (_text(value_of(pack, row), row) + (MARK if (row.key, index) in odd else " ") for row in ROWS)
    return [cut(printable(pack["name"]), LONGEST) + " ", *texts]


def _text(value: Any, row: Quantity[Any]) -> str:
    if value is not None and row.unit is Unit.FLAG:
        return "yes" if value else "no"
    return cut(printable(without_unit(row, value)), LONGEST)


def _blocks(columns: Sequence[list[str]], room: int) -> Iterator[list[list[str]]]:
    """Columns that stand beside each other, at least one."""
    block: list[list[str]] = []
    used = 0
    for column in columns:
        wide = GAP + _wide(column)
        if block and used + wide > room:
            yield block
            block, used = [], 0
        block.append(column)
        used += wide
    if block:
        yield block


def _wide(column: Sequence[str]) -> int:
    return max(map(width_of, column))


def _across(head: str, block: Sequence[list[str]], texts: Sequence[str]) -> str:
    cells = (padded(text, _wide(column), left=False) for text, column in zip(texts, block, strict=True))
    return (" " * GAP).join((head, *cells)).rstrip()
