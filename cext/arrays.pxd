"""The numbers and masks behind numpy's arrays, for the kernels of the aggregator."""

cdef enum:
    MOST = 16  # arrays that one kernel takes


cdef class Arrays:
    cdef Py_buffer views[MOST]
    cdef int count
    cdef Py_ssize_t packs  # that the first array is of

    cdef double* numbers(self, object array, Py_ssize_t rows=*, bint writable=*) except NULL
    cdef unsigned char* mask(self, object array, Py_ssize_t rows=*, bint writable=*) except NULL
    cdef signed char* codes(self, object array, Py_ssize_t rows=*, bint writable=*) except NULL
    cdef void* opened(
        self, object array, Py_ssize_t rows, bint writable, char kind, Py_ssize_t itemsize
    ) except NULL
