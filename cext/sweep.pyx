"""Ask one pack after another in one call: write, sleep, read, and on while every answer is about as long as usual.

Between the packs no Python runs, and what a thread that has slept must load again into the processor's caches is a
page of machine code instead of an interpreter. Nothing is judged here; that is for whoever called.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EINTR
from posix.time cimport CLOCK_MONOTONIC, TIMER_ABSTIME, clock_gettime, clock_nanosleep, timespec
from posix.unistd cimport read, write

cdef enum:
    MOST = 32  # requests in a call
    ROOM = 1024  # bytes that are kept of an answer

SWEEP_MOST = MOST
SWEEP_ROOM = ROOM


cdef struct Heard:
    double asked
    double taken
    Py_ssize_t size
    char data[ROOM]


cdef struct Plan:
    int descriptor
    double look
    double pause
    Py_ssize_t shortest
    Py_ssize_t longest
    Py_ssize_t count
    const char* requests[MOST]
    Py_ssize_t sizes[MOST]


cdef double monotonic() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <double> now.tv_sec + <double> now.tv_nsec * 1e-9


cdef void sleep_until(double when) noexcept nogil:
    cdef timespec until
    until.tv_sec = <long> when
    until.tv_nsec = <long> ((when - <double> until.tv_sec) * 1e9)
    while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR:
        pass


cdef Py_ssize_t run(const Plan* plan, Heard* heard) noexcept nogil:
    """Ask all of ``plan``, or up to the first whose answer is not as usual; how many were asked."""
    cdef Py_ssize_t i
    for i in range(plan.count):
        heard[i].asked = monotonic()
        heard[i].taken = heard[i].asked
        heard[i].size = 0
        if write(plan.descriptor, plan.requests[i], <size_t> plan.sizes[i]) != plan.sizes[i]:
            return i + 1
        heard[i].asked = monotonic()  # the thread may have lost its turn meanwhile
        sleep_until(heard[i].asked + (plan.look if i == 0 else plan.pause))
        heard[i].size = read(plan.descriptor, heard[i].data, ROOM)
        heard[i].taken = monotonic()
        if not plan.shortest <= heard[i].size <= plan.longest:
            return i + 1
        if i == 0:
            sleep_until(heard[i].asked + plan.pause)
    return plan.count


def sweep(
    int descriptor, list requests not None, double look, double pause, Py_ssize_t shortest, Py_ssize_t longest, /
):
    """For each request in turn: write it, sleep, read what is there; end at the first surprise."""
    cdef Plan plan
    cdef Heard heard[MOST]
    cdef Py_ssize_t i, asked
    cdef tuple kept = tuple(requests)  # nobody can free them meanwhile
    if len(kept) > MOST or not 0.0 <= look <= pause <= 10.0:
        raise ValueError(f"a sweep has at most {MOST} requests and pauses of at most 10 s")
    plan.descriptor, plan.count = descriptor, len(kept)
    plan.look, plan.pause, plan.shortest, plan.longest = look, pause, shortest, longest
    for i in range(plan.count):
        request = <bytes?> kept[i]
        plan.requests[i], plan.sizes[i] = PyBytes_AS_STRING(request), PyBytes_GET_SIZE(request)
    with nogil:
        asked = run(&plan, heard)
    return [
        (heard[i].asked, heard[i].taken, PyBytes_FromStringAndSize(heard[i].data, max(heard[i].size, 0)))
        for i in range(asked)
    ]
