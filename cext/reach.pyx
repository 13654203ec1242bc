"""How near packs are to a charge voltage: one pass over the packs. The rules are in aggregator/reach.py."""

from libc.math cimport NAN, fabs, isnan

from packbank.cext.arrays cimport Arrays


def levels(voltage, current, cells, capacity, double cvl, chosen, /):
    cdef Arrays arrays = Arrays()
    cdef const double* volts = arrays.numbers(voltage)
    cdef const double* ampere = arrays.numbers(current)
    cdef const double* count = arrays.numbers(cells)
    cdef const double* size = arrays.numbers(capacity)
    cdef const unsigned char* among = arrays.mask(chosen)
    cdef double most = NAN, largest = NAN, short = NAN, volt, part, below
    cdef Py_ssize_t i
    for i in range(arrays.packs):
        if among[i]:
            volt = volts[i] / count[i]
            part = fabs(ampere[i]) / size[i]
            below = cvl / count[i] - volt
            if volt > most or isnan(most):
                most = volt
            if part > largest or isnan(largest):
                largest = part
            if below < short or isnan(short):
                short = below
    return most, largest, short
