"""Draw the GX's pages of docs/venus.md from what a running packbank has on the D-Bus: scripts/draw-gx.

Simulated packs, the real daemon on a private D-Bus, and a client that does what the GX's screen does: GetItems, one
SetValue for each thing that is pressed, and rows for the values that are valid. The pictures are drawings of those
rows, not photographs of a screen.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from packbank.cli.private_bus import PrivateBus
from packbank.model.catalogue import Value
from packbank.outputs.venus.battery_info import REQUEST
from packbank.outputs.venus.bus import DBus, from_wire

SERVICE = "com.victronenergy.battery.packbank"
PACKBANK = (sys.executable, "-m", "packbank")
FAULTS = ("--fault", "14:silence=1@5")
QUICK = "[DEFAULT]\nHELD_AFTER = 2\nLOST_AFTER = 4\n"  # else a lost pack takes half a minute
PATIENCE = 40.0  # s
STATUS = {0: "Balanced", 1: "Imbalance", 2: "Balancing", 3: "Over-voltage", 4: "Under-voltage"}  # bits
BALANCER = ("Unknown", "Balanced", "Balancing", "Imbalance")
ERRORS = {13: "over-voltage", 14: "under-voltage", 15: "hot", 16: "cold", 26: "contactor", 32: "BMS cable"}
WIDTH, ROW, HEAD = 600, 28, 38  # px
COLOURS = {"page": "#141414", "row": "#272622", "title": "#387dc5", "text": "#faf9f5", "value": "#969591"}

Items = dict[str, tuple[Value, str]]


class Row(NamedTuple):
    """A line of a page; a row without a value is a heading."""

    label: str
    value: str = ""


@contextmanager
def running() -> Iterator[DBus]:
    """Eight simulated packs and the daemon over them; a connection to its bus."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(PrivateBus(folder))
        os.environ["XDG_RUNTIME_DIR"] = str(folder)
        config = folder / "config.ini"
        simulate = [*PACKBANK, "simulate", "--packs", "8", "--folder", str(folder / "buses"), *FAULTS]
        packs = stack.enter_context(_process(simulate, stdout=subprocess.PIPE))
        lines = [QUICK]
        while not lines[-1].startswith("BATTERY_ADDRESSES"):
            lines.append(packs.stdout.readline())
            if not lines[-1]:
                raise SystemExit("draw_gx: the simulator has ended")
        config.write_text("".join(lines))
        stack.enter_context(_process([*PACKBANK, "run", "--config", str(config)]))
        bus = DBus()
        stack.callback(bus.close)
        _wait(lambda: bus.has_owner(SERVICE))
        yield bus


@contextmanager
def _process(command: Sequence[str], **options: Any) -> Iterator[Any]:
    with subprocess.Popen(command, text=True, stderr=subprocess.DEVNULL, **options) as process:
        try:
            yield process
        finally:
            process.terminate()


def _wait(condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise SystemExit(f"draw_gx: waited {PATIENCE:.0f} s in vain")
        time.sleep(0.2)


def items(bus: DBus) -> Items:
    """Everything that the service shows, as GetItems has it."""
    found = bus.call(SERVICE, "/", "GetItems")
    return {str(path): (from_wire(item["Value"]), str(item["Text"])) for path, item in found.items()}


def press(bus: DBus, path: str, value: int) -> None:
    """Write what the screen writes."""
    if bus.call(SERVICE, path, "SetValue", "v", value) != 0:
        raise SystemExit(f"draw_gx: {path} does not take {value}")


def shown(all_items: Items, rows: Sequence[tuple[str, str]]) -> list[Row]:
    """Rows (label, path) whose value is valid, as the screen leaves out the others."""
    return [Row(label, all_items[path][1]) for label, path in rows if all_items.get(path, (None, ""))[0] is not None]


def battery_info(all_items: Items) -> list[Row]:
    """The page of the pack that is chosen."""
    number = all_items[REQUEST][0]
    base = f"/Battery/{number}"
    bits, _ = all_items[f"{base}/Status"]
    words = [word for bit, word in STATUS.items() if isinstance(bits, int) and bits >> bit & 1]
    cells = [path for path, (value, _) in all_items.items() if path.startswith(f"{base}/Cell/") and value is not None]
    return [
        Row("Battery", f"Battery #{number} [{all_items[f'{base}/Serial'][1]}]"),
        Row("Battery Info"),
        *shown(all_items, [("Capacity", f"{base}/Capacity"), ("Firmware version", f"{base}/FwVersion")]),
        Row("Status", ", ".join(words)),
        Row("Battery Measurements"),
        *shown(all_items, [(name, f"{base}/{name}") for name in ("Voltage", "Current", "Temperature")]),
        Row("Cell Measurements"),
        *(Row(f"Cell #{path.split('/')[4]}", all_items[path][1]) for path in cells),
    ]


def overview(all_items: Items) -> list[Row]:
    """What stands on the pages System, Diagnostics and on the battery's own, as far as this page is about it."""
    errors = []
    for number, label in enumerate(("Last error", "2nd last error", "3rd last error", "4th last error"), start=1):
        code, when = (all_items[f"/Diagnostics/LastErrors/{number}/{what}"][0] for what in ("Error", "Time"))
        if isinstance(code, int) and isinstance(when, int):
            text = f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M}"
            errors.append(Row(label, f"#{code} {ERRORS.get(code, '')}   {text}"))
    status = all_items["/Balancer/Status"][0]
    searching = all_items["/Redetect"][0]
    system = [
        ("Capacity", "/Capacity"),
        ("Batteries", "/System/NrOfBatteries"),
        ("Parallel", "/System/BatteriesParallel"),
        ("Min. cell voltage", "/System/MinCellVoltage"),
        ("Max. cell voltage", "/System/MaxCellVoltage"),
    ]
    modules = [
        (f"Module {n}", f"/Diagnostics/Module{n}/Id") for n in range(10) if all_items[f"/Diagnostics/Module{n}/Id"][0]
    ]
    return [
        Row("System"),
        *shown(all_items, system),
        Row("Balancer status", BALANCER[status if isinstance(status, int) else 0]),
        Row("Diagnostics"),
        *errors,
        Row("Module level alarms"),
        *shown(all_items, modules),
        Row("Battery"),
        *shown(all_items, [("Serial number", "/Serial")]),
        Row("Redetect Battery", "searching ..." if searching else "Press to redetect"),
    ]


def drawing(title: str, rows: Sequence[Row]) -> str:
    """An SVG of a page; short rows in pairs, as the screen has cells."""
    parts, y, left = [_text(16, 25, title, "text", "bold")], HEAD, True
    for row in rows:
        half = row.label.startswith("Cell #")
        x, wide = (0 if left or not half else WIDTH // 2), (WIDTH // 2 if half else WIDTH)
        if not row.value:
            parts.append(_text(16, y + 19, row.label, "title", "bold"))
        else:
            parts.append(
                f'<rect x="{x + 8}" y="{y + 2}" width="{wide - 16}" height="{ROW - 4}" rx="4" fill="{COLOURS["row"]}"/>'
            )
            parts.append(_text(x + 18, y + 19, row.label, "text"))
            parts.append(_text(x + wide - 18, y + 19, row.value, "value", anchor="end"))
        left = not left if half else True
        y += 0 if half and not left else ROW
    height = y + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="14"><rect width="100%" height="100%" rx="8" fill="{COLOURS["page"]}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _text(x: int, y: int, text: str, colour: str, weight: str = "normal", anchor: str = "start") -> str:
    style = f'fill="{COLOURS[colour]}"' + (f' font-weight="{weight}"' if weight != "normal" else "")
    style += f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'


def main(folder: Path) -> None:
    """Draw both pages into ``folder``."""
    with running() as bus:
        press(bus, REQUEST, 3)
        _wait(lambda: items(bus)["/Diagnostics/LastErrors/1/Error"][0] is not None)
        info = items(bus)
        press(bus, "/Redetect", 1)
        rest = items(bus)
    (folder / "gx-battery-info.svg").write_text(drawing("Individual Battery Info", battery_info(info)))
    (folder / "gx-battery.svg").write_text(drawing("packbank", overview(rest)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
