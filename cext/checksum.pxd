"""The checksums, for the other kernels: plain C over a pointer and a length the caller has checked."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t


cdef uint16_t crc16_of(const uint8_t* p, Py_ssize_t n) noexcept nogil
cdef uint32_t sum_of(const uint8_t* p, Py_ssize_t n) noexcept nogil
