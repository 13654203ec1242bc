"""A field table compiled once into a C array; decoding and encoding walk it.

The rows of the table are those of ``packbank.bms.fields``, read by their attributes. Everything that could
reach outside the message or the row is checked when the table is compiled and once a call at the edge.
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport NAN, copysign, fabs, isfinite, isnan, rint
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t

from packbank.cext.bytes cimport (
    load_u16be, load_u16le, load_u32be, load_u32le, open_bytes, store_u16be, store_u16le, store_u32be, store_u32le,
)
from packbank.cext.row cimport open_row

cdef enum Load:
    U8, I8, U16LE, I16LE, U16BE, I16BE, U32LE, I32LE, U32BE, I32BE

cdef enum:
    ALWAYS = -1  # instead of a presence bit: the field is always there
    UNSIGNED = -1  # instead of a column with the sign

cdef struct Number:
    Load load
    bint divides  # by factor, instead of multiplying with it
    bint has_absent
    int when  # value of the presence bit
    int shift_down  # of the masked raw value
    uint32_t mask  # 0: none
    Py_ssize_t column
    Py_ssize_t offset
    Py_ssize_t count
    Py_ssize_t stride
    Py_ssize_t present  # bit number from the start of the message, or ALWAYS
    Py_ssize_t sign  # column, or UNSIGNED
    int64_t absent
    double factor
    double shift

cdef struct Bits:
    Load load
    uint32_t mask
    Py_ssize_t offset
    Py_ssize_t column
    double level


cdef inline int64_t load_raw(Load kind, const uint8_t* p) noexcept nogil:
    if kind == U16LE:
        return load_u16le(p)
    if kind == U8:
        return p[0]
    if kind == U32LE:
        return load_u32le(p)
    if kind == I16LE:
        return <int16_t> load_u16le(p)
    if kind == I32LE:
        return <int32_t> load_u32le(p)
    if kind == U16BE:
        return load_u16be(p)
    if kind == I16BE:
        return <int16_t> load_u16be(p)
    if kind == U32BE:
        return load_u32be(p)
    if kind == I32BE:
        return <int32_t> load_u32be(p)
    return <int8_t> p[0]


cdef inline int width_of(Load kind) noexcept nogil:
    return 1 if kind <= I8 else 2 if kind <= I16BE else 4


cdef void store_raw(Load kind, uint8_t* p, uint32_t raw) noexcept nogil:
    if kind <= I8:
        p[0] = <uint8_t> (raw & 0xFF)
    elif kind == U16LE or kind == I16LE:
        store_u16le(p, <uint16_t> (raw & 0xFFFF))
    elif kind == U16BE or kind == I16BE:
        store_u16be(p, <uint16_t> (raw & 0xFFFF))
    elif kind == U32LE or kind == I32LE:
        store_u32le(p, raw)
    else:
        store_u32be(p, raw)


cdef inline bint bit_at(const uint8_t* p, Py_ssize_t bit) noexcept nogil:
    return (p[bit >> 3] >> (bit & 7)) & 1


cdef inline void set_bit(uint8_t* p, Py_ssize_t bit, bint value) noexcept nogil:
    cdef uint8_t mask = <uint8_t> (1 << (bit & 7))
    p[bit >> 3] = <uint8_t> (p[bit >> 3] | mask if value else p[bit >> 3] & ~mask)


cdef inline double scaled(const Number* number, int64_t raw) noexcept nogil:
    cdef double value = <double> raw + number.shift
    return value / number.factor if number.divides else value * number.factor


cdef void decode_number(const Number* number, const uint8_t* message, double* row) noexcept nogil:
    cdef const uint8_t* p = message + number.offset
    cdef double* target = row + number.column
    cdef Py_ssize_t i
    cdef int64_t raw
    for i in range(number.count):
        if number.present != ALWAYS and bit_at(message, number.present + i) != number.when:
            target[i] = NAN
        else:
            raw = load_raw(number.load, p)
            if number.mask:
                raw = (raw & number.mask) >> number.shift_down
            if number.has_absent and raw == number.absent:
                target[i] = NAN
            else:
                target[i] = scaled(number, raw)
                if number.sign != UNSIGNED:
                    target[i] = copysign(target[i], row[number.sign])
        p += number.stride


cdef uint32_t raw_of(const Number* number, double value) noexcept nogil:
    """The nearest raw value that the field can hold, as its bits."""
    cdef int bits = 8 * width_of(number.load)
    cdef bint signed = number.load in (I8, I16LE, I16BE, I32LE, I32BE)
    cdef double low = -<double> (<int64_t> 1 << (bits - 1)) if signed else 0.0
    cdef double high = <double> ((<int64_t> 1 << (bits - 1 if signed else bits)) - 1)
    if number.mask:
        low = 0.0
        high = <double> (number.mask >> number.shift_down)
    if number.sign != UNSIGNED:
        value = fabs(value)
    value = rint((value * number.factor if number.divides else value / number.factor) - number.shift)
    value = low if value < low else high if value > high else value
    return <uint32_t> <int64_t> value


cdef void encode_number(const Number* number, uint8_t* message, const double* row) noexcept nogil:
    cdef uint8_t* p = message + number.offset
    cdef Py_ssize_t i
    cdef bint known
    cdef uint32_t raw
    for i in range(number.count):
        known = not isnan(row[number.column + i])
        if known and number.present != ALWAYS:
            set_bit(message, number.present + i, number.when != 0)
        if known or number.has_absent:
            raw = raw_of(number, row[number.column + i]) if known else <uint32_t> number.absent
            if number.mask:
                raw = (raw << number.shift_down) & number.mask
                raw |= <uint32_t> load_raw(number.load, p) & ~number.mask
            store_raw(number.load, p, raw)
        p += number.stride


cdef void clear_presence(const Number* number, uint8_t* message) noexcept nogil:
    cdef Py_ssize_t i
    if number.present != ALWAYS and number.when:
        for i in range(number.count):
            set_bit(message, number.present + i, False)


cdef inline bint is_set(const Bits* flag, const uint8_t* message) noexcept nogil:
    return (load_raw(flag.load, message + flag.offset) & flag.mask) != 0


cdef void decode_flags(const Bits* flags, Py_ssize_t count, const uint8_t* message, double* row) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        row[flags[i].column] = 0.0
    for i in range(count):
        if is_set(&flags[i], message) and row[flags[i].column] < flags[i].level:
            row[flags[i].column] = flags[i].level


cdef void encode_flags(const Bits* flags, Py_ssize_t count, uint8_t* message, const double* row) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef bint known
    for i in range(count):
        if row[flags[i].column] != flags[i].level:  # so also when it is NaN
            continue
        known = False
        for k in range(count):
            if flags[k].column == flags[i].column and flags[k].level >= flags[i].level:
                known = known or is_set(&flags[k], message)
        if not known:
            store_raw(
                flags[i].load,
                message + flags[i].offset,
                <uint32_t> load_raw(flags[i].load, message + flags[i].offset) | flags[i].mask,
            )


@cython.final
cdef class Layout:
    """A message's fields and flags; the rows of the table say what each does."""

    cdef Number* numbers
    cdef Bits* flags
    cdef Py_ssize_t number_count
    cdef Py_ssize_t flag_count
    cdef readonly Py_ssize_t size
    cdef readonly Py_ssize_t columns

    def __cinit__(self, fields, flags=(), *, Py_ssize_t size, order="little"):
        if not 0 < size <= 0xFFFF or order not in ("little", "big"):
            raise ValueError("a layout has a positive size below 64 KiB and the order little or big")
        fields, flags = tuple(fields), tuple(flags)
        self.size = size
        self.numbers = <Number*> PyMem_Calloc(<size_t> len(fields) + 1, sizeof(Number))
        self.flags = <Bits*> PyMem_Calloc(<size_t> len(flags) + 1, sizeof(Bits))
        if self.numbers == NULL or self.flags == NULL:
            raise MemoryError
        for field in fields:
            self.add_number(field, order == "big")
        for flag in flags:
            self.add_flag(flag, order == "big")

    def __dealloc__(self):
        PyMem_Free(self.numbers)
        PyMem_Free(self.flags)

    cdef int add_number(self, object field, bint big) except -1:
        cdef Number* number = &self.numbers[self.number_count]
        cdef int width
        number.load = load_of(field.kind, big)
        width = width_of(number.load)
        number.column, number.offset, number.count = field.column, field.offset, field.count
        number.stride = field.stride or width
        if not (1 <= number.count <= self.size and width <= number.stride <= self.size):
            raise ValueError(f"{field}: elements overlap, are none or too many")
        number.shift = field.shift
        set_scale(number, field.scale)
        number.present = ALWAYS
        if field.present is not None:
            if field.present.bit < 0:
                raise ValueError(f"{field}: no such bit")
            number.present, number.when = 8 * field.present.offset + field.present.bit, field.present.when
            self.check_extent(field, field.present.offset, (field.present.bit + number.count - 1) // 8 + 1)
        number.sign = UNSIGNED
        if field.sign is not None:
            number.sign = field.sign
            self.check_columns(field, number.sign, 1)
        number.has_absent = field.absent is not None
        number.absent = field.absent or 0
        if field.mask is not None:
            number.mask = checked_mask(field, width)
            number.shift_down = (field.mask & -field.mask).bit_length() - 1
        self.check_extent(field, number.offset, (number.count - 1) * number.stride + width)
        self.check_columns(field, number.column, number.count)
        self.number_count += 1
        return 0

    cdef int add_flag(self, object row, bint big) except -1:
        cdef Bits* flag = &self.flags[self.flag_count]
        flag.load = load_of(row.kind, big)
        flag.column, flag.offset, flag.level = row.column, row.offset, row.level
        flag.mask = checked_mask(row, width_of(flag.load))
        self.check_extent(row, flag.offset, width_of(flag.load))
        self.check_columns(row, flag.column, 1)
        self.flag_count += 1
        return 0

    cdef int check_extent(self, object row, Py_ssize_t offset, Py_ssize_t length) except -1:
        if offset < 0 or length < 1 or length > self.size or offset > self.size - length:
            raise ValueError(f"{row}: outside a message of {self.size} bytes")
        return 0

    cdef int check_columns(self, object row, Py_ssize_t first, Py_ssize_t count) except -1:
        if first < 0 or first > 0xFFFF:
            raise ValueError(f"{row}: no such column")
        self.columns = max(self.columns, first + count)
        return 0

    cdef int check_message(self, Py_ssize_t length, Py_ssize_t at) except -1:
        if at < 0 or length < self.size or at > length - self.size:
            raise ValueError(f"no message of {self.size} bytes at {at} in {length}")
        return 0

    def decode_into(self, message, row, Py_ssize_t at=0, /):
        """Fill the table's columns of ``row`` from the message that begins ``at`` bytes into ``message``."""
        cdef Py_buffer message_view, row_view
        cdef Py_ssize_t length, i
        cdef double* target
        cdef const uint8_t* p = open_bytes(message, &message_view, &length)
        try:
            self.check_message(length, at)
            target = open_row(row, &row_view, self.columns, True)
            for i in range(self.number_count):
                decode_number(&self.numbers[i], p + at, target)
            decode_flags(self.flags, self.flag_count, p + at, target)
            PyBuffer_Release(&row_view)
        finally:
            PyBuffer_Release(&message_view)

    def encode_into(self, message, row, Py_ssize_t at=0, /):
        """Write the table's fields into a writable ``message`` from ``row``; other bytes stay as they are."""
        cdef Py_buffer message_view, row_view
        cdef Py_ssize_t i
        cdef uint8_t* p
        cdef double* values
        PyObject_GetBuffer(message, &message_view, PyBUF_WRITABLE)
        try:
            self.check_message(message_view.len, at)
            p = <uint8_t*> message_view.buf + at
            values = open_row(row, &row_view, self.columns, False)
            for i in range(self.number_count):  # before any is set: fields may share a mask
                clear_presence(&self.numbers[i], p)
            for i in range(self.number_count):
                encode_number(&self.numbers[i], p, values)
            encode_flags(self.flags, self.flag_count, p, values)
            PyBuffer_Release(&row_view)
        finally:
            PyBuffer_Release(&message_view)

    def encode_from(self, row, /):
        """A new message of ``size`` bytes, 0 where the table has nothing."""
        message = bytearray(self.size)
        self.encode_into(message, row)
        return message


cdef Load load_of(object kind, bint big) except *:
    kinds = {
        "u8": (U8, U8), "i8": (I8, I8), "u16": (U16LE, U16BE), "i16": (I16LE, I16BE),
        "u32": (U32LE, U32BE), "i32": (I32LE, I32BE),
    }
    if kind not in kinds:
        raise ValueError(f"kind {kind!r} is none of {', '.join(kinds)}")
    return <Load> <int> kinds[kind][big]


cdef uint32_t checked_mask(object row, int width) except 0:
    if row.mask <= 0 or row.mask >> 8 * width:
        raise ValueError(f"{row}: the mask does not fit its kind")
    return row.mask


cdef int set_scale(Number* number, double scale) except -1:
    if scale == 0 or not isfinite(scale) or not isfinite(number.shift):
        raise ValueError("a scale is finite and not 0, a shift is finite")
    cdef double inverse = rint(1.0 / scale)
    number.divides = fabs(scale) < 1.0 and fabs(inverse * scale - 1.0) < 1e-9
    number.factor = inverse if number.divides else scale
    return 0
