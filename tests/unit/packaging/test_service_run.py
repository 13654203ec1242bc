"""What supervise starts on a GX, under a fake root: the service, its log, and what follows when it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from unpacked import PACKAGING, call, calls, executable, unpack

from patience import until


def test_run_frees_the_ports_and_becomes_packbank(root: Path, app: Path) -> None:
    (root / "dev").mkdir()
    (root / "dev/by-id").symlink_to(root / "dev/ttyUSB3")
    (app / "config.ini").write_text(
        f"[DEFAULT]\n; PORT = /dev/ttyUSB9\n[bus:a]\nPORT = {root}/dev/by-id\n[bus:b]\nport: /dev/ttyUSB7\n"
        "[bus:c]\nPORT = socket://10.0.0.7:8899\n"
    )
    call(app / "service/run", root)
    assert calls(root) == ["stop-tty.sh ttyUSB3", "stop-tty.sh ttyUSB7", f"packbank run --config {app}/config.ini"]


def test_a_wrong_configuration_is_not_tried_every_second(root: Path, app: Path) -> None:
    record = 'echo "packbank $*" >>"$PACKBANK_ROOT/calls"; echo "PORT is missing"; exit 2\n'
    executable(app / "bin/packbank", record)
    assert call(app / "service/run", root, check=False).returncode == 2
    environment = os.environ | {"PACKBANK_ROOT": str(root)}
    waiting = subprocess.Popen([app / "service/run"], env=environment, stdout=subprocess.PIPE, text=True)
    assert waiting.stdout is not None
    try:
        said = [waiting.stdout.readline() for _ in range(2)]
        assert said[0] == "PORT is missing\n"
        assert "starts when" in said[1]
        assert calls(root)[1:] == [f"packbank run --config {app}/config.ini", f"packbank check {app}/config.ini"]
        executable(app / "bin/packbank", 'echo "packbank $*" >>"$PACKBANK_ROOT/calls"\n')
        (app / "config.ini").write_text("[bus:roof]\nPORT = /dev/ttyUSB8\n# mended\n")
        assert waiting.wait(20) == 0
        assert calls(root)[-1] == f"packbank run --config {app}/config.ini"
    finally:
        waiting.kill()
        waiting.communicate()


def test_an_update_that_a_reboot_cut_off_is_undone(root: Path, app: Path) -> None:
    previous = app / ".packbank-previous"
    unpack(root, previous)
    (previous / "python/old").write_text("")
    (previous / "version").write_text("0.1.0\n")
    (previous / "config.state.json").write_text("old")
    (app / "config.state.json").write_text("new")
    executable(app / "bin/packbank", "exit 1\n")
    (previous / "unproven").write_text(Path("/proc/sys/kernel/random/boot_id").read_text())
    assert call(app / "service/run", root, check=False).returncode == 1  # the boot of the update itself: it goes on
    (previous / "unproven").write_text("an earlier boot\n")
    assert "0.1.0" in call(app / "service/run", root).stdout
    assert calls(root)[-1] == f"packbank run --config {app}/config.ini"
    assert (app / "python/old").exists()
    assert (app / "config.state.json").read_text() == "old"
    assert not (previous / "unproven").exists()


def test_run_without_serial_starter(root: Path, app: Path) -> None:
    shutil.rmtree(root / "opt")
    call(app / "service/run", root)
    assert calls(root) == [f"packbank run --config {app}/config.ini"]


def test_the_log_is_small(root: Path, app: Path) -> None:
    call(app / "service/log/run", root)
    assert calls(root) == [f"multilog t s25000 n4 {root}/var/log/packbank"]


def test_the_launcher_uses_the_python_it_brings(root: Path, app: Path) -> None:
    shutil.copy(PACKAGING / "venus/bin/packbank", app / "bin/packbank")
    executable(app / "python/bin/python3", 'echo "$OPENBLAS_NUM_THREADS $*" > "$PACKBANK_ROOT/calls"\n')
    (root / "link").symlink_to(app / "bin")
    call(root / "link/packbank", root, "scan", "--help")
    assert calls(root) == ["1 -I -m packbank scan --help"]


STALLING = """
import os, pathlib
from packbank.watchdog import Watchdog
import time
with Watchdog(0.3) as watchdog:
    with open(os.environ["PACKBANK_ROOT"] + "/pids", "a") as pids:
        print(os.getpid(), file=pids)
    while True:
        watchdog.feed()
        time.sleep(0.05)
"""


@pytest.fixture
def supervised(root: Path, app: Path) -> Iterator[Callable[[], list[int]]]:
    """``service/run`` started again whenever it ends, as supervise does; the process ids so far."""
    executable(app / "bin/packbank", f"exec {sys.executable} -c '{STALLING.replace(chr(39), chr(34))}'\n")
    loop = ["sh", "-c", "while :; do ./run; sleep 0.05; done"]
    environment = os.environ | {"PACKBANK_ROOT": str(root)}
    supervise = subprocess.Popen(loop, cwd=app / "service", env=environment, stdout=subprocess.DEVNULL)

    def pids() -> list[int]:
        file = root / "pids"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    try:
        yield pids
    finally:
        supervise.kill()
        supervise.wait()
        os.kill(pids()[-1], signal.SIGKILL)


def test_a_daemon_stopped_longer_than_the_watchdog_allows_is_started_again(
    supervised: Callable[[], list[int]],
) -> None:
    until(supervised)
    first = supervised()[0]
    os.kill(first, signal.SIGSTOP)
    time.sleep(0.5)
    assert len(supervised()) == 1  # a stopped process cannot notice
    os.kill(first, signal.SIGCONT)
    until(lambda: len(supervised()) == 2)


def test_a_killed_daemon_is_started_again(supervised: Callable[[], list[int]]) -> None:
    until(supervised)
    os.kill(supervised()[0], signal.SIGKILL)
    until(lambda: len(supervised()) == 2)
