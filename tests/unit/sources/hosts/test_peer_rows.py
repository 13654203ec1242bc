"""Which rows of a sender are new, and how old they are, without a common clock."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packbank.model.columns import COLUMNS
from packbank.sources.hosts.peer import LATE, QUIET, TWO_SENDERS, Fresh, Peer
from packbank.sources.hosts.wire import PackRow, Rows, State, WireError

A, B = "a" * 16, "b" * 16
OURS = 7777.0  # s, our clock minus the sender's


def message(second: float, boot: str = A, seq: int | None = None, ages: tuple[float, ...] = (0.4,)) -> Rows:
    """What is sent at ``second`` of the sender's clock."""
    sent = round(second * 1000)
    packs = [PackRow(number + 1, sent - round(age * 1000), np.full(COLUMNS, np.nan)) for number, age in enumerate(ages)]
    return Rows(boot, sent if seq is None else seq, sent, tuple(packs))


def take(peer: Peer, second: float, delay: float = 0.01, **values: object) -> tuple[Fresh, ...]:
    return peer.take("bus1", message(second, **values), OURS + second + delay, retained=False)  # type: ignore[arg-type]


def settled(seconds: int = 4) -> Peer:
    peer = Peer()
    peer.hear(State(A, up=True))
    for second in range(seconds):
        take(peer, float(second))
    return peer


def refused(peer: Peer, second: float, **values: object) -> str:
    with pytest.raises(WireError) as error:
        take(peer, second, **values)  # type: ignore[arg-type]
    return error.value.reason


def test_an_age_is_that_of_the_row_and_of_the_way() -> None:
    peer = settled()
    (prompt,) = take(peer, 10.0, ages=(0.25,))
    assert prompt.arrived == pytest.approx(OURS + 9.75 + 0.01)
    (late,) = take(peer, 11.0, delay=3.01, ages=(0.25,))
    assert late.arrived == pytest.approx(OURS + 10.75 + 0.01)


@given(st.lists(st.floats(0.0, 30.0), min_size=5, max_size=40), st.floats(-1e5, 1e5))
def test_no_row_is_taken_for_younger_than_it_is_but_by_the_least_delay(delays: list[float], apart: float) -> None:
    peer, now, sent = Peer(), 0.0, 100.0
    peer.hear(State(A, up=True))
    for delay in delays:
        sent += 1.0
        now = max(now, sent + delay)  # one connection: messages keep their order
        with suppress(WireError):  # too late
            for one in peer.take("bus1", message(sent + apart + 2e5), now, retained=False):
                assert one.arrived - (sent - 0.4) <= max(delays) + 0.01
                assert now - LATE - 0.41 <= one.arrived <= now


def test_a_clock_that_drifts_is_followed() -> None:
    peer = settled()
    for minute in range(1, 60):
        second = 60.0 * minute
        (one,) = take(peer, second, delay=0.01 + 50e-6 * second)
        age = OURS + second + 0.01 + 50e-6 * second - one.arrived
        assert 0.4 <= age <= 0.4 + 0.04


def test_nothing_is_used_before_delays_are_known() -> None:
    peer = Peer()
    assert take(peer, 0.0) == ()  # no state yet
    peer.hear(State(A, up=True))
    assert [len(take(peer, second)) for second in (1.0, 1.1, 1.2, 1.3, 3.0)] == [0, 0, 0, 0, 1]


def test_each_row_is_given_once() -> None:
    peer = settled()
    assert len(take(peer, 5.0, ages=(0.5, 1.5))) == 2
    assert [one.pack.address for one in take(peer, 6.0, ages=(0.5, 2.5))] == [1]


def test_what_must_not_be_used_is_refused_by_name() -> None:
    peer = settled()
    with pytest.raises(WireError, match="retained"):
        peer.take("bus1", message(5.0), OURS + 5.0, retained=True)
    assert refused(peer, 5.0, boot=B) == "boot"
    assert refused(peer, 3.0) == "duplicate"
    assert refused(peer, 2.0, seq=10**6) == "duplicate"  # a higher number, but sent before
    assert refused(peer, 20.0, delay=LATE + 0.1) == "late"
    assert len(take(peer, 31.0)) == 1


def test_each_bus_counts_for_itself() -> None:
    peer = settled()
    assert len(peer.take("bus2", message(3.0), OURS + 3.01, retained=False)) == 1


def test_a_death_counts_only_for_the_boot_that_it_names() -> None:
    peer = settled()
    peer.hear(State(B, up=False))
    assert len(take(peer, 5.0)) == 1
    peer.hear(State(A, up=False))
    assert refused(peer, 6.0) == "boot"
    peer.hear(State(A, up=True))
    assert len(take(peer, 7.0)) == 1


def test_a_sender_that_starts_again_is_taken_as_soon_as_its_delays_are_known() -> None:
    peer = settled()
    peer.hear(State(B, up=True))
    peer.hear(State(A, up=False))  # the old will, after the new birth
    given_rows = [len(take(peer, second, boot=B)) for second in (10.0, 11.0, 12.0)]
    assert given_rows == [0, 0, 1]
    assert peer.trouble(OURS + 13.0) == ""


def test_of_two_senders_neither_is_used_until_one_is_alone() -> None:
    peer, used = settled(), 0
    peer.hear(State(B, up=True))
    for second in range(4, 60):
        for boot, start in ((A, 0.0), (B, 0.5)):
            used += _used(peer, second + start, boot)
    assert used == 0
    assert peer.trouble(OURS + 60.0) == TWO_SENDERS
    last = 60.0
    alone = [second for second in range(60, 120) if _used(peer, float(second))]
    assert alone[0] == pytest.approx(last + QUIET, abs=2.0)
    assert peer.trouble(OURS + 120.0) == ""


def _used(peer: Peer, second: float, boot: str = B) -> bool:
    with suppress(WireError):
        return bool(take(peer, second, boot=boot))
    return False
