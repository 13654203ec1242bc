"""Where the buses' threads put rows and the main loop takes the matrix: one lock, copies on both sides."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from packbank.bms.protocol import Row
from packbank.model.columns import empty_matrix
from packbank.model.identity import Identity

LOOK_PERIOD = 1.0  # s from one snapshot to the next


class Store:
    """The matrix shared between threads; rows are in the order of ``Config.packs``."""

    def __init__(self, packs: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = Lock()
        self._matrix = empty_matrix(packs)
        self._identities = [Identity()] * packs
        self._clock = clock
        self._looked = clock()

    def put(self, index: int, row: Row, identity: Identity) -> None:
        """Replace pack ``index`` by a copy of ``row``."""
        with self._lock:
            self._matrix[index] = row
            self._identities[index] = identity

    def snapshot(self) -> tuple[NDArray[np.float64], tuple[Identity, ...]]:
        """A consistent copy of all packs: matrix of shape ``(packs, COLUMNS)`` and their identities."""
        self._looked = self._clock()
        with self._lock:
            return self._matrix.copy(), tuple(self._identities)

    def next_look(self, after: float) -> float:
        """When the next snapshot is taken, not before ``after``: whatever is put by then is as good as put at once."""
        looked = self._looked  # the main loop may look meanwhile
        return looked + LOOK_PERIOD * ceil((after - looked) / LOOK_PERIOD)
