"""``packbank forward`` on two hosts and ``packbank run`` on a third, as their owner runs them: one battery."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from patience import until

pytest.importorskip("paho.mqtt.client", reason="MQTT is an extra: pip install packbank[mqtt]")

from far_hosts import config_of
from packbank.cli.forward import _checked
from packbank.errors import ConfigError

pytest_plugins = ["mqtt_bench"]

PACKBANK = [sys.executable, "-m", "packbank"]
PACKS = 15


class Started:
    """A process, and the last line that it printed."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen([*PACKBANK, *command], stdout=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def last(self) -> Any:
        return json.loads(self.lines[-1]) if self.lines else {}

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20.0)
        self._thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            del self.lines[:-50]


def says(started: Started, word: str) -> bool:
    return any(line.startswith(word) for line in started.lines)


def serials(bank: Any) -> set[str]:
    return {pack["serial"] for pack in bank.get("packs", ())} - {""}


@pytest.fixture
def start() -> Iterator[Callable[..., Started]]:
    with ExitStack() as ends:

        def start(*command: str) -> Started:
            started = Started(*command)
            ends.callback(started.end)
            return started

        yield start


@pytest.mark.slow
def test_two_hosts_and_a_local_bus_are_one_battery(
    mqtt_bench: Any, start: Callable[..., Started], tmp_path: Path
) -> None:
    broker = mqtt_bench.mosquitto()
    simulator = start("simulate", f"--packs={PACKS}", "--buses=3", "--json", f"--folder={tmp_path}")
    until(lambda: simulator.lines)
    ports = json.loads(simulator.lines[0])["ports"]
    files = [tmp_path / f"{name}.ini" for name in ("room1", "room2")]
    for file, port in zip(files, ports[1:], strict=True):
        listed = "BATTERY_ADDRESSES = 0x01-0x0F\n" if file.stem == "room2" else ""
        file.write_text(f"[bus:bus1]\nPORT = {port}\n{listed}[mqtt]\nBROKER = {broker.url}\nHOST = {file.stem}\n")
    senders = [start("forward", "--config", str(files[0]))]
    until(partial(says, senders[0], "PACKS"))
    config, capture = tmp_path / "config.ini", tmp_path / "capture"
    sections = "".join([*senders[0].lines, f"[host:room2]\nBROKER = {broker.url}\n"])
    config.write_text(
        f"[DEFAULT]\nLOST_AFTER = 10\n[bus:bus1]\nPORT = {ports[0]}\nBATTERY_ADDRESSES = 0x01-0x0F\n{sections}"
    )
    bank = start("run", "--config", str(config), "--no-dbus", "--json", "--capture", str(capture))
    until(lambda: bank.last().get("online") == 2 * PACKS)
    senders.append(start("forward", "--config", str(files[1])))  # away at the bank's first start, and not listed
    until(lambda: bank.last().get("online") == 3 * PACKS)
    expected = {f"SIM00{bus}{number:05}" for bus in (1, 2, 3) for number in range(1, PACKS + 1)}
    until(lambda: serials(bank.last()) == expected)
    one = bank.last()
    assert {bus["name"]: bus["state"] for bus in one["buses"]} == {
        "bus1": "polling", "room1/bus1": "receiving", "room2/bus1": "receiving"
    }  # fmt: skip
    senders[0].process.kill()
    until(lambda: sum(pack["presence"] == "held" for pack in bank.last()["packs"]) >= PACKS)
    held = bank.last()["charge_current_limit"]["value"]
    until(lambda: bank.last()["offline"] == PACKS)
    assert bank.last()["charge_current_limit"]["value"] <= held  # no limit rises while a pack is silent
    senders[1].end()
    assert senders[1].process.returncode == 0
    bank.end()
    replayed = subprocess.run(
        [*PACKBANK, "replay", str(capture), "--json"], stdout=subprocess.PIPE, check=True, text=True
    )
    again = json.loads(replayed.stdout)
    assert serials(again) == expected


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("[bus:bus1]\nPORT = /dev/none\n", "write BROKER"),
        ("[bus:bus1]\nPORT = /dev/none\n[mqtt]\n", "HOST = "),
        ("[bus:bus1]\nPORT = /dev/none\n[mqtt]\nHOST = a\n[host:b]\nPACKS = bus1 0x01\n", "remove"),
        ("[bus:Bus1]\nPORT = /dev/none\n[mqtt]\nHOST = a\n", "small letters"),
    ],
)
def test_a_file_that_does_not_say_where_to_send_to_is_refused(text: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=remedy):
        _checked(Path("config.ini"), config_of(text))
