"""Middle values of some numbers, none of them ``NaN``; inline, for the kernels. The numbers change places."""

from libc.math cimport NAN, fmax


cdef inline double of_rank(double* values, Py_ssize_t count, Py_ssize_t rank) noexcept nogil:
    """The value of that ``rank`` in ascending order, from 0; no larger ones are before it then, no smaller ones behind.

    Quickselect: parts the numbers at one of them, and goes on in the part that has the rank.
    """
    cdef Py_ssize_t low = 0, high = count - 1, i, j
    cdef double pivot, kept
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                kept = values[i]
                values[i] = values[j]
                values[j] = kept
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return values[rank]


cdef inline double median(double* values, Py_ssize_t count) noexcept nogil:
    """The middle one, or the mean of the two in the middle; ``NaN`` of none."""
    cdef Py_ssize_t i, middle = count // 2
    cdef double upper, lower
    if count == 0:
        return NAN
    upper = of_rank(values, count, middle)
    if count % 2 == 1:
        return upper
    lower = values[0]
    for i in range(1, middle):
        lower = fmax(lower, values[i])
    return 0.5 * (lower + upper)
