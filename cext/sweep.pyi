"""Ask one pack after another in one call, while every answer has its usual length."""

SWEEP_MOST: int  # requests in a call
SWEEP_ROOM: int  # bytes kept of an answer
SWEEP_LOOKS: int  # at an answer that is not complete

def sweep(
    descriptor: int,
    requests: list[bytes],
    look: float,
    step: float,
    silence: float,
    shortest: int,
    longest: int,
    until: float = ...,
    /,
) -> list[tuple[float, float, int, int, bytes]]:
    """For each request in turn: write it to ``descriptor``, sleep, read what is there, keep silence.

    An answer is looked at ``look`` seconds after its request was written and, while it has fewer than ``shortest``
    bytes, again every ``step`` seconds, ``SWEEP_LOOKS`` times in all. One of ``shortest`` to ``longest`` bytes is
    usual: the line is left silent for ``silence`` seconds from when it was read, and the next request is written. Any
    other answer ends the call. What comes in that silence belongs to the answer; more than a glitch makes the silence
    begin again. Behind the first, no request is written whose answer would be there later than ``until``
    (``time.monotonic``). The descriptor must not block.

    Returns ``(asked, taken, looks, error, data)`` for each request written: when it had been written and when the line
    was read last (``time.monotonic``), how often it was looked at, the errno of a port that failed, else 0, and the
    bytes. Holds no lock of the interpreter meanwhile. Raises ValueError for more than ``SWEEP_MOST`` requests or pauses
    over 10 s.
    """
