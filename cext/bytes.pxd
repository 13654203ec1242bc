"""Little- and big-endian loads and stores, and the bytes behind any buffer; inline, for the kernels.

Loads and stores trust their pointer: a caller checks the length once, at the edge, before its loop.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memset


cdef inline const uint8_t* open_bytes(object data, Py_buffer* view, Py_ssize_t* length) except NULL:
    """The bytes of any C-contiguous buffer; the caller ends with ``PyBuffer_Release(view)``."""
    if PyBytes_CheckExact(data):
        memset(view, 0, sizeof(Py_buffer))  # releasing it does nothing
        length[0] = PyBytes_GET_SIZE(data)
        return <const uint8_t*> PyBytes_AS_STRING(data)
    PyObject_GetBuffer(data, view, PyBUF_SIMPLE)
    length[0] = view.len
    if view.buf == NULL:  # some exporters have no memory behind an empty buffer
        return <const uint8_t*> b""
    return <const uint8_t*> view.buf


cdef inline uint16_t load_u16le(const uint8_t* p) noexcept nogil:
    return <uint16_t> (p[0] | (<unsigned int> p[1] << 8))


cdef inline uint16_t load_u16be(const uint8_t* p) noexcept nogil:
    return <uint16_t> (p[1] | (<unsigned int> p[0] << 8))


cdef inline uint32_t load_u32le(const uint8_t* p) noexcept nogil:
    return p[0] | (<uint32_t> p[1] << 8) | (<uint32_t> p[2] << 16) | (<uint32_t> p[3] << 24)


cdef inline uint32_t load_u32be(const uint8_t* p) noexcept nogil:
    return p[3] | (<uint32_t> p[2] << 8) | (<uint32_t> p[1] << 16) | (<uint32_t> p[0] << 24)


cdef inline void store_u16le(uint8_t* p, uint16_t value) noexcept nogil:
    p[0] = <uint8_t> (value & 0xFF)
    p[1] = <uint8_t> (value >> 8)


cdef inline void store_u16be(uint8_t* p, uint16_t value) noexcept nogil:
    p[0] = <uint8_t> (value >> 8)
    p[1] = <uint8_t> (value & 0xFF)


cdef inline void store_u32le(uint8_t* p, uint32_t value) noexcept nogil:
    store_u16le(p, <uint16_t> (value & 0xFFFF))
    store_u16le(p + 2, <uint16_t> (value >> 16))


cdef inline void store_u32be(uint8_t* p, uint32_t value) noexcept nogil:
    store_u16be(p, <uint16_t> (value >> 16))
    store_u16be(p + 2, <uint16_t> (value & 0xFFFF))
