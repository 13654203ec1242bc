"""Lists of tagged values, and frames of a fixed size that carry one value each.

:class:`TagList` unrolls a list of ``id, value`` pairs into a record in which every id has a fixed place, so
that the same field tables read it as read a frame with fixed offsets; and rolls a record up again.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from typing import NamedTuple

cdef enum:
    TAGS = 256
    LARGEST_RECORD = 65536
    A5_FRAME = 13
    A5_START = 0xA5
    A5_LENGTH = 0x08
    PAST_END = -1  # what walk() and size_of() say instead of a position
    TOO_MANY = -2

cdef struct Place:
    Py_ssize_t offset  # in the record; negative: the id is unknown
    Py_ssize_t size  # bytes of value there is room for
    Py_ssize_t unit  # bytes of one counted value; 0: the value is always ``size`` bytes


class Tag(NamedTuple):
    """An id and its value: ``size`` bytes, or, with a ``unit``, a count byte and up to ``size`` bytes of units."""

    tag: int
    size: int
    unit: int = 0


cdef Py_ssize_t length_of(const Place *place, const uint8_t *value, Py_ssize_t room) noexcept nogil:
    """Bytes of a value with its count byte, or PAST_END, TOO_MANY."""
    cdef Py_ssize_t length = place.size
    if place.unit:
        if room < 1:
            return PAST_END
        length = value[0] * place.unit
        if length > place.size:
            return TOO_MANY
        length += 1
    return length if length <= room else PAST_END


cdef Py_ssize_t walk(
    const Place *places, const uint8_t *data, Py_ssize_t at, Py_ssize_t end, uint8_t *record, uint8_t *seen
) noexcept nogil:
    """Copy each value to its place; where the walk ended (``end``, or an unknown id), or PAST_END, TOO_MANY."""
    cdef const Place *place
    cdef Py_ssize_t length
    while at < end:
        place = &places[data[at]]
        if place.offset < 0:
            return at
        length = length_of(place, data + at + 1, end - at - 1)
        if length < 0:
            return length
        memcpy(record + place.offset, data + at + 1, <size_t>length)
        seen[data[at]] = 1
        at += 1 + length
    return at


cdef class TagList:
    """The ids of a protocol, each with its place in a record of :attr:`size` bytes."""

    cdef Place places[TAGS]
    cdef readonly Py_ssize_t size
    cdef readonly tuple tags

    def __init__(self, tags):
        cdef Py_ssize_t offset = 0
        cdef int tag
        for tag in range(TAGS):
            self.places[tag] = Place(-1, 0, 0)
        for tag, size, unit in tags:
            if not 0 <= tag < TAGS or self.places[tag].offset >= 0:
                raise ValueError(f"id {tag:#x} is no byte or stands twice")
            if not 0 <= unit <= size or offset + size > LARGEST_RECORD:
                raise ValueError(f"id {tag:#x}: {size} bytes in units of {unit} are no value")
            self.places[tag] = Place(offset, size, unit)
            offset += size + (1 if unit else 0)
        self.size = offset
        self.tags = tuple([tag for tag, _, _ in tags])

    def place(self, int tag):
        """Where the value of ``tag`` begins in the record (its count byte, when it is counted)."""
        return self._known(tag).offset

    def unroll(self, bytes data not None, Py_ssize_t start=0, end=None):
        """``data[start:end]`` as a record, the ids that were missing (zeros in the record), and where it stopped.

        It stops before ``end`` at an id that is not in the table, since nothing says how long its value is.
        Raises ValueError when a value runs past the end or is larger than its place.
        """
        cdef Py_ssize_t size = len(data), stop = size if end is None else end
        if not 0 <= start <= stop <= size:
            raise ValueError(f"{start}:{stop} is no part of {size} bytes")
        cdef uint8_t seen[TAGS]
        cdef bytes record = PyBytes_FromStringAndSize(NULL, self.size)
        cdef uint8_t *into = <uint8_t *>PyBytes_AS_STRING(record)
        memset(into, 0, <size_t>self.size)
        memset(seen, 0, TAGS)
        cdef Py_ssize_t reached = walk(self.places, <const uint8_t *>PyBytes_AS_STRING(data), start, stop, into, seen)
        if reached == PAST_END:
            raise ValueError("a value runs past the end of the list")
        if reached == TOO_MANY:
            raise ValueError("a list of values is longer than it can be")
        return record, tuple([tag for tag in self.tags if not seen[<int>tag]]), reached

    def roll(self, bytes record not None, tags=None):
        """The list that unrolls to ``record``: all ids in the order of the table, or only ``tags``."""
        if len(record) != self.size:
            raise ValueError(f"a record has {self.size} bytes, not {len(record)}")
        cdef const uint8_t *source = <const uint8_t *>PyBytes_AS_STRING(record)
        cdef Py_ssize_t length
        cdef Place place
        pieces = []
        for tag in self.tags if tags is None else tags:
            place = self._known(tag)
            length = length_of(&place, source + place.offset, self.size - place.offset)
            if length < 0:
                raise ValueError(f"id {tag:#x}: too many values for its place")
            pieces.append(bytes((tag,)) + record[place.offset : place.offset + length])
        return b"".join(pieces)

    cdef Place _known(self, int tag) except *:
        if not 0 <= tag < TAGS or self.places[tag].offset < 0:
            raise KeyError(tag)
        return self.places[tag]


cdef bint is_a5(const uint8_t *frame) noexcept nogil:
    cdef unsigned int total = 0
    cdef Py_ssize_t at
    if frame[0] != A5_START or frame[3] != A5_LENGTH:
        return False
    for at in range(A5_FRAME - 1):
        total += frame[at]
    return (total & 0xFF) == frame[A5_FRAME - 1]


def find_a5(bytes data not None, Py_ssize_t start=0):
    """Where in ``data`` the first whole 13-byte frame ``A5 board command 08 ... sum`` with a right sum begins, or -1."""
    cdef const uint8_t *source = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t at
    for at in range(max(start, 0), len(data) - A5_FRAME + 1):
        if is_a5(source + at):
            return at
    return -1
