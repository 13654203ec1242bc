"""The state messages: every quantity that Home Assistant shows, each time, and when one cannot wait."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from packbank.model.catalogue import BANK, PACK, Quantity, Rate, Value, plain
from packbank.model.snapshot import PackSnapshot, Snapshot

Source = TypeVar("Source")


def shown(table: Sequence[Quantity[Source]]) -> tuple[Quantity[Source], ...]:
    """The rows of ``table`` that are entities, and those that go along as their attributes."""
    details = {row.entity.details for row in table if row.entity and row.entity.details}
    return tuple(row for row in table if row.entity or {row.key, row.key.partition(".")[0]} & details)


BANK_STATE = shown(BANK)
PACK_STATE = shown(PACK)
_URGENT = tuple(row for row in BANK_STATE if row.entity and (row.rate is Rate.CHANGE or row.rate.limit))


def bank_state(snapshot: Snapshot) -> str:
    """The bank as JSON; what is not known is null."""
    return json.dumps(plain(BANK_STATE, snapshot), allow_nan=False)


def pack_state(pack: PackSnapshot, cells: int) -> str:
    """A pack as JSON; its lists have ``cells`` elements, as announced to Home Assistant."""
    state: dict[str, Any] = plain(PACK_STATE, pack)
    for row in PACK_STATE:
        if row.size:
            state[row.key] = (state[row.key] + [None] * cells)[:cells]
    return json.dumps(state, allow_nan=False)


class Urgency:
    """Says of each snapshot whose state cannot wait: a limit fell, an alarm, a switch or a pack's standing changed."""

    def __init__(self) -> None:
        self._bank: list[Value] = []
        self._packs: NDArray[np.float64] | None = None

    def bank(self, snapshot: Snapshot) -> bool:
        """Whether the bank's state cannot wait; compares with the last snapshot that this was asked of."""
        before, self._bank = self._bank, [row.value(snapshot) for row in _URGENT]
        return bool(before) and any(map(_urgent, _URGENT, before, self._bank))

    def packs(self, snapshot: Snapshot) -> list[int]:
        """The packs whose state cannot wait."""
        packs = snapshot.battery.packs
        standing = np.column_stack([packs.presence, packs.blocked.T, packs.alarms])
        before, self._packs = self._packs, standing
        if before is None:
            return []
        same = (before == standing) | (np.isnan(before) & np.isnan(standing))
        found: list[int] = np.flatnonzero(~same.all(axis=1)).tolist()
        return found


def _urgent(row: Quantity[Any], before: Value, now: Value) -> bool:
    if not row.rate.limit or not isinstance(before, float) or not isinstance(now, float):
        return before != now
    return now < before
