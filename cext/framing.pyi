"""JK PB on RS485: cut frames, requests and acknowledgements out of whatever the line brings."""

from typing import Literal, NamedTuple, final

from typing_extensions import Buffer

FRAME_SIZE: int  # 300 bytes, 55 AA EB 90 ... sum8
REQUEST_SIZE: int  # 11 bytes
ACK_SIZE: int  # 8 bytes
ACK_REACH: int  # bytes of noise that may stand between a frame and its acknowledgement

class Unit(NamedTuple):
    """Something found in the stream; ``start`` is the position of its first byte since the stream began."""

    kind: Literal["frame", "bad", "request", "ack"]  # bad: has the mark and 300 bytes, but not their sum
    start: int
    data: bytes

@final
class Scanner:
    """Finds units in a stream of bytes, in any chunks.

    Noise between units is passed over. A frame whose sum is wrong is reported once and then searched from its second
    byte on, since it may be a truncated frame with others behind it. At most 300 bytes are held back.
    """

    held: int  # bytes kept because they may begin a unit
    position: int  # bytes taken since the stream began

    def __init__(self, position: int = 0) -> None:
        """``position`` counts the bytes that came before."""

    def feed(self, data: Buffer, /) -> list[Unit]:
        """The units that are complete with ``data``, in the order of the stream. Never raises on content."""

    def flush(self) -> list[Unit]:
        """The line went silent: give up what is incomplete; the units that were hidden in it.

        A truncated frame is reported as ``bad`` with the bytes there are.
        """

def request(address: int, register: int, /) -> bytes:
    """The 11 bytes that make ``address`` send the frame of ``register``, 0x161C, 0x161E or 0x1620."""

def acknowledgement(address: int, register: int, /) -> bytes:
    """The 8 bytes with which ``address`` ends its answer to ``register``."""

def seal(frame: bytearray, /) -> None:
    """Write the sum into the last of the 300 bytes of ``frame``."""

def find_answer(data: Buffer, address: int, register: int, kind: int, /) -> int:
    """Where in ``data`` the frame of type ``kind`` begins that ``address`` acknowledges for ``register``; -1 without.

    Checks mark, type, sum, and the acknowledgement behind any noise: its CRC, address and register.
    """
