"""Log lines about what others do: each once, then hourly for as long as it holds."""

from __future__ import annotations

import logging

AGAIN_AFTER = 3600.0  # s
TEXTS_KEPT = 20

log = logging.getLogger(__name__)


class Trouble:
    """Keeps the log short, however long a trouble lasts."""

    def __init__(self, name: str) -> None:
        """``name`` says what it is about, without a secret."""
        self._name = name
        self._logged: dict[str, float] = {}  # text -> when it was logged

    def say(self, now: float, text: str, level: int = logging.WARNING) -> None:
        """Log ``text``, unless that was done within the hour."""
        if now - self._logged.get(text, float("-inf")) < AGAIN_AFTER:
            return
        if len(self._logged) >= TEXTS_KEPT:
            self._logged.clear()
        self._logged[text] = now
        log.log(level, "%s: %s", self._name, text)

    def over(self) -> None:
        """All has been well for a while: what comes next is news."""
        self._logged.clear()
