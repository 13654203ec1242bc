"""Daly: frames of 13 bytes with a sum of 8 bits, found in whatever the line brings."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t

cdef enum:
    A5_FRAME = 13
    A5_START = 0xA5
    A5_LENGTH = 0x08


cdef bint is_a5(const uint8_t *frame) noexcept nogil:
    cdef unsigned int total = 0
    cdef Py_ssize_t at
    if frame[0] != A5_START or frame[3] != A5_LENGTH:
        return False
    for at in range(A5_FRAME - 1):
        total += frame[at]
    return (total & 0xFF) == frame[A5_FRAME - 1]


def find_a5(bytes data not None, Py_ssize_t start=0):
    """Where the first whole 13-byte frame ``A5 board command 08 ... sum`` with a right sum begins, or -1."""
    cdef const uint8_t *source = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t at
    for at in range(max(start, 0), len(data) - A5_FRAME + 1):
        if is_a5(source + at):
            return at
    return -1
