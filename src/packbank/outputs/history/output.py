"""The history of the bank as one more output of the daemon, on a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable

from packbank.boot import boot_name, since_boot
from packbank.config.model import HistoryConfig
from packbank.errors import LinkError
from packbank.model.snapshot import Snapshot
from packbank.outputs.history.events import EventLog, Untaken
from packbank.outputs.history.location import Location
from packbank.outputs.history.recorder import HOUR, MINUTE, Recorder
from packbank.outputs.local_socket import private_folder

LEAST_PAUSE = 600.0  # s between two writes of rows, however often the wall clock is set
UNSAVED = "what is new stays in memory, and it is tried again each hour"
UNSEEN = "'packbank history' and 'packbank events' do not see the last hour"

log = logging.getLogger(__name__)


class HistoryOutput:
    """Gathers what it is shown in memory; brings it to the flash once an hour and at the end."""

    name = "history"

    def __init__(
        self,
        config: HistoryConfig,
        location: Location,
        untaken: Untaken,
        *,
        boot: str = "",
        clock: Callable[[], float] = since_boot,
    ) -> None:
        """``untaken`` has the events. ``clock`` (s) goes on from one start of the program to the next."""
        self._config = config
        self._location = location
        self._untaken = untaken
        self._boot = boot or boot_name()
        self._clock = clock
        self._kept: tuple[Recorder, EventLog] | None = None
        self._saved_at = 0.0
        self._hour = 0.0  # wall clock, of the last write
        self._troubles: set[str] = set()

    def show(self, snapshot: Snapshot) -> None:
        """Take a snapshot. Raises LinkError when what was kept before cannot be read."""
        now = self._clock()
        rows, events = self._kept or self._begin(snapshot, now)
        self._attempt(UNSEEN, lambda: rows.add(snapshot, now))
        self._attempt(UNSEEN, lambda: events.add(self._untaken.take(), snapshot, now))
        passed, hour = now - self._saved_at, snapshot.wall // HOUR
        if passed >= HOUR or (passed >= LEAST_PAUSE and (hour != self._hour or events.urgent)):
            self._hour = hour
            self._save(now)

    def close(self) -> None:
        """Bring everything to the flash. Raises OSError when a link that nobody needs any more stays."""
        if self._kept is None:
            return
        self._save(self._clock())
        if not any(kept.waiting.blocks for kept in self._kept):
            self._location.link.unlink(missing_ok=True)

    def _begin(self, snapshot: Snapshot, now: float) -> tuple[Recorder, EventLog]:
        """Go on where the last process ended. Raises LinkError."""
        folder, config = self._location.folder, self._config
        try:
            rows = Recorder(
                folder,
                self._location.rows,
                self._boot,
                period=config.period * MINUTE,
                days=config.days,
                years=config.years,
            )
            events = EventLog(folder, self._location.events, self._boot)
        except OSError as error:
            raise LinkError(
                f"{folder}: history cannot be read ({error.strerror}); none is kept until it can"
            ) from error
        self._kept = rows, events
        self._saved_at, self._hour = now - LEAST_PAUSE, snapshot.wall // HOUR  # a warning soon after is written at once
        self._attempt(UNSEEN, lambda: _link(self._location))
        return self._kept

    def _save(self, now: float) -> None:
        """Bring what waits to the flash; what cannot be written waits on."""
        self._saved_at = now
        for kept in reversed(self._kept or ()):  # the events first, they are small
            if not self._attempt(UNSAVED, kept.save):
                return

    def _attempt(self, consequence: str, write: Callable[[], bool]) -> bool:
        """Whether ``write`` did not fail, which goes no further: one line when that begins, one when it is over.

        ``write`` says whether it had anything to write.
        """
        try:
            wrote = write()
        except OSError as error:
            if consequence not in self._troubles:
                self._troubles.add(consequence)
                where = error.filename or self._location.folder
                log.warning("history: %s: %s; %s", where, error.strerror or error, consequence)
            return False
        if wrote and consequence in self._troubles:
            self._troubles.remove(consequence)
            log.info("history: can be written again")
        return True


def _link(location: Location) -> bool:
    """Let others find the folder. Raises OSError."""
    private_folder(location.link.parent)
    new = location.link.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.symlink_to(location.folder)
    new.replace(location.link)
    return True
