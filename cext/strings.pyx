"""The resistance of cells from steps of the current: two passes over the packs.

The rule, its meaning and its constants are in aggregator/strings.py.
"""

from libc.math cimport fabs, fmax, fmin, isnan

from packbank.cext.arrays cimport Arrays


def learn(ampere, volt, size, cells, double enough, double worth, double memory, evidence, /):
    cdef Arrays arrays = Arrays()
    cdef const double* current = arrays.numbers(ampere)
    cdef const double* voltage = arrays.numbers(volt)
    cdef const double* sizes = arrays.numbers(size)
    cdef const double* count = arrays.numbers(cells)
    cdef double* product = arrays.numbers(evidence, 2, True)
    cdef double* square = product + arrays.packs
    cdef Py_ssize_t i
    cdef bint learned = False
    cdef double part, by_cell, kept
    for i in range(arrays.packs):
        if fabs(current[i]) > enough * sizes[i]:  # false for NaN
            learned = True
            part, by_cell = current[i] / sizes[i], voltage[i] / count[i]
            product[i] += 0.0 if isnan(by_cell) else part * by_cell
            square[i] += part * part
            kept = fmin(1.0, memory * worth / fmax(square[i], worth))
            product[i] *= kept
            square[i] *= kept
    return learned


def judge(evidence, double prior, double worth, double lowest, double highest, ohms, /):
    cdef Arrays arrays = Arrays()
    cdef double* out = arrays.numbers(ohms, 1, True)
    cdef const double* product = arrays.numbers(evidence, 2)
    cdef const double* square = product + arrays.packs
    cdef Py_ssize_t i
    cdef double products = 0.0, squares = 0.0, pooled
    for i in range(arrays.packs):
        products += product[i]
        squares += square[i]
    pooled = (prior * worth + products) / (worth + squares)
    for i in range(arrays.packs):
        out[i] = fmin(fmax((pooled * worth + product[i]) / (worth + square[i]), lowest), highest)
