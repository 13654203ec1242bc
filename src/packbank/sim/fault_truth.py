"""What simulated packs meant to say, and whether a row in the store is exactly that. For packs of every family."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from packbank.bms import registry
from packbank.bms.protocol import Row
from packbank.model.columns import CELLS, COLUMNS, Column
from packbank.model.identity import Identity
from packbank.sim.responder import Burst
from packbank.sources.serial.replay import requests_of
from packbank.sources.store import Store

REMEMBERED = 64  # answers of a pack to a question that a row may be compared with
STAMPS = [Column.STATUS_TIME, Column.SETTINGS_TIME]  # which no pack sends


class Truth:
    """What the packs of one bus meant to say (an :data:`~packbank.sim.wire.Observer` of the wire)."""

    def __init__(self, family: str) -> None:
        self._protocol = registry.protocol(family)
        self._asked = requests_of(self._protocol)
        self._meant: dict[tuple[int, str], deque[bytes]] = {}
        self._fills: dict[str, NDArray[np.bool_]] = {}  # the columns that answers to a question were seen to fill

    def __call__(self, _now: float, address: int, asked: bytes, bursts: list[Burst]) -> None:
        """Remember an answer."""
        if asked not in self._asked:
            return  # another master's question
        question = self._asked[asked].question
        exchange = self._protocol.exchange(question, address)
        if exchange.feed(b"".join(burst.data for burst in bursts)) or exchange.feed(b""):
            meant = self._meant.setdefault((address, question), deque(maxlen=REMEMBERED))
            meant.append(exchange.answer)
            before = np.full(COLUMNS, np.nan)
            before[Column.CELL_COUNT] = CELLS  # some quantities of a pack are known with that of its cells only
            said = self._decoded(address, question, exchange.answer, before)
            filled = ~np.isnan(said) & (said != before)
            self._fills[question] = self._fills.get(question, False) | filled

    def has_sent(self, address: int, row: Row) -> bool:
        """Whether all values of ``row`` are, to the last bit, what that pack has sent once, each answer as a whole.

        Where two answers have a quantity, either may be the one that counts.
        """
        explained = np.zeros(COLUMNS, dtype=np.bool_)
        for question in reversed([one for questions in self._protocol.questions.values() for one in questions]):
            columns = self._fills.get(question, explained) & ~explained
            if columns.any() and self._explains(address, question, row, columns):
                explained |= columns
        known = ~np.isnan(row)
        known[STAMPS] = False
        return not (known & ~explained).any()

    def _explains(self, address: int, question: str, row: Row, columns: NDArray[np.bool_]) -> bool:
        answers = self._meant.get((address, question), ())
        return any(
            np.array_equal(self._decoded(address, question, answer, row)[columns], row[columns], equal_nan=True)
            for answer in reversed(tuple(answers))
        )

    def _decoded(self, address: int, question: str, answer: bytes, row: Row) -> Row:
        """The answer alone; where it depends on the number of cells, with that of the row."""
        said = np.full(COLUMNS, np.nan)
        said[Column.CELL_COUNT] = row[Column.CELL_COUNT]
        self._protocol.decode(address, question, answer, said, Identity())
        return said


class CheckedStore(Store):
    """A store that compares every row with the truth, and measures the packs' ages."""

    def __init__(self, truth: Truth, addresses: range) -> None:
        super().__init__(len(addresses))
        self.truth = truth
        self.wrong = 0
        self.last = np.full(len(addresses), np.nan)  # when each pack's status arrived
        self.oldest = np.zeros(len(addresses))
        self.healed = np.inf
        self.recovered = np.full(len(addresses), np.inf)  # when each pack's first status after that arrived
        self._addresses = addresses

    def put(self, index: int, row: Row, identity: Identity) -> None:
        """As :meth:`Store.put`."""
        address = self._addresses[index]
        known = identity.serial in ("", serial_of(address))
        self.wrong += not (known and self.truth.has_sent(address, row))
        now = row[Column.STATUS_TIME]
        self.note_ages(index, now)
        self.last[index] = now
        if now > self.healed:
            self.recovered[index] = min(self.recovered[index], now)
        super().put(index, row, identity)

    def note_ages(self, which: int | slice, now: float) -> None:
        """Remember how old the status of packs has become by ``now``."""
        self.oldest[which] = np.fmax(self.oldest[which], now - self.last[which])


def serial_of(address: int) -> str:
    """The serial number of a pack in these cases."""
    return f"FAULT{address:06d}"
