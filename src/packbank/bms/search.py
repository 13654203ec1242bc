"""Find frames that begin with a known head and state their own length, in whatever the line brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from packbank.errors import FrameError

MOST_REFUSED = 16  # kept; a line full of noise must not fill the memory


class FrameSearch:
    """A stream of bytes, searched for the first frame without a fault.

    ``size`` says how long the frame is that begins with the given bytes: 0 when too few of them are there to know,
    negative when it is none after all. ``fault`` says what is wrong with a whole frame. A damaged or broken-off frame
    hides no other: the search goes on behind its first byte.
    """

    def __init__(
        self,
        heads: Sequence[bytes],
        size: Callable[[bytes], int],
        fault: Callable[[bytes], FrameError | None],
    ) -> None:
        self.refused: list[FrameError] = []
        self._heads = heads
        self._size = size
        self._fault = fault
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """The first frame without a fault that is complete with ``data``; empty while there is none."""
        self._held += data
        at, first_open = self._next(0), -1
        while at >= 0:
            size = self._size(self._held[at:])
            if 0 < size <= len(self._held) - at:
                frame = self._held[at : at + size]
                fault = self._fault(frame)
                if fault is None:
                    self._held = self._held[at + size :]
                    return frame
                if first_open < 0:  # behind an open frame it will be met again
                    self._refuse(fault)
            elif size >= 0 and first_open < 0:
                first_open = at
            at = self._next(at + 1)
        if first_open < 0:
            first_open = max(len(self._held) - max(map(len, self._heads)) + 1, 0)
        self._held = self._held[first_open:]
        return b""

    def flush(self) -> bytes:
        """The line went silent: what is still open is refused, and the first good frame that it hid returned."""
        while self._held:
            at = self._next(0)
            if at < 0:
                break
            self._refuse(FrameError("truncated", f"a frame broken off after {len(self._held) - at} bytes"))
            self._held = self._held[at + 1 :]
            if frame := self.feed(b""):
                return frame
        self._held = b""
        return b""

    def _next(self, start: int) -> int:
        """Where the next head begins, or -1."""
        found = [at for head in self._heads if (at := self._held.find(head, start)) >= 0]
        return min(found, default=-1)

    def _refuse(self, error: FrameError) -> None:
        if len(self.refused) < MOST_REFUSED:
            self.refused.append(error)
