"""Where the sources' threads put rows and the main loop takes the matrix: one lock, copies on both sides.

Some rows have no pack at the start: they are for packs that a host announces later. Its source gives such a row to a
pack with :meth:`Store.settle`.
"""

from __future__ import annotations

from collections.abc import Collection
from math import nan
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from packbank.bms.protocol import Row
from packbank.config.model import HostPacks
from packbank.model.columns import empty_matrix
from packbank.model.identity import Identity, Place


class Store:
    """The matrix shared between threads; rows are in the order of ``Config.packs``."""

    def __init__(self, packs: int, remote: Collection[int] = ()) -> None:
        """``remote`` are the rows that other hosts send: where an earlier row has its serial number, none is given."""
        self._lock = Lock()
        self._remote = sorted(remote)
        self._twins: dict[int, int] = {}  # of a remote row: the earlier row of the same pack
        self._matrix = empty_matrix(packs)
        self._identities = [Identity()] * packs
        self._settled: dict[int, Place] = {}
        self.announced: dict[str, HostPacks] = {}  # by host: all that it has announced since the start
        self._next_read = nan

    @property
    def next_read(self) -> float:
        """When the reader has said that it reads next (monotonic s); NaN when it has not said."""
        return self._next_read

    def put(self, index: int, row: Row, identity: Identity) -> None:
        """Replace pack ``index`` by a copy of ``row``."""
        with self._lock:
            self._matrix[index] = row
            known, self._identities[index] = self._identities[index], identity
            if self._remote and known.serial != identity.serial:
                self._twins = self._find_twins()

    def settle(self, index: int, place: Place) -> None:
        """Row ``index``, which had no pack, is that of the pack at ``place`` from now on."""
        with self._lock:
            self._settled[index] = place

    def take_settled(self) -> dict[int, Place]:
        """The rows that were given to packs since the last call, and where these are."""
        with self._lock:
            settled, self._settled = self._settled, {}
            return settled

    def twin(self, index: int) -> int | None:
        """The earlier row of the same pack as the remote row ``index``, by its serial number; ``None`` without one."""
        with self._lock:
            return self._twins.get(index)

    def forget(self, index: int) -> None:
        """Let nothing be known of pack ``index``, as before its first answer."""
        with self._lock:
            self._matrix[index] = nan
            self._identities[index] = Identity()

    def snapshot(self, next_read: float = nan) -> tuple[NDArray[np.float64], tuple[Identity, ...]]:
        """A consistent copy of all packs: matrix of shape ``(packs, COLUMNS)`` and their identities.

        ``next_read`` is when the caller will read next: a source may hand over together what it has by then.
        """
        self._next_read = next_read
        with self._lock:
            matrix = self._matrix.copy()
            if self._twins:  # one pack must not count twice, not for a second
                matrix[list(self._twins)] = nan
            return matrix, tuple(self._identities)

    def _find_twins(self) -> dict[int, int]:
        first: dict[str, int] = {}
        for index, identity in enumerate(self._identities):
            first.setdefault(identity.serial, index)
        serials = ((index, self._identities[index].serial) for index in self._remote)
        return {index: first[serial] for index, serial in serials if serial and first[serial] != index}
