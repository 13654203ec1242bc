"""JK PB on RS485: cut frames, requests and acknowledgements out of whatever the line brings.

A unit is what ``unit_at`` recognises: the 300-byte frame by its mark and sum, and Modbus function 16 by its form and
CRC, as a request (of one register, or a write of two) or as the acknowledgement of one. All else is noise.
"""

from collections import namedtuple

cimport cython
from cpython.buffer cimport PyBuffer_Release
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.string cimport memcmp, memcpy, memmove

from packbank.cext.bytes cimport load_u16be, load_u16le, open_bytes, store_u16be, store_u16le
from packbank.cext.checksum cimport crc16_of, sum_of

cdef enum:
    FRAME = 300
    REQUEST = 11  # one register
    WRITE = 13  # two registers
    ACK = 8
    ROOM = 1024  # of a scanner's buffer: a few frames
    LAST_ADDRESS = 15  # four DIP switches
    REACH = 96  # bytes of noise between a frame and its acknowledgement: 8.0 ms measured at most are 92

FRAME_SIZE = FRAME
REQUEST_SIZE = REQUEST
ACK_SIZE = ACK
ACK_REACH = REACH

cdef enum Found:
    NOTHING, INCOMPLETE, GOOD_FRAME, BAD_FRAME, A_REQUEST, AN_ACK

cdef const uint8_t* MARK = b"\x55\xAA\xEB\x90"

Unit = namedtuple("Unit", ["kind", "start", "data"])


cdef inline bint crc_fits(const uint8_t* p, Py_ssize_t size) noexcept nogil:
    return crc16_of(p, size - 2) == load_u16le(p + size - 2)


cdef Found frame_at(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    if memcmp(p, MARK, <size_t> min(n, 4)) != 0:
        return NOTHING
    if n < FRAME:
        return INCOMPLETE
    return GOOD_FRAME if (sum_of(p, FRAME - 1) & 0xFF) == p[FRAME - 1] else BAD_FRAME


cdef Found modbus_at(const uint8_t* p, Py_ssize_t n, Py_ssize_t* size) noexcept nogil:
    """Function 16 to the actions (0x16xx) or the settings (0x10xx): ``AA 10 HH LL 00 NN`` and what follows."""
    size[0] = ACK
    if p[0] > LAST_ADDRESS or (n > 1 and p[1] != 0x10) or (n > 2 and p[2] != 0x16 and p[2] != 0x10):
        return NOTHING
    if (n > 4 and p[4] != 0) or (n > 5 and p[5] != 1 and p[5] != 2):
        return NOTHING
    if n < ACK:
        return INCOMPLETE
    if crc_fits(p, ACK):
        size[0] = ACK
        return AN_ACK
    if p[6] != 2 * p[5]:  # the count of the bytes that a request carries
        return NOTHING
    size[0] = REQUEST if p[5] == 1 else WRITE
    if n < size[0]:
        return INCOMPLETE
    return A_REQUEST if crc_fits(p, size[0]) else NOTHING


cdef inline Found unit_at(const uint8_t* p, Py_ssize_t n, Py_ssize_t* size) noexcept nogil:
    """What begins at ``p`` with ``n`` > 0 bytes to see, and its size."""
    if p[0] == MARK[0]:
        size[0] = FRAME
        return frame_at(p, n)
    return modbus_at(p, n, size)


@cython.final
cdef class Scanner:
    """Finds units in a stream of bytes, in any chunks."""

    cdef uint8_t buffer[ROOM]
    cdef readonly Py_ssize_t held
    cdef readonly int64_t position  # bytes of the stream so far: more than 32 bits hold, after days beside a master
    cdef int64_t bad_until  # position up to which a bad frame has been reported

    def __cinit__(self, int64_t position=0):
        self.position = position

    def feed(self, data, /):
        """The units that are complete with ``data``, in the order of the stream."""
        cdef Py_buffer view
        cdef Py_ssize_t n, taken
        cdef const uint8_t* p = open_bytes(data, &view, &n)
        cdef list units = []
        try:
            while n > 0:
                taken = min(n, ROOM - self.held)
                memcpy(self.buffer + self.held, p, <size_t> taken)
                self.held += taken
                self.position += taken
                p += taken
                n -= taken
                self.scan(units, False)
        finally:
            PyBuffer_Release(&view)
        return units

    def flush(self):
        """The line went silent: give up what is incomplete; the units that were hidden in it."""
        cdef list units = []
        self.scan(units, True)
        return units

    cdef int scan(self, list units, bint final) except -1:
        """Take every unit out of the buffer; keep its incomplete end unless this is ``final``."""
        cdef Py_ssize_t i = 0
        cdef Py_ssize_t size = 0
        cdef Py_ssize_t left
        cdef Found found
        while i < self.held:
            left = self.held - i
            found = unit_at(self.buffer + i, left, &size)
            if found == INCOMPLETE:
                if not final:
                    break
                if size == FRAME and left >= 4:
                    self.report_bad(units, i, left)
            elif found == BAD_FRAME:
                self.report_bad(units, i, FRAME)
            elif found != NOTHING:
                units.append(self.unit(name_of(found), i, size))
                i += size
                continue
            i += 1
        memmove(self.buffer, self.buffer + i, <size_t> (self.held - i))
        self.held -= i
        return 0

    cdef int report_bad(self, list units, Py_ssize_t i, Py_ssize_t size) except -1:
        """Bad frames are reported without overlap, so that no stream makes more of them than it has bytes."""
        cdef int64_t start = self.position - self.held + i
        if start >= self.bad_until:
            self.bad_until = start + size
            units.append(self.unit("bad", i, size))
        return 0

    cdef object unit(self, str kind, Py_ssize_t i, Py_ssize_t size):
        # Named, since Cython takes a sum of int64_t and Py_ssize_t for a Py_ssize_t: 32 bits on a GX.
        cdef int64_t start = self.position - self.held + i
        return Unit(kind, start, PyBytes_FromStringAndSize(<const char*> self.buffer + i, size))


cdef str name_of(Found found):
    return "frame" if found == GOOD_FRAME else "ack" if found == AN_ACK else "request"


def request(int address, int register, /):
    """The 11 bytes that make ``address`` send the frame of ``register``."""
    cdef uint8_t frame[REQUEST]
    fill_header(frame, address, register)
    frame[6], frame[7], frame[8] = 2, 0, 0
    store_u16le(frame + 9, crc16_of(frame, 9))
    return PyBytes_FromStringAndSize(<const char*> frame, REQUEST)


def acknowledgement(int address, int register, /):
    """The 8 bytes with which ``address`` ends its answer to ``register``."""
    cdef uint8_t frame[ACK]
    fill_header(frame, address, register)
    store_u16le(frame + 6, crc16_of(frame, 6))
    return PyBytes_FromStringAndSize(<const char*> frame, ACK)


cdef int fill_header(uint8_t* frame, int address, int register) except -1:
    if not (0 <= address <= LAST_ADDRESS and 0 <= register <= 0xFFFF):
        raise ValueError(f"no address {address:#x} or register {register:#x} in JK PB")
    frame[0], frame[1] = <uint8_t> address, 0x10
    store_u16be(frame + 2, <uint16_t> register)
    store_u16be(frame + 4, 1)
    return 0


def seal(bytearray frame not None, /):
    """Write the sum into the last of the 300 bytes of ``frame``."""
    cdef unsigned char* p = frame
    if len(frame) != FRAME:
        raise ValueError(f"a frame has {FRAME} bytes, not {len(frame)}")
    p[FRAME - 1] = <uint8_t> (sum_of(p, FRAME - 1) & 0xFF)


def find_answer(data, int address, int register, int kind, /):
    """Where in ``data`` the frame of type ``kind`` begins that ``address`` acknowledges for ``register``, or -1."""
    cdef Py_buffer view
    cdef Py_ssize_t n
    cdef const uint8_t* p = open_bytes(data, &view, &n)
    cdef Py_ssize_t found = answer_in(p, n, address, register, kind)
    PyBuffer_Release(&view)
    return found


cdef Py_ssize_t answer_in(const uint8_t* p, Py_ssize_t n, int address, int register, int kind) noexcept nogil:
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t size = 0
    cdef Py_ssize_t frame = -1
    cdef Found found
    while i < n:
        found = unit_at(p + i, n - i, &size)
        if found == BAD_FRAME or found == INCOMPLETE and size == FRAME or i > frame + FRAME + REACH:
            frame = -1
        if found == GOOD_FRAME:
            frame = i if p[i + 4] == kind else -1
        elif found == AN_ACK:
            if frame >= 0 and p[i] == address and load_u16be(p + i + 2) == register:
                return frame
            frame = -1
        if found == GOOD_FRAME or found == AN_ACK or found == A_REQUEST:
            i += size
        else:
            i += 1
    return -1
