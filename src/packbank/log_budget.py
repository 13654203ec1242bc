"""A bounded number of log lines about what happens again and again, such as a port with a loose contact."""

from __future__ import annotations

import logging

PERIOD = 3600.0  # s
LINES = 3  # of one subject in that time
MOST_SUBJECTS = 1000  # in that time; what is new then is dropped


class LogBudget:
    """Logs the first lines of a subject in each period, the last of them with a remark, and drops the rest."""

    def __init__(self, log: logging.Logger, lines: int = LINES, period: float = PERIOD) -> None:
        self._log = log
        self._lines = lines
        self._period = period
        self._spent: dict[str, list[float]] = {}  # by subject, when its lines of this period were logged

    def say(self, subject: str, now: float, level: int, message: str, *, trace: bool = False) -> bool:
        """Log ``message`` at ``now`` (monotonic s) unless the budget of ``subject`` is spent; whether it was logged.

        ``trace`` adds the traceback of the exception that is being handled.
        """
        if len(self._spent) > MOST_SUBJECTS:
            self._spent = {old: when for old, when in self._spent.items() if now - when[-1] < self._period}
        spent = [when for when in self._spent.get(subject, []) if now - when < self._period]
        if len(self._spent) > MOST_SUBJECTS and not spent:
            return False
        self._spent[subject] = spent
        if len(spent) >= self._lines:
            return False
        spent.append(now)
        last = self._lines > 1 and len(spent) == self._lines
        remark = f" (said {self._lines} times; not again within {self._period / 60.0:.0f} minutes)" if last else ""
        self._log.log(level, "%s%s", message, remark, exc_info=trace)
        return True
