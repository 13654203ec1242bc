"""How far each pack can be trusted now, and which packs conduct in which direction.

A pack is **fresh** while it answers, **held** when it has been silent for ``HELD_AFTER`` (its last values count,
its limits may only fall) and **lost** after ``LOST_AFTER`` (out of the sums, named in an alarm). A pack that
appears or returns is **joining** until its voltage shows that it hangs on the same busbar as the others.

For limits, two sets a direction matter (arrays of shape ``(2, packs)``, charge first):

``sure``    packs that certainly share the current: fresh or held, with both switches closed;
``maybe``   packs that may carry current although they do not count: lost ones (only the data cable may have
            failed), packs that conduct through the body diode of their open switch, and others through which a
            current is measured all the same.

Where no pack has both switches closed, those that conduct through a diode are the sure ones.

A limit must be right whether the ``maybe`` packs carry their share or nothing (predict.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.settings import BankSettings
from packbank.aggregator.table import CHARGE, DISCHARGE
from packbank.aggregator.telemetry import Telemetry, rows
from packbank.cext.chosen import only_within, span
from packbank.cext.samples import follow_rhythm
from packbank.model.battery import PRESENCES, Presence
from packbank.model.columns import Column
from packbank.model.record import record

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]

ABSENT, FRESH, HELD, LOST, JOINING = map(
    PRESENCES.index, (Presence.ABSENT, Presence.FRESH, Presence.HELD, Presence.LOST, Presence.JOINING)
)

NOISE_FRACTION = 0.01  # of the capacity, in A: below this a measured current may be the sensor's offset
NOISE_AMPERES = 1.0
NEWEST = 0.5  # weight of the newest interval between two answers in a pack's usual one
RHYTHM = 1.5  # usual intervals that a pack on a slow bus may be silent and still be fresh
SLOWEST = 2.0  # times HELD_AFTER at most: what is older is old, whatever the bus
SETTINGS_PATIENCE = 4.0  # s at the start, in which every pack of a bus of 15 is asked for its settings twice
STRAY = 2.0  # a member leaves at this many times JOIN_VOLTAGE, so it cannot flap

_SWITCHES = rows(Column.CHARGE_MOSFET, Column.DISCHARGE_ENABLED)


@record
class Sets:
    """Who counts for what, one element a pack; the same object again at the next step while nothing of it changes."""

    code: Codes
    blocked: Bools  # (2, packs): its own switch is off
    standing: bytes  # of ``code`` and ``blocked``: equal to another step's while no pack's presence or switches change
    online: Bools  # fresh, held or joining
    member: Bools  # fresh or held: on the busbar
    lost: Bools
    busbar: Bools  # whose own voltage is the busbar's
    sure: Bools  # (2, packs)
    maybe: Bools  # (2, packs)
    one_way: Bools  # (2, packs): of the maybe ones those that carry nothing the other way
    heard: Bools  # both switches closed, and fresh: what such packs report is of now
    conducting: Bools  # surely both ways, or where no pack does, in either one
    conducting_now: Bools  # of these the fresh ones
    any_online: bool
    any_lost: bool
    all_fresh: bool  # every pack that is on the busbar has reported its current just now
    settled: bool  # ``code`` and ``blocked`` alone say it all: no pack might conduct although it does not count


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
        self._complete = False  # every pack is fresh, and no other is expected
        self._sets: Sets | None = None  # of the last step
        self.ready = False

    def step(self, tele: Telemetry, now: float) -> Sets:
        """Advance to ``now``; until the bank is ready, :meth:`judge_start` follows."""
        if self._start is None:
            self._start = now
        self._learn_rhythm(tele[Column.STATUS_TIME])
        blocked = _blocked(tele)
        if not (self.ready and self._complete and self._stays_so(tele)):
            self._move(tele, blocked, now)
        if self._sets is None or not self._sets.settled or self._sets.standing != _standing(self._code, blocked):
            self._sets = self._sets_of(tele, blocked)
        return self._sets

    def judge_start(self, reported: Bools, bounded: Bools, now: float) -> None:
        """Judge after a step whether the bank is ready.

        ``reported`` says which packs have reported enough to count, ``bounded`` which have when bounds stand for
        settings: after ``SETTINGS_PATIENCE`` these are enough, since settings that did not come by then may never come.
        """
        if self._start is None:
            return
        waited = now - self._start
        enough = bounded if waited >= SETTINGS_PATIENCE else reported
        if not np.count_nonzero(enough):
            return
        if not self._expected.any():  # whoever answers is the bank: give each one its turn
            self.ready = waited >= self._settings.held_after
        else:
            self.ready = bool(enough[self._expected].all()) or waited >= self._settings.start_timeout

    def forget(self, packs: Sequence[int]) -> None:
        """Let ``packs``, of which nothing is known any more, count as packs that never answered."""
        self._code[list(packs)] = ABSENT
        self._complete = False

    def _learn_rhythm(self, status: Floats) -> None:
        """Follow how often each pack has its turn on its bus."""
        follow_rhythm(status, SLOWEST * self._settings.held_after, NEWEST, self._seen, self._usual)

    def _stays_so(self, tele: Telemetry) -> bool:
        """Where every pack is fresh, the usual case, nobody moves: all have just answered, at the busbar's voltage.

        No pack is less patient than ``HELD_AFTER``. The busbar's voltage is one of theirs, so none is farther from it
        than the highest is from the lowest. What is not known (``NaN``) compares as false. Rows without a pack stay so.
        """
        if self._sets is None:
            return False
        packs = self._sets.member
        young = only_within(tele.age, packs, self._settings.held_after)
        return young and span(tele[Column.VOLTAGE], packs) <= STRAY * self._settings.join_voltage

    def _move(self, tele: Telemetry, blocked: Bools, now: float) -> None:
        """Move every pack to where its age and its voltage put it."""
        self._age(tele.age, now)
        if not self.ready:  # whoever answered first must not decide which voltage is the busbar's
            self._code[(self._code == FRESH) | (self._code == HELD)] = JOINING
        reference = self._reference(tele[Column.VOLTAGE], blocked)
        apart = _apart(tele[Column.VOLTAGE] - reference, blocked)
        self._leave(tele, apart)
        conducts: Bools = ~np.logical_and(blocked[0], blocked[1])
        self._join(tele, apart, conducts, now)
        self._complete = bool(((self._code == FRESH) | ((self._code == ABSENT) & ~self._expected)).all())

    def _age(self, age: Floats, now: float) -> None:
        """Move every pack by the age of its last status."""
        code = self._code
        fresh = age <= self._patience()  # false for NaN
        member = (code == FRESH) | (code == HELD)
        if fresh.all() and member.all():
            code[:] = FRESH
            return
        code[member] = np.where(fresh[member], FRESH, HELD)
        code[fresh & ~member] = JOINING
        code[age > self._settings.lost_after] = LOST
        if self._start is not None and now - self._start > self._settings.start_timeout:
            code[np.isnan(age) & self._expected] = LOST

    def _patience(self) -> Floats:
        """How old each pack's status may be: ``HELD_AFTER``, or more where its bus has its turn less often than that.

        A cycle of a JK master takes up to 7 s, one of ten Daly boards 9 s: such packs are slow, not silent.
        """
        held_after = self._settings.held_after
        longest = min(SLOWEST * held_after, self._settings.lost_after)
        patience: Floats = np.minimum(np.maximum(RHYTHM * self._usual, held_after), longest)
        return patience

    def _reference(self, voltage: Floats, blocked: Bools) -> float:
        """The busbar's voltage as the packs on it measure it: the lower median of the members.

        Of those with both switches closed, where there are any: an open switch holds off the busbar's voltage.
        Without members, of the packs that could be the first ones. A median, since one pack on its own behind
        an open breaker must not shift it; the lower one, since it is some pack's own voltage, so one joins.
        """
        code, known = self._code, ~np.isnan(voltage)
        members = known & ((code == FRESH) | (code == HELD))
        joining, direct = known & (code == JOINING), ~blocked.any(axis=0)
        nearest = (members & direct, joining & direct, members, joining & ~blocked.all(axis=0))
        chosen = next((voltage[packs] for packs in nearest if np.count_nonzero(packs)), voltage[:0])
        if not len(chosen):
            return float("nan")
        middle = (len(chosen) - 1) // 2
        return float(np.partition(chosen, middle)[middle])

    def _leave(self, tele: Telemetry, apart: Floats) -> None:
        """A member whose voltage is not the busbar's and that carries nothing hangs behind an open breaker."""
        away = apart > STRAY * self._settings.join_voltage
        if np.count_nonzero(away):
            self._code[away & (self._code == FRESH) & (tele.flow.max(axis=0) <= current_noise(tele))] = JOINING

    def _join(self, tele: Telemetry, apart: Floats, conducts: Bools, now: float) -> None:
        """Take in the joining packs that have looked well for ``JOIN_AFTER``; at once if there is none to join."""
        joining = self._code == JOINING
        if not np.count_nonzero(joining):
            return
        near = apart <= self._settings.join_voltage
        carries = tele.flow.max(axis=0) > current_noise(tele)  # whatever its voltage: it is on the busbar
        well = joining & (near | carries) & conducts & (tele.age <= self._settings.held_after)
        self._well_since = np.where(well, np.minimum(self._well_since, now), np.inf)
        anyone = ((self._code == FRESH) | (self._code == HELD)).any()  # else each second of waiting is one at 0 A
        patience = self._settings.join_after if self.ready and anyone else 0.0
        joins = well & (carries | (now - self._well_since >= patience))
        self._code[joins] = FRESH
        self._well_since[joins] = np.inf

    def _sets_of(self, tele: Telemetry, blocked: Bools) -> Sets:
        """The sets of now."""
        code = self._code.copy()
        held, lost = code == HELD, code == LOST
        member = (code == FRESH) | held
        free = ~blocked
        both, through_diode = free[0] & free[1], free & blocked[::-1]
        direct = member & np.stack([both, both])
        none_direct = ~np.logical_or.reduce(direct, axis=1, keepdims=True)
        sure = direct | (member & through_diode & none_direct)
        online = member | (code == JOINING)
        maybe = member & through_diode & ~sure
        carries = tele.flow > current_noise(tele)
        maybe |= online & ~sure & carries
        if self._settings.lost_pack_may_conduct:
            maybe |= lost & ~blocked
        any_lost = bool(np.count_nonzero(lost))
        conducting = sure[CHARGE] & sure[DISCHARGE]
        if not np.count_nonzero(conducting):
            conducting = sure[CHARGE] | sure[DISCHARGE]
        return Sets(
            code=code,
            blocked=blocked,
            standing=_standing(code, blocked),
            online=online,
            member=member,
            lost=lost,
            busbar=_on_busbar(sure, member, online),
            sure=sure,
            maybe=maybe,
            heard=both & (code == FRESH),
            conducting=conducting,
            conducting_now=conducting & (code == FRESH),
            any_online=bool(np.count_nonzero(online)),
            one_way=maybe & through_diode & (code == FRESH) & ~carries[::-1],
            any_lost=any_lost,
            all_fresh=not np.count_nonzero(held),
            settled=not any_lost and bool(np.logical_and.reduce(sure | (code == ABSENT), axis=None)),
        )


def _standing(code: Codes, blocked: Bools) -> bytes:
    return code.tobytes() + blocked.tobytes()


def _on_busbar(sure: Bools, member: Bools, online: Bools) -> Bools:
    """The packs whose own voltage is the busbar's: both switches closed, or the nearest to that there is."""
    nearest = (sure[0] & sure[1], sure[0] | sure[1], member)
    return next((packs for packs in nearest if np.count_nonzero(packs)), online)


def current_noise(tele: Telemetry) -> Floats:
    """A, the current below which a pack may carry none."""
    return np.fmax(NOISE_FRACTION * tele.capacity, NOISE_AMPERES)


def _apart(volts: Floats, blocked: Bools) -> Floats:
    """V by which packs are off the busbar, of ``volts`` above it, and more than their open switches hold off.

    A pack that takes no charge may lie below a busbar that is charged, one that cannot be discharged above it.
    """
    below, above = np.where(blocked[CHARGE], 0.0, -volts), np.where(blocked[DISCHARGE], 0.0, volts)
    apart: Floats = np.maximum(below, above)
    return apart


def _blocked(tele: Telemetry) -> Bools:
    """Which packs block which direction, shape ``(2, packs)``: a MOSFET is open or the user switched it off."""
    off = tele.block[_SWITCHES] == 0.0
    blocked: Bools = off[:2] | off[2:]
    return blocked
