"""Curves of all packs, evaluated at one value or where they meet a line."""

cdef struct Curve:
    const double* x
    const double* y
    Py_ssize_t points  # 0: no curve


cdef class CurveSet:
    cdef double* numbers  # x of the first curve, its y, x of the second ...
    cdef Curve* curves  # one a pack
    cdef readonly Py_ssize_t packs


cdef double at(const Curve* curve, double value) noexcept
cdef double meet(const Curve* curve, double value, double slope) noexcept
