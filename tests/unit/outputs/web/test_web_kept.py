"""The page's charts and events from the history that is kept."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from packbank.outputs.web.history import BANK_SERIES, PACK_SERIES
from packbank.outputs.web.kept import KeptHistory
from packbank.outputs.web.messages import RefusedError, Request
from packbank.outputs.web.site import Site
from past import Past

HOUR = 3600.0


@pytest.fixture(scope="module")  # the tests only read it
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    past = Past(tmp_path_factory.mktemp("past"))
    past.live(30 * HOUR, 60.0)
    past.event("pack 2: lost", logging.WARNING, packs=("pack 2",))
    past.second()
    return past


def site(past: Past) -> Site:
    return Site(past.snapshot(), KeptHistory(past.history(), row=300.0, days=30))


def ask(at: Site, target: str) -> Any:
    path, _, query = target.partition("?")
    return json.loads(at.answer(Request("GET", path, query, {"host": "localhost"})).body)


def test_charts_show_the_means_of_the_bank_and_of_a_pack(past: Past) -> None:
    at = site(past)
    day = ask(at, "/api/history?hours=24")
    assert day["longest"] == 720
    assert day["period"] == 300.0
    assert set(day["values"]) == set(BANK_SERIES)
    assert 24 * 12 - 2 <= len(day["times"]) <= 24 * 12 + 61, "rows of 5 min, those of the last hour of a minute"
    assert max(np.diff(day["times"])) <= 300.0
    assert day["times"][-1] <= day["wall"]
    assert all(value is not None for value in day["values"]["lowest_cell"])
    pack = ask(at, "/api/history?hours=168&pack=2")
    assert set(pack["values"]) == set(PACK_SERIES)
    assert pack["times"][0] == pytest.approx(day["wall"] - 30 * HOUR, abs=900)
    assert all(3.0 < value < 3.6 for value in pack["values"]["highest_cell"])


def test_events_come_in_order_with_what_they_are_about(past: Past) -> None:
    (event,) = ask(site(past), "/api/events?hours=168")["events"]
    assert (event["level"], event["kind"], event["packs"], event["text"]) == (
        "warning",
        "pack",
        ["pack 2"],
        "pack 2: lost",
    )
    assert event["time"] == pytest.approx(past.wall, abs=2.0)


@pytest.mark.parametrize("target", ["/api/history?hours=10000", "/api/events?hours=0", "/api/events?pack=1"])
def test_what_means_nothing_is_refused(past: Past, target: str) -> None:
    with pytest.raises(RefusedError):
        ask(site(past), target)


def test_a_disk_that_fails_costs_the_charts_only(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    at = site(past)
    monkeypatch.setattr("packbank.outputs.history.reader.History.read", broken)
    with pytest.raises(RefusedError, match="history cannot be read") as caught:
        ask(at, "/api/history")
    assert caught.value.status == 503
    assert ask(at, "/api/snapshot")["number"] >= 0


def test_a_pack_that_came_later_has_no_samples_yet(past: Past) -> None:
    at = KeptHistory(past.history(), row=300.0, days=30)
    shown = past.snapshot()
    packs = replace(shown.battery.packs, names=("pack 1", "pack 3"))
    series = at.series(1, 24 * HOUR, replace(shown, battery=replace(shown.battery, packs=packs)))
    assert series.times.size == 0
    assert set(series.values) == set(PACK_SERIES)
