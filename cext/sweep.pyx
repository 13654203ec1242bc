"""Ask one pack after another in one call: write, sleep, read, keep silence, while every answer has its usual length.

Between the packs no Python runs: what a thread that has slept must load again into the processor's caches is a page of
machine code instead of an interpreter. Nothing is judged here; that is for whoever called.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from libc.math cimport INFINITY
from posix.time cimport CLOCK_MONOTONIC, TIMER_ABSTIME, clock_gettime, clock_nanosleep, timespec
from posix.unistd cimport read, write

cdef enum:
    MOST = 32  # requests in a call
    ROOM = 1024  # bytes that are kept of an answer
    LOOKS = 3  # at an answer, before it is one that somebody must wait for with care
    GLITCH = 4  # bytes that a driver letting go of the line may leave

SWEEP_MOST = MOST
SWEEP_ROOM = ROOM
SWEEP_LOOKS = LOOKS


cdef struct Heard:
    double asked
    double taken
    int looks
    int error
    Py_ssize_t size
    char data[ROOM]


cdef struct Plan:
    int descriptor
    double look
    double step
    double silence
    double until
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


cdef int write_all(int descriptor, const char* data, Py_ssize_t size) noexcept nogil:
    """Write every byte, whatever signals come between; 0, or the error of a port that takes no more."""
    cdef Py_ssize_t done = 0
    cdef Py_ssize_t taken
    while done < size:
        taken = write(descriptor, data + done, <size_t> (size - done))
        if taken > 0:
            done += taken
        elif taken == 0 or errno != EINTR:
            return EAGAIN if taken == 0 else errno
    return 0


cdef int look_at(const Plan* plan, Heard* heard) noexcept nogil:
    """Read what is there; 0, or the error of a port that has failed."""
    cdef Py_ssize_t got = read(plan.descriptor, heard.data + heard.size, <size_t> (ROOM - heard.size))
    heard.taken = monotonic()
    heard.looks += 1
    if got > 0:
        heard.size += got
    return errno if got < 0 and errno != EAGAIN and errno != EINTR else 0


cdef bint ask(const Plan* plan, Py_ssize_t i, Heard* heard) noexcept nogil:
    """Ask once and take the answer; whether it has its usual length."""
    cdef double look
    heard.asked = heard.taken = monotonic()
    heard.size = heard.looks = 0
    heard.error = write_all(plan.descriptor, plan.requests[i], plan.sizes[i])
    if heard.error:
        return False
    heard.asked = monotonic()  # the thread may have lost its turn meanwhile
    look = heard.asked + plan.look
    while heard.looks < LOOKS and heard.size < plan.shortest and not heard.error:
        sleep_until(look + heard.looks * plan.step)
        heard.error = look_at(plan, heard)
    return not heard.error and plan.shortest <= heard.size <= plan.longest


cdef bint keep_silence(const Plan* plan, Heard* heard) noexcept nogil:
    """Wait behind an answer; what else has come belongs to it. Whether it still has a usual length."""
    cdef Py_ssize_t before = heard.size
    cdef int looks = heard.looks
    sleep_until(heard.taken + plan.silence)
    cdef double taken = heard.taken
    heard.error = look_at(plan, heard)
    heard.looks = looks
    if heard.size - before > GLITCH:
        sleep_until(heard.taken + plan.silence)
    else:
        heard.taken = taken
    return not heard.error and heard.size <= plan.longest


cdef Py_ssize_t run(const Plan* plan, Heard* heard) noexcept nogil:
    """Ask all of ``plan``, or up to the first whose answer is not as usual or would come late; how many were asked."""
    cdef Py_ssize_t i
    for i in range(plan.count):
        if i > 0 and heard[i - 1].taken + plan.silence + plan.look > plan.until:
            return i
        if i > 0 and not keep_silence(plan, &heard[i - 1]):
            return i
        if not ask(plan, i, &heard[i]):
            return i + 1
    return plan.count


def sweep(
    int descriptor,
    list requests not None,
    double look,
    double step,
    double silence,
    Py_ssize_t shortest,
    Py_ssize_t longest,
    double until=INFINITY,
    /,
):
    """For each request in turn: write it, sleep, read what is there, keep silence; end at the first surprise.

    Behind the first, no request is written whose answer would be there later than ``until`` (monotonic s).
    """
    cdef Plan plan
    cdef Heard heard[MOST]
    cdef Py_ssize_t i, asked
    cdef tuple kept = tuple(requests)  # nobody can free them meanwhile
    if len(kept) > MOST:
        raise ValueError(f"a sweep has at most {MOST} requests")
    if not (0.0 <= look <= 10.0 and 0.0 <= step <= 10.0 and 0.0 <= silence <= 10.0):
        raise ValueError("pauses in a sweep are 0 to 10 s")
    plan.descriptor, plan.count = descriptor, len(kept)
    plan.look, plan.step, plan.silence, plan.until = look, step, silence, until
    plan.shortest, plan.longest = max(shortest, 1), longest
    for i in range(plan.count):
        request = <bytes?> kept[i]
        plan.requests[i], plan.sizes[i] = PyBytes_AS_STRING(request), PyBytes_GET_SIZE(request)
    with nogil:
        asked = run(&plan, heard)
    return [
        (
            heard[i].asked,
            heard[i].taken,
            heard[i].looks,
            heard[i].error,
            PyBytes_FromStringAndSize(heard[i].data, heard[i].size),
        )
        for i in range(asked)
    ]
