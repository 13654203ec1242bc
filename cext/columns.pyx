"""Columns of the matrix of packs as contiguous rows, and each pack's extremes: one pass over the packs."""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport INFINITY, NAN, isnan, sqrt
from libc.string cimport memcmp

from packbank.cext.arrays cimport Arrays


@cython.final
cdef class Columns:
    """Which columns, of a matrix of how many."""

    cdef Py_ssize_t* columns
    cdef Py_ssize_t count, width

    def __cinit__(self, columns, Py_ssize_t width, /):
        cdef Py_ssize_t k
        wanted = [int(column) for column in columns]
        self.width, self.count = width, len(wanted)
        if not wanted or not 0 <= min(wanted) <= max(wanted) < width:
            raise ValueError(f"columns {wanted} of a matrix of {width}")
        self.columns = <Py_ssize_t*> PyMem_Calloc(<size_t> self.count, sizeof(Py_ssize_t))
        if self.columns == NULL:
            raise MemoryError
        for k in range(self.count):
            self.columns[k] = wanted[k]

    def __dealloc__(self):
        PyMem_Free(self.columns)

    def take(self, matrix, block, /):
        cdef Arrays arrays = Arrays()
        cdef const double* row = arrays.numbers(matrix, self.width)
        cdef double* out = arrays.numbers(block, self.count, True)
        cdef Py_ssize_t i, k
        cdef const double* value
        cdef bint changed = False
        for i in range(arrays.packs):
            for k in range(self.count):
                value = &row[self.columns[k]]
                if memcmp(&out[k * arrays.packs + i], value, sizeof(double)) != 0:
                    out[k * arrays.packs + i] = value[0]
                    changed = True
            row += self.width
        return changed


def flows(current, out, /):
    cdef Arrays arrays = Arrays()
    cdef const double* ampere = arrays.numbers(current)
    cdef double* flow = arrays.numbers(out, 2, True)
    cdef Py_ssize_t i
    for i in range(arrays.packs):
        flow[i] = ampere[i] if ampere[i] > 0.0 else 0.0
        flow[arrays.packs + i] = -ampere[i] if ampere[i] < 0.0 else 0.0


def extremes(matrix, Py_ssize_t width, Py_ssize_t first, Py_ssize_t stop, sensors, voltage, count, out, /):
    cdef Arrays arrays = Arrays()
    cdef const double* row = arrays.numbers(matrix, width)
    cdef const double* sensor = arrays.numbers(sensors, 4)
    cdef const double* volts = arrays.numbers(voltage)
    cdef const double* counts = arrays.numbers(count)
    cdef double* found = arrays.numbers(out, 5, True)
    cdef Py_ssize_t i, n = arrays.packs
    _check(width, first, stop)
    for i in range(n):
        _spread(row + first, stop - first, 1, &found[i], &found[n + i])
        _spread(sensor + i, 4, n, &found[2 * n + i], &found[3 * n + i])
        if isnan(found[i]):
            found[i] = found[n + i] = volts[i] / counts[i]
        row += width


cdef int _check(Py_ssize_t width, Py_ssize_t first, Py_ssize_t stop) except -1:
    if not 0 <= first <= stop <= width:
        raise ValueError(f"no columns from {first} to before {stop} in a matrix of {width}")
    return 0


cdef void _spread(const double* values, Py_ssize_t count, Py_ssize_t apart, double* lowest, double* highest) noexcept:
    """Lowest and highest of some numbers; ``NaN`` where none is known."""
    cdef Py_ssize_t k
    cdef double value, low = INFINITY, high = -INFINITY
    for k in range(count):
        value = values[k * apart]
        if value < low:  # false for NaN
            low = value
        if value > high:
            high = value
    lowest[0] = low if low <= high else NAN
    highest[0] = high if low <= high else NAN


def means(matrix, Py_ssize_t width, Py_ssize_t first, Py_ssize_t stop, double error, mean, mean_error, /):
    cdef Arrays arrays = Arrays()
    cdef const double* row = arrays.numbers(matrix, width)
    cdef double* found = arrays.numbers(mean, 1, True)
    cdef double* errors = arrays.numbers(mean_error, 1, True)
    cdef Py_ssize_t i, k, count
    cdef double whole
    _check(width, first, stop)
    for i in range(arrays.packs):
        whole, count = 0.0, 0
        for k in range(first, stop):
            if not isnan(row[k]):
                whole += row[k]
                count += 1
        found[i] = whole / <double> count if count else NAN
        errors[i] = error / sqrt(<double> count) if count else error
        row += width


def count_known(matrix, Py_ssize_t width, Py_ssize_t first, Py_ssize_t stop, reported, out, /):
    cdef Arrays arrays = Arrays()
    cdef const double* row = arrays.numbers(matrix, width)
    cdef const double* said = arrays.numbers(reported)
    cdef double* counts = arrays.numbers(out, 1, True)
    cdef Py_ssize_t i, k, known
    _check(width, first, stop)
    for i in range(arrays.packs):
        counts[i] = said[i]
        if not said[i] > 0.0:
            known = 0
            for k in range(first, stop):
                known += not isnan(row[k])
            counts[i] = <double> known if known else NAN
        row += width


def first_positive(first, second, last, out, /):
    cdef Arrays arrays = Arrays()
    cdef const double* one = arrays.numbers(first)
    cdef const double* other = arrays.numbers(second)
    cdef const double* rest = arrays.numbers(last)
    cdef double* found = arrays.numbers(out, 1, True)
    cdef Py_ssize_t i
    cdef bint known = True
    for i in range(arrays.packs):
        found[i] = one[i] if one[i] > 0.0 else other[i] if other[i] > 0.0 else rest[i]
        known = known and found[i] > 0.0
    return known


def find_zeros(sensors, moved, /):
    cdef Arrays arrays = Arrays()
    cdef const double* value = arrays.numbers(sensors)
    cdef unsigned char* other = arrays.mask(moved, 1, True)
    cdef Py_ssize_t i
    cdef bint found = False
    for i in range(arrays.packs):
        if value[i] == 0.0:
            found = True
        elif not isnan(value[i]):
            other[i] = 1
    return found
