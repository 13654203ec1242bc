"""What one step of the bank's current says about each pack's current sensor: a few passes over the packs.

The rules, their meaning and their constants are in aggregator/evidence.py.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.math cimport copysign, fabs, fmax, fmin, hypot, isnan, sqrt

from packbank.cext.arrays cimport Arrays
from packbank.cext.order cimport median, of_rank

cdef enum:  # rows of a step
    REPORTED, CELLS, ERROR, DRIFT, STEP_ROWS

cdef enum:  # rows of the evidence
    FITS, LIES, JUMPS, HINTS, OPEN, IDLE, DOUBTS, EVIDENCE_ROWS

cdef struct Seen:  # the arrays of one step
    const double* reported
    const double* cells
    const double* error
    const double* drift
    const double* status
    const double* size
    const double* ratio
    const unsigned char* deaf
    const unsigned char* among
    const unsigned char* worked
    const unsigned char* wrong
    double calm_at  # s, when the bank was calm
    double heard_from  # s
    double shunt
    double ohms
    double level
    double moved
    double common  # V
    Py_ssize_t packs
    double* shown  # A
    double* shown_error  # A
    double* by_ampere  # V by which 1 A moves a cell
    double* some  # numbers of some packs
    unsigned char* movers  # packs whose sensor and cells moved the same way


cdef bint _met(const Seen* seen, Py_ssize_t i) noexcept:
    """Both switches of the pack are closed, and it has been heard since the bank was calm."""
    return seen.among[i] and seen.status[i] > seen.calm_at


cdef double _current(const Seen* seen, Py_ssize_t i) noexcept:
    """A by which the sensor moved, 0 where that is not known."""
    return seen.reported[i] if _met(seen, i) and not isnan(seen.reported[i]) else 0.0


cdef unsigned char _bit(bint holds) noexcept:
    return 1 if holds else 0


cdef double _known(double value) noexcept:
    return 0.0 if isnan(value) else value


@cython.final
cdef class Judge:
    """Holds each sensor against what the cells show."""

    cdef double moved_amperes, moved_fraction, agrees, sure, deaf, least, least_deaf, follows, alike_from, alike_to
    cdef double jump_amperes, jump_fraction, unlike, still, still_from, others_amperes, others_fraction
    cdef double lowest_ohms, highest_ohms

    def __init__(
        self, *, moved, double agrees, double sure, double deaf, least, double follows, alike, jump, double unlike,
        double still, double still_from, others_error, ohms,
    ):
        self.moved_amperes, self.moved_fraction = moved
        self.agrees, self.sure, self.deaf, self.follows = agrees, sure, deaf, follows
        self.least, self.least_deaf = least
        self.alike_from, self.alike_to = alike
        self.jump_amperes, self.jump_fraction = jump
        self.unlike, self.still, self.still_from = unlike, still, still_from
        self.others_amperes, self.others_fraction = others_error
        self.lowest_ohms, self.highest_ohms = ohms

    def step(
        self, step, deaf, status, among, size, ratio, worked, wrong, double calm_at, double heard_from, double shunt,
        double ohms, evidence, shown, /
    ):
        cdef Arrays arrays = Arrays()
        cdef Seen seen
        cdef unsigned char* out
        cdef double* work
        seen.status = arrays.numbers(status)
        seen.packs = arrays.packs
        seen.reported = arrays.numbers(step, STEP_ROWS)
        seen.cells, seen.error = seen.reported + CELLS * seen.packs, seen.reported + ERROR * seen.packs
        seen.drift = seen.reported + DRIFT * seen.packs
        seen.size, seen.ratio = arrays.numbers(size), arrays.numbers(ratio)
        seen.deaf, seen.among = arrays.mask(deaf), arrays.mask(among)
        seen.worked, seen.wrong = arrays.mask(worked), arrays.mask(wrong)
        seen.calm_at, seen.heard_from, seen.shunt, seen.ohms = calm_at, heard_from, shunt, ohms
        seen.shown = arrays.numbers(shown, 1, True)
        out = arrays.mask(evidence, EVIDENCE_ROWS, True)
        work = <double*> PyMem_Malloc(<size_t> (3 * seen.packs) * sizeof(double))
        if work == NULL:
            raise MemoryError
        seen.some, seen.shown_error, seen.by_ampere = work, work + seen.packs, work + 2 * seen.packs
        seen.movers = out + FITS * seen.packs  # of these the ones that fit are left in the end
        self.level(&seen)
        self.show(&seen)
        seen.common = self.common(&seen)
        self.decide(&seen, out)
        PyMem_Free(work)
        return seen.ohms, seen.level, seen.moved

    cdef bint moves(self, const Seen* seen, Py_ssize_t i) noexcept:
        """Sensor and cells moved the same way."""
        cdef double current = _current(seen, i)
        return (
            fabs(current) >= fmax(self.moved_amperes, self.moved_fraction * seen.size[i])
            and seen.cells[i] * current > 0.0
            and fabs(seen.cells[i]) >= self.agrees * seen.error[i]
        )

    cdef void level(self, Seen* seen) noexcept:
        """How much current packs carry of the step, how far their cells moved, and the resistance that this shows."""
        cdef Py_ssize_t i, right = 0, movers = 0, count = 0
        cdef bint any_right
        cdef double size = 1e-9, found, doubt
        for i in range(seen.packs):
            size += seen.size[i] if _met(seen, i) else 0.0
            seen.movers[i] = _bit(self.moves(seen, i))
            if seen.movers[i]:
                movers += 1
                right += not seen.wrong[i]
        seen.level = seen.moved = 0.0
        if movers == 0:
            if not isnan(seen.shunt):
                seen.level = seen.shunt / size
            return
        any_right = right > 0
        seen.level = self.middle(seen, any_right, 0)
        seen.moved = self.middle(seen, any_right, 1)
        found = fmin(fmax(self.middle(seen, any_right, 2), self.lowest_ohms), self.highest_ohms)
        for i in range(seen.packs):
            if _met(seen, i) and not isnan(seen.drift[i]):
                seen.some[count] = seen.drift[i] + seen.error[i]
                count += 1
        if count == 0:
            return  # nobody knows what they drift
        doubt = 2.0 * median(seen.some, count)
        seen.ohms += (found - seen.ohms) * seen.moved * seen.moved / (seen.moved * seen.moved + doubt * doubt)

    cdef double middle(self, const Seen* seen, bint right, int what) noexcept:
        """Median over the packs whose sensor and cells moved, and is not wrong if ``right``: A per Ah, V or ohm Ah."""
        cdef Py_ssize_t i, count = 0
        cdef double value
        for i in range(seen.packs):
            if seen.movers[i] and not (right and seen.wrong[i]):
                if what == 0:
                    value = _current(seen, i) / seen.size[i]
                elif what == 1:
                    value = seen.cells[i]
                else:
                    value = seen.cells[i] * (seen.size[i] / seen.ratio[i]) / _current(seen, i)
                seen.some[count] = value
                count += 1
        return median(seen.some, count)

    cdef void show(self, const Seen* seen) noexcept:
        """A by which each pack's current moved as its cells show it; with a shunt also as it leaves it over."""
        cdef Py_ssize_t i, pack = -1, deaf = 0
        cdef double others = 0.0, squares = 0.0, left, left_error, by_cells, by_shunt
        for i in range(seen.packs):
            seen.by_ampere[i] = seen.ratio[i] * seen.ohms / seen.size[i]
            seen.shown[i] = seen.cells[i] / seen.by_ampere[i]
            seen.shown_error[i] = seen.error[i] / seen.by_ampere[i]
            if _met(seen, i) and self.stands(seen, i):
                pack = i
                deaf += 1
            else:
                others += _current(seen, i)
                squares += _current(seen, i) * _current(seen, i)
        left = seen.shunt - others
        if deaf != 1 or not fabs(left) <= 4.0 * fabs(seen.level * seen.size[pack]):
            return  # without a shunt, or one that measures something else, too
        left_error = hypot(self.others_amperes, self.others_fraction * sqrt(squares))
        if isnan(seen.shown[pack]):
            seen.shown[pack], seen.shown_error[pack] = left, left_error
            return
        by_cells = 1.0 / (seen.shown_error[pack] * seen.shown_error[pack])
        by_shunt = 1.0 / (left_error * left_error)
        seen.shown[pack] = (by_cells * seen.shown[pack] + by_shunt * left) / (by_cells + by_shunt)
        seen.shown_error[pack] = 1.0 / sqrt(by_cells + by_shunt)

    cdef bint stands(self, const Seen* seen, Py_ssize_t i) noexcept:
        """The sensor does not follow the others' step."""
        cdef double expected = fabs(seen.level * seen.size[i])
        return seen.level != 0.0 and copysign(1.0, seen.level) * _current(seen, i) < self.follows * expected

    cdef double common(self, const Seen* seen) noexcept:
        """V by which the cells of half of the packs moved otherwise than their sensors say: all drift alike by that."""
        cdef Py_ssize_t i, count = 0
        cdef double off
        for i in range(seen.packs):
            off = fabs(seen.cells[i] - _current(seen, i) * seen.by_ampere[i])
            if _met(seen, i) and not isnan(off):
                seen.some[count] = off
                count += 1
        return of_rank(seen.some, count, (count - 1) // 2) if count > 1 else 0.0

    cdef void decide(self, const Seen* seen, unsigned char* out) noexcept:
        """Write the evidence; where cells show nothing of anybody they are no witness of sensors that jump."""
        cdef Py_ssize_t i, n = seen.packs, jumped = 0, met = 0
        cdef unsigned char* lies = out + LIES * n
        cdef unsigned char* jumps = out + JUMPS * n
        cdef bint doubted
        for i in range(n):
            self.judge(seen, i, out)
            jumped += jumps[i]
            met += _met(seen, i)
        if 3 * jumped > met > 2:
            for i in range(n):
                jumps[i] = False
        for i in range(n):
            if out[FITS * n + i]:
                jumps[i] = lies[i] = False
            elif lies[i]:
                jumps[i] = False
            else:
                lies[i] = jumps[i]
            doubted = (out[HINTS * n + i] or jumps[i]) and not out[IDLE * n + i]
            out[DOUBTS * n + i] = _bit(doubted)

    cdef void judge(self, const Seen* seen, Py_ssize_t i, unsigned char* out) noexcept:
        """What the step shows of one pack."""
        cdef Py_ssize_t n = seen.packs
        cdef double current = _current(seen, i), shown = seen.shown[i], error = seen.shown_error[i]
        cdef double moves = fabs(shown), ratio
        cdef double common = seen.common / seen.by_ampere[i], drift = seen.drift[i] / seen.by_ampere[i]
        cdef double least = self.least_deaf if seen.deaf[i] and not seen.worked[i] else self.least
        cdef bint apart, lies, fits, jumps, hints, still_open, idle
        least = fmax(least, self.sure * error)
        apart = (
            _met(seen, i) and seen.level != 0.0 and shown != 0.0 and
            (current if shown > 0.0 else -current) < self.follows * moves
        )
        lies = (
            apart and moves - self.unlike * common >= least and moves - common - _known(drift) >= least
        )
        fits = seen.movers[i] and moves >= self.agrees * error and not lies
        if fits:
            ratio = current / shown
            fits = self.alike_from <= ratio <= self.alike_to
        jumps = _met(seen, i) and self.jumps(seen, i, _known(3.0 * common + drift))
        hints = apart and not fits and moves - self.unlike * common >= least
        still_open = apart and not lies and not fits and moves - common >= self.agrees * error
        idle = seen.status[i] > seen.heard_from and not lies and not fits and self.idles(seen, i)
        out[FITS * n + i], out[LIES * n + i], out[JUMPS * n + i] = _bit(fits), _bit(lies), _bit(jumps)
        out[HINTS * n + i], out[OPEN * n + i], out[IDLE * n + i] = _bit(hints), _bit(still_open), _bit(idle)

    cdef bint jumps(self, const Seen* seen, Py_ssize_t i, double drift) noexcept:
        """The sensor moved while the cells did not, although these would have shown it whatever they drift."""
        cdef double moved = fabs(_current(seen, i))
        return (
            moved >= fmax(self.jump_amperes, self.jump_fraction * seen.size[i])
            and fabs(seen.shown[i]) <= self.follows * moved
            and self.sure * seen.shown_error[i] + drift <= (0.5 - self.follows) * moved
        )

    cdef bint idles(self, const Seen* seen, Py_ssize_t i) noexcept:
        """The pack carries nothing: its cells stand still where they would have moved."""
        cdef double would = fabs(seen.level * seen.size[i])
        return (
            seen.among[i]
            and fabs(_current(seen, i)) <= self.deaf
            and fabs(seen.shown[i]) <= self.still * would
            and would >= fmax(self.still_from, (self.sure + 0.5 * self.agrees) * seen.shown_error[i])
        )


def differences(
    current, cells, error, old_current, old_cells, old_error, base_cells, stepped, mirrored, double deaf,
    double slope, double drifts, double polarised, step, is_deaf, /
):
    cdef Arrays arrays = Arrays()
    cdef const double* now = arrays.numbers(current)
    cdef const double* cell = arrays.numbers(cells)
    cdef const double* noise = arrays.numbers(error)
    cdef const double* then = arrays.numbers(old_current)
    cdef const double* old_cell = arrays.numbers(old_cells)
    cdef const double* old_noise = arrays.numbers(old_error)
    cdef const double* base = NULL if base_cells is None else arrays.numbers(base_cells)
    cdef const double* last = arrays.numbers(stepped)
    cdef const unsigned char* turned = arrays.mask(mirrored)
    cdef double* out = arrays.numbers(step, STEP_ROWS, True)
    cdef unsigned char* silent = arrays.mask(is_deaf, 1, True)
    cdef Py_ssize_t i, n = arrays.packs
    cdef double* drift = out + DRIFT * n
    cdef double moved
    for i in range(n):
        out[i] = then[i] - now[i] if turned[i] else now[i] - then[i]
        out[CELLS * n + i] = cell[i] - old_cell[i]
        out[ERROR * n + i] = hypot(noise[i], old_noise[i])
        silent[i] = _bit(not fabs(now[i]) > deaf and not fabs(then[i]) > deaf)
        if base == NULL:
            drift[i] = fmax(drifts, last[i] * polarised)
        else:
            moved = fabs(old_cell[i] - base[i]) - out[ERROR * n + i]
            drift[i] = 0.0 if moved < 0.0 else slope * moved
    if base != NULL:
        _level_drift(drift, n)


cdef void _level_drift(double* drift, Py_ssize_t packs) except *:
    """Take each pack's drift at least as that of half of the packs: packs in parallel drift much alike."""
    cdef double* known = <double*> PyMem_Malloc(<size_t> packs * sizeof(double))
    cdef Py_ssize_t i, count = 0
    cdef double middle
    if known == NULL:
        raise MemoryError
    for i in range(packs):
        if not isnan(drift[i]):
            known[count] = drift[i]
            count += 1
    middle = median(known, count)
    PyMem_Free(known)
    for i in range(packs):
        if drift[i] < middle:  # false for NaN
            drift[i] = middle
