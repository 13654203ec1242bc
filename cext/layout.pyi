"""A field table compiled once into C, to decode messages into rows and encode rows into messages."""

from collections.abc import Sequence
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from packbank.bms.fields import Field, Flag

@final
class Layout:
    """A message's fields and flags (:mod:`packbank.bms.fields`), which say what each does.

    ``size`` is the length of the message in bytes, ``order`` the order of bytes in every number of it.
    ValueError when a row of the table does not fit into the message or contradicts itself.
    """

    size: int
    columns: int  # a row must have at least so many

    def __init__(
        self,
        fields: Sequence[Field],
        flags: Sequence[Flag] = (),
        *,
        size: int,
        order: Literal["little", "big"] = "little",
    ) -> None: ...
    def decode_into(self, message: Buffer, row: NDArray[np.float64], at: int = 0, /) -> None:
        """Fill the table's columns of ``row`` from the message that begins ``at`` bytes into ``message``.

        ``row`` is a contiguous float64 vector of at least ``columns``; other columns stay as they are.
        ValueError when the message is shorter than ``size`` from there or the row is not such a vector.
        """

    def encode_into(self, message: bytearray, row: NDArray[np.float64], at: int = 0, /) -> None:
        """Write the table's fields into a writable ``message`` from ``row``; other bytes stay as they are."""

    def encode_from(self, row: NDArray[np.float64], /) -> bytearray:
        """A new message of ``size`` bytes, 0 where the table has nothing."""
