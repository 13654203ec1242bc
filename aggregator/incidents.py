"""The alarms that the bank has raised: which are new at this step, and the last ones, kept over restarts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from packbank.model.battery import Incident
from packbank.model.catalogue.alarms import ERROR_NUMBERS
from packbank.model.catalogue.past import LAST_ERRORS
from packbank.model.columns import Alarm

SETTLE = 60.0  # s after a restart in which an alarm that stood before is raised again, and is no news


class IncidentLog:
    """Alarms as events; only those with an error number are kept."""

    def __init__(self) -> None:
        self._alarms: Mapping[Alarm, int] | None = None  # of the last step
        self._raised: frozenset[Alarm] = frozenset()
        self._before: frozenset[Alarm] = frozenset()  # that stood when the state was saved
        self._settled: float | None = None  # epoch s, when those count as new again
        self.last: tuple[Incident, ...] = ()  # the newest first

    def step(self, alarms: Mapping[Alarm, int], wall: float) -> Collection[Alarm]:
        """The alarms that are raised for the first time at this step, ``wall`` epoch s.

        The same object as at the last step stands for the same ``alarms``.
        """
        if self._settled is None:
            self._settled = wall + SETTLE
        if alarms is self._alarms:
            return ()
        self._alarms = alarms
        raised = frozenset(alarm for alarm, level in alarms.items() if level)
        if raised == self._raised:
            return ()
        known = self._before if wall < self._settled else frozenset()
        new = sorted(raised - self._raised - known)
        self._raised, self._before = raised, self._before - raised
        kept = [Incident(alarm, wall) for alarm in new if alarm in ERROR_NUMBERS]
        self.last = (*kept, *self.last)[:LAST_ERRORS]
        return new

    def save(self) -> dict[str, Any]:
        """What a restart must not lose, JSON-able."""
        return {
            "raised": [alarm.venus for alarm in sorted(self._raised)],
            "last": [[one.alarm.venus, one.time] for one in self.last],
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take it back; alarms of another version are left out.

        Raises LookupError, TypeError or ValueError when it is damaged.
        """
        named = {alarm.venus: alarm for alarm in Alarm}
        self._before = frozenset(named[name] for name in saved["raised"] if name in named)
        kept = [Incident(named[name], float(time)) for name, time in saved["last"] if name in named]
        self.last = tuple(kept[:LAST_ERRORS])
