"""Ask one pack after another in one call: write, sleep, read, while every answer is about as long as usual."""

SWEEP_MOST: int  # requests in a call
SWEEP_ROOM: int  # bytes kept of an answer

def sweep(
    descriptor: int, requests: list[bytes], look: float, pause: float, shortest: int, longest: int, /
) -> list[tuple[float, float, bytes]]:
    """For each request in turn: write it to ``descriptor``, sleep ``pause`` seconds, read once what is there.

    The descriptor must not block. The first answer is already read ``look`` seconds after its request, and the rest of
    ``pause`` is slept afterwards.

    Returns ``(asked, taken, data)`` for each request written: times of ``time.monotonic``, after the write and after
    the read, and the bytes. It ends after the first answer that has not ``shortest`` to ``longest`` bytes, which is the
    last returned: more bytes of it may come, and none at all also stands for a port that failed, which the next read
    or write tells. Holds no lock of the interpreter meanwhile. Raises ValueError for more than ``SWEEP_MOST`` requests
    or pauses over 10 s.
    """
