"""What is known of the pack at one address, and whether a new answer can be its own: pure, times come with the answers.

An answer is judged by itself and against what is known. What fails by itself is refused. What fails only against a
known value (the number of cells in the settings, the clock of the last status) is a *doubt*: it is refused as well, but
it is remembered, and what is known is to be read again. When the new reading agrees with the doubt, the doubt is
accepted. So no stored value keeps a pack out for ever, and two packs at one address are noticed.
"""

from __future__ import annotations

from collections import deque
from math import inf, isfinite, isnan, nan
from typing import NamedTuple

import numpy as np

from packbank.bms.protocol import Answer, Reading, Row, Topic
from packbank.errors import FrameError
from packbank.model.columns import COLUMNS, Alarm, Column
from packbank.model.identity import Identity

DOUBT_LASTS = 60.0  # s for which a doubt is remembered
REREAD_WAIT = 5.0  # s after which a doubt counts as read again although settings and about were not to be had
CAUTION = 60.0  # s for which the lower of old and new limits holds after a doubt was accepted
SHARED_SPAN = 60.0  # s, in which
SHARED_DOUBTS = 3  # statuses of another clock, with the known clock between them, are two packs
CAPACITY_CHANGE = 0.02  # of the full capacity: more is another pack, or one that was set anew
FROZEN_AFTER = 0.5  # s after which a status with a running clock must have changed
FROZEN_UNDER_LOAD = 30.0  # s after which one without a clock must have changed while current flows
FROZEN_AT_REST = 600.0  # s, while none does
LOAD = 1.0  # A
LOWERED = [
    Column.CHARGE_CURRENT_LIMIT,
    Column.DISCHARGE_CURRENT_LIMIT,
    Column.CELL_OVP,
    Column.CELL_CHARGE_REQUEST,
    Column.CELL_FLOAT_REQUEST,
]
_CURRENT_LIMITS = [Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT]
_STAMPS = {Topic.STATUS: Column.STATUS_TIME, Topic.SETTINGS: Column.SETTINGS_TIME}
_DIRECTED = [Column.CURRENT, Column.POWER]
_OVER_CURRENT = [Alarm.HIGH_CHARGE_CURRENT.column, Alarm.HIGH_DISCHARGE_CURRENT.column]


class Judgement(NamedTuple):
    """What becomes of an answer: the row and the identity to store, or the error for which it is refused."""

    row: Row | None = None
    identity: Identity | None = None
    error: FrameError | None = None
    reread: tuple[Topic, ...] = ()  # what should be read again at once
    warning: str = ""  # what the owner should know about an accepted answer


def unknown() -> Row:
    """A row in which nothing is known."""
    return np.full(COLUMNS, np.nan)


def _turn_round(row: Row) -> None:
    """Charging becomes discharging. What the BMS says of the flow stays, and so proves which is right."""
    row[_DIRECTED] *= -1.0
    row[_OVER_CURRENT] = row[_OVER_CURRENT[::-1]]


class Clock:
    """The ticks of a pack: whether they run, whether its status stands still, and whether two packs give them."""

    def __init__(self) -> None:
        self._runs = False  # the ticks were seen to move
        self._ticks = nan
        self._first = inf  # when the first status came
        self._status = b""  # as it came last
        self._since = inf  # since when it is the same
        self._changes = 0  # how often it was another one
        self._doubts: deque[float] = deque(maxlen=SHARED_DOUBTS)
        self._accepted = True  # a status was accepted since the last doubt

    def check(self, status: bytes, row: Row, now: float) -> None:
        """FrameError ``frozen`` for a status that stands still to the last byte although it should not."""
        if status != self._status or isnan(row.item(Column.TICKS)):
            return
        longest = FROZEN_UNDER_LOAD if abs(row.item(Column.CURRENT)) >= LOAD else FROZEN_AT_REST
        longest = FROZEN_AFTER if self._runs else longest
        if (same := now - self._since) >= longest:
            raise FrameError("frozen", f"every byte of the status has been the same for {same:.0f} s")

    def accept(self, status: bytes, ticks: float, now: float) -> None:
        """A status was accepted."""
        if status != self._status:
            self._status, self._since = status, now
            self._changes += 1
        self._runs |= isfinite(self._ticks) and ticks != self._ticks
        self._ticks, self._first, self._accepted = ticks, min(self._first, now), True

    def doubt(self, now: float) -> None:
        """A status came whose ticks do not fit."""
        if self._accepted:
            self._doubts.append(now)
        self._accepted = False

    def is_shared(self, now: float) -> bool:
        """Whether two clocks have been answering in turn."""
        return len(self._doubts) == SHARED_DOUBTS and now - self._doubts[0] < SHARED_SPAN

    def is_absent(self, before: float) -> bool:
        """Whether the ticks have stood since ``before`` while the status changed."""
        return not self._runs and self._first < before and self._changes > 1 and isfinite(self._ticks)


class Record:
    """The pack at one address, as its accepted answers describe it."""

    def __init__(self, protocol: Reading, *, inverted: bool = False) -> None:
        """``inverted``: the BMS reports a charging current as a discharging one."""
        self._protocol = protocol
        self._inverted = inverted
        self._row, self._identity = unknown(), Identity()
        self._heard = -inf
        self._doubts: dict[Topic, Answer] = {}  # the last of each topic
        self._doubted_since: dict[Topic, float] = {}
        self._reread_at = -inf  # when settings or about were accepted last
        self._clock = Clock()
        self._caution_until = -inf
        self._caution = np.full(len(LOWERED), np.nan)
        self._settings = np.zeros(COLUMNS, dtype=np.bool_)  # columns that the last settings filled
        self._suspected = inf  # since when another pack may be at this address, until one sends its serial

    def judge(self, answer: Answer) -> Judgement:
        """Judge an answer, and remember it when it is accepted or a doubt."""
        self._heard = answer.arrived
        try:
            row, identity = self._decoded(answer, self._row, self._identity)
            self._protocol.check(row, self._row)
            if answer.topic is Topic.STATUS:
                self._clock.check(self._joined(answer), row, answer.arrived)
        except FrameError as error:
            return self._doubt(answer, error)
        return self._accept(answer, row, identity)

    @property
    def shared(self) -> bool:
        """Whether two packs answer at this address."""
        return self._clock.is_shared(self._heard)

    def clockless(self, after: float) -> bool:
        """Whether the status has been changing for ``after`` seconds while its clock stood."""
        return self._clock.is_absent(self._heard - after)

    def _decoded(self, answer: Answer, row: Row, identity: Identity) -> tuple[Row, Identity]:
        """``row`` and ``identity`` with the answer; FrameError when it cannot be decoded."""
        row = row.copy()
        if self._inverted:  # so that what this answer leaves as it is comes out as it was
            _turn_round(row)
        for question, data in answer.data.items():
            identity = self._protocol.decode(answer.address, question, data, row, identity)
        if self._inverted:
            _turn_round(row)
        if answer.topic in _STAMPS:
            row[_STAMPS[answer.topic]] = answer.arrived
        return row, identity

    def _doubt(self, answer: Answer, error: FrameError) -> Judgement:
        """What becomes of an answer that does not fit: it may be wrong, or what is known may be."""
        if error.reason == "frozen":
            return Judgement(error=error)
        try:
            alone, _ = self._decoded(answer, unknown(), Identity())
            self._protocol.check(alone, unknown())
        except FrameError:
            return Judgement(error=error)
        if error.reason == "ticks":
            self._clock.doubt(answer.arrived)
        agreed = self._agreed(answer)
        self._doubts[answer.topic] = answer
        self._doubted_since.setdefault(answer.topic, answer.arrived)
        if agreed is None:
            wanted = {Topic.STATUS: (Topic.SETTINGS, Topic.ABOUT)}.get(answer.topic, (Topic.STATUS,))
            self._suspected = min(self._suspected, answer.arrived)
            return Judgement(error=error, reread=wanted)
        row, identity = agreed
        self._be_cautious(answer.arrived)
        self._doubts.clear()
        self._doubted_since.clear()
        warning = f"accepted after what was known of it had been read again ({error})"
        return self._accept(answer, row, identity, warning)

    def _agreed(self, answer: Answer) -> tuple[Row, Identity] | None:
        """The row with a doubt that another doubt confirms: the same topic a moment later, or settings and status."""
        row, identity = self._row, self._identity
        doubts = [one for one in self._doubts.values() if answer.arrived - one.arrived < DOUBT_LASTS]
        for one in doubts:
            try:
                if one.topic is answer.topic:
                    since = self._doubted_since[one.topic]
                    if self._reread_at <= since and answer.arrived - since < REREAD_WAIT:
                        continue  # what is known has not been read again yet
                    before, _ = self._decoded(one, row, identity)
                    after = self._decoded(answer, row, identity)
                    self._protocol.check(after[0], before)
                    return after
                both = self._decoded(answer, *self._decoded(one, row, identity))
                self._protocol.check(both[0], unknown())
            except FrameError:
                continue
            return both
        return None

    def _accept(self, answer: Answer, row: Row, identity: Identity, warning: str = "") -> Judgement:
        who = self._identity
        if answer.topic is Topic.STATUS:
            self._clock.accept(self._joined(answer), row.item(Column.TICKS), answer.arrived)
        else:
            self._reread_at = answer.arrived
        if self._doubts:
            self._doubts.pop(answer.topic, None)
            self._doubted_since.pop(answer.topic, None)
        reread = self._changed(answer.topic, row, identity)
        if identity is not who and who.serial and identity.serial != who.serial:
            warning = f"another pack, serial {identity.serial or 'unknown'} instead of {who.serial}"
            if not row.item(Column.SETTINGS_TIME) >= self._suspected:
                row[self._settings] = np.nan  # they are those of the pack before
        if answer.topic is Topic.STATUS and reread:
            row[_CURRENT_LIMITS] *= _part(row.item(Column.FULL_CAPACITY), self._row.item(Column.FULL_CAPACITY))
        if Topic.SETTINGS in reread:  # it may be another pack, and the new limits come before its name
            self._be_cautious(answer.arrived)
        self._remember(answer, reread)
        self._row, self._identity = row, identity
        bounded = row
        if answer.arrived < self._caution_until:
            bounded = row.copy()
            lower = np.fmin(row[LOWERED], self._caution)
            bounded[LOWERED] = np.where(np.isnan(row[LOWERED]), np.nan, lower)
        return Judgement(bounded, identity, reread=reread, warning=warning)

    def _remember(self, answer: Answer, reread: tuple[Topic, ...]) -> None:
        """Note which columns are settings, and since when the pack may be another one."""
        if answer.topic is Topic.SETTINGS:
            settings, _ = self._decoded(answer, unknown(), Identity())
            self._settings = ~np.isnan(settings)
        if answer.topic is Topic.ABOUT:
            self._suspected = inf
        elif Topic.ABOUT in reread:
            self._suspected = min(self._suspected, answer.arrived)

    def _changed(self, topic: Topic, row: Row, identity: Identity) -> tuple[Topic, ...]:
        """What to read again because this answer is of a pack that was exchanged, restarted or set anew."""
        before = self._row
        if topic is Topic.STATUS:
            restarted = row.item(Column.TICKS) < before.item(Column.TICKS)
            capacity, was = row.item(Column.FULL_CAPACITY), before.item(Column.FULL_CAPACITY)
            if restarted or abs(capacity - was) > CAPACITY_CHANGE * was:
                return Topic.SETTINGS, Topic.ABOUT
        elif topic is Topic.SETTINGS:
            for column in (Column.NOMINAL_CAPACITY, Column.CELL_COUNT):
                if row.item(column) != before.item(column) and not isnan(before.item(column)):
                    return (Topic.ABOUT,)
        elif self._identity.serial and identity.serial != self._identity.serial:
            return (Topic.SETTINGS,)
        return ()

    def _be_cautious(self, now: float) -> None:
        self._caution_until = now + CAUTION
        self._caution = self._row[LOWERED].copy()

    @staticmethod
    def _joined(answer: Answer) -> bytes:
        return b"".join(answer.data.values())


def _part(capacity: float, was: float) -> float:
    """What is left of the current limits of a pack that has become so much smaller, until its own are read.

    It may be another pack, and neither its settings nor its name may ever come.
    """
    return capacity / was if 0.0 < capacity < was else 1.0
