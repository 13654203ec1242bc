"""Figures about a row that every answer is judged by: what is out of its range, and the spread of the cells."""

from collections import namedtuple

cimport cython
from cpython.buffer cimport PyBuffer_Release
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport INFINITY, isfinite

from packbank.cext.row cimport open_row

cdef struct Range:
    Py_ssize_t column
    double low
    double high

Spread = namedtuple("Spread", ["known", "lowest", "highest", "total"])


@cython.final
cdef class Ranges:
    """What the values of some columns can be."""

    cdef Range* ranges
    cdef Py_ssize_t count
    cdef Py_ssize_t columns  # that a row must have

    def __cinit__(self, ranges, /):
        table = tuple(ranges)
        self.ranges = <Range*> PyMem_Calloc(<size_t> max(len(table), 1), sizeof(Range))
        if self.ranges == NULL:
            raise MemoryError
        for column, low, high in table:
            if column < 0:
                raise ValueError(f"no column {column}")
            self.ranges[self.count] = Range(column, low, high)
            self.columns = max(self.columns, column + 1)
            self.count += 1

    def __dealloc__(self):
        PyMem_Free(self.ranges)

    def first_outside(self, row, /):
        """The first of the ranges that the row is out of, by its place in the table, or -1."""
        cdef Py_buffer view
        cdef Py_ssize_t i
        cdef Py_ssize_t found = -1
        cdef double value
        cdef const double* values = open_row(row, &view, self.columns, False)
        for i in range(self.count):
            value = values[self.ranges[i].column]
            if value < self.ranges[i].low or value > self.ranges[i].high:
                found = i
                break
        PyBuffer_Release(&view)
        return found


def spread(row, Py_ssize_t start, Py_ssize_t stop, /):
    """Of the known values among the columns from ``start`` to before ``stop``: how many, extremes, sum."""
    cdef Py_buffer view
    cdef Py_ssize_t i
    cdef Py_ssize_t count = 0
    cdef double lowest = INFINITY
    cdef double highest = -INFINITY
    cdef double total = 0.0
    if start < 0:
        raise ValueError(f"no column {start}")
    cdef const double* values = open_row(row, &view, stop, False)
    for i in range(start, stop):
        if isfinite(values[i]):
            count += 1
            total += values[i]
            lowest = min(lowest, values[i])
            highest = max(highest, values[i])
    PyBuffer_Release(&view)
    return Spread(count, lowest, highest, total)
