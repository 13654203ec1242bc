"""A log that cannot block: lines go through a queue to a thread that writes them to standard error.

When nobody reads standard error (a full pipe, as when multilog pauses on a full disk), lines are dropped and counted,
and the main loop and the buses go on.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Full, Queue
from threading import Thread

LINES_KEPT = 1000  # waiting lines, about 100 kB
CLOSE_TIMEOUT = 1.0  # s to write what is left at the end

FORMAT = "%(levelname)s %(message)s"


class QueueWriter:
    """Writes texts to a file descriptor in a thread of its own."""

    def __init__(self, descriptor: int) -> None:
        self.dropped = 0  # texts since the last one that found room
        self._descriptor = descriptor
        self._waiting: Queue[str | None] = Queue(LINES_KEPT)
        self._thread = Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, text: str) -> None:
        """Have ``text`` written; returns at once, also when it has to be dropped."""
        try:
            if self.dropped:
                self._waiting.put_nowait(f"WARNING {self.dropped} lines of this log were dropped: nobody read them\n")
                self.dropped = 0
            self._waiting.put_nowait(text)
        except Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what is waiting, as far as that is possible now."""
        try:
            self._waiting.put_nowait(None)
        except Full:
            return
        self._thread.join(CLOSE_TIMEOUT)

    def _run(self) -> None:
        while (text := self._waiting.get()) is not None:
            data = text.encode(errors="replace")
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:
                continue  # there is nowhere to report it


class _Handler(logging.Handler):
    def __init__(self, writer: QueueWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        self._writer.put(self.format(record) + "\n")


class _Stream(io.TextIOBase):
    """Stands for ``sys.stderr``, for whatever else writes there (tracebacks of other libraries)."""

    def __init__(self, writer: QueueWriter) -> None:
        self._writer = writer

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text:
            self._writer.put(text)
        return len(text)


@contextmanager
def log_to(descriptor: int, level: str | int) -> Iterator[QueueWriter]:
    """Send the log and ``sys.stderr`` to ``descriptor`` without ever blocking, while the context is open."""
    writer = QueueWriter(descriptor)
    handler = _Handler(writer)
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    before, level_before, stream = root.handlers[:], root.level, sys.stderr
    root.handlers[:] = [handler]
    root.setLevel(level)
    sys.stderr = _Stream(writer)
    try:
        yield writer
    finally:
        root.handlers[:], sys.stderr = before, stream
        root.setLevel(level_before)
        writer.close()
