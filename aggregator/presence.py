"""How far each pack can be trusted now, and which packs conduct in which direction.

A pack is **fresh** while it answers, **held** when it has been silent for ``HELD_AFTER`` (its last values count,
its limits may only fall) and **lost** after ``LOST_AFTER`` (out of the sums, named in an alarm). A pack that
appears or returns is **joining** until its voltage shows that it hangs on the same busbar as the others.

For limits, two sets a direction matter (arrays of shape ``(2, packs)``, charge first):

``sure``    packs that certainly share the current: fresh or held, and not blocking that direction;
``maybe``   packs that may carry current although they do not count: lost ones (only the data cable may have
            failed), and joining or blocking ones through which a current is measured all the same.

A limit must be right whether the ``maybe`` packs carry their share or nothing (limits.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.battery import Presence
from packbank.aggregator.columns import Column
from packbank.aggregator.settings import BankSettings
from packbank.aggregator.telemetry import Telemetry, rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]

ABSENT, FRESH, HELD, LOST, JOINING = range(5)
PRESENCES = (Presence.ABSENT, Presence.FRESH, Presence.HELD, Presence.LOST, Presence.JOINING)

NOISE_FRACTION = 0.01  # of the capacity, in A: below this a measured current may be the sensor's offset
NOISE_AMPERES = 1.0
NEWEST = 0.5  # weight of the newest interval between two answers in a pack's usual one
RHYTHM = 1.5  # usual intervals that a pack on a slow bus may be silent and still be fresh
SLOWEST = 2.0  # times HELD_AFTER at most: what is older is old, whatever the bus
STRAY = 2.0  # a member leaves at this many times JOIN_VOLTAGE, so it cannot flap


@dataclass(frozen=True, slots=True)
class Sets:
    """Who counts for what, one element a pack."""

    code: Codes
    online: Bools  # fresh, held or joining
    member: Bools  # fresh or held: on the busbar
    blocked: Bools  # (2, packs): its own switch is off
    sure: Bools  # (2, packs)
    maybe: Bools  # (2, packs)
    any_maybe: bool
    all_fresh: bool  # every pack that is on the busbar has told its current just now


class PresenceTracker:
    """The state machine of every pack."""

    def __init__(self, expected: Bools, settings: BankSettings) -> None:
        self._settings = settings
        self._expected = expected
        self._code = np.full(len(expected), ABSENT, dtype=np.int8)
        self._well_since = np.full(len(expected), np.inf)
        self._seen = np.full(len(expected), np.nan)  # STATUS_TIME of the last step
        self._usual = np.zeros(len(expected))  # s between two answers
        self._start: float | None = None
        self.ready = False

    def step(self, tele: Telemetry, told: Bools, now: float) -> Sets:
        """Advance to ``now``; ``told`` says which packs have told enough to count (presence needs it only at start)."""
        if self._start is None:
            self._start = now
        self._age(tele.age, self._patience(tele[Column.STATUS_TIME]), now)
        blocked = _blocked(tele)
        noise = np.fmax(NOISE_FRACTION * tele.capacity, NOISE_AMPERES)
        if not self.ready:  # whoever answered first must not decide which voltage is the busbar's
            self._code[(self._code == FRESH) | (self._code == HELD)] = JOINING
        reference = self._reference(tele[Column.VOLTAGE], blocked)
        self._leave(tele, reference, noise)
        conducts: Bools = ~np.logical_and(blocked[0], blocked[1])
        self._join(tele, reference, conducts, now)
        self.ready = self.ready or self._is_ready(told, now)
        return self._sets(tele, blocked, noise)

    def _patience(self, status: Floats) -> Floats:
        """How old each pack's status may be: ``HELD_AFTER``, or more where its bus has its turn less often than that.

        A cycle of a JK master takes up to 7 s, one of ten Daly boards 9 s: such packs are slow, not silent.
        """
        held_after = self._settings.held_after
        interval = np.minimum(status - self._seen, SLOWEST * held_after)
        self._usual += np.where(interval > 0.0, NEWEST * (interval - self._usual), 0.0)
        self._seen = status
        patience: Floats = np.clip(RHYTHM * self._usual, held_after, SLOWEST * held_after)
        return patience

    def _age(self, age: Floats, patience: Floats, now: float) -> None:
        """Move every pack by the age of its last status."""
        code = self._code
        fresh = age <= patience  # false for NaN
        member = (code == FRESH) | (code == HELD)
        if fresh.all() and member.all():
            code[:] = FRESH
            return
        code[member] = np.where(fresh[member], FRESH, HELD)
        code[fresh & ~member] = JOINING
        code[age > self._settings.lost_after] = LOST
        if self._start is not None and now - self._start > self._settings.start_timeout:
            code[np.isnan(age) & self._expected] = LOST

    def _reference(self, voltage: Floats, blocked: Bools) -> float:
        """The busbar's voltage as the packs on it measure it: the lower median of the members.

        Without members, of the packs that could be the first ones. A median, since one pack on its own behind
        an open breaker must not shift it; the lower one, since it is some pack's own voltage, so one joins.
        """
        code = self._code
        chosen = voltage[(code == FRESH) | (code == HELD)]
        if not len(chosen):
            chosen = voltage[(code == JOINING) & ~blocked.all(axis=0)]
        chosen = chosen[~np.isnan(chosen)]
        if not len(chosen):
            return float("nan")
        middle = (len(chosen) - 1) // 2
        return float(np.partition(chosen, middle)[middle])

    def _leave(self, tele: Telemetry, reference: float, noise: Floats) -> None:
        """A member whose voltage is not the busbar's and that carries nothing hangs behind an open breaker."""
        away = np.abs(tele[Column.VOLTAGE] - reference) > STRAY * self._settings.join_voltage
        if away.any():
            self._code[away & (self._code == FRESH) & (tele.flow.max(axis=0) <= noise)] = JOINING

    def _join(self, tele: Telemetry, reference: float, conducts: Bools, now: float) -> None:
        """Take in the joining packs that have looked well for ``JOIN_AFTER``; at once if there is none to join."""
        joining = self._code == JOINING
        if not joining.any():
            return
        near = np.abs(tele[Column.VOLTAGE] - reference) <= self._settings.join_voltage
        well = joining & near & conducts & (tele.age <= self._settings.held_after)
        self._well_since = np.where(well, np.minimum(self._well_since, now), np.inf)
        anyone = ((self._code == FRESH) | (self._code == HELD)).any()  # else each second of waiting is one at 0 A
        joins = well & (now - self._well_since >= (self._settings.join_after if self.ready and anyone else 0.0))
        self._code[joins] = FRESH
        self._well_since[joins] = np.inf

    def _is_ready(self, told: Bools, now: float) -> bool:
        if self._start is None or not told.any():
            return False
        waited = now - self._start
        if not self._expected.any():
            return waited >= self._settings.held_after  # whoever answers is the bank: give each one its turn
        return bool(told[self._expected].all()) or waited >= self._settings.start_timeout

    def _sets(self, tele: Telemetry, blocked: Bools, noise: Floats) -> Sets:
        code = self._code.copy()
        member = (code == FRESH) | (code == HELD)
        sure = member & ~blocked
        online = member | (code == JOINING)
        maybe = online & ~sure & (tele.flow > noise)
        lost = code == LOST
        if self._settings.lost_pack_may_conduct:
            maybe |= lost & ~blocked & ~np.isnan(tele.age)
        return Sets(code, online, member, blocked, sure, maybe, bool(maybe.any()), not (code == HELD).any())


def _blocked(tele: Telemetry) -> Bools:
    """Which packs block which direction, shape ``(2, packs)``: a MOSFET is open or the user switched it off."""
    switches = tele.block[rows(Column.CHARGE_MOSFET, Column.DISCHARGE_ENABLED)]
    off = switches == 0.0
    blocked: Bools = off[:2] | off[2:]
    return blocked
