"""What the log says about the bank: a line when something changed that its owner would want to know.

A pack's presence, an alarm, the charge stage, and the reason of a limit. A reason that flickers between two
packs is no news, so a limit is reported once its reason has lasted :data:`SETTLED`, or at once when the
limit becomes 0 or stops being 0.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from packbank.log_budget import LogBudget
from packbank.model import reasons
from packbank.model.battery import Limit, PackView, Presence, VirtualBattery
from packbank.model.bus_stats import Trouble
from packbank.model.catalogue.controls import CONTROLS
from packbank.model.columns import Alarm
from packbank.model.remarks import SETTLE, remarks
from packbank.model.snapshot import Snapshot
from packbank.outputs.advice import HASTY, hasty_packs

SETTLED = 10.0  # s
CALM = 60.0  # s after a line about what a user sets, within which the next change must last before it is said
BUDGET = 12  # lines an hour of one subject
FIGURE = re.compile(r"\d+(\.\d+)?(?= ?(s|A|V)\b)")  # what differs between two lines about one subject
ADVISE_PERIOD = 5.0  # s: settings, of which the advice is, change seldom


class Line(NamedTuple):
    """What is worth a line."""

    level: int  # of the logging module: INFO or WARNING
    text: str
    kind: str  # pack, alarm, stage, limit, setting, remark
    packs: tuple[str, ...] = ()  # that it is about


Said = tuple[int, str]  # level and text of a line, without the names of its packs
News = dict[Said, list[str]]  # with the names of the packs that share it
OnLine = Callable[[Snapshot, Line], None]
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Watched:
    """A limit's reason as last reported, and the one that may replace it."""

    reported: tuple[object, ...] | None = None
    candidate: tuple[object, ...] | None = None
    since: float = 0.0


@dataclass(slots=True)
class _Wish:
    """What a user sets: as last reported, as it is now and since when."""

    reported: str
    now: str
    since: float
    said: float = -inf


class Journal:
    """Compares each snapshot with the one before and logs what is new, each subject a dozen times an hour at most."""

    name = "log"

    def __init__(self, ceilings: Sequence[float | None], on_line: OnLine = lambda *_: None) -> None:
        """``ceilings`` are the packs' ``MAX_BATTERY_CHARGE_CURRENT``; ``on_line`` is called with every line as well."""
        self._on_line = on_line
        self._before: VirtualBattery | None = None
        self._limits = {"CVL": _Watched(), "CCL": _Watched(), "DCL": _Watched()}
        self._ceilings = ceilings
        self._advised: set[int] = set()  # packs that advice was given for
        self._since: dict[tuple[int, str], float] = {}  # when a remark (pack, text) was first to be made
        self._said: set[tuple[int, str]] = set()
        self._looked = -inf
        self._wishes: dict[str, _Wish] = {}
        self._budget = LogBudget(_log, BUDGET)

    def show(self, snapshot: Snapshot) -> None:
        """Log the lines that ``snapshot`` is worth."""
        for line in self.lines(snapshot):
            if self._budget.say(FIGURE.sub("", line.text), snapshot.time, line.level, line.text):
                self._on_line(snapshot, line)

    def close(self) -> None:
        """Nothing to leave."""

    def lines(self, snapshot: Snapshot) -> list[Line]:
        """The lines that ``snapshot`` is worth; none when nothing changed."""
        before, battery, now = self._before, snapshot.battery, snapshot.time
        lines = [
            *self._packs(before, battery, _troubles(snapshot)),
            *self._alarms(before, battery),
            *self._stage(before, battery),
            *self._set_by_users(snapshot),
        ]
        if now - self._looked >= ADVISE_PERIOD:
            self._looked = now
            lines += [*self._remarks(snapshot), *self._advice(snapshot)]
        for name, limit, unit in (
            ("CVL", battery.charge_voltage_limit, "V"),
            ("CCL", battery.charge_current_limit, "A"),
            ("DCL", battery.discharge_current_limit, "A"),
        ):
            if battery.ready and self._settled(self._limits[name], limit, now):
                why = reasons.reason(battery, limit)
                text = f"{name} {limit.value:.1f} {unit}{f': {why}' if why else ''}"
                packs = (battery.packs.names[limit.pack],) if limit.pack >= 0 else ()
                lines.append(Line(logging.INFO, text, "limit", packs))
        self._before = battery
        return lines

    @staticmethod
    def _packs(
        before: VirtualBattery | None, battery: VirtualBattery, troubles: Mapping[int, Trouble]
    ) -> Iterator[Line]:
        """Packs with the same news share a line: a bank of 100 packs starts with few lines."""
        if before is not None and battery.packs.stand_as(before.packs):
            return
        news: News = {}
        old: Iterable[PackView | None] = before.packs if before else [None] * len(battery.packs)
        for index, (was, pack) in enumerate(zip(old, battery.packs, strict=True)):
            for line in (_presence_news(was, pack, troubles.get(index)), _switch_news(was, pack)):
                if line is not None:
                    news.setdefault(line, []).append(pack.name)
        yield from _shared("pack", news)

    @staticmethod
    def _alarms(before: VirtualBattery | None, battery: VirtualBattery) -> Iterator[Line]:
        for alarm, level in battery.alarms.items():
            was = before.alarms.get(alarm, 0) if before else 0
            if level != was:
                word = ("over", "warning", "alarm")[level]
                names = _raising(battery.packs, alarm)
                raised_by = f" ({', '.join(names)})" if names else ""
                text = f"{alarm.venus}: {word}{raised_by}"
                yield Line(logging.WARNING if level else logging.INFO, text, "alarm", names)

    @staticmethod
    def _stage(before: VirtualBattery | None, battery: VirtualBattery) -> Iterator[Line]:
        if before is not None and before.stage != battery.stage:
            yield Line(logging.INFO, f"charge stage {reasons.charge_mode(battery)}", "stage")

    def _set_by_users(self, snapshot: Snapshot) -> Iterator[Line]:
        """A change at once, and those that follow soon once they last: a program that writes for ever is one line."""
        for row in CONTROLS:
            text = row.unit.text(row.value(snapshot))
            wish = self._wishes.setdefault(row.path, _Wish(text, text, snapshot.time))
            if text != wish.now:
                wish.now, wish.since = text, snapshot.time
            lasts = snapshot.time - wish.since >= SETTLED
            if text != wish.reported and (lasts or snapshot.time - wish.said >= CALM):
                wish.reported, wish.said = text, snapshot.time
                yield Line(logging.INFO, f"the user sets {row.path} to {text}", "setting")

    def _remarks(self, snapshot: Snapshot) -> Iterator[Line]:
        """Say each remark once, when it has held for a while; packs with the same one share a line."""
        current = {(remark.pack, remark.text): remark for remark in remarks(snapshot)}
        self._since = {key: self._since.get(key, snapshot.time) for key in current}
        news: News = {}
        for key, remark in current.items():
            if key not in self._said and snapshot.time - self._since[key] >= SETTLE:
                self._said.add(key)
                line = (logging.WARNING if remark.serious else logging.INFO, remark.text)
                news.setdefault(line, []).append(snapshot.battery.packs.names[remark.pack])
        yield from _shared("remark", news)

    def _advice(self, snapshot: Snapshot) -> Iterator[Line]:
        """Say once of each pack what its owner should change in its BMS; packs with the same fault share a line."""
        found = set(hasty_packs(snapshot.rows, self._ceilings)) - self._advised
        if found:
            self._advised |= found
            names = [snapshot.battery.packs.names[index] for index in sorted(found)]
            yield from _shared("remark", {(logging.WARNING, HASTY): names})

    @staticmethod
    def _settled(watched: _Watched, limit: Limit, now: float) -> bool:
        """Whether this limit is to be reported now."""
        reason = (limit.pack, limit.cause, limit.value == 0)
        if reason == watched.reported:
            watched.candidate = None
            return False
        if reason != watched.candidate:
            watched.candidate, watched.since = reason, now
        stopped = watched.reported is None or reason[2] != watched.reported[2]
        if not stopped and now - watched.since < SETTLED:
            return False
        watched.reported, watched.candidate = reason, None
        return True


def _troubles(snapshot: Snapshot) -> dict[int, Trouble]:
    """Packs that are heard, but not read as they should be, by their place in the bank."""
    heard = {(bus.name, trouble.address): trouble for bus in snapshot.buses for trouble in bus.troubles}
    places = enumerate(snapshot.places)
    return {index: heard[place.bus, place.address] for index, place in places if (place.bus, place.address) in heard}


def _presence_news(was: PackView | None, pack: PackView, trouble: Trouble | None) -> Said | None:
    if was is not None and was.presence == pack.presence:
        return None
    match pack.presence:
        case Presence.FRESH:
            return logging.INFO, "part of the bank"
        case Presence.JOINING if was is not None and was.presence is not Presence.ABSENT:
            return logging.INFO, "answers again, joins the bank when its voltage fits and its MOSFETs are on"
        case Presence.HELD:
            return logging.INFO, "silent for a moment, last values held"
        case Presence.LOST:
            silence = f"silent for {pack.age:.0f} s" if pack.age == pack.age else "never answered"
            why, cure = (trouble.text, trouble.remedy) if trouble else (silence, "check cable, DIP switches and power")
            return logging.WARNING, f"lost ({why}); {cure}"
        case _:
            return None


def _switch_news(was: PackView | None, pack: PackView) -> Said | None:
    off = (pack.blocks_charge, pack.blocks_discharge)
    if off == ((was.blocks_charge, was.blocks_discharge) if was is not None else (False, False)):
        return None
    words = [word for word, blocked in zip(("charge", "discharge"), off, strict=True) if blocked]
    return (logging.WARNING, f"blocks {' and '.join(words)}") if words else (logging.INFO, "conducts again")


def _raising(packs: Iterable[PackView], alarm: Alarm) -> tuple[str, ...]:
    return tuple(pack.name for pack in packs if pack.alarms.get(alarm, 0))


def _shared(kind: str, news: News) -> Iterator[Line]:
    """A line for each news, with the names of its packs before it."""
    for (level, text), names in news.items():
        yield Line(level, f"{', '.join(names)}: {text}", kind, tuple(names))
