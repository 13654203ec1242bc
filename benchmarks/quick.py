"""The quick form of the benchmarks, as a plugin of pytest: ``-p quick`` makes what runs in real time short."""

from __future__ import annotations

import pytest

from packbank.cli import timing

LEFT_OUT = frozenset(
    (
        "test_the_daemon[2]",
        "test_mqtt[8]",
        "test_web[8]",
        "test_history[8]",
        "test_day[1-120]",
        "test_day[5-120]",
        "test_cpu[120]",
        "test_deaf_window[2-]",
        "test_deaf_window[1-capture]",
        "test_deaf_window[2-capture]",
    )
)
# Module -> constant -> its value. The figures scatter more, and packs are still learnt when the count begins.
SHORT: dict[str, dict[str, float]] = {
    "bench_bus": {"SECONDS": 4.0, "WARM_UP": 3.0},
    "bench_daemon": {"SECONDS": 5.0, "SETTLE": 5.0},
    "bench_deaf_window": {"SECONDS": 5.0, "SETTLE": 5.0},
    "bench_history": {"HOURS": 4.0, "MINUTES": 10, "SECONDS": 5.0, "SETTLE": 5.0},
    "bench_family_rounds": {"SECONDS": 12.0},
    "bench_mqtt": {"SECONDS": 5.0, "SETTLE": 5.0},
    "bench_publish": {"MINUTES": 5},
    "bench_round": {"SECONDS": 12.0},
    "bench_web": {"SECONDS": 5.0, "SETTLE": 6.0},
}
TIMING = 0.1  # s for each call that is timed


def pytest_configure() -> None:
    timing.SECONDS = TIMING


def pytest_itemcollected(item: pytest.Item) -> None:
    module = item.getparent(pytest.Module)
    assert module is not None
    for name, value in SHORT.get(module.obj.__name__, {}).items():
        getattr(module.obj, name)  # a constant that is gone is an error here, not a long run
        setattr(module.obj, name, value)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if item.name not in LEFT_OUT]
