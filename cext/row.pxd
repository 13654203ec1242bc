"""The numbers behind a row of the matrix; inline, for the kernels."""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)


cdef inline double* open_row(object row, Py_buffer* view, Py_ssize_t columns, bint writable) except NULL:
    """The numbers of a float64 vector with at least ``columns`` of them; the caller ends with ``PyBuffer_Release``."""
    cdef int wanted = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT
    PyObject_GetBuffer(row, view, wanted | PyBUF_WRITABLE if writable else wanted)
    if view.ndim != 1 or view.itemsize != 8 or view.format == NULL or view.format[0] != c"d" or view.format[1] != 0:
        PyBuffer_Release(view)
        raise ValueError("a row is a vector of float64")
    if view.shape[0] < columns:
        PyBuffer_Release(view)
        raise ValueError(f"a row of at least {columns} columns is needed")
    return <double*> view.buf
