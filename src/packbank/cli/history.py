"""``packbank history``: what the bank or a pack went through."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping
from typing import Any

from packbank.cli.pages.words import without_unit
from packbank.cli.past import add_arguments, exact, open_history, pack_of, period_of, shown
from packbank.errors import ConfigError
from packbank.model.catalogue import Quantity
from packbank.outputs.history.figures import BANK_QUANTITIES, PACK_QUANTITIES
from packbank.outputs.history.reader import Series
from packbank.outputs.history.rows import HIGH, LOW, MEAN, STATISTICS

ROWS = 48  # of a table, about

# Head, key, statistic. A key that the bank or the pack has not is left out.
COLUMNS = (
    ("V", "voltage", MEAN),
    ("A", "current", MEAN),
    ("lowest A", "current", LOW),
    ("highest A", "current", HIGH),
    ("SoC %", "soc", MEAN),
    ("low cell", "lowest_cell.value", LOW),
    ("high cell", "highest_cell.value", HIGH),
    ("min °C", "lowest_temperature.value", LOW),
    ("max °C", "highest_temperature.value", HIGH),
    ("min °C", "lowest_temperature", LOW),
    ("max °C", "highest_temperature", HIGH),
    ("MOS °C", "temperature_mos", HIGH),
    ("CCL A", "charge_current_limit.value", LOW),
    ("DCL A", "discharge_current_limit.value", LOW),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_arguments(parser, "1d")
    parser.add_argument(
        "--rows", type=int, metavar="N", help=f"merge rows so that about N are left; a table: {ROWS}, 0: all"
    )
    parser.epilog = """\
  packbank history                               the bank since yesterday
  packbank history --pack 7 --from 2h --rows 0   pack 7 in the last two hours, every row
  packbank history --pack 7 --from 30d --csv     all that was kept of it: mean, lowest, highest, every cell
  packbank history --json | jq .soc.mean

Reads files, and asks no daemon: it works while one runs (as the same user or as root), and without, with --config.
How long what is kept: docs/history.md.
"""


def run(args: argparse.Namespace) -> int:
    """Print what was kept."""
    if (args.rows or 0) < 0:
        raise ConfigError(f"--rows {args.rows} is no number of rows; write 1 or more, or 0 for all")
    start, end = period_of(args)
    history = open_history(args)
    pack = pack_of(history, args.pack) if args.pack else None
    table = not (args.csv or args.json)
    rows = args.rows if args.rows is not None else ROWS if table else 0
    series = history.read(pack, start, end, rows or None)
    quantities = BANK_QUANTITIES if pack is None else PACK_QUANTITIES
    if args.csv:
        _print_csv(series, quantities)
    elif args.json:
        _print_json(series, quantities, pack)
    elif series.times.size:
        print("\n".join(table_of(series, quantities)))
    else:
        print(f"nothing was kept from {shown(start)} to {shown(end)}", file=sys.stderr)
    return 0


def table_of(series: Series, quantities: Mapping[str, Quantity[Any]]) -> list[str]:
    """The lines of the table, under its heads."""
    chosen = [column for column in COLUMNS if column[1] in series.values]
    cells = [["time", *(head for head, _, _ in chosen)]]
    for index, when in enumerate(series.times):
        values = (
            without_unit(quantities[key], _value(series, quantities[key], index, statistic))
            for _, key, statistic in chosen
        )
        cells.append([shown(float(when)), *values])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in cells]


def _value(series: Series, quantity: Quantity[Any], index: int, statistic: int) -> Any:
    return quantity.unit.rounded(float(series.values[quantity.key][index, statistic]))


def _print_csv(series: Series, quantities: Mapping[str, Quantity[Any]]) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["time", "wall", "seconds", *(f"{key}.{name}" for key in series.values for name in STATISTICS)])
    for index, when in enumerate(series.times.tolist()):
        values = (
            _value(series, quantities[key], index, statistic)
            for key in series.values
            for statistic in range(len(STATISTICS))
        )
        out.writerow([exact(when), round(when), round(series.seconds[index]), *values])


def _print_json(series: Series, quantities: Mapping[str, Quantity[Any]], pack: str | None) -> None:
    for index, when in enumerate(series.times.tolist()):
        line: dict[str, Any] = {"time": exact(when), "wall": round(when), "seconds": round(series.seconds[index])}
        if pack is not None:
            line["pack"] = pack
        for key in series.values:
            *groups, name = key.split(".")
            node = line
            for group in groups:
                node = node.setdefault(group, {})
            node[name] = {
                word: _value(series, quantities[key], index, statistic) for statistic, word in enumerate(STATISTICS)
            }
        print(json.dumps(line))
