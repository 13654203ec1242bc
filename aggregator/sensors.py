"""Which packs' current sensors are to be believed.

A sensor that reads 0, nothing, a constant or the wrong sign would free its pack of its share. So a reading counts only
while it fits. Three things are held against it:

* **the cells** (evidence.py): at each step of the current they show what the pack carries of it. Two looks some seconds
  apart must agree. This finds a wrong sensor, one that works, and a pack that really carries nothing.
* **the neighbours**, before a step has shown anything: a reading that stays where it is, or moves the other way, while
  the others' current moves, is in doubt. The pack may conduct or not, and limits must hold either way.
* **a shunt**, where there is one: what the others leave over of its step.

Nothing is reckoned while the currents stand still but a comparison with where they stood last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.evidence import CELL_ERROR, DEAF, FOLLOWS, MOVED, STEP_ROWS, Evidence, Known, Step, judge
from packbank.aggregator.looks import Look, look_at, sizes
from packbank.aggregator.presence import Sets
from packbank.aggregator.shunt import ShuntComparison
from packbank.aggregator.strings import PRIOR, WIRES
from packbank.aggregator.telemetry import Telemetry
from packbank.cext.evidence import differences
from packbank.cext.neighbours import Watch
from packbank.model.battery import FAULTY, SENSORS, Sensor, SensorReport
from packbank.model.columns import Column
from packbank.model.record import record

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]

UNSEEN, GOOD, IDLE, DOUBTED, SILENT, BLIND, FROZEN, INVERTED = range(len(SENSORS))  # in the order of Sensor
_FAULTY = np.array([sensor in FAULTY for sensor in SENSORS])

HOP = 8.0  # s between two looks while nothing moves
DRIFT_OVER = 45.0  # s over which the cells' own drift is taken at most; from one HOP on it is known
DRIFTS = 0.001  # V/s, the most while it is not: cells that rest after a large current
POLARISES = 15.0  # s in which cells move on after a step, at most as far as at the step itself
JUST_STEPPED = 0.02  # V a cell, the step that there may have been just before the start
LOOK = 2.0  # s after a step has begun, and once more: when it is looked at
LATEST = 10.0  # s: a pack that has not been heard by then is not waited for
BELIEVED = 3600.0  # s that a sensor is believed after it has been seen to work
BOTH_WAYS = 600.0  # s within which a lie at a step up and one at a step down are no drift: that has one direction
RESTORED = 2  # steps in a row that a wrong sensor must fit to be believed again
NOTABLE = 4.0, 0.015  # A and of the capacity: what a pack would carry, from which it is missed
EVENS_OUT = 0.5  # of what a pack exchanges with the others: it may fade by that while the bank's current moves
AT_REST = 0.01  # of the capacities, in A
EXCHANGED = 0.4  # of the packs' currents, what is left of them all: where it is less, they flow from pack to pack
MIRRORED = 0.45, 2.5  # of the step that the cells show, the other way round: a sensor with the wrong sign
LEARN = 0.3  # weight of one step's resistance
RATIOS = 0.2, 5.0  # of a pack's resistance to the others', what is believed

_WATCH = Watch(
    follows=FOLLOWS,
    exchanged=EXCHANGED,
    at_rest=AT_REST,
    evens_out=EVENS_OUT,
    notable=NOTABLE,
    unseen=UNSEEN,
    good=GOOD,
    silent=SILENT,
)


@record
class Verdict:
    """What is thought of each sensor, one element a pack."""

    code: Codes  # index into SENSORS
    wrong: Bools  # found, and named in an alarm
    unread: Bools  # its reading teaches nothing: wrong, in doubt, or at odds with a step that is being looked at
    unsure: Bools  # of these, the pack may conduct or not
    mirrored: Bools  # the BMS seems to see the opposite current
    turned: Bools  # of these, it is found to be so: the reading counts with the other sign
    worked: Bools  # has been seen to work in this run, so what was learned of the pack before is right
    saved: Bools  # was seen to work in an earlier run, so the weight that was saved of the pack is right
    stronger: Floats  # at least 1: factor by which cells show that the pack carries more than its neighbours
    any_unread: bool
    calm: bool  # no step is being looked at
    shunt_fits: bool  # the last step of a shunt was what the packs' steps come to


class CurrentSensors:
    """The judgement from step to step."""

    def __init__(self, packs: int) -> None:
        no = np.zeros(packs, dtype=np.bool_)
        self._state = np.full(packs, UNSEEN, dtype=np.int8)  # any but DOUBTED
        self._until = np.full(packs, -np.inf)  # GOOD and IDLE until then
        self._worked = no.copy()
        self._saved = no.copy()  # worked in an earlier run
        self._rests = no.copy()  # the sensor is wrong, and the cells show that the pack carries nothing
        self._fitted = np.zeros(packs, dtype=np.int64)  # steps in a row at which a wrong sensor fitted
        self._ratio = np.ones(packs)  # of each pack's resistance to the others'
        self._ohms = PRIOR
        self._strength = np.zeros((2, packs))  # V^2: sums of own by others' steps of cells, and of others' squared
        self._since = np.zeros((2, packs))  # A, and A per Ah of the neighbours: from where a reading is watched
        self._hinted = np.full((2, packs), -np.inf)  # when a lie upwards and one downwards may have been drift
        self._pending, self._missed, self._opposed = no.copy(), no.copy(), no.copy()
        self._shunt_fits = False
        self.shunt = ShuntComparison(packs)
        self._compared = False  # at this level of the current
        self._reported: SensorReport | None = None
        self._size = self._moved = self._series = np.ones(packs)
        self._shunt_moved = np.inf
        self._standing = self._judged_of = b""
        self._open = no.copy()  # a switch is, so the pack cannot follow its neighbours
        self._stepped = np.full(packs, JUST_STEPPED)  # V by which each pack's cells moved in the last step
        self._came = no.copy()  # closed since the last look: what its cells did is no part of the others' step
        self._calm: Look | None = None  # the last look while nothing moved
        self._base: Look | None = None  # an earlier one of the same calm
        self._calm_from = 0.0
        self._began: float | None = None  # when the step began that is being looked at
        self._from = 0.0  # since when packs must have been heard for the next look at it
        self._first: Evidence | None = None
        self._verdict = self._judged()

    def step(self, tele: Telemetry, sets: Sets, shunt: float, now: float) -> Verdict:
        """The verdict at ``now``; ``shunt`` is the bank's current as another device measures it, A, or ``NaN``."""
        calm, current = self._calm, tele[Column.CURRENT]
        if calm is None or sets.standing != self._standing:
            self._meet(tele, sets, shunt, now)
        elif self._began is not None or self._moves(current, shunt, calm):
            self._follow(tele, sets, shunt, now, calm)
        elif now - calm.time >= HOP:
            self._hop(tele, sets, look_at(tele, shunt, now), calm)
        return self._verdict

    def _meet(self, tele: Telemetry, sets: Sets, shunt: float, now: float) -> None:
        """Look for the first time, or at other packs than before; packs that come are compared with what they were."""
        self._standing = sets.standing
        self._measure(tele)
        look, old = look_at(tele, shunt, now), self._calm
        if old is None:
            self._calm, self._calm_from = look, now
        else:
            status, current, cells = (
                np.where(np.isnan(before), new, before)
                for before, new in zip(
                    (old.status, old.current, old.cells), (look.status, look.current, look.cells), strict=True
                )
            )
            self._calm = old._replace(status=status, current=current, cells=cells, error=look.error)
        was_open, self._open = self._open, np.logical_or.reduce(sets.blocked)
        closed = was_open & ~self._open
        self._came |= closed
        self._since[1, closed] = np.nan
        self._watch(look, sets, calm=self._began is None)

    def _measure(self, tele: Telemetry) -> None:
        """How large the packs are, and from which step on their currents have moved."""
        size, series = sizes(tele), np.where(tele.cells > 0.0, tele.cells, 16.0)
        if size.tobytes() + series.tobytes() != self._size.tobytes() + self._series.tobytes():
            self._judged_of = b""
        self._size, self._series = size, series
        enough = np.maximum(MOVED[0], MOVED[1] * self._size)
        self._moved, self._shunt_moved = 1.0 / enough, float(np.add.reduce(enough))

    def _moves(self, current: Floats, shunt: float, calm: Look) -> bool:
        """Whether a current has moved since the bank was calm; what is unknown has not."""
        moved = (current - calm.current) * self._moved
        if np.fmax.reduce(moved) >= 1.0 or np.fmin.reduce(moved) <= -1.0:
            return True
        return abs(shunt - calm.shunt) >= self._shunt_moved

    def _hop(self, tele: Telemetry, sets: Sets, look: Look, calm: Look) -> None:
        """Nothing moves: remember how it is."""
        self._measure(tele)
        among = sets.heard
        if not self._compared and among.all() and not np.isnan(look.shunt + np.add.reduce(look.current)):
            self._compared = True
            if not self._verdict.any_unread:
                self.shunt.compare(look.current, look.shunt)
                self._reported = None
        base = self._base or (calm if calm.time == self._calm_from else None)
        if base is not None and look.time - base.time > DRIFT_OVER:
            base = calm
        self._base, self._calm = base or calm, look
        self._came[:] = False
        self._state[((self._state == GOOD) | (self._state == IDLE)) & (self._until < look.time)] = UNSEEN
        self._watch(look, sets, calm=True)

    def _follow(self, tele: Telemetry, sets: Sets, shunt: float, now: float, calm: Look) -> None:
        """Look at a step of the current, and judge it at the second look."""
        look = look_at(tele, shunt, now)
        if self._began is None:
            self._began, self._from, self._first = now, now, None
        began, first = self._began, self._first
        step, among = self._step_of(look, calm), sets.heard
        wrong = _FAULTY.take(self._state)
        known = Known(
            among, look.status, calm.time, self._from, self._size, self._ratio, self._ohms, self._worked, wrong
        )
        evidence = judge(step, known)
        self._pending = evidence.doubts
        waited = now - self._from
        if waited >= LATEST or (waited >= LOOK and not np.count_nonzero(among & ~(look.status > self._from))):
            self._first, self._from = evidence, now
            if first is not None and (now - began >= LATEST or not _undecided(first, evidence)):
                self._conclude(first, evidence, step, look)
                self._calm, self._base, self._calm_from, self._began = look, None, now, None
                self._pending, self._compared = np.zeros_like(among), False
        self._watch(look, sets, calm=False, heard_from=began)

    def _step_of(self, look: Look, calm: Look) -> Step:
        """How far everything has moved since the bank was calm."""
        seconds, base, known = look.time - calm.time, self._base, 0.0
        if base is not None and calm.time - base.time >= HOP:
            known = calm.time - base.time
        rows, deaf = np.empty((STEP_ROWS, len(look.current))), np.empty(len(look.current), dtype=np.bool_)
        differences(
            look.current,
            look.cells,
            look.error,
            calm.current,
            calm.cells,
            calm.error,
            base.cells if base is not None and known else None,
            self._stepped,
            self._state == INVERTED,
            DEAF,
            1.5 * seconds / known if known else 0.0,
            DRIFTS * seconds,
            min(1.0, seconds / POLARISES),
            rows,
            deaf,
        )
        return Step(rows, deaf, look.shunt - calm.shunt)

    def _conclude(self, first: Evidence, last: Evidence, step: Step, look: Look) -> None:
        """Take over what both looks show."""
        fits, idle, lies = first.fits & last.fits, first.idle & last.idle, first.lies & last.lies
        hints = first.hints & last.hints
        if np.count_nonzero(hints):
            lies |= self._both_ways(hints, last.shown, look.time)
        self._ohms, self._stepped = last.ohms, np.fmax(np.abs(step.cells), 0.0)
        unlike = step.cells * self._size / np.where(fits, step.reported * last.ohms, 1.0)
        ratio = np.minimum(np.maximum(self._ratio + LEARN * (unlike - self._ratio), RATIOS[0]), RATIOS[1])
        self._ratio = np.where(fits, ratio, self._ratio)
        wrong, turned = _FAULTY.take(self._state), self._state == INVERTED
        self._worked |= turned & fits  # with the other sign
        fits &= ~turned
        self._fitted = np.where(wrong & fits, self._fitted + 1, np.where(lies, 0, self._fitted))
        works = fits & (~wrong | (self._fitted >= RESTORED))
        self._worked |= works
        self._state[works] = GOOD
        if np.count_nonzero(idle):
            quiet = np.abs(look.current) <= 2.0 * DEAF
            self._state[idle & ~wrong] = np.where(quiet, IDLE, UNSEEN)[idle & ~wrong]
        if np.count_nonzero(lies):
            self._convict(lies, first.jumps & last.jumps, turned, step, last, look)
        seen = works | idle
        self._until[seen] = look.time + BELIEVED
        self._since[0, seen], self._since[1, seen] = look.current[seen], np.nan
        self._rests = (self._rests | idle) & ~(lies | fits)
        self._strength[:, works] = 0.0
        self._came[:] = False
        self._judged_of = b""
        self._compare_shunt(step, last)

    def _convict(self, lies: Bools, jumps: Bools, turned: Bools, step: Step, last: Evidence, look: Look) -> None:
        """Call sensors wrong, and see by their cells how much stronger than the others their packs are."""
        kinds = _kinds(jumps, step, last, look.current)
        self._state[lies] = np.where(turned & (kinds == INVERTED), FROZEN, kinds)[lies]
        own = np.where(lies & ~jumps & ~self._came, np.nan_to_num(step.cells), 0.0)
        self._strength += [own * last.cells, np.where(own, last.cells**2, 0.0)]

    def _both_ways(self, hints: Bools, shown: Floats, now: float) -> Bools:
        """Packs whose sensors lied at a step up and at one down."""
        ways = np.stack([hints & (shown > 0.0), hints & (shown < 0.0)])
        self._hinted = np.where(ways, now, self._hinted)
        found: Bools = hints & np.logical_and.reduce(now - self._hinted <= BOTH_WAYS)
        return found

    def _compare_shunt(self, step: Step, last: Evidence) -> None:
        """Whether the shunt moved as the packs did, those with a wrong sensor as their cells show."""
        if not np.isnan(step.shunt) and last.level:
            moved = np.where(_FAULTY[self._state], last.shown, step.reported)
            off = abs(step.shunt - float(np.nansum(moved)))
            self._shunt_fits = off <= FOLLOWS * abs(step.shunt) + DEAF * len(moved) ** 0.5

    def _watch(self, look: Look, sets: Sets, *, calm: bool, heard_from: float = -np.inf) -> None:
        """See which sensors, not seen to work lately, do not follow their neighbours; then the verdict is made anew.

        Packs that were asked before ``heard_from`` cannot have followed.
        """
        _WATCH.step(
            look.current,
            look.status,
            self._size,
            sets.heard,
            self._state,
            self._since,
            self._missed,
            self._opposed,
            calm,
            self._began is None,  # else readings are from before and after a step
            heard_from,
        )
        known = self._state, self._missed, self._opposed, self._pending, self._rests
        standing = b"".join([array.tobytes() for array in known])
        if standing != self._judged_of:
            self._judged_of = standing
            self._verdict = self._judged()
        elif self._verdict.calm != (self._began is None):
            self._verdict = replace(self._verdict, calm=self._began is None)

    def _judged(self) -> Verdict:
        """The verdict that follows from the state."""
        wrong = _FAULTY[self._state]
        unread = wrong | self._missed | self._pending
        self._reported = None
        inverted = self._state == INVERTED
        return Verdict(
            code=np.where((self._missed | self._pending) & ~wrong, DOUBTED, self._state).astype(np.int8),
            wrong=wrong,
            unread=unread,
            unsure=self._missed | (wrong & self._rests),
            mirrored=inverted | self._opposed,
            turned=inverted & ~self._pending,
            worked=self._worked.copy(),
            saved=self._saved & ~self._worked,
            stronger=self._stronger(),
            any_unread=bool(np.count_nonzero(unread)),
            calm=self._began is None,
            shunt_fits=self._shunt_fits,
        )

    def _stronger(self) -> Floats:
        """Factors by which cells show that packs carry more than their neighbours."""
        own, others = self._strength
        if not np.count_nonzero(others):
            return np.ones(len(others))
        error = 2.0 * CELL_ERROR * np.sqrt(2.0 / (self._series * np.maximum(others, 1e-12)))
        short = np.where(others > 0.0, 1.0 - own / np.maximum(others, 1e-12) - error, 0.0)
        wires = WIRES / self._series * self._size / self._ohms  # against the resistance of the neighbours' cells
        stronger: Floats = 1.0 + np.maximum(short, 0.0) / wires
        return stronger

    def report(self) -> SensorReport:
        """What the outside reads of it; the same object while nothing changes."""
        if self._reported is None:
            (gain, offset), (gain_error, offset_error) = self.shunt.found
            self._reported = SensorReport(self._verdict.code, gain, gain_error, offset, offset_error)
        return self._reported

    def save(self, names: Sequence[str]) -> dict[str, str]:
        """The wrong sensors by pack name, for a restart."""
        return {names[i]: SENSORS[self._state[i]].name for i in np.flatnonzero(_FAULTY[self._state]).tolist()}

    def save_worked(self, names: Sequence[str]) -> list[str]:
        """Those of them that were seen to work before, so that what was learned of their packs outlasts a restart."""
        return [names[i] for i in np.flatnonzero(_FAULTY[self._state] & (self._worked | self._saved)).tolist()]

    def restore(self, names: Sequence[str], saved: Mapping[str, str], worked: Sequence[str] = ()) -> None:
        """Take them back before the first step. Raises KeyError when they are damaged."""
        for i, name in enumerate(names):
            if name in saved:
                self._state[i] = SENSORS.index(Sensor[saved[name]])
                self._saved[i] = name in worked
        self._verdict = self._judged()


def _undecided(first: Evidence, last: Evidence) -> bool:
    """Whether a sensor may turn out to be wrong when more of the step has come."""
    return bool(np.count_nonzero(last.open | (last.lies & ~first.lies)))


def _kinds(jumps: Bools, step: Step, last: Evidence, current: Floats) -> Codes:
    """What each sensor does, if it is wrong."""
    reads_zero = ~(np.abs(current) > DEAF)
    mirrored = step.reported / np.where(last.shown == 0.0, np.nan, -last.shown)
    opposite = ~jumps & (np.abs(step.reported) >= DEAF) & (mirrored >= MIRRORED[0]) & (mirrored <= MIRRORED[1])
    kinds = np.where(reads_zero, BLIND, np.where(opposite, INVERTED, FROZEN))
    return np.where(np.isnan(current), SILENT, kinds).astype(np.int8)
