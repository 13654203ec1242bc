"""Sums, means and extremes over some of the packs: one pass each, values that are not known (``NaN``) left out."""

from libc.math cimport INFINITY, NAN, fmax, fmin, isnan

from packbank.cext.arrays cimport Arrays


cdef struct Sum:
    double whole
    Py_ssize_t count


cdef Sum _sum(const double* values, const unsigned char* among, Py_ssize_t packs) noexcept:
    cdef Sum found = Sum(0.0, 0)
    cdef Py_ssize_t i
    for i in range(packs):
        if among[i] and not isnan(values[i]):
            found.whole += values[i]
            found.count += 1
    return found


def total(values, chosen, /):
    cdef Arrays arrays = Arrays()
    cdef const double* value = arrays.numbers(values)
    cdef Sum found = _sum(value, arrays.mask(chosen), arrays.packs)
    return found.whole if found.count else NAN


def mean(values, chosen, /):
    cdef Arrays arrays = Arrays()
    cdef const unsigned char* among = arrays.mask(chosen)
    cdef Py_ssize_t row, rows = len(values) if values.ndim == 2 else 1
    cdef const double* value = arrays.numbers(values, rows)
    cdef double whole = 0.0
    cdef Py_ssize_t count = 0
    cdef Sum found
    for row in range(rows):
        found = _sum(value + row * arrays.packs, among, arrays.packs)
        whole += found.whole
        count += found.count
    return whole / <double> count if count else NAN


def weighted_mean(values, chosen, weight, /):
    cdef Arrays arrays = Arrays()
    cdef const double* value = arrays.numbers(values)
    cdef const unsigned char* among = arrays.mask(chosen)
    cdef const double* by = arrays.numbers(weight)
    cdef Py_ssize_t i
    cdef double whole = 0.0, weights = 0.0
    for i in range(arrays.packs):
        if among[i] and isnan(by[i]):
            return mean(values, chosen)
        if among[i] and not isnan(value[i]):
            whole += value[i] * by[i]
            weights += by[i]
    return whole / weights if weights > 0.0 else NAN


def lowest(values, chosen, /):
    return _extreme(values, chosen, 1.0)


def highest(values, chosen, /):
    return _extreme(values, chosen, -1.0)


cdef tuple _extreme(object values, object chosen, double sign):
    cdef Arrays arrays = Arrays()
    cdef const double* value = arrays.numbers(values)
    cdef const unsigned char* among = arrays.mask(chosen)
    cdef Py_ssize_t i, pack = -1
    for i in range(arrays.packs):
        if among[i] and not isnan(value[i]) and (pack < 0 or sign * value[i] < sign * value[pack]):
            pack = i
    return (value[pack] if pack >= 0 else NAN), pack


def any_above(values, bounds, /):
    cdef Arrays arrays = Arrays()
    cdef const double* value = arrays.numbers(values)
    cdef const double* bound = arrays.numbers(bounds)
    cdef Py_ssize_t i
    for i in range(arrays.packs):
        if value[i] > bound[i]:  # false for NaN
            return True
    return False


def highest_of_each(table, chosen, out, /):
    cdef Arrays arrays = Arrays()
    cdef const unsigned char* among = arrays.mask(chosen)
    cdef Py_ssize_t i, k, width = len(out)
    cdef const double* row = arrays.numbers(table, width)
    cdef Arrays kept = Arrays()
    cdef double* most = kept.numbers(out, 1, True)
    for k in range(width):
        most[k] = NAN
    for i in range(arrays.packs):
        if among[i]:
            for k in range(width):
                if row[k] > most[k] or isnan(most[k]):
                    most[k] = row[k]
        row += width


def only_within(values, chosen, double bound, /):
    cdef Arrays arrays = Arrays()
    cdef const double* value = arrays.numbers(values)
    cdef const unsigned char* among = arrays.mask(chosen)
    cdef Py_ssize_t i
    for i in range(arrays.packs):
        if not (value[i] <= bound if among[i] else isnan(value[i])):
            return False
    return True


def span(values, chosen, /):
    cdef Arrays arrays = Arrays()
    cdef const double* value = arrays.numbers(values)
    cdef const unsigned char* among = arrays.mask(chosen)
    cdef double lowest = INFINITY, highest = -INFINITY
    cdef Py_ssize_t i
    for i in range(arrays.packs):
        if among[i]:
            if isnan(value[i]):
                return NAN
            lowest, highest = fmin(lowest, value[i]), fmax(highest, value[i])
    return highest - lowest if lowest <= highest else NAN
