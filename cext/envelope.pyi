"""The envelope of YD/T 1363: ``~ VER ADR CID1 CODE LENGTH INFO CHKSUM CR``, two hexadecimal digits a byte."""

HEADER: int  # bytes of an opened frame before INFO: VER, ADR, CID1, CODE

def seal(version: int, address: int, cid1: int, code: int, info: bytes, /) -> bytes:
    """The frame that carries ``info``; ValueError when something does not fit into it."""

def frame_size(data: bytes, most: int = 4095, /) -> int:
    """The size of the frame that ``data`` begins with; 0: too few bytes to know; -1: it begins with none.

    None is also what would have more than ``most`` digits of INFO.
    """

def open_frame(frame: bytes, /) -> bytes:
    """VER, ADR, CID1, CODE and INFO as bytes; ValueError says what is wrong with a frame."""
