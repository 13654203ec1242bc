"""The service files under a fake root: daemontools, stop-tty and packbank's own Python are stand-ins there."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packbank.cli import build_parser

PACKAGING = Path(__file__).parents[3] / "packaging"
SCRIPTS = [path for path in sorted((PACKAGING / "venus").rglob("*")) if path.is_file()]


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A GX with packbank unpacked: ``packbank`` and the foreign programs write down how they were called."""
    shutil.copytree(PACKAGING / "venus", tmp_path / "data/apps/packbank", copy_function=shutil.copy)
    (tmp_path / "service").mkdir()
    record = 'echo "$(basename "$0") $*" >> "$PACKBANK_ROOT/calls"\n'
    executable(tmp_path / "data/apps/packbank/bin/packbank", record)
    executable(tmp_path / "opt/victronenergy/serial-starter/stop-tty.sh", record)
    executable(tmp_path / "bin/svc", record)
    executable(tmp_path / "bin/multilog", record)
    return tmp_path


@pytest.fixture
def app(root: Path) -> Path:
    folder = root / "data/apps/packbank"
    (folder / "config.ini").write_text("[bus:roof]\nPORT = /dev/ttyUSB7\n")
    return folder


def call(script: Path, root: Path, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PACKBANK_ROOT": str(root), "PATH": f"{root}/bin:{os.environ['PATH']}"}
    return subprocess.run(
        [script, *args], env=environment, check=check, capture_output=True, text=True, cwd=script.parent
    )


def calls(root: Path) -> list[str]:
    return (root / "calls").read_text().splitlines()


def test_shellcheck() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", *SCRIPTS], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_script_can_be_executed() -> None:
    assert [path for path in SCRIPTS if not os.access(path, os.X_OK)] == []


def test_enable_links_the_service_and_outlives_a_boot(root: Path, app: Path) -> None:
    call(app / "enable.sh", root)
    call(app / "enable.sh", root)
    assert (root / "service/packbank").resolve() == app / "service"
    boot = root / "data/rc.local"
    assert boot.read_text() == f"#!/bin/sh\nln -sfn {app}/service {root}/service/packbank\n"
    (root / "service/packbank").unlink()  # as a boot does
    call(boot, root)
    assert (root / "service/packbank/run").exists()


def test_enable_keeps_what_else_is_started_at_boot(root: Path, app: Path) -> None:
    executable(root / "data/rc.local", "echo other\n")
    call(app / "enable.sh", root)
    assert (root / "data/rc.local").read_text().startswith("#!/bin/sh\necho other\nln -sfn ")
    call(app / "disable.sh", root)
    assert (root / "data/rc.local").read_text() == "#!/bin/sh\necho other\n"
    assert os.access(root / "data/rc.local", os.X_OK)


def test_enable_wants_a_configuration_that_holds(root: Path, app: Path) -> None:
    executable(app / "bin/packbank", "exit 2\n")
    assert call(app / "enable.sh", root, check=False).returncode == 2
    (app / "config.ini").unlink()
    refused = call(app / "enable.sh", root, check=False)
    assert refused.returncode == 1
    assert "packbank scan" in refused.stderr
    assert not (root / "data/rc.local").exists()
    assert not (root / "service/packbank").is_symlink()


def test_disable_stops_service_and_log(root: Path, app: Path) -> None:
    call(app / "disable.sh", root)  # nothing to do is no fault
    call(app / "enable.sh", root)
    call(app / "disable.sh", root)
    assert not (root / "service/packbank").is_symlink()
    assert calls(root)[-1] == f"svc -dx {app}/service {app}/service/log"


def test_uninstall_keeps_the_users_files(root: Path, app: Path) -> None:
    call(app / "enable.sh", root)
    (app / "config.state.json").write_text("{}")
    call(app / "uninstall.sh", root)
    assert sorted(path.name for path in app.iterdir()) == ["config.ini", "config.state.json"]
    assert str(app) not in (root / "data/rc.local").read_text()


def test_uninstall_all(root: Path, app: Path) -> None:
    (root / "var/log/packbank").mkdir(parents=True)
    call(app / "uninstall.sh", root, "--all")
    assert not app.exists()
    assert not (root / "var/log/packbank").exists()
    assert (root / "data/apps").exists()


def test_run_frees_the_ports_and_becomes_packbank(root: Path, app: Path) -> None:
    (root / "dev").mkdir()
    (root / "dev/by-id").symlink_to(root / "dev/ttyUSB3")
    (app / "config.ini").write_text(
        f"[DEFAULT]\n; PORT = /dev/ttyUSB9\n[bus:a]\nPORT = {root}/dev/by-id\n[bus:b]\nport: /dev/ttyUSB7\n"
        "[bus:c]\nPORT = socket://10.0.0.7:8899\n"
    )
    call(app / "service/run", root)
    assert calls(root) == ["stop-tty.sh ttyUSB3", "stop-tty.sh ttyUSB7", f"packbank run --config {app}/config.ini"]


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
    assert calls(root) == ["1 -m packbank scan --help"]


def test_the_systemd_unit_calls_packbank_as_it_is() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(PACKAGING / "systemd/packbank.service")
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "packbank"
    args = build_parser("run").parse_args(words)
    assert args.config == Path("/etc/packbank/config.ini")
    assert args.state.parent == Path("/var/lib") / unit["Service"]["StateDirectory"]
    assert unit["Service"]["Restart"] == "always"
    policy = ET.parse(PACKAGING / "systemd/packbank.conf").getroot()
    own = policy.find(f"policy[@user='{unit['Service']['User']}']/allow")
    ask = policy.find("policy[@context='default']/allow")
    assert own is not None
    assert ask is not None
    assert own.get("own_prefix") == ask.get("send_destination_prefix") == "com.victronenergy.battery"  # packs' too


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


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 15.0
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        time.sleep(0.02)


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
