"""One pack: cells, temperatures, limits with reasons, alarms, what else it reports, identity, settings, link."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from statistics import fmean
from typing import Any

from packbank.cli.pages.bank import alarms, presence_style, trouble_line
from packbank.cli.pages.words import (
    INDENT,
    PACK_ROWS,
    Line,
    Report,
    Style,
    flowed,
    known,
    padded,
    printable,
    say,
    with_unit,
    without_unit,
)
from packbank.model.battery import SILENT
from packbank.model.catalogue import BUS, PACK, PACK_SETTINGS, Quantity

CELL_WIDTH = len("16 3.470 +150 high") + 2
IDENTITY = ("model", "hardware", "software", "serial", "bms_name", "manufactured")
HEAD = ("voltage", "current", "power", "soc")
ELSEWHERE = {  # in the other parts of the page; a dotted key by its first part
    *("name", "bus", "address", "presence", "age", "settings_age", *HEAD, "remaining_capacity", "full_capacity"),
    *("charge_limit", "charge_share", "allow_to_charge", "discharge_limit", "discharge_share", "allow_to_discharge"),
    *("cells", "lowest_cell", "highest_cell", "cell_difference", "cell_average", "cell_delta", "alarms", *IDENTITY),
    *("temperature", "temperatures", "lowest_temperature", "highest_temperature", "temperature_mos"),
}


def pack_page(report: Report, index: int, width: int) -> list[Line]:
    """The whole page of the pack at ``index``."""
    pack = report["packs"][index]
    bus = next((bus for bus in report["buses"] if bus["name"] == pack["bus"]), None)
    rest = [row for row in PACK if row.key.partition(".")[0] not in ELSEWHERE]
    settings = pack["settings"] or {}
    read = f"settings, read {say(PACK_ROWS['settings_age'], pack)} ago" if any(settings.values()) else "settings"
    return [
        *_head(pack, index, len(report["packs"]), width),
        *_limits(pack),
        *(alarms(pack) or [Line("alarms: not known" if pack["presence"] in SILENT else "alarms: none")]),
        *_cells(pack, width),
        *_temperatures(pack, width),
        *_section("more", rest, pack),
        *_section("identity", [PACK_ROWS[key] for key in IDENTITY], pack),
        *_section(read, PACK_SETTINGS, settings),
        *(_link(pack, bus) if bus else ()),
    ]


def _head(pack: Report, index: int, packs: int, width: int) -> Iterator[Line]:
    where = f"{pack['bus']}/{pack['address']:#04x}"
    heard = "never heard" if pack["age"] is None else f"heard {say(PACK_ROWS['age'], pack)} ago"
    who = [pack["name"], f"pack {index + 1} of {packs}", where, pack["presence"], heard]
    style = presence_style(pack)
    yield from (Line(printable(text), style if style.value else Style.TITLE) for text in flowed(who, width, INDENT))
    left, whole = (without_unit(PACK_ROWS[key], pack[key]) for key in ("remaining_capacity", "full_capacity"))
    measured = [*(say(PACK_ROWS[key], pack) for key in HEAD), f"{left} of {whole} Ah"]
    yield from map(Line, flowed(measured, width) if any(pack[key] is not None for key in HEAD) else ["no values known"])


def _limits(pack: Report) -> Iterator[Line]:
    for name, direction in (("CCL", "charge"), ("DCL", "discharge")):
        limit = pack[f"{direction}_limit"]
        estimated = "taken from other packs" if limit["estimated"] else ""
        why = ", ".join(filter(None, (limit["cause"], limit["detail"], estimated))) or "not known why"
        value = say(PACK_ROWS[f"{direction}_limit.value"], pack)
        share = pack[f"{direction}_share"]
        carries = f" · share {share:.1%}" if share else ""
        blocks = "" if pack[f"allow_to_{direction}"] else f" · blocks {direction}"
        yield Line(f"{name} {value}: {why}{carries}{blocks}", Style.WARNING if blocks else Style.PLAIN)


def _cells(pack: Report, width: int) -> Iterator[Line]:
    cells = pack["cells"]
    there = [volts for volts in cells if volts is not None]
    if not there:
        yield Line("cells: not known")
        return
    mean = fmean(there)
    spread = say(PACK_ROWS["cell_difference"], pack)
    yield Line("")
    yield Line(f"cells in V, and mV from mean {mean:.3f} V; difference {spread}", Style.TITLE)
    texts = [_cell(pack, number, volts, mean) for number, volts in enumerate(cells, start=1)]
    yield from _grid(texts, CELL_WIDTH, width)


def _cell(pack: Report, number: int, volts: float | None, mean: float) -> str:
    if volts is None:
        return f"{number:2d} -"
    marks = [mark for mark in ("low", "high") if known(pack, f"{mark}est_cell.number") == number]
    return f"{number:2d} {volts:.3f} {1000 * (volts - mean):+z4.0f} {''.join(marks[:1])}"


def _grid(texts: Sequence[str], each: int, width: int) -> Iterator[Line]:
    across = max(1, (width + 2) // each)
    across -= across % 4 if across > 4 else 0  # rows of four or eight cells are easier to count
    for at in range(0, len(texts), across):
        yield Line("".join(padded(text, each) for text in texts[at : at + across]).rstrip())


def _temperatures(pack: Report, width: int) -> Iterator[Line]:
    row = PACK_ROWS["temperatures"]
    sensors = [f"sensor {n} {with_unit(row, value)}" for n, value in enumerate(pack["temperatures"], start=1)]
    yield Line("")
    yield Line("temperatures", Style.TITLE)
    yield from map(Line, flowed([*sensors, f"MOSFETs {say(PACK_ROWS['temperature_mos'], pack)}"], width))


def _section(title: str, rows: Sequence[Quantity[Any]], report: Report) -> Iterator[Line]:
    """A line for each row that is known; how many are not, so that nobody looks for them."""
    shown = {row.title: say(row, report) for row in rows if known(report, row.key) not in (None, "")}
    unknown = sum(known(report, row.key) is None for row in rows)
    wide = max(map(len, shown.values()), default=0)
    yield Line("")
    yield Line(title, Style.TITLE)
    for meaning, value in shown.items():
        yield Line(printable(f"{INDENT}{padded(value, wide, left=False)}  {meaning}"))
    if unknown:
        yield Line(f"{INDENT}not reported by this pack: {unknown} of {len(rows)}")


def _link(pack: Report, bus: Report) -> Iterator[Line]:
    """The pack's bus, with its counts an hour, and the refused answers of this pack among the last ones."""
    yield from _section(f"link: bus {bus['name']}, counts since its start", BUS[1:], bus)
    hours = bus["seconds"] / 3600
    if hours > 0 and isfinite(hours):
        counts = {"retries": bus["retries"], "missed": bus["missed"], "refused": sum(bus["refused"].values())}
        yield Line(
            INDENT + "the bus, an hour: " + ", ".join(f"{count / hours:.1f} {name}" for name, count in counts.items())
        )
        own = next((one for one in bus["links"] if one["address"] == pack["address"]), {"retries": 0, "refused": 0})
        retries, refused = own["retries"] / hours, own["refused"] / hours
        yield Line(f"{INDENT}this pack, an hour: {retries:.1f} retries, {refused:.1f} refused answers")
    yield from (trouble_line(one) for one in bus["troubles"] if one["address"] == pack["address"])
    for one in bus["recent"]:
        if one["address"] == pack["address"]:
            detail = f" ({one['detail']})" if one["detail"] else ""
            yield Line(printable(f"{INDENT}refused of this pack: {one['reason']}{detail}"), Style.WARNING)
