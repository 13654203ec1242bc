"""Currents of one instant, of packs that are read one after the other: one pass over the packs.

The rules, their meaning and their constants are in aggregator/samples.py. Arrays of two rows hold the newest sample of
each pack, then the one before it.
"""

from libc.math cimport INFINITY, NAN, fabs, fmin, isnan

from packbank.cext.arrays cimport Arrays


def take(time, current, voltage, status, new_current, new_voltage, fresh, /):
    cdef Arrays arrays = Arrays()
    cdef double* times = arrays.numbers(time, 2, True)
    cdef double* currents = arrays.numbers(current, 2, True)
    cdef double* voltages = arrays.numbers(voltage, 2, True)
    cdef const double* newest = arrays.numbers(status)
    cdef const double* ampere = arrays.numbers(new_current)
    cdef const double* volt = arrays.numbers(new_voltage)
    cdef unsigned char* is_new = arrays.mask(fresh, 1, True)
    cdef Py_ssize_t i, n = arrays.packs
    for i in range(n):
        is_new[i] = newest[i] > times[i]  # false for NaN
        if is_new[i]:
            times[n + i], currents[n + i], voltages[n + i] = times[i], currents[i], voltages[i]
            times[i], currents[i], voltages[i] = newest[i], ampere[i], volt[i]


def together(time, current, chosen, double after, double apart, double oldest, double moving, out, error, /):
    cdef Arrays arrays = Arrays()
    cdef const double* times = arrays.numbers(time, 2)
    cdef const double* currents = arrays.numbers(current, 2)
    cdef const unsigned char* among = arrays.mask(chosen)
    cdef double* known = arrays.numbers(out, 1, True)
    cdef double* errors = arrays.numbers(error, 1, True)
    cdef Py_ssize_t i, n = arrays.packs
    cdef double from_time = _awaited(times, among, n, apart)
    cdef double instant = INFINITY
    cdef double since, back, change
    for i in range(n):
        if among[i] and times[i] >= from_time:
            instant = fmin(instant, times[i])
    if not after < instant < INFINITY:
        return NAN
    for i in range(n):
        since = times[i] - times[n + i]
        back = fmin((times[i] - instant) / since, 1.0) if 0.0 < since <= oldest else 0.0
        change = currents[i] - currents[n + i] if back > 0.0 else 0.0
        known[i] = NAN
        if among[i] and times[i] >= from_time and (since <= oldest or times[i] == instant):
            known[i] = currents[i] - back * change
        errors[i] = moving * fabs(change)
    return instant


cdef double _awaited(const double* times, const unsigned char* among, Py_ssize_t n, double apart) noexcept:
    """The time from which packs are waited for: all of them, or most where one late pack would hold the others up."""
    cdef Py_ssize_t i, count = 0, in_time = 0
    cdef double newest = -INFINITY
    for i in range(n):
        if among[i] and times[i] > newest:
            newest = times[i]
    for i in range(n):
        if among[i]:
            count += 1
            in_time += times[i] >= newest - apart
    return newest - apart if 2 * in_time > count else -INFINITY


def follow_rhythm(status, double longest, double newest, seen, usual, /):
    cdef Arrays arrays = Arrays()
    cdef const double* time = arrays.numbers(status)
    cdef double* before = arrays.numbers(seen, 1, True)
    cdef double* kept = arrays.numbers(usual, 1, True)
    cdef Py_ssize_t i
    cdef double interval
    for i in range(arrays.packs):
        interval = time[i] - before[i]
        if interval > 0.0:  # false for NaN
            kept[i] += newest * (fmin(interval, longest) - kept[i])
        before[i] = time[i]


def steps(time, current, voltage, fresh, double oldest, ampere, volt, /):
    cdef Arrays arrays = Arrays()
    cdef const double* times = arrays.numbers(time, 2)
    cdef const double* currents = arrays.numbers(current, 2)
    cdef const double* voltages = arrays.numbers(voltage, 2)
    cdef const unsigned char* is_new = arrays.mask(fresh)
    cdef double* amperes = arrays.numbers(ampere, 1, True)
    cdef double* volts = arrays.numbers(volt, 1, True)
    cdef Py_ssize_t i, n = arrays.packs
    cdef bint moved
    for i in range(n):
        amperes[i], volts[i] = currents[i] - currents[n + i], voltages[i] - voltages[n + i]
        moved = is_new[i] and times[i] - times[n + i] <= oldest
        if not moved or isnan(amperes[i] + volts[i]):
            amperes[i] = volts[i] = 0.0
