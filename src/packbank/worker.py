"""A thread that handles the newest of what it is given, so that whoever gives never waits."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Worker(Generic[Item]):
    """Calls ``handle(item)`` in a thread of its own; an item that was not begun is replaced by the next.

    ``handle`` must not raise. The thread is a daemon: one that hangs in a system call does not keep the process.
    """

    def __init__(self, name: str, handle: Callable[[Item], None], last: Callable[[], None] = lambda: None) -> None:
        """``last`` is called in the thread when the worker is closed, after the last item."""
        self._handle = handle
        self._last = last
        self._item: Item | None = None
        self._closed = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def give(self, item: Item) -> None:
        """Hand over an item; returns at once."""
        with self._changed:
            self._item = item
            self._changed.notify()

    def close(self, timeout: float) -> bool:
        """Let the thread finish what it was given; whether it has ended within ``timeout`` seconds."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._next()) is not None:
            self._handle(item)
        self._last()

    def _next(self) -> Item | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._item is not None)
            item, self._item = self._item, None
            return item
