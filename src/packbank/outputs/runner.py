"""Shows each snapshot on every output, so that one output never harms another.

An output that raises is named in the log once and tried again after growing pauses. One that may block has a thread
of its own and gets the newest snapshot when it is ready for it. Only the vital output (the D-Bus) may end the process.
"""

from __future__ import annotations

import logging
from typing import Protocol

from packbank.errors import PackbankError
from packbank.model.snapshot import Snapshot
from packbank.worker import Worker

FIRST_PAUSE = 1.0  # s before an output that failed is tried again; doubled up to
LONGEST_PAUSE = 300.0  # s
SOUND_AFTER = 60.0  # s without a failure, after which an output counts as sound again
CLOSE_TIMEOUT = 2.0  # s for an output to finish

log = logging.getLogger(__name__)


class Output(Protocol):
    """Somewhere that shows the bank: D-Bus, JSON lines, a terminal, the log."""

    name: str

    def show(self, snapshot: Snapshot) -> None:
        """Show the bank. Raises whatever goes wrong; PeerGoneError when trying again would be in vain."""

    def close(self) -> None:
        """Leave cleanly."""


class PeerGoneError(PackbankError):
    """Nobody can see an output any more, and that will not change."""


class Contained:
    """An output whose exceptions go no further."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.ended = False
        self._pause = 0.0  # s, of the next failure; 0: the output is sound
        self._due = float("-inf")
        self._failed_at = float("-inf")

    def show(self, snapshot: Snapshot) -> None:
        """Show ``snapshot``, unless the output failed a short while ago; never raises."""
        if self.ended or snapshot.time < self._due:
            return
        try:
            self.output.show(snapshot)
        except PeerGoneError as error:
            self.ended = True
            log.warning("output %s has ended: %s", self.output.name, error)
        except Exception as error:  # whatever it was, the other outputs go on
            if not self._pause:
                log.error(
                    "output %s failed; it is tried again, the others go on: %s",
                    self.output.name,
                    error,
                    exc_info=not isinstance(error, PackbankError),
                )
            self._failed_at = snapshot.time
            self._pause = min(2.0 * self._pause, LONGEST_PAUSE) or FIRST_PAUSE
            self._due = snapshot.time + self._pause
        else:
            if self._pause and snapshot.time - self._failed_at > SOUND_AFTER:
                self._pause = 0.0
                log.info("output %s works again", self.output.name)

    def close(self) -> None:
        """Leave cleanly; never raises."""
        try:
            self.output.close()
        except Exception:  # the others are still to be closed
            log.exception("output %s could not be closed", self.output.name)


class Runner:
    """All outputs of a daemon."""

    def __init__(self) -> None:
        self._vital: Output | None = None
        self._direct: list[Contained] = []
        self._threaded: list[tuple[Contained, Worker[Snapshot]]] = []

    def add(self, output: Output, *, may_block: bool = False) -> None:
        """Show the bank on ``output`` too; one that may block gets a thread of its own."""
        contained = Contained(output)
        if may_block:
            worker = Worker(f"output {output.name}", contained.show, contained.close)
            self._threaded.append((contained, worker))
        else:
            self._direct.append(contained)

    def add_vital(self, output: Output) -> None:
        """Show the bank on the output without which the process is to end."""
        self._vital = output

    @property
    def useful(self) -> bool:
        """Whether the process serves its purpose: its vital output is there, or no other one has ended for good."""
        others = [*self._direct, *(contained for contained, _ in self._threaded)]
        return self._vital is not None or not any(one.ended for one in others)

    def show(self, snapshot: Snapshot) -> None:
        """Show ``snapshot`` everywhere. Raises what the vital output raises, after the others have had their turn."""
        try:
            if self._vital is not None:
                self._vital.show(snapshot)
        finally:
            for contained in self._direct:
                contained.show(snapshot)
            for _, worker in self._threaded:
                worker.give(snapshot)

    def close(self) -> None:
        """Close every output; one that hangs is left behind."""
        if self._vital is not None:
            Contained(self._vital).close()
        for contained in self._direct:
            contained.close()
        for contained, worker in self._threaded:
            if not worker.close(CLOSE_TIMEOUT):
                log.warning("output %s did not end within %.0f s", contained.output.name, CLOSE_TIMEOUT)
