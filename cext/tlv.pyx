"""Lists of tagged values.

A :class:`TagList` unrolls a list of ``id, value`` pairs into a record in which every id has a fixed place, so
that the field tables which read frames with fixed offsets read lists too; and rolls a record up again. A record
begins with a bit for each of the 256 ids that could be there, then come the places in the order of the table.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from typing import NamedTuple

cimport cython

cdef enum:
    TAGS = 256
    PRESENT = 32  # bytes with a presence bit for each id, at the start of a record
    PAST_END = -1  # what the walk says instead of a length
    IMPOSSIBLE = -2

cdef struct Place:
    Py_ssize_t value  # offset in the record; 0: the id is unknown
    Py_ssize_t width  # bytes of the value, or of one of its units
    Py_ssize_t most  # units there is room for; 0: a value without a count
    Py_ssize_t step  # the list counts each unit as so many


class Tag(NamedTuple):
    """An id and its value: ``width`` bytes, or, with ``most``, a count byte and up to ``most`` units of that width.

    ``step`` is what the list's count grows by for each unit: 1, or ``width`` when it counts bytes.
    """

    tag: int
    width: int
    most: int = 0
    step: int = 1


cdef Py_ssize_t bits_before(Py_ssize_t most) noexcept nogil:
    """Bytes between the count of a place and its first unit: a bit for each unit that is there."""
    return (most + 7) >> 3


cdef void set_bits(uint8_t *bits, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        bits[i >> 3] = <uint8_t>(bits[i >> 3] | (1 << (i & 7)))


@cython.cdivision(True)  # a step is at least 1
cdef Py_ssize_t unroll_value(const Place *place, const uint8_t *data, Py_ssize_t room, uint8_t *record) noexcept nogil:
    """Copy the value at ``data`` to its place; its length with the count byte, or PAST_END, IMPOSSIBLE."""
    cdef uint8_t *into = record + place.value
    cdef Py_ssize_t units, length
    if not place.most:
        if place.width > room:
            return PAST_END
        memcpy(into, data, <size_t>place.width)
        return place.width
    if room < 1:
        return PAST_END
    units = data[0] // place.step
    if units > place.most or units * place.step != data[0]:
        return IMPOSSIBLE
    length = units * place.width
    if length + 1 > room:
        return PAST_END
    into -= bits_before(place.most)
    memset(into, 0, <size_t>bits_before(place.most))
    set_bits(into, units)
    into[-1] = <uint8_t>units
    memcpy(record + place.value, data + 1, <size_t>length)
    return length + 1


cdef Py_ssize_t walk(
    const Place *places, const uint8_t *data, Py_ssize_t at, Py_ssize_t end, uint8_t *record
) noexcept nogil:
    """Unroll the values from ``at`` on; where it ended (``end`` or an unknown id), or PAST_END, IMPOSSIBLE."""
    cdef const Place *place
    cdef Py_ssize_t length
    while at < end:
        place = &places[data[at]]
        if not place.value:
            return at
        length = unroll_value(place, data + at + 1, end - at - 1, record)
        if length < 0:
            return length
        record[data[at] >> 3] = <uint8_t>(record[data[at] >> 3] | (1 << (data[at] & 7)))
        at += 1 + length
    return at


cdef class TagList:
    """The ids of a protocol; ``size`` is the length of their record."""

    cdef Place places[TAGS]
    cdef tuple tags
    cdef readonly Py_ssize_t size

    def __init__(self, tags):
        cdef int tag
        self.size = PRESENT
        memset(self.places, 0, sizeof(self.places))
        for tag, width, most, step in tags:
            if not 0 <= tag < TAGS or self.places[tag].value:
                raise ValueError(f"id {tag:#x} is no byte or stands twice")
            if not 1 <= width <= TAGS or not 0 <= most * step < TAGS or step < 1:
                raise ValueError(f"id {tag:#x}: no list can hold {most} values of {width} bytes")
            self.size += 1 + bits_before(most) if most else 0
            self.places[tag] = Place(self.size, width, most, step)
            self.size += width * (most or 1)
        self.tags = tuple([row[0] for row in tags])

    def value(self, int tag):
        """Where in the record the value of ``tag`` begins, or its first unit."""
        return self._known(tag).value

    def units(self, int tag):
        """Where in the record the bits begin that say which units of the counted ``tag`` are there."""
        cdef Place place = self._counted(tag)
        return place.value - bits_before(place.most)

    def count(self, int tag):
        """Where in the record the byte is that says how many units of ``tag`` are there."""
        return self.units(tag) - 1

    def unroll(self, bytes data not None, Py_ssize_t start=0, end=None):
        """``data[start:end]`` as a record, zero where an id was not there, and where the walk ended.

        It ends before ``end`` at an id that is not in the table, since nothing says how long its value is.
        Raises ValueError when a value runs past the end or counts more units than there can be.
        """
        cdef Py_ssize_t size = len(data), stop = size if end is None else end
        if not 0 <= start <= stop <= size:
            raise ValueError(f"{start}:{stop} is no part of {size} bytes")
        cdef bytes record = PyBytes_FromStringAndSize(NULL, self.size)
        cdef uint8_t *into = <uint8_t *>PyBytes_AS_STRING(record)
        memset(into, 0, <size_t>self.size)
        cdef Py_ssize_t reached = walk(self.places, <const uint8_t *>PyBytes_AS_STRING(data), start, stop, into)
        if reached == PAST_END:
            raise ValueError("a value runs past the end of the list")
        if reached == IMPOSSIBLE:
            raise ValueError("a value counts more than there can be")
        return record, reached

    def roll(self, record):
        """The list that unrolls to ``record``: the ids whose presence bits are set, in the order of the table."""
        cdef bytes source = bytes(record)
        cdef Place place
        if len(source) != self.size:
            raise ValueError(f"a record has {self.size} bytes, not {len(source)}")
        pieces = []
        for tag in self.tags:
            place = self.places[<int>tag]
            if not source[tag >> 3] >> (tag & 7) & 1:
                continue
            pieces.append(bytes((tag,)))
            units = 1
            if place.most:
                units = source[self.count(tag)]
                if units > place.most:
                    raise ValueError(f"id {tag:#x}: {units} units are more than there can be")
                pieces.append(bytes((units * place.step,)))
            pieces.append(source[place.value : place.value + units * place.width])
        return b"".join(pieces)

    cdef Place _known(self, int tag) except *:
        if not 0 <= tag < TAGS or not self.places[tag].value:
            raise KeyError(tag)
        return self.places[tag]

    cdef Place _counted(self, int tag) except *:
        cdef Place place = self._known(tag)
        if not place.most:
            raise KeyError(f"{tag:#x} has no count")
        return place
