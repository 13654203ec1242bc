"""Each pack's own limits in one pass over the packs.

The rules, their meaning and their constants are in aggregator/limits.py.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport INFINITY, NAN, fmax, fmin, isfinite, isnan

from packbank.cext.arrays cimport Arrays
from packbank.cext.curves cimport Curve, CurveSet, at, meet

cdef enum:
    CHARGE, DISCHARGE, DIRECTIONS

cdef enum:  # what limits, in the order of aggregator/limits.py
    CELL, TEMPERATURE, MOSFET, SOC, PROTECTION, FRACTIONS

cdef enum:  # rows of the extremes, in the order of aggregator/telemetry.py
    LOWEST, HIGHEST, COLDEST, HOTTEST, MOSFETS, EXTREMES

cdef enum:
    MEASURED = 4  # kinds that rest on a value that may be missing: those before PROTECTION
    SENSORS = 4  # of a pack's temperature
    MOST_PROTECTIONS = 8  # of one direction

cdef struct Protection:
    Py_ssize_t row  # of the block
    Py_ssize_t watched  # row of the extremes
    double gap
    double slope

cdef struct Seen:  # the arrays of one step
    const double* block
    const double* ceiling
    const double* extremes
    const double* flow
    const double* ohms
    const unsigned char* lost
    const double* sensors
    const double* reported
    const double* raised  # NULL: no top balance
    Py_ssize_t packs

cdef struct State:  # of one pack, from step to step
    double rest[2]  # V, lowest and highest cell without current
    double slope[2]  # V that the whole ceiling adds
    double last[2]  # A, the limits
    double before[2][MEASURED]  # fractions while everything was reported
    bint had[SENSORS]  # sensors that have ever reported
    bint gone  # one of them no longer does


cdef double _least(double a, double b) noexcept:
    """The smaller one; ``NaN`` if either is."""
    return a if isnan(a) or a < b else b


cdef double _most(double a, double b) noexcept:
    return a if isnan(a) or a > b else b


@cython.final
cdef class PackLimits:
    """Each pack's own limits from step to step; what it remembers of a pack is in its ``State``."""

    cdef object sets  # they keep the curves alive
    cdef Curve* curves[MEASURED][2]
    cdef Protection protections[2][MOST_PROTECTIONS]
    cdef Py_ssize_t known[2]  # protections of each direction
    cdef Py_ssize_t rows, soc_row, count
    cdef double noise, smooth, top_balance
    cdef double* left  # of the limits of each pack, when a value that it reported is missing
    cdef State* states

    def __cinit__(
        self, curves, protections, sensor_lost, *, Py_ssize_t rows, Py_ssize_t soc_row, double noise, double smooth,
        double top_balance,
    ):
        cdef Py_ssize_t i, kind, direction
        self.sets = tuple(tuple(pair) for pair in curves)
        self.rows, self.soc_row = rows, soc_row
        self.noise, self.smooth, self.top_balance = noise, smooth, top_balance
        self.count = len(sensor_lost)
        self.states = <State*> PyMem_Calloc(<size_t> max(self.count, 1), sizeof(State))
        self.left = <double*> PyMem_Calloc(<size_t> max(self.count, 1), sizeof(double))
        if self.states == NULL or self.left == NULL:
            raise MemoryError
        for i in range(self.count):
            self.left[i] = sensor_lost[i]
            self.begin(&self.states[i])
        for kind in range(MEASURED):
            for direction in range(DIRECTIONS):
                self.take_curves(kind, direction, self.sets[kind][direction])
        for direction, row, watched, gap, slope in protections:
            self.take_protection(direction, Protection(row, watched, gap, slope))

    def __dealloc__(self):
        PyMem_Free(self.states)
        PyMem_Free(self.left)

    cdef void begin(self, State* state) noexcept:
        cdef Py_ssize_t direction, kind
        for direction in range(DIRECTIONS):
            state.rest[direction], state.last[direction] = NAN, INFINITY
            for kind in range(MEASURED):
                state.before[direction][kind] = 0.0 if kind == CELL else 1.0  # nobody sees the cells: no current

    cdef int take_curves(self, Py_ssize_t kind, Py_ssize_t direction, CurveSet curves) except -1:
        if curves.packs != self.count:
            raise ValueError(f"curves of {curves.packs} packs for {self.count}")
        self.curves[kind][direction] = curves.curves
        return 0

    cdef int take_protection(self, Py_ssize_t direction, Protection protection) except -1:
        if not 0 <= direction < DIRECTIONS or self.known[direction] == MOST_PROTECTIONS:
            raise ValueError(f"at most {MOST_PROTECTIONS} protections of each direction")
        if not (0 <= protection.row < self.rows and 0 <= protection.watched < EXTREMES):
            raise ValueError(f"no row {protection.row} to be kept from, or none {protection.watched} that is watched")
        self.protections[direction][self.known[direction]] = protection
        self.known[direction] += 1
        return 0

    def step(
        self, block, ceiling, extremes, flow, ohms, lost, sensors, reported, raised, held, limits, smallest, /
    ):
        cdef Arrays arrays = Arrays()
        cdef Seen seen
        cdef const unsigned char* falls = NULL
        cdef double* out
        cdef signed char* by
        cdef Py_ssize_t i
        seen.block = arrays.numbers(block, self.rows)
        seen.ceiling, seen.extremes = arrays.numbers(ceiling, DIRECTIONS), arrays.numbers(extremes, EXTREMES)
        seen.flow, seen.ohms, seen.lost = arrays.numbers(flow, DIRECTIONS), arrays.numbers(ohms), arrays.mask(lost)
        seen.sensors, seen.reported = arrays.numbers(sensors, SENSORS), arrays.numbers(reported, SENSORS)
        seen.raised = NULL if raised is None else arrays.numbers(raised)
        if held is not None:
            falls = arrays.mask(held)
        out, by = arrays.numbers(limits, DIRECTIONS, True), arrays.codes(smallest, DIRECTIONS, True)
        if arrays.packs != self.count:
            raise ValueError(f"{arrays.packs} packs for the limits of {self.count}")
        seen.packs = self.count
        self.load(&seen)
        for i in range(self.count):
            self.look(&seen, i)
        self.limit(&seen, CHARGE, falls, out, by)
        self.limit(&seen, DISCHARGE, falls, out + self.count, by + self.count)

    cdef void load(self, const Seen* seen) noexcept:
        """Cells without their current, smoothed within their noise, and what a current does to them."""
        cdef Py_ssize_t i, n = seen.packs
        cdef double ohm, current, largest = 0.0
        cdef State* state
        for i in range(n):
            largest = fmax(largest, seen.ohms[i])
        for i in range(n):
            state = &self.states[i]
            ohm = largest if isnan(seen.ohms[i]) else seen.ohms[i]  # unknown: as of the smallest cell
            if seen.lost[i]:
                ohm = 0.0
            current = seen.flow[i] - seen.flow[n + i]
            self.follow(&state.rest[LOWEST], seen.extremes[i] - ohm * current)
            self.follow(&state.rest[HIGHEST], seen.extremes[n + i] - ohm * current)
            state.slope[CHARGE] = ohm * fmax(seen.ceiling[i], 0.0)
            state.slope[DISCHARGE] = -(ohm * fmax(seen.ceiling[n + i], 0.0))

    cdef void follow(self, double* rest, double cell) noexcept:
        cdef double moved = cell - rest[0]
        cdef double beyond = 0.0
        if isnan(moved):
            rest[0] = cell
            return
        if moved > self.noise:
            beyond = moved - self.noise
        elif moved < -self.noise:
            beyond = moved + self.noise
        rest[0] = rest[0] + beyond + self.smooth * (moved - beyond)

    cdef void look(self, const Seen* seen, Py_ssize_t i) noexcept:
        """Which of a pack's sensors report, and whether one that did no longer does."""
        cdef State* state = &self.states[i]
        cdef Py_ssize_t sensor, place
        state.gone = False
        for sensor in range(SENSORS):
            place = sensor * seen.packs + i
            if isfinite(seen.reported[place]):
                state.had[sensor] = not isnan(seen.sensors[place])  # a slot without a sensor has nothing to lose
            elif state.had[sensor]:
                state.gone = True

    cdef void limit(
        self, const Seen* seen, Py_ssize_t direction, const unsigned char* held, double* out, signed char* by
    ) noexcept:
        """Limits of one direction, and which fraction of its ceiling each pack's rests on."""
        cdef double fractions[FRACTIONS]
        cdef Py_ssize_t i, kind, least
        cdef bint near = self.near(direction)
        cdef State* state
        cdef double value, ceiling
        for i in range(seen.packs):
            state = &self.states[i]
            ceiling = seen.ceiling[direction * seen.packs + i]
            self.fractions(seen, direction, i, near, fractions)
            least = 0
            for kind in range(1, FRACTIONS):
                if fractions[kind] < fractions[least]:
                    least = kind
            value = fmax(ceiling, 0.0) * fractions[least]
            if held != NULL and held[i]:
                value = fmin(value, state.last[direction])
            state.last[direction] = out[i] = value
            by[i] = <signed char> (FRACTIONS if isnan(ceiling) or fractions[least] >= 1.0 else least)

    cdef bint near(self, Py_ssize_t direction) noexcept:
        """Whether a pack's cells would come into the reach of their curve, at the whole ceiling."""
        cdef Py_ssize_t i
        cdef const State* state
        for i in range(self.count):
            state = &self.states[i]
            if not at(&self.curves[CELL][direction][i], state.rest[1 - direction] + state.slope[direction]) == 1.0:
                return True
        return False

    cdef void fractions(
        self, const Seen* seen, Py_ssize_t direction, Py_ssize_t i, bint near, double* out
    ) noexcept:
        """Fractions of a pack's ceiling."""
        cdef Py_ssize_t n = seen.packs
        cdef State* state = &self.states[i]
        cdef const Curve* curve = &self.curves[TEMPERATURE][direction][i]
        out[CELL] = self.by_cell(seen, direction, i) if near else 1.0
        if direction == CHARGE and seen.raised != NULL:
            out[CELL] = _most(out[CELL], self.in_top_balance(seen, i))
        out[TEMPERATURE] = _least(at(curve, seen.extremes[COLDEST * n + i]), at(curve, seen.extremes[HOTTEST * n + i]))
        out[MOSFET] = at(&self.curves[MOSFET][direction][i], seen.extremes[MOSFETS * n + i])
        out[SOC] = at(&self.curves[SOC][direction][i], seen.block[self.soc_row * n + i])
        out[PROTECTION] = self.by_protection(seen, direction, i)
        self.fill_missing(state, direction, state.gone and curve.points > 1, out, self.left[i])

    cdef double by_cell(self, const Seen* seen, Py_ssize_t direction, Py_ssize_t i) noexcept:
        cdef const State* state = &self.states[i]
        cdef const Curve* curve = &self.curves[CELL][direction][i]
        if at(curve, seen.extremes[(1 - direction) * seen.packs + i]) == 0.0:
            return 0.0
        return meet(curve, state.rest[1 - direction], state.slope[direction])

    cdef double in_top_balance(self, const Seen* seen, Py_ssize_t i) noexcept:
        cdef const State* state = &self.states[i]
        cdef double rest = state.rest[HIGHEST] - seen.raised[i]
        return _least(meet(&self.curves[CELL][CHARGE][i], rest, state.slope[CHARGE]), self.top_balance)

    cdef double by_protection(self, const Seen* seen, Py_ssize_t direction, Py_ssize_t i) noexcept:
        """What keeps a pack short of its BMS's own protections; one that is not known keeps from nothing."""
        cdef Py_ssize_t k
        cdef const Protection* one
        cdef double distance, left, fraction = 1.0
        for k in range(self.known[direction]):
            one = &self.protections[direction][k]
            distance = seen.block[one.row * seen.packs + i] - seen.extremes[one.watched * seen.packs + i]
            left = (distance - one.gap) * one.slope
            if left < fraction:  # false for NaN
                fraction = left
        return fraction if fraction > 0.0 else 0.0

    cdef void fill_missing(
        self, State* state, Py_ssize_t direction, bint gone, double* out, double left
    ) noexcept:
        """Put what stands for values that are missing; ``gone``: the temperature is not that of all sensors."""
        cdef Py_ssize_t kind
        cdef double* before = state.before[direction]
        for kind in range(MEASURED):
            if isnan(out[kind]) or (kind == TEMPERATURE and gone):
                out[kind] = fmin(out[kind], before[kind])
            elif kind != CELL:
                before[kind] = _least(out[kind], left)
