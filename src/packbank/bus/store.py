"""Where the buses' threads put rows and the main loop takes the matrix: one lock, copies on both sides."""

from __future__ import annotations

from threading import Lock

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.columns import empty_matrix
from packbank.bms.protocol import Identity, Row


class Store:
    """The matrix shared between threads; rows are in the order of ``Config.packs``."""

    def __init__(self, packs: int) -> None:
        self._lock = Lock()
        self._matrix = empty_matrix(packs)
        self._identities = [Identity()] * packs

    def put(self, index: int, row: Row, identity: Identity) -> None:
        """Replace pack ``index`` by a copy of ``row``."""
        with self._lock:
            self._matrix[index] = row
            self._identities[index] = identity

    def snapshot(self) -> tuple[NDArray[np.float64], tuple[Identity, ...]]:
        """A consistent copy of all packs: matrix of shape ``(packs, COLUMNS)`` and their identities."""
        with self._lock:
            return self._matrix.copy(), tuple(self._identities)
