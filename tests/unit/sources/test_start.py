from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from packbank.config.loader import load
from packbank.errors import ConfigError
from packbank.sources.serial.bus import start_bus
from packbank.sources.start import start_sources
from packbank.sources.store import Store

TWO_BUSES = """
[bus:first]
PORT = /nowhere/first
BATTERY_ADDRESSES = 0x01
[bus:second]
PORT = /nowhere/second
BATTERY_ADDRESSES = 0x01
"""


def test_when_a_source_cannot_start_those_before_it_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.ini"
    path.write_text(TWO_BUSES, encoding="utf-8")
    config = load(path)

    def only_the_first(bus: Any, *rest: Any) -> Any:
        if bus.name == "second":
            raise ConfigError("second: cannot be started")
        return start_bus(bus, *rest)

    monkeypatch.setattr("packbank.sources.start.start_bus", only_the_first)
    before = set(threading.enumerate())
    with pytest.raises(ConfigError, match="cannot be started"):
        start_sources(config, Store(len(config.packs)))
    for thread in set(threading.enumerate()) - before:
        thread.join(10.0)
        assert not thread.is_alive()
