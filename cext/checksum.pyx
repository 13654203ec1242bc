"""Checksums of the BMS protocols over any bytes-like object; each takes 0..n bytes and cannot fail on content."""

from cpython.buffer cimport PyBuffer_Release
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from packbank.cext.bytes cimport open_bytes

# slices[k][b]: what byte b leaves in the register when k zero bytes follow it, so 16 bytes need no chain of 16 steps.
cdef uint16_t slices[16][256]


cdef void fill_slices() noexcept nogil:
    """The reflected polynomial 0xA001 of Modbus over serial line, V1.02, appendix B."""
    cdef unsigned int byte, k, _bit
    cdef uint16_t crc
    for byte in range(256):
        crc = <uint16_t> byte
        for _bit in range(8):
            crc = <uint16_t> ((crc >> 1) ^ (0xA001 if crc & 1 else 0))
        slices[0][byte] = crc
    for k in range(1, 16):
        for byte in range(256):
            crc = slices[k - 1][byte]
            slices[k][byte] = <uint16_t> ((crc >> 8) ^ slices[0][crc & 0xFF])


cdef inline uint16_t four(const uint8_t* p, unsigned int first) noexcept nogil:
    return slices[first + 3][p[0]] ^ slices[first + 2][p[1]] ^ slices[first + 1][p[2]] ^ slices[first][p[3]]


cdef uint16_t crc16_of(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    cdef uint16_t crc = 0xFFFF
    while n >= 16:
        crc = (
            slices[15][p[0] ^ (crc & 0xFF)] ^ slices[14][p[1] ^ (crc >> 8)] ^ slices[13][p[2]] ^ slices[12][p[3]]
            ^ four(p + 4, 8) ^ four(p + 8, 4) ^ four(p + 12, 0)
        )
        p += 16
        n -= 16
    if n >= 8:
        crc = (
            slices[7][p[0] ^ (crc & 0xFF)] ^ slices[6][p[1] ^ (crc >> 8)] ^ slices[5][p[2]] ^ slices[4][p[3]]
            ^ four(p + 4, 0)
        )
        p += 8
        n -= 8
    while n > 0:
        crc = <uint16_t> ((crc >> 8) ^ slices[0][(crc ^ p[0]) & 0xFF])
        p += 1
        n -= 1
    return crc


cdef uint32_t sum_of(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Eight bytes a step, as four sums of 16 bits in one word; 128 steps cannot overflow them."""
    cdef uint64_t word, lanes
    cdef uint32_t total = 0
    cdef int step
    while n >= 8:
        lanes = 0
        step = 0
        while n >= 8 and step < 128:
            memcpy(&word, p, 8)
            lanes += (word & 0x00FF00FF00FF00FFU) + ((word >> 8) & 0x00FF00FF00FF00FFU)
            p += 8
            n -= 8
            step += 1
        total += <uint32_t> ((lanes & 0xFFFF) + ((lanes >> 16) & 0xFFFF) + ((lanes >> 32) & 0xFFFF) + (lanes >> 48))
    while n > 0:
        total += p[0]
        p += 1
        n -= 1
    return total


cdef uint8_t xor_of(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    cdef uint8_t value = 0
    cdef Py_ssize_t i
    for i in range(n):
        value ^= p[i]
    return value


def crc16_modbus(data, /):
    """CRC-16/MODBUS: polynomial 0x8005 reflected, initial 0xFFFF, sent low byte first."""
    cdef Py_buffer view
    cdef Py_ssize_t n
    cdef const uint8_t* p = open_bytes(data, &view, &n)
    cdef uint16_t crc = crc16_of(p, n)
    PyBuffer_Release(&view)
    return crc


cdef uint32_t total_of(object data) except? 0xFFFFFFFF:
    cdef Py_buffer view
    cdef Py_ssize_t n
    cdef const uint8_t* p = open_bytes(data, &view, &n)
    cdef uint32_t total = sum_of(p, n)
    PyBuffer_Release(&view)
    return total


def sum8(data, /):
    """Sum of all bytes, 8 bits: JK PB frames, Daly."""
    return total_of(data) & 0xFF


def sum16(data, /):
    """Sum of all bytes, 16 bits: JK 4E57."""
    return total_of(data) & 0xFFFF


def sum_xor8(data, /):
    """Sum of all bytes xor the xor of all bytes, 8 bits: EG4 LifePower."""
    cdef Py_buffer view
    cdef Py_ssize_t n
    cdef const uint8_t* p = open_bytes(data, &view, &n)
    cdef uint32_t value = sum_of(p, n) ^ xor_of(p, n)
    PyBuffer_Release(&view)
    return value & 0xFF


fill_slices()
