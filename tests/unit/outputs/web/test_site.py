from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import Any

import pytest

from packbank.outputs.json_lines import snapshot_dict
from packbank.outputs.web.history import Ring
from packbank.outputs.web.hosts import own_names, welcome
from packbank.outputs.web.messages import Answer, RefusedError, Request
from packbank.outputs.web.site import Site
from served import bank


def site(**changes: Any) -> Site:
    snapshot = bank(**changes)
    return Site(snapshot, Ring(len(snapshot.places)), ("gx.example",))


def ask(at: Site, target: str, method: str = "GET", **headers: str) -> Answer:
    path, _, query = target.partition("?")
    named = {"host": "localhost:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return at.answer(Request(method, path, query, named))


def refusal(at: Site, target: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    with pytest.raises(RefusedError) as caught:
        ask(at, target, method, **headers)
    return caught.value.status, str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8080",
        "localhost.",
        "127.0.0.1:80",
        "192.168.1.7",
        "[::1]:8080",
        "[fe80::1]",
        "venus.local",
    ],
)
def test_hosts_that_are_ours(host: str) -> None:
    assert welcome(host, own_names())


@pytest.mark.parametrize(
    "name", [socket.gethostname(), f"{socket.gethostname().partition('.')[0]}.local", "gx.example"]
)
def test_names_of_the_machine_and_of_the_configuration(name: str) -> None:
    assert welcome(name.upper(), own_names(["gx.example"]))


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "[::1", "::1",
     "localhost:", "localhost:80:80", "127.1", "0x7f000001", "localhost, evil.example", "a b"],
)  # fmt: skip
def test_hosts_that_are_not(host: str) -> None:
    assert not welcome(host, own_names())
    assert refusal(site(), "/", host=host)[0] == 400


def test_only_looking_is_allowed() -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "CONNECT"):
        assert refusal(site(), "/api/snapshot", method)[0] == 405


def test_other_pages_read_nothing_but_may_link_here() -> None:
    assert refusal(site(), "/events", sec_fetch_site="cross-site", sec_fetch_mode="no-cors")[0] == 403
    assert ask(site(), "/", sec_fetch_site="cross-site", sec_fetch_mode="navigate").status == 200
    assert ask(site(), "/events", sec_fetch_site="same-origin", sec_fetch_mode="cors").stream


def test_the_snapshot_is_the_documented_json_with_settings() -> None:
    at = site()
    whole = json.loads(ask(at, "/api/snapshot").body)
    assert whole == json.loads(json.dumps(snapshot_dict(at.newest, settings=True)))
    one = json.loads(ask(at, "/api/snapshot?pack=2").body)
    assert one == whole | {"packs": [whole["packs"][1]]}
    assert one["packs"][0]["settings"]["cell_ovp"] == 3.65


def test_what_many_ask_for_is_made_once_a_snapshot() -> None:
    at = site()
    targets = ("/api/snapshot", "/api/snapshot?pack=1", "/metrics", "/metrics?cells=0", "/api/history?pack=1&hours=2")
    first = [ask(at, target) for target in targets]
    assert all(ask(at, target) is answer for target, answer in zip(targets, first, strict=True))
    at.give(replace(at.newest, number=at.newest.number + 1))
    assert not any(ask(at, target) is answer for target, answer in zip(targets, first, strict=True))


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/api/snapshot?pack=0", 404),
        ("/api/snapshot?pack=4", 404),
        ("/api/snapshot?pack=-1", 404),
        ("/api/snapshot?pack=1e3", 404),
        ("/api/snapshot?pack=²", 404),
        ("/api/snapshot?pack=" + "9" * 5000, 404),
        ("/api/snapshot?pack", 400),
        ("/api/snapshot?cells=0", 400),
        ("/api/history?hours=0", 400),
        ("/api/history?hours=10000", 400),
        ("/api/events?hours=-1", 400),
        ("/api/history?hours=nan", 400),
        ("/api/history?a=1&b=2&c=3&d=4&e=5", 400),
        ("/metrics?cells=2", 400),
        ("/metrics?match=x", 400),
        ("/api", 404),
        ("/app.js/", 404),
    ],
)
def test_questions_without_an_answer_are_refused_with_what_to_ask(target: str, status: int) -> None:
    code, text = refusal(site(), target)
    assert code == status
    assert len(text) > 15


def test_files_are_asked_for_again_only_when_they_changed() -> None:
    at = site()
    page = ask(at, "/")
    tag = dict(page.headers)["ETag"]
    assert page.body.startswith(b"<!doctype html>")
    again = ask(at, "/", if_none_match=tag)
    assert (again.status, again.body) == (304, b"")
    assert ask(at, "/", if_none_match='"old"').body == page.body


def test_a_history_of_a_pack_and_of_the_bank() -> None:
    at = site()
    bank_series = json.loads(ask(at, "/api/history").body)
    assert bank_series["values"]["voltage"] == [53.12]
    assert bank_series["times"] == [at.newest.wall]
    assert json.loads(ask(at, "/api/history?pack=2").body)["values"]["highest_cell"] == [3.47]
    assert json.loads(ask(at, "/api/history?pack=3").body)["values"]["voltage"] == [None]


def test_prometheus_gets_the_format_that_it_asks_for() -> None:
    at = site()
    new = ask(at, "/metrics", accept="application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3")
    assert new.kind.startswith("application/openmetrics-text; version=1.0.0")
    assert new.body.endswith(b"# EOF\n")
    old = ask(at, "/metrics")
    assert old.kind.startswith("text/plain; version=0.0.4")
    assert b"# EOF" not in old.body


def test_every_key_of_the_json_is_explained() -> None:
    at = site()
    keys = json.loads(ask(at, "/api/keys").body)
    shown = json.loads(ask(at, "/api/snapshot").body)
    for name, source in (("bank", shown), ("pack", shown["packs"][0]), ("bus", shown["buses"][0])):
        for key, title, _unit, _digits in keys[name]:
            assert title
            inner = source
            for part in key.split("."):
                inner = inner[part]
    assert {key for key, *_ in keys["settings"]} == set(shown["packs"][0]["settings"])


def test_values_that_are_old_are_not_served_as_new() -> None:
    at = site()
    at.given -= 6.0  # the main loop stands still
    for target in ("/events", "/metrics", "/api/snapshot"):
        status, text = refusal(at, target)
        assert status == 503
        assert "6 s old" in text
    assert ask(at, "/").status == 200
    at.give(at.newest)
    assert ask(at, "/metrics").status == 200
