"""The battery on the D-Bus while strangers attack the web page in every way at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

pytest.importorskip("h11", reason="the web page is an extra: pip install packbank[web]")

from brokers import free_port
from web_attacks import ATTACKS
from web_bench import Client

NAME = "com.victronenergy.battery.packbank"
PACKBANK = [sys.executable, "-m", "packbank"]
SECONDS = 6


@pytest.mark.slow
def test_the_battery_changes_each_second_whatever_happens_on_the_page(bench: Any, config: Path, tmp_path: Path) -> None:
    heard: list[object] = []
    client = bench.connect()
    client.add_signal_receiver(heard.append, "ItemsChanged", "com.victronenergy.BusItem", path="/")
    port, over, log = free_port(), Event(), tmp_path / "log"
    config.write_text(config.read_text() + f"\n[web]\nLISTEN = 127.0.0.1:{port}\n")
    with log.open("w") as errors:
        daemon = subprocess.Popen(
            [*PACKBANK, "run", "--config", str(config)],
            stderr=errors,
            env=os.environ | {"DBUS_SESSION_BUS_ADDRESS": bench.address},
        )
    attackers = [Thread(target=attack, args=(port, over)) for attack in ATTACKS]
    try:
        bench.until(lambda: len(heard) >= 2 or daemon.poll() is not None, 60.0)
        for attacker in attackers:
            attacker.start()
        heard.clear()
        bench.until(lambda: len(heard) >= SECONDS or daemon.poll() is not None, 60.0)
        over.set()
        assert daemon.poll() is None
        assert bench.ask(client, NAME, "/System/NrOfModulesOnline", "GetValue") == 2
        with Client(port) as reader:
            assert reader.get("/metrics?cells=0").status_code == 200
        daemon.send_signal(signal.SIGTERM)
        bench.until(lambda: daemon.poll() is not None, 30.0)
        assert daemon.returncode == 0
    finally:
        over.set()
        daemon.kill()
        daemon.wait()
        for attacker in attackers:
            if attacker.ident:
                attacker.join()
    assert "Traceback" not in log.read_text()
