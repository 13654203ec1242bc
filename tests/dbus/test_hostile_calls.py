"""Whatever others call on the service: it answers, and changes nothing but what users may change."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from on_dbus import NAME, publisher
from packbank.outputs.venus.bindings import dbus
from packbank.outputs.venus.writes import ACTIONS, SETTINGS
from virtual_battery import snapshot

CALLS = 400
MEMBERS = ["SetValue", "SetValue", "SetValue", "GetValue", "GetText", "GetItems", "SetDefault", "Quit", "x" * 200]
VALUES: list[tuple[str, Any]] = [
    *(("v", number) for number in (-1, 0, 1, 10**9, -(10**9), 0.5, 1e308, float("inf"), float("nan"))),
    *(("v", text) for text in ("", "0", "1e9", "x" * 60_000, "\u202e", "true")),
    *(("v", dbus.Array(elements, signature="i")) for elements in ([], [1], [1] * 5000)),
    ("v", True),
    ("s", "100"),
    ("i", 100),
    ("ii", (1, 2)),
    ("a{sv}", {"a": 1}),
    ("", None),
]
WRITEABLE = {*SETTINGS, *(action.row.path for action in ACTIONS), "/CustomName"}


def values(bench: Any, client: Any) -> dict[str, Any]:
    return {str(path): one["Value"] for path, one in bench.ask(client, NAME, "/", "GetItems").items()}


@pytest.mark.parametrize("seed", range(3))
def test_no_call_changes_what_is_measured_or_lifts_a_limit(bench: Any, seed: int) -> None:
    bench.start("settings")
    bench.start("system")
    published, client, random = publisher(bench), bench.connect(), Random(seed)
    published.show(snapshot(time=0.0))
    before = values(bench, client)
    paths = [*before, *WRITEABLE, "/", "/Dc", "/Settings", "/no/such/path", "/" + "deep/" * 500 + "end"]
    refused = 0
    for _ in range(CALLS):
        signature, value = random.choice(VALUES)
        arguments = value if signature == "ii" else () if value is None else (value,)
        try:
            bench.ask(client, NAME, random.choice(paths), random.choice(MEMBERS), signature, *arguments)
        except dbus.exceptions.DBusException:
            refused += 1
    published.show(snapshot(time=1.0))
    after = values(bench, client)
    assert refused
    assert {path for path in before if repr(after[path]) != repr(before[path])} <= WRITEABLE
    assert after["/Info/MaxChargeCurrent"] <= before["/Info/MaxChargeCurrent"]
