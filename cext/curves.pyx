"""Curves of all packs, evaluated at one value or where they meet a line."""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport NAN, fmax, isnan

from packbank.cext.arrays cimport Arrays

cdef double FLAT = 1e-12  # a shorter piece of a sheared curve is a jump


@cython.final
cdef class CurveSet:
    def __cinit__(self, curves, /):
        cdef Py_ssize_t place = 0
        cdef Py_ssize_t pack
        cdef Py_ssize_t k
        given = [None if curve is None else (tuple(curve[0]), tuple(curve[1])) for curve in curves]
        distinct = dict.fromkeys(curve for curve in given if curve is not None)
        self.packs = len(given)
        self.numbers = <double*> PyMem_Calloc(<size_t> sum([2 * len(x) for x, _ in distinct]) + 1, sizeof(double))
        self.curves = <Curve*> PyMem_Calloc(<size_t> self.packs + 1, sizeof(Curve))
        if self.numbers == NULL or self.curves == NULL:
            raise MemoryError
        for curve in distinct:
            x, y = curve
            if not x or len(x) != len(y) or list(x) != sorted(x):
                raise ValueError("a curve is two lists of one length, ascending in x")
            distinct[curve] = place
            for k in range(len(x)):
                self.numbers[place + k] = x[k]
                self.numbers[place + len(x) + k] = y[k]
            place += 2 * len(x)
        for pack, curve in enumerate(given):
            if curve is not None:
                place, k = distinct[curve], len(curve[0])
                self.curves[pack] = Curve(self.numbers + place, self.numbers + place + k, k)

    def __dealloc__(self):
        PyMem_Free(self.numbers)
        PyMem_Free(self.curves)

    def at(self, values, fractions, /):
        cdef Arrays arrays = Arrays()
        cdef const double* value = arrays.numbers(values)
        cdef double* out = arrays.numbers(fractions, 1, True)
        cdef Py_ssize_t i
        _check(arrays, self.packs)
        for i in range(self.packs):
            out[i] = at(&self.curves[i], value[i])

    def meet(self, values, slopes, fractions, /):
        cdef Arrays arrays = Arrays()
        cdef const double* value = arrays.numbers(values)
        cdef const double* slope = arrays.numbers(slopes)
        cdef double* out = arrays.numbers(fractions, 1, True)
        cdef Py_ssize_t i
        _check(arrays, self.packs)
        for i in range(self.packs):
            out[i] = meet(&self.curves[i], value[i], slope[i])


cdef int _check(Arrays arrays, Py_ssize_t packs) except -1:
    if arrays.packs != packs:
        raise ValueError(f"{arrays.packs} values for the curves of {packs} packs")
    return 0


cdef double at(const Curve* curve, double value) noexcept:
    """The fraction at ``value``: 1 without a curve, ``NaN`` for ``NaN`` where there is more than one point."""
    cdef Py_ssize_t k = 0
    cdef Py_ssize_t last = curve.points - 1
    cdef double slope
    if last <= 0:
        return curve.y[0] if last == 0 else 1.0
    if isnan(value):
        return NAN
    if value < curve.x[0]:
        return curve.y[0]
    while k < last and value >= curve.x[k + 1]:
        k += 1
    if k == last or value == curve.x[k]:
        return curve.y[k]
    slope = (curve.y[k + 1] - curve.y[k]) / (curve.x[k + 1] - curve.x[k])
    return slope * (value - curve.x[k]) + curve.y[k]


cdef double meet(const Curve* curve, double value, double slope) noexcept:
    """The fraction ``y`` with ``y = curve(value + slope * y)``.

    The curve must not run with the line: falling for slopes above 0, rising below. Then the answer is the curve itself,
    sheared: its point ``x`` is reached from the value ``x - slope * y``.
    """
    cdef Py_ssize_t k = 1
    cdef Py_ssize_t last = curve.points - 1
    cdef double low, high, part
    if last <= 0 or isnan(value):
        return 1.0 if last < 0 else NAN if isnan(value) else curve.y[0]
    low = curve.x[0] - slope * curve.y[0]
    high = fmax(low, curve.x[1] - slope * curve.y[1])
    while k < last and value >= high:
        k += 1
        low, high = high, fmax(high, curve.x[k] - slope * curve.y[k])
    part = (value - low) / fmax(high - low, FLAT)
    part = 0.0 if part < 0.0 else 1.0 if part > 1.0 else part
    return curve.y[k - 1] + part * (curve.y[k] - curve.y[k - 1])
