"""What is known of the sender of one name: which of its rows are new, and how old they are. Pure, the clock is given.

Ages need no common clock. The smallest difference between our clock and the sender's, over the last ten minutes, stands
for a delay of zero; what came with a larger difference was on its way for longer. A delay that is the same for ten
minutes is not seen.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf

from packbank.sources.hosts.wire import PackRow, Rows, State, WireError

BUCKET = 60.0  # s
BUCKETS = 10  # the window slides: clocks drift by 30 ms in it at 50 ppm
SETTLE_MESSAGES = 3  # of a boot before its rows are used, and
SETTLE = 1.5  # s at least from the first to the last of them: a backlog that comes at once says nothing about delays
LATE = 10.0  # s on the way: more than any pack is held for by itself
TURNS = 3  # changes from one boot to another within
TURNS_IN = 60.0  # s: two senders; one that starts again changes once
QUIET = 30.0  # s without another change until one of two senders is used again
TWO_SENDERS = "two senders use this name, so neither is used: give each its own HOST"


class Delay:
    """The smallest difference of two clocks in a sliding window."""

    def __init__(self) -> None:
        self._least: deque[tuple[float, float]] = deque(maxlen=BUCKETS)  # start of a bucket, least difference in it

    def of(self, sent: float, now: float) -> float:
        """How much longer than the quickest of late this message took, s."""
        difference = now - sent
        if not self._least or now - self._least[-1][0] >= BUCKET:
            self._least.append((now, difference))
        start, least = self._least[-1]
        self._least[-1] = start, min(least, difference)
        return difference - self.least

    @property
    def least(self) -> float:
        """The smallest difference, our clock minus the sender's, s."""
        return min(least for _, least in self._least)


@dataclass(frozen=True, slots=True)
class Fresh:
    """A row that was not seen before."""

    pack: PackRow
    arrived: float  # s, our clock, when the sender had it from the pack


class _Start:
    """One boot of the sender."""

    def __init__(self, boot: str) -> None:
        self.boot = boot
        self.delay = Delay()
        self.messages = 0
        self.first = inf
        self.seq: dict[str, int] = {}  # the last of each bus
        self.sent: dict[str, int] = {}
        self.measured: dict[tuple[str, int], int] = {}  # of each pack

    def clock(self, sent: int, now: float) -> float:
        """How late a message is, s."""
        self.messages += 1
        self.first = min(self.first, now)
        return self.delay.of(sent / 1000.0, now)

    def settled(self, now: float) -> bool:
        return self.messages >= SETTLE_MESSAGES and now - self.first >= SETTLE


class Peer:
    """The sender of one name."""

    def __init__(self) -> None:
        self.state: State | None = None
        self._start: _Start | None = None
        self._speaker = ""  # the boot of the last rows
        self._turns: deque[float] = deque(maxlen=TURNS)
        self._quiet_at = -inf  # until then there are two senders

    def hear(self, state: State) -> None:
        """A state: a birth, or a death, which counts only for the boot that it names."""
        known = self.state
        if not state.up and (known is None or state.boot != known.boot):
            return
        self.state = state
        if self._start is None or self._start.boot != state.boot:
            self._start = _Start(state.boot)

    def trouble(self, now: float) -> str:
        """Why no rows are used although they come; empty when there is no such reason."""
        return TWO_SENDERS if now < self._quiet_at else ""

    def offset(self) -> float | None:
        """Our clock minus the sender's, s; ``None`` before the first rows."""
        start = self._start
        return start.delay.least if start and start.messages else None

    def take(self, bus: str, rows: Rows, now: float, *, retained: bool) -> tuple[Fresh, ...]:
        """The new rows of a message that was read at ``now``. Raises WireError for a message that must not be used."""
        if retained:
            raise WireError("retained", "somebody retained it")
        self._listen(rows.boot, now)
        start = self._start
        if self.state is None or start is None:
            return ()  # its state is on its way
        if not self.state.up or rows.boot != start.boot:
            raise WireError("boot", "is not of the start that its state names")
        if rows.seq <= start.seq.get(bus, -1) or rows.sent < start.sent.get(bus, 0):
            raise WireError("duplicate", f"number {rows.seq} came before")
        late = start.clock(rows.sent, now)
        start.seq[bus], start.sent[bus] = rows.seq, rows.sent
        if now < self._quiet_at:
            raise WireError("two", TWO_SENDERS)
        if not start.settled(now):
            return ()
        if late > LATE:
            raise WireError("late", f"{late:.1f} s on its way")
        return tuple(self._fresh(start, bus, rows, now - late))

    def _listen(self, boot: str, now: float) -> None:
        """Notice two senders by their turns."""
        if self._speaker and boot != self._speaker:
            self._turns.append(now)
            if len(self._turns) == TURNS and now - self._turns[0] <= TURNS_IN:
                self._quiet_at = now + QUIET
        self._speaker = boot

    @staticmethod
    def _fresh(start: _Start, bus: str, rows: Rows, sent_at: float) -> list[Fresh]:
        fresh = []
        for pack in rows.packs:
            place = bus, pack.address
            if pack.measured > start.measured.get(place, -1):
                start.measured[place] = pack.measured
                fresh.append(Fresh(pack, sent_at - (rows.sent - pack.measured) / 1000.0))
        return fresh
