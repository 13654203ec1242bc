"""The store between the sources' threads and the main loop."""

from __future__ import annotations

from math import isnan

import numpy as np

from packbank.model.columns import COLUMNS, Column
from packbank.model.identity import Identity
from packbank.sources.store import Store


def test_what_is_put_is_in_the_next_snapshot_and_both_sides_keep_copies() -> None:
    store, row = Store(2), np.full(COLUMNS, 3.0)
    store.put(1, row, Identity(serial="SN1"))
    row[:] = 4.0
    matrix, identities = store.snapshot()
    matrix[:] = 5.0
    again, _ = store.snapshot()
    assert isnan(again[0, Column.VOLTAGE])
    assert again[1, Column.VOLTAGE] == 3.0
    assert [identity.serial for identity in identities] == ["", "SN1"]


def test_the_next_read_is_what_the_reader_said_last() -> None:
    store = Store(1)
    assert isnan(store.next_read)
    store.snapshot(12.5)
    assert store.next_read == 12.5
    store.snapshot()
    assert isnan(store.next_read), "a reader that does not say when it comes again is not waited for"
