"""``docs/json.md`` from the catalogue: ``python -m packbank.outputs.json_document > docs/json.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from packbank.model.catalogue import BANK, BUS, PACK, PACK_SETTINGS, Quantity
from packbank.outputs.json_lines import SCHEMA

_HEAD = f"""# The bank as JSON lines

<!-- printed by `python -m packbank.outputs.json_document`; a test checks that it is current -->

`packbank run config.ini --json` writes one JSON object a line, once a second, to standard output:

    packbank run config.ini --no-dbus --json | jq -c '[.wall, .soc, .charge_current_limit.value]'

`packbank show --json` prints the newest of them from a daemon that runs, with the settings of all packs; the same lines
are on a Unix socket ([show.md](show.md)). The web page serves the same at `/api/snapshot` ([web.md](web.md)).

A dot in a key below is a nested object. What is not known is `null`, never 0 and never an old value. Numbers are
rounded to the digits shown; limits are rounded down. A reader that is slow gets the newest line when it is ready: gaps
show in `number`. When nobody reads any more, the D-Bus goes on; with `--no-dbus` the program ends.

| key | unit | meaning |
|---|---|---|
| `schema` | | {SCHEMA}: raised when a key is renamed, removed or changes its meaning; new keys may come at any time |
| `number` | | counts the snapshots from the start of the program |
| `time` | s | monotonic clock of the machine, for intervals |
| `wall` | s | wall clock, seconds since 1970; a GX without a clock battery starts in the past |
| `packs` | | an object a pack, in the order of the configuration |
| `buses` | | an object a bus |
"""

_SETTINGS = """
The settings of a pack's BMS are in the first line after they were read (at the start, then every few minutes):
"""

_REFUSED = """| `refused` | | answers that were refused: counts by reason |
| `recent` | | the last refused answers: `address`, `reason`, `detail` |
| `links` | | packs that were asked again or had answers refused: `address`, and counts `retries`, `refused` |
| `troubles` | | packs that are heard but not read as they should be: `address`, `text`, `remedy` |
"""


def document() -> str:
    """The whole page."""
    return (
        _HEAD
        + _section("The bank", BANK)
        + _section("A pack: `packs[]`", PACK)
        + _SETTINGS
        + _table(PACK_SETTINGS, "settings.")
        + _section("A bus: `buses[]`", BUS)
        + _REFUSED
    )


def _section(title: str, rows: Iterable[Quantity[Any]]) -> str:
    return f"\n## {title}\n{_table(rows)}"


def _table(rows: Iterable[Quantity[Any]], prefix: str = "") -> str:
    lines = "".join(f"| `{prefix}{row.key}` | {_unit(row)} | {row.title} |\n" for row in rows if row.key)
    return f"\n| key | unit | meaning |\n|---|---|---|\n{lines}"


def _unit(row: Quantity[Any]) -> str:
    unit = row.unit
    if unit.kind is float:
        text = f"{unit.unit} to {10**-unit.digits:g}".strip()
    else:
        text = {int: unit.unit, bool: "true or false", str: "text"}[unit.kind]
    return f"list of {text}" if row.size else text


if __name__ == "__main__":
    sys.stdout.write(document())
