"""The envelope of YD/T 1363: ``~ VER ADR CID1 CODE LENGTH INFO CHKSUM CR``, two hexadecimal digits a byte.

LENGTH is four digits: the low three count the digits of INFO, the high one makes the sum of all four a multiple of 16.
CHKSUM makes the sum of all characters from VER on a multiple of 65536, as they stand, in either case.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t

from packbank.cext.checksum cimport sum_of

cdef enum:
    START = 0x7E
    END = 0x0D
    LENGTH_AT = 9
    INFO_AT = 13
    AROUND = 18  # characters beside INFO
    HEAD = 4  # bytes of an opened frame before INFO
    MOST = 0xFFF
    NO_DIGIT = -1

HEADER = HEAD

cdef const char* DIGITS = b"0123456789ABCDEF"


cdef inline int digit(uint8_t c) noexcept nogil:
    if c'0' <= c <= c'9':
        return c - c'0'
    if c'A' <= c <= c'F':
        return c - c'A' + 10
    if c'a' <= c <= c'f':
        return c - c'a' + 10
    return NO_DIGIT


cdef inline int pair(const uint8_t* p) noexcept nogil:
    """The byte of two digits, or negative."""
    cdef int high = digit(p[0]), low = digit(p[1])
    if high < 0 or low < 0:
        return NO_DIGIT
    return high << 4 | low


cdef inline void put(uint8_t* p, unsigned int value, int digits) noexcept nogil:
    while digits > 0:
        digits -= 1
        p[digits] = <uint8_t> DIGITS[value & 0xF]
        value >>= 4


cdef inline unsigned int length_field(unsigned int length) noexcept nogil:
    """A length with the digit that checks it."""
    cdef unsigned int total = (length >> 8) + (length >> 4 & 0xF) + (length & 0xF)
    return (-total & 0xF) << 12 | length


def seal(int version, int address, int cid1, int code, bytes info not None, /):
    """The frame that carries ``info``; ValueError when something does not fit into it."""
    cdef Py_ssize_t size = len(info), i
    cdef const uint8_t* source = <const uint8_t*> PyBytes_AS_STRING(info)
    cdef int values[4]
    if 2 * size > MOST:
        raise ValueError(f"{size} bytes do not fit into a frame")
    values[0], values[1], values[2], values[3] = version, address, cid1, code
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, 2 * size + AROUND)
    cdef uint8_t* p = <uint8_t*> PyBytes_AS_STRING(frame)
    p[0] = START
    for i in range(4):
        if not 0 <= values[i] <= 0xFF:
            raise ValueError(f"{values[i]} is no byte")
        put(p + 1 + 2 * i, <unsigned int> values[i], 2)
    put(p + LENGTH_AT, length_field(<unsigned int> (2 * size)), 4)
    for i in range(size):
        put(p + INFO_AT + 2 * i, source[i], 2)
    put(p + INFO_AT + 2 * size, -sum_of(p + 1, INFO_AT - 1 + 2 * size) & 0xFFFF, 4)
    p[2 * size + AROUND - 1] = END
    return frame


def frame_size(bytes data not None, Py_ssize_t most=MOST, /):
    """The size of the frame that ``data`` begins with; 0: too few bytes to know; -1: it begins with none.

    None is also what would have more than ``most`` digits of INFO.
    """
    cdef Py_ssize_t size = len(data), i
    cdef const uint8_t* p = <const uint8_t*> PyBytes_AS_STRING(data)
    if size and p[0] != START:
        return -1
    for i in range(1, min(size, <Py_ssize_t> INFO_AT)):
        if digit(p[i]) < 0:
            return -1
    if size < INFO_AT:
        return 0
    cdef int length = digit(p[LENGTH_AT + 1]) << 8 | pair(p + LENGTH_AT + 2)
    return length + AROUND if length <= most else -1


def open_frame(bytes frame not None, /):
    """VER, ADR, CID1, CODE and INFO as bytes; ValueError says what is wrong with a frame."""
    cdef Py_ssize_t size = len(frame), i, count = (size - AROUND) // 2
    cdef const uint8_t* p = <const uint8_t*> PyBytes_AS_STRING(frame)
    cdef int value
    cdef unsigned int length
    if size < AROUND or size & 1 or p[0] != START or p[size - 1] != END:
        raise ValueError("no frame from ~ to CR")
    cdef bytes opened = PyBytes_FromStringAndSize(NULL, count + HEAD)
    cdef uint8_t* target = <uint8_t*> PyBytes_AS_STRING(opened)
    for i in range(count + HEAD):
        value = pair(p + 1 + 2 * i + (4 if i >= HEAD else 0))
        if value < 0:
            raise ValueError(f"the characters of byte {i} are no hexadecimal digits")
        target[i] = <uint8_t> value
    value = pair(p + LENGTH_AT) << 8 | pair(p + LENGTH_AT + 2)
    length = length_field(<unsigned int> (2 * count))
    if value != <int> length:
        raise ValueError(f"length field {value:#06x}, {2 * count} digits make {length:#06x}")
    cdef int received = pair(p + size - 5) << 8 | pair(p + size - 3)
    cdef int expected = <int> (-sum_of(p + 1, size - 6) & 0xFFFF)
    if received != expected:
        raise ValueError(f"checksum {received:#06x}, the characters make {expected:#06x}")
    return opened
