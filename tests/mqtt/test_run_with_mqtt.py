"""``packbank run`` with [mqtt], as its users run it: simulated packs, a Mosquitto, and ends of several kinds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from patience import until

pytest.importorskip("paho.mqtt.client", reason="MQTT is an extra: pip install packbank[mqtt]")

from home_assistant import broken_rules, entities

pytest_plugins = ["mqtt_bench"]

PACKBANK = [sys.executable, "-m", "packbank"]
STATUS = "packbank/home/status"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts the daemon over two simulated packs with the lines given for [mqtt]."""
    started: list[subprocess.Popen[str]] = []
    simulate = [*PACKBANK, "simulate", "--packs", "2", "--json", "--folder", str(tmp_path)]
    simulator = subprocess.Popen(simulate, stdout=subprocess.PIPE, text=True)
    started.append(simulator)
    assert simulator.stdout is not None
    (port,) = json.loads(simulator.stdout.readline())["ports"]

    def run(section: str) -> subprocess.Popen[str]:
        config = tmp_path / "config.ini"
        config.write_text(f"[DEFAULT]\nPORT = {port}\nBATTERY_ADDRESSES = 1-2\nSTART_TIMEOUT = 5\n[mqtt]\n{section}\n")
        command = [*PACKBANK, "run", "--config", str(config), "--no-dbus"]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in reversed(started):
        process.kill()
        process.communicate()


def first(watcher: Any, topic: str) -> str:
    until(lambda: watcher.last(topic))
    return str(watcher.last(topic))


def announced(watcher: Any) -> list[str]:
    return sorted({topic for topic in watcher.topics() if topic.startswith("homeassistant/device/packbank_home_")})


@pytest.mark.slow
def test_a_daemon_that_is_killed_is_offline_at_once_and_takes_up_its_packs_again(
    mqtt_bench: Any, run: Callable[[str], subprocess.Popen[str]]
) -> None:
    broker = mqtt_bench.mosquitto()
    watcher = mqtt_bench.watcher(broker)
    daemon = run(f"BROKER = {broker.url}")
    until(lambda: watcher.last(STATUS) == "online" and len(announced(watcher)) == 2)
    for topic in announced(watcher):
        config = json.loads(watcher.last(topic))
        assert broken_rules(topic, watcher.last(topic)) == []
        assert config["device"]["serial_number"] in topic
        shown = entities(config, first(watcher, config["state_topic"]))
        assert 40.0 < shown["voltage"] < 60.0
        assert 2.5 < shown["cells_16"] < 3.7
    before = announced(watcher)
    daemon.kill()
    until(lambda: watcher.last(STATUS) == "offline")
    watcher.clear()
    again = run(f"BROKER = {broker.url}")
    until(lambda: watcher.last(STATUS) == "online" and len(announced(watcher)) == 2)
    assert announced(watcher) == before
    watcher.clear()
    again.send_signal(signal.SIGTERM)
    assert "Traceback" not in again.communicate(timeout=20)[1]
    assert again.returncode == 0
    until(lambda: watcher.last(STATUS) == "offline")


@pytest.mark.slow
def test_a_broker_that_is_not_there_does_not_keep_the_daemon(
    mqtt_bench: Any, run: Callable[[str], subprocess.Popen[str]]
) -> None:
    broker = mqtt_bench.mosquitto()
    broker.stop()
    daemon = run(f"BROKER = {broker.url}\nUSERNAME = me\nPASSWORD_FILE = /nonexistent/password")
    assert daemon.stderr is not None
    lines = [daemon.stderr.readline() for _ in range(6)]
    daemon.send_signal(signal.SIGTERM)
    lines.append(daemon.communicate(timeout=20)[1])
    assert daemon.returncode == 0
    lines_about_mqtt = [line for line in "".join(lines).splitlines() if "mqtt" in line]
    assert len(lines_about_mqtt) == 1
    assert "PASSWORD_FILE /nonexistent/password cannot be read (No such file or directory)" in lines_about_mqtt[0]
