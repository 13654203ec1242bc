"""``docs/dbus.md`` from the tables (``python -m packbank.outputs.venus.document``). Needs neither dbus nor gi."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from packbank.model.catalogue import Quantity, Rate
from packbank.outputs.venus.paths import BANK_PATHS, IDENTITY, MODULE, MODULES, PACK_PATHS
from packbank.outputs.venus.writes import OFFERED, SETTINGS

_HEAD = """# The battery on the D-Bus

<!-- printed by `python -m packbank.outputs.venus.document`; a test checks that it is current -->

`com.victronenergy.battery.packbank` on the system bus. Every path is there before the name is. An unknown value
is Venus OS's invalid value (an empty array of integers), never NaN and never a made-up number; a path keeps its type.
Values are rounded to the digits shown, so that noise is not a change.

All that changed goes out in **one `ItemsChanged` signal a second at most**; nothing is sent when nothing
changed. `PropertiesChanged` is not sent. How often a path may change:

| rate | meaning |
|---|---|
"""

_REDETECT = """
## Redetect: `/Redetect`

Write 1: every bus asks its silent packs, and addresses that the configuration does not have. It reads 1 until each was
asked, 60 s at most, then 0. A pack that is found on a bus without `BATTERY_ADDRESSES` joins the bank; one at an address
that the configuration does not have is named in the log, by `packbank show` and by `packbank doctor`. A pack that the
configuration names is never forgotten. Another one is, when a search has not found it after 24 hours of silence:
until then it may still conduct.
"""

_LOSS = """
## When something is not known

* CCL and DCL are 0, never invalid: an inverter would keep an invalid charge limit's last value, and takes an invalid
  discharge limit for none.
* CVL keeps its last value, since a battery without CVL is no BMS any more and its limits are then not passed on.
* A pack that is lost leaves the sums; it stands in `/ConnectionInformation` and raises `/Alarms/BmsCable`.
* When every pack is lost, both current limits are 0 for five seconds, then the name leaves the bus: so
  Venus OS knows that the BMS is gone. It comes back, as a new registration, with the first pack.
"""

_STATUS = """
## On request

`/Debug/Status` (text) is in no list and never signalled: the daemon's report as JSON, put together when somebody reads
it. `packbank doctor` does.
"""

_INFO = """
## Individual Battery Info: `/Battery`

The GX's page for one pack with all its cells (Venus OS v3.70 and later, in the battery's menu). `/Battery/Request/Id`
(int, writeable, 1 to `/System/NrOfBatteries`) is the pack that is shown; `/Battery/<n>/Serial` of every pack has its
name and serial. Only the pack that is shown has `Capacity`, `FwVersion`, `Status`, `Voltage`, `Current`,
`Temperature` and `Cell/<c>/Voltage` below `/Battery/<n>`: at once when it is chosen, then every 5 s. A lost pack shows
its name only.
"""

_PACKS = """
## A service for each pack

Only with `PUBLISH_PACKS = True`: `com.victronenergy.battery.packbank_<bus>_<address>`, on a connection of its own.
There is no `/Info/MaxChargeVoltage`, so that systemcalc never takes a single pack for the BMS of the system. The cost
is one of the 256 connections that Venus OS allows and one signal every 5 s for each pack.
"""


_WRITES = """
A write is answered with 0 (taken), 1 (not writeable) or 2 (out of range, or no number). Settings are kept in the
daemon's state file and in localsettings under `/Settings/Devices/packbank`; what is written while localsettings is away
is stored there when it comes back. They only ever lower a limit. A value that holds already costs nothing.
"""


def document() -> str:
    """The whole page."""
    rates = "".join(f"| {rate.name.lower()} | {rate.meaning} |\n" for rate in Rate)
    page = (
        _table("Identity", IDENTITY),
        _table("The bank", (row for row in BANK_PATHS if row.path not in SETTINGS)),
        _table(f"Packs in alarm: `/Diagnostics/Module0` to `Module{MODULES - 1}`", MODULE),
        _table("Writeable: settings", (row for row in BANK_PATHS if row.path in SETTINGS)),
        _table("Writeable: actions", OFFERED),
    )
    texts = _WRITES + _INFO + _REDETECT + _LOSS + _STATUS + _PACKS
    return _HEAD + rates + "".join(page) + texts + _table("Its paths", PACK_PATHS)


def _table(title: str, rows: Iterable[Quantity[Any]]) -> str:
    lines = "".join(f"| `{row.path}` | {_type(row)} | {row.rate.name.lower()} | {row.title} |\n" for row in rows)
    return f"\n## {title}\n\n| path | type, unit | rate | meaning |\n|---|---|---|---|\n{lines}"


def _type(row: Quantity[Any]) -> str:
    unit = row.unit
    name = {float: "double", int: "int", bool: "int, 0 or 1", str: "text"}[unit.kind]
    step = f" to {10**-unit.digits:g} {unit.unit}" if unit.kind is float else ""
    of = f" {unit.unit}" if unit.kind is int and unit.unit else ""
    return name + of + step + (", writeable" if row.writeable else "")


if __name__ == "__main__":
    sys.stdout.write(document())
