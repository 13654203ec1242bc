"""What the log says about the bank: a line when something changed that its owner would want to know.

A pack's presence, an alarm, the charge stage, and the reason of a limit. A reason that flickers between two
packs is no news, so a limit is reported once its reason has lasted :data:`SETTLED`, or at once when the
limit becomes 0 or stops being 0.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packbank.model.battery import Limit, PackView, Presence, VirtualBattery
from packbank.model.columns import Alarm

SETTLED = 10.0  # s

Line = tuple[int, str]  # level of the logging module, text


@dataclass(slots=True)
class _Watched:
    """A limit's reason as last reported, and the one that may replace it."""

    reported: tuple[object, ...] | None = None
    candidate: tuple[object, ...] | None = None
    since: float = 0.0


class Journal:
    """Compares each battery with the one before."""

    def __init__(self) -> None:
        self._before: VirtualBattery | None = None
        self._limits = {"CVL": _Watched(), "CCL": _Watched(), "DCL": _Watched()}

    def lines(self, battery: VirtualBattery, now: float) -> list[Line]:
        """The lines that ``battery`` is worth at ``now`` (monotonic s); none when nothing changed."""
        before = self._before
        lines = [*self._packs(before, battery), *self._alarms(before, battery), *self._stage(before, battery)]
        for name, limit, unit in (
            ("CVL", battery.charge_voltage_limit, "V"),
            ("CCL", battery.charge_current_limit, "A"),
            ("DCL", battery.discharge_current_limit, "A"),
        ):
            if battery.ready and self._settled(self._limits[name], limit, now):
                lines.append((logging.INFO, f"{name} {limit.value:.1f} {unit}{explain(limit, battery.packs)}"))
        self._before = battery
        return lines

    @staticmethod
    def _packs(before: VirtualBattery | None, battery: VirtualBattery) -> Iterator[Line]:
        """Packs that tell the same news share a line: a bank of 100 packs starts with few lines."""
        if before is not None and before.standing == battery.standing:
            return
        news: dict[Line, list[str]] = {}
        old = before.packs if before else [None] * len(battery.packs)
        for was, pack in zip(old, battery.packs, strict=True):
            for line in (_presence_news(was, pack), _switch_news(was, pack)):
                if line is not None:
                    news.setdefault(line, []).append(pack.name)
        for (level, text), names in news.items():
            yield level, f"{', '.join(names)}: {text}"

    @staticmethod
    def _alarms(before: VirtualBattery | None, battery: VirtualBattery) -> Iterator[Line]:
        for alarm, level in battery.alarms.items():
            was = before.alarms.get(alarm, 0) if before else 0
            if level != was:
                word = ("over", "warning", "alarm")[level]
                names = ", ".join(_raising(battery.packs, alarm))
                yield (
                    logging.WARNING if level else logging.INFO,
                    f"{alarm.venus}: {word}{f' ({names})' if names else ''}",
                )

    @staticmethod
    def _stage(before: VirtualBattery | None, battery: VirtualBattery) -> Iterator[Line]:
        if before is not None and before.stage != battery.stage:
            names = ", ".join(battery.packs[index].name for index in battery.waiting_for)
            yield logging.INFO, f"charge stage {battery.stage}{f', waiting for {names}' if names else ''}"

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


def _presence_news(was: PackView | None, pack: PackView) -> Line | None:
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
            return logging.WARNING, f"lost ({silence}); check cable, DIP switches and power"
        case _:
            return None


def _switch_news(was: PackView | None, pack: PackView) -> Line | None:
    off = (pack.blocks_charge, pack.blocks_discharge)
    if off == ((was.blocks_charge, was.blocks_discharge) if was is not None else (False, False)):
        return None
    words = [word for word, blocked in zip(("charge", "discharge"), off, strict=True) if blocked]
    return (logging.WARNING, f"blocks {' and '.join(words)}") if words else (logging.INFO, "conducts again")


def _raising(packs: Sequence[PackView], alarm: Alarm) -> list[str]:
    return [pack.name for pack in packs if pack.alarms.get(alarm, 0)]


def explain(limit: Limit, packs: Sequence[PackView]) -> str:
    """The reason of a limit in words, with a leading ``": "``; ``""`` when there is none."""
    parts = [packs[limit.pack].name] if limit.pack >= 0 else []
    parts += [str(limit.cause)] if limit.cause else []
    parts += [limit.detail] if limit.detail else []
    parts += [f"share {limit.share:.0%}"] if limit.share == limit.share else []
    return ": " + ", ".join(parts) if parts else ""
