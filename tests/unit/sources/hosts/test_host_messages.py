"""Messages between hosts: what is encoded comes back, and nothing else is taken."""

from __future__ import annotations

import json
from operator import itemgetter
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_rows import healthy
from packbank.model.columns import COLUMNS, Alarm, Column
from packbank.model.identity import Identity
from packbank.sources.hosts import decode, wire
from packbank.sources.hosts.wire import (
    NAMES,
    SETTINGS,
    STATUS,
    Announcement,
    PackInfo,
    State,
    Topics,
    WireError,
    encode_rows,
)

BOOT = "0123456789abcdef"
DECODERS = (decode.state, decode.packs, decode.rows, decode.look)
TOPICS = Topics("home", "room2")


def rows_message(**changes: Any) -> bytes:
    message = {"boot": BOOT, "seq": 1, "t": 5000, "columns": ["voltage", "current"], "rows": [[1, 20, 52.8, -3.5]]}
    return json.dumps(message | changes).encode()


def test_every_column_has_a_name_of_its_own_and_travels_one_way() -> None:
    assert len(set(NAMES)) == len(NAMES) == COLUMNS
    neither = {NAMES[column] for column in np.flatnonzero(~(STATUS | SETTINGS))}
    assert neither == {"status_time", "settings_time"}
    assert STATUS[Alarm.LOW_SOC.column]
    assert STATUS[Column.CHARGE_CURRENT_LIMIT]
    assert not (STATUS & SETTINGS).any()


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 10**6)), max_size=4, unique_by=itemgetter(0)), st.randoms()
)
def test_rows_come_back_to_the_last_digit_without_what_is_not_known(
    packs: list[tuple[int, int]], random: Random
) -> None:
    values = [random.choice([np.nan, 0.0, round(random.uniform(-1e6, 1e6), 6)]) for _ in range(len(packs) * COLUMNS)]
    matrix = np.array(values).reshape(len(packs), COLUMNS)
    text = encode_rows(BOOT, 7, 2_000_000, packs, matrix, {"rounds": 3})
    assert "NaN" not in text
    rows = decode.rows(text.encode())
    assert (rows.boot, rows.seq, rows.sent, rows.report) == (BOOT, 7, 2_000_000, {"rounds": 3})
    for pack, (address, age), row in zip(rows.packs, packs, matrix, strict=True):
        assert (pack.address, pack.measured) == (address, 2_000_000 - age)
        np.testing.assert_array_equal(pack.row, np.where(STATUS, row, np.nan))


def test_settings_and_identity_come_back() -> None:
    row = healthy(1)[0]
    identity = Identity(model="JK_PB2A16S20P", serial="4022", manufactured="2024-02-12", power_on_count=7)
    announcement = Announcement(BOOT, (PackInfo(3, identity, wire.settings_of(row), 1234), PackInfo(4)), listed=False)
    assert decode.packs(announcement.encode().encode()) == announcement
    np.testing.assert_array_equal(
        wire.row_of(announcement.packs[0].settings)[SETTINGS], np.round(row[SETTINGS], wire.DIGITS)
    )
    state = State(BOOT, True, "packbank 1", ("bus1", "north"))
    assert decode.state(state.encode().encode()) == state


def test_what_a_newer_sender_adds_is_passed_over() -> None:
    message = rows_message(columns=["voltage", "colour"], rows=[[1, 0, 52.0, 7]], weather="fine")
    assert decode.rows(message).packs[0].row[Column.VOLTAGE] == 52.0
    assert np.count_nonzero(~np.isnan(decode.rows(message).packs[0].row)) == 1


def test_a_row_cannot_fill_what_is_stamped_here_or_is_a_setting() -> None:
    message = rows_message(columns=["status_time", "charge_otp"], rows=[[1, 0, 52.0, 7]])
    assert np.isnan(decode.rows(message).packs[0].row).all()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "json"),
        (b"\xff\xfe\x00", "json"),
        (b"[" * 100_000, "json"),
        (b"[1]", "message"),
        (b" " * (wire.LARGEST + 1), "large"),
        (rows_message(boot="X" * 16), "message"),
        (rows_message(boot=None), "message"),
        (rows_message(seq=-1), "message"),
        (rows_message(seq=True), "message"),
        (rows_message(t=1.5), "message"),
        (rows_message(t=10**30), "message"),
        (rows_message(columns=["voltage"]), "message"),
        (rows_message(columns=["voltage", "voltage"]), "message"),
        (rows_message(columns=[[], {}]), "message"),
        (rows_message(rows=[[1, 20, "52.8", 1.0]]), "message"),
        (rows_message(rows=[[1, 20, True, 1.0]]), "message"),
        (rows_message(rows=[[1, 20, float("inf"), 1.0]]), "message"),
        (rows_message(rows=[[1, 20, 10**400, 1.0]]), "message"),
        (rows_message(rows=[[1, -20, 52.8, 1.0]]), "message"),
        (rows_message(rows=[[None, 20, 52.8, 1.0]]), "message"),
        (rows_message(rows=[[256, 20, 52.8, 1.0]]), "message"),
        (rows_message(rows=[[1, 20, 52.8, 1.0]] * 2), "message"),
        (rows_message(rows=[[1, 20, [52.8], 1.0]]), "message"),
        (rows_message(rows=[[address, 0, 1.0, 1.0] for address in range(257)]), "message"),
    ],
)
def test_what_is_no_message_is_refused_with_a_word_for_it(payload: bytes, reason: str) -> None:
    with pytest.raises(WireError) as error:
        decode.rows(payload)
    assert error.value.reason == reason
    assert len(str(error.value)) < 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["boot", "up", "buses", "program", "packs", "identity", "settings", "read", "address", "seq", "t", "columns",
     "rows", "report", "serial", "cell_ovp"]
)  # fmt: skip
OBJECTS = st.dictionaries(
    KEYS, st.just(BOOT) | JSON | st.dictionaries(KEYS, JSON) | st.lists(st.dictionaries(KEYS, JSON))
)


@settings(max_examples=60)
@given(st.binary(max_size=200) | OBJECTS.map(lambda message: json.dumps(message).encode()))
def test_whatever_comes_is_decoded_or_refused(payload: bytes) -> None:
    for read in DECODERS:
        try:
            read(payload)
        except WireError:
            continue


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("seq", "t", "columns", "rows", "report"), JSON)))
def test_a_row_that_is_accepted_has_numbers_only(changes: dict[str, Any]) -> None:
    try:
        rows = decode.rows(rows_message(**changes))
    except WireError:
        return
    for pack in rows.packs:
        assert 0 <= pack.address < wire.PACKS
        assert not np.isinf(pack.row).any()


def test_topics_are_parsed_to_what_they_were_made_of() -> None:
    assert TOPICS.parse(TOPICS.state) == ("state", "")
    assert TOPICS.parse(TOPICS.packs("bus1")) == ("packs", "bus1")
    assert TOPICS.parse(TOPICS.rows("bus1")) == ("bus", "bus1")
    for foreign in (
        "packbank/2/home/room2/state",
        "packbank/1/home/room22/state",
        "packbank/1/home/room2/bus/",
        "packbank/1/home/room2/bus/a/b",
        "packbank/1/home/room2/bus/A B",
        "packbank/1/home/room2/state/x",
        "state",
        "",
    ):
        assert TOPICS.parse(foreign) == ("", "")
