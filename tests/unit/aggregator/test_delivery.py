"""What flows beyond a limit that is followed, by the packs' own sensors."""

from __future__ import annotations

import pytest

from packbank.aggregator.delivery import MOST, Delivery
from packbank.model.battery import Limit


def follow(delivery: Delivery, ratio: float, seconds: int, limit: float = 1000.0, ceilings: float = 1600.0) -> float:
    """The published limit after chargers have followed it for so long, with ``ratio`` of it seen to flow."""
    published = limit
    for _ in range(seconds):
        published = delivery.step(Limit(limit), ratio * published, ceilings, 1.0).value
    return published


def test_chargers_that_give_some_per_cent_more_by_the_packs_sensors_get_a_limit_that_fits() -> None:
    assert 1.02 * follow(Delivery(), 1.02, 90) == pytest.approx(1000.0, rel=0.001)


def test_what_chargers_give_less_or_without_heed_or_of_little_changes_nothing() -> None:
    assert follow(Delivery(), 0.97, 90) == 1000.0
    assert follow(Delivery(), MOST + 0.01, 90) == 1000.0
    assert follow(Delivery(), 1.02, 90, limit=100.0) == 100.0


def test_a_current_on_its_way_shows_nothing() -> None:
    delivery = Delivery()
    for second in range(60):  # the limit falls by 2 % a second, and the current with it
        limit = 1000.0 * 0.98**second
        assert delivery.step(Limit(limit), limit / 0.98, 1600.0, 1.0).value == limit


def test_sensors_that_read_less_at_another_level_take_it_back() -> None:
    delivery = Delivery()
    follow(delivery, 1.03, 90)
    assert 1.005 * follow(delivery, 1.005, 90) == pytest.approx(1000.0, rel=0.001)
