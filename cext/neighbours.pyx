"""Which current sensors do not follow their neighbours: one pass over the packs, after what the neighbours carry.

The rules, their meaning and their constants are in aggregator/sensors.py.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.math cimport fabs, fmax, isnan

from packbank.cext.arrays cimport Arrays
from packbank.cext.order cimport median

cdef struct Watched:  # the arrays of one step
    const double* current
    const double* status
    const double* size
    const unsigned char* among
    signed char* state
    double* start
    double* before
    unsigned char* missed
    unsigned char* opposed
    double heard_from
    Py_ssize_t packs


@cython.final
cdef class Watch:
    """Sees which sensors do not follow."""

    cdef double follows, exchanged, at_rest, evens_out, notable_amperes, notable_fraction
    cdef signed char unseen, good, silent

    def __init__(
        self, *, double follows, double exchanged, double at_rest, double evens_out, notable, signed char unseen,
        signed char good, signed char silent,
    ):
        self.follows, self.exchanged, self.at_rest, self.evens_out = follows, exchanged, at_rest, evens_out
        self.notable_amperes, self.notable_fraction = notable
        self.unseen, self.good, self.silent = unseen, good, silent

    def step(
        self, current, status, size, among, state, since, missed, opposed, bint calm, bint begins, double heard_from, /
    ):
        cdef Arrays arrays = Arrays()
        cdef Watched seen
        cdef double level
        cdef Py_ssize_t i
        seen.current, seen.status, seen.size = arrays.numbers(current), arrays.numbers(status), arrays.numbers(size)
        seen.packs, seen.heard_from = arrays.packs, heard_from
        seen.among, seen.state = arrays.mask(among), arrays.codes(state, 1, True)
        seen.start = arrays.numbers(since, 2, True)
        seen.before = seen.start + seen.packs
        seen.missed, seen.opposed = arrays.mask(missed, 1, True), arrays.mask(opposed, 1, True)
        for i in range(seen.packs):
            if seen.among[i] and seen.state[i] == self.silent and not isnan(seen.current[i]):
                seen.state[i] = self.unseen
        level = self.level(&seen)
        for i in range(seen.packs):
            self.begin(&seen, i, level, calm, begins)
            self.judge(&seen, i, level)

    cdef double level(self, const Watched* seen) except? -1.0:
        """A per Ah that packs carry: those whose sensors are known to be right, or the median of all."""
        cdef Py_ssize_t i, count = 0
        cdef double whole = 0.0, size = 0.0, net = 0.0, gross = 0.0, found = 0.0
        cdef double* some
        for i in range(seen.packs):
            if seen.among[i] and not isnan(seen.current[i]):
                net += seen.current[i]
                gross += fabs(seen.current[i])
                if seen.state[i] == self.good:
                    whole += seen.current[i]
                    size += seen.size[i]
        if size > 0.0:
            return whole / size
        some = <double*> PyMem_Malloc(<size_t> seen.packs * sizeof(double))
        if some == NULL:
            raise MemoryError
        for i in range(seen.packs):
            if seen.among[i] and not isnan(seen.current[i]):
                some[count] = seen.current[i] / seen.size[i]
                count += 1
        if not fabs(net) <= self.exchanged * gross:  # else they flow from pack to pack
            found = median(some, count)
        PyMem_Free(some)
        return found

    cdef void begin(self, const Watched* seen, Py_ssize_t i, double level, bint calm, bint begins) noexcept:
        """From where the reading is watched: from rest where there is rest, else from the first that is no step's."""
        if calm and fabs(level) < self.at_rest and seen.among[i] and seen.state[i] == self.unseen:
            seen.start[i], seen.before[i] = seen.current[i], level
        elif begins and isnan(seen.before[i]):
            seen.start[i], seen.before[i] = seen.current[i], level

    cdef void judge(self, const Watched* seen, Py_ssize_t i, double level) noexcept:
        """Whether the sensor moved as far as its neighbours, but for what the pack may exchange less than before."""
        cdef bint watched = seen.among[i] and seen.state[i] == self.unseen
        cdef double before = seen.before[i] * seen.size[i]
        cdef double expected = (level - seen.before[i]) * seen.size[i]
        cdef double upwards = 1.0 if expected > 0.0 else -1.0 if expected < 0.0 else expected
        cdef double faded = self.evens_out * (seen.start[i] - before) * upwards
        cdef double moved = (seen.current[i] - seen.start[i]) * upwards + (0.0 if faded < 0.0 else faded)
        cdef double part = moved / fmax(fabs(expected), 1e-9)
        cdef bint missed
        if seen.status[i] > seen.heard_from:
            missed = fabs(expected) >= fmax(self.notable_amperes, self.notable_fraction * seen.size[i])
            missed = watched and missed and not part >= self.follows
        else:  # asked before the step: it cannot have followed
            missed = watched and seen.missed[i] != 0
        if seen.among[i] and isnan(seen.current[i]) and seen.state[i] != self.silent:
            missed = True
        seen.missed[i] = 1 if missed else 0
        seen.opposed[i] = 1 if missed and part <= -2.0 * self.follows else 0
