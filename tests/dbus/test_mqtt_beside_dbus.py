"""The battery on the D-Bus while its MQTT broker hangs, floods, closes, dies or was never there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("paho.mqtt.client", reason="MQTT is an extra: pip install packbank[mqtt]")

from brokers import MOSQUITTO, BadBroker, Mosquitto, closes, floods, free_port, hangs, says_nothing, talks_nonsense

NAME = "com.victronenergy.battery.packbank"
PACKBANK = [sys.executable, "-m", "packbank"]
SECONDS = 6


def goes_on(bench: Any, config: Path, url: str, log: Path, halfway: Callable[[], object]) -> None:
    """The battery appears and changes each second, also after ``halfway``, and the daemon ends on a signal."""
    heard: list[object] = []
    client = bench.connect()
    client.add_signal_receiver(heard.append, "ItemsChanged", "com.victronenergy.BusItem", path="/")
    config.write_text(config.read_text() + f"\n[mqtt]\nBROKER = {url}\n")
    with log.open("w") as errors:
        daemon = subprocess.Popen(
            [*PACKBANK, "run", "--config", str(config)],
            stderr=errors,
            env=os.environ | {"DBUS_SESSION_BUS_ADDRESS": bench.address},
        )
    try:
        for _ in range(2):
            heard.clear()
            bench.until(lambda: len(heard) >= SECONDS or daemon.poll() is not None, 60.0)
            assert daemon.poll() is None
            halfway()
        assert bench.ask(client, NAME, "/System/NrOfModulesOnline", "GetValue") == 2
        daemon.send_signal(signal.SIGTERM)
        bench.until(lambda: daemon.poll() is not None, 30.0)
        assert daemon.returncode == 0
    finally:
        daemon.kill()
        daemon.wait()
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("behave", [hangs, floods, closes, says_nothing, talks_nonsense])
def test_a_broker_that_misbehaves(bench: Any, config: Path, tmp_path: Path, behave: Any) -> None:
    broker = BadBroker(behave)
    try:
        goes_on(bench, config, broker.url, tmp_path / "log", lambda: None)
        assert broker.connections >= 1
    finally:
        broker.stop()


@pytest.mark.slow
def test_a_broker_that_dies(bench: Any, config: Path, tmp_path: Path) -> None:
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed (package mosquitto)")
    broker = Mosquitto(tmp_path)
    broker.start()
    try:
        goes_on(bench, config, broker.url, tmp_path / "log", broker.stop)
    finally:
        broker.stop()
    text = (tmp_path / "log").read_text()
    assert "connected" in text
    assert "connection lost" in text


@pytest.mark.slow
def test_a_broker_that_was_never_there(bench: Any, config: Path, tmp_path: Path) -> None:
    goes_on(bench, config, f"mqtt://127.0.0.1:{free_port()}", tmp_path / "log", lambda: None)
    assert (tmp_path / "log").read_text().count("nothing listens there") == 1
