"""``packbank run`` on the D-Bus while its other outputs, its log or their readers are out of order."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
NAME = "com.victronenergy.battery.packbank"
PACKBANK = [sys.executable, "-m", "packbank"]
SECONDS = 6

RAISING = """
import sys
from packbank import cli
from packbank.outputs import json_lines

def show(self, snapshot):
    raise RuntimeError("a fault of this output")

json_lines.JsonLines.show = show
sys.exit(cli.main(sys.argv[1:]))
"""


def closed_pipe() -> int:
    """The writing end of a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full_pipe(keep: list[int]) -> int:
    """The writing end of a pipe that is full; its reading end stays open in ``keep``, and is never read."""
    reader, writer = os.pipe()
    keep.append(reader)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    return writer


@pytest.fixture
def config(config: Path) -> Path:
    """The bank of all tests here, with a log that says much."""
    config.write_text(config.read_text().replace("[DEFAULT]\n", "[DEFAULT]\nLOGGING = DEBUG\n"))
    return config


def goes_on(bench: Any, config: Path, out: int, errors: int, program: list[str]) -> None:
    """The battery appears, changes each second, and leaves when the daemon is asked to end."""
    heard: list[object] = []
    client = bench.connect()
    client.add_signal_receiver(heard.append, "ItemsChanged", "com.victronenergy.BusItem", path="/")
    daemon = subprocess.Popen(
        [*program, "run", "--config", str(config), "--json"],
        stdout=out,
        stderr=errors,
        env=os.environ | {"DBUS_SESSION_BUS_ADDRESS": bench.address},
    )
    try:
        bench.until(lambda: len(heard) >= SECONDS or daemon.poll() is not None, 40.0)
        assert daemon.poll() is None
        assert bench.ask(client, NAME, "/System/NrOfModulesOnline", "GetValue") == 2
        daemon.send_signal(signal.SIGTERM)
        bench.until(lambda: daemon.poll() is not None, 15.0)
        assert daemon.returncode == 0
    finally:
        daemon.kill()
        daemon.wait()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("out", "errors", "program"),
    [
        pytest.param("closed", "file", PACKBANK, id="nobody reads the JSON lines any more"),
        pytest.param("full", "file", PACKBANK, id="the JSON lines are never read"),
        pytest.param("file", "full", PACKBANK, id="the log is never read"),
        pytest.param("full", "full", PACKBANK, id="neither is ever read"),
        pytest.param("closed", "closed", PACKBANK, id="both are closed"),
        pytest.param("file", "file", [sys.executable, "-c", RAISING], id="the output raises"),
    ],
)
def test_the_battery_stays_on_the_d_bus(
    bench: Any, config: Path, tmp_path: Path, out: str, errors: str, program: list[str]
) -> None:
    kept: list[int] = []
    made: dict[str, Callable[[], int]] = {
        "closed": closed_pipe,
        "full": lambda: full_pipe(kept),
        "file": lambda: os.open(tmp_path / "text", os.O_CREAT | os.O_WRONLY | os.O_APPEND),
    }
    descriptors = [made[out](), made[errors]()]
    try:
        goes_on(bench, config, descriptors[0], descriptors[1], program)
    finally:
        for descriptor in descriptors + kept:
            os.close(descriptor)
    if program is not PACKBANK:
        text = (tmp_path / "text").read_text()
        assert text.count("output json failed") == 1
        assert "a fault of this output" in text
