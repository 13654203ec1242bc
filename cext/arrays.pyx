"""The numbers and masks behind numpy's arrays, for the kernels of the aggregator."""

cimport cython
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)


@cython.final
cdef class Arrays:
    """The arrays of one call; what was opened is released with this object.

    Every array has ``rows`` elements a pack and is C-contiguous; the first one says how many packs there are.
    """

    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            PyBuffer_Release(&self.views[i])

    cdef double* numbers(self, object array, Py_ssize_t rows=1, bint writable=False) except NULL:
        return <double*> self.opened(array, rows, writable, c"d", 8)

    cdef unsigned char* mask(self, object array, Py_ssize_t rows=1, bint writable=False) except NULL:
        return <unsigned char*> self.opened(array, rows, writable, c"?", 1)

    cdef signed char* codes(self, object array, Py_ssize_t rows=1, bint writable=False) except NULL:
        return <signed char*> self.opened(array, rows, writable, c"b", 1)

    cdef void* opened(
        self, object array, Py_ssize_t rows, bint writable, char kind, Py_ssize_t itemsize
    ) except NULL:
        cdef int wanted = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT
        cdef Py_buffer* view = &self.views[self.count]
        if self.count == MOST:
            raise ValueError(f"more than {MOST} arrays")
        PyObject_GetBuffer(array, view, wanted | PyBUF_WRITABLE if writable else wanted)
        self.count += 1
        if view.itemsize != itemsize or view.format == NULL or view.format[0] != kind or view.format[1] != 0:
            raise ValueError("numbers are float64, masks are bool, codes are int8")
        if self.count == 1:
            self.packs = view.len // (itemsize * rows)
        if view.len != self.packs * rows * itemsize or self.packs == 0:
            raise ValueError("arrays of one element a pack are needed, of at least one pack")
        return view.buf
