"""The quantities of a serial bus."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from packbank.model.bus_stats import BusStats
from packbank.model.catalogue.quantity import Quantity, Rate, Unit

Row = Quantity[BusStats]


def _row(key: str, title: str, unit: Unit) -> Row:
    return Quantity(key, title, unit, Rate.FAST, attrgetter(key))


BUS: tuple[Row, ...] = (
    _row("name", "name in the configuration", Unit.TEXT),
    _row("port", "device or address of the gateway", Unit.TEXT),
    _row("state", "opening, listening, polling, standing back, receiving or stopped", Unit.TEXT),
    _row("error", "why the port is not open; empty when it is", Unit.TEXT),
    _row("silence", "silence kept between two packs", Unit.MILLISECONDS),
    _row("rounds", "rounds in which every pack was asked", Unit.NUMBER),
    _row("round_time", "time of the last round", Unit.MILLISECONDS),
    _row("round_time_mean", "mean time of a round", Unit.MILLISECONDS),
    _row("requests", "requests sent", Unit.NUMBER),
    _row("answers", "answers accepted", Unit.NUMBER),
    _row("missed", "requests without any answer", Unit.NUMBER),
    _row("retries", "requests that were repeated", Unit.NUMBER),
    _row("lost", "questions that the repeated request did not get answered either", Unit.NUMBER),
    _row("foreign", "requests of another master that were heard", Unit.NUMBER),
    _row("reopened", "times that the port was opened again", Unit.NUMBER),
    _row("line_use", "share of the time in which the wire carried bytes", Unit.FRACTION),
    _row("wakeups", "sleeps and waits of the bus's thread", Unit.NUMBER),
    _row("seconds", "since the start of the bus", Unit.SECONDS),
)


def refusals(stats: BusStats) -> dict[str, Any]:
    """What was refused: counts by reason, the last with their addresses, without bytes; and packs in trouble."""
    return {
        "refused": dict(stats.refused),
        "recent": [{"address": one.address, "reason": one.reason, "detail": one.detail} for one in stats.recent],
        "links": [{"address": one.address, "retries": one.retries, "refused": one.refused} for one in stats.links],
        "troubles": [{"address": one.address, "text": one.text, "remedy": one.remedy} for one in stats.troubles],
    }
