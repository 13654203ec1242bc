"""The service files under a fake root: daemontools, stop-tty and packbank's own Python are stand-ins there."""

from __future__ import annotations

import configparser
import os
import re
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
from packbank.config.loader import load

PACKAGING = Path(__file__).parents[3] / "packaging"
SCRIPTS = [
    path
    for path in sorted(PACKAGING.rglob("*"))
    if path.is_file() and path.read_bytes().startswith((b"#!/bin/sh", b"#!/bin/bash"))
]
FILES = sorted(
    str(path.relative_to(PACKAGING / "venus")) for path in (PACKAGING / "venus").rglob("*") if path.is_file()
)
SVC = """
echo "svc $*" >>"$PACKBANK_ROOT/calls"
[ ! -e "$PACKBANK_ROOT/svc-fails" ] || exit 111
case $1 in -d*) rm -f "$PACKBANK_ROOT/up" ;; esac
"""
SVSTAT = """
if [ -e "$PACKBANK_ROOT/up" ]; then echo "$1: up (pid 7) 3 seconds"; else echo "$1: supervise not running"; fi
"""


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def unpack(root: Path, folder: Path) -> None:
    """packbank as an archive lays it down, with a stand-in for its program."""
    shutil.copytree(PACKAGING / "venus", folder, copy_function=shutil.copy, dirs_exist_ok=True)
    (folder / "files").write_text("\n".join([*FILES, "files"]) + "\n")
    executable(folder / "bin/packbank", 'echo "$(basename "$0") $*" >> "$PACKBANK_ROOT/calls"\n')


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A GX with packbank unpacked: ``packbank`` and the foreign programs write down how they were called."""
    unpack(tmp_path, tmp_path / "data/apps/packbank")
    (tmp_path / "service").mkdir()
    record = 'echo "$(basename "$0") $*" >> "$PACKBANK_ROOT/calls"\n'
    executable(tmp_path / "opt/victronenergy/serial-starter/stop-tty.sh", record)
    executable(tmp_path / "bin/svc", SVC)
    executable(tmp_path / "bin/svstat", SVSTAT)
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


def boot_line(app: Path, root: Path) -> str:
    return f"[ ! -d {app}/service ] || ln -sfn {app}/service {root}/service/packbank\n"


def test_shellcheck() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    command = ["shellcheck", "-x", *map(str, SCRIPTS)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PACKAGING.parent)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_script_can_be_executed() -> None:
    assert [path for path in SCRIPTS if not os.access(path, os.X_OK)] == []


def test_only_words_that_the_busybox_of_venus_knows() -> None:
    """Left out of the configuration that OpenEmbedded builds BusyBox with, which has what these would need."""
    missing = re.compile(r"\b(command -v|setsid|cksum|xargs -0|timeout|tac|install -|comm|mountpoint|pgrep)\b")
    ours = [path for path in SCRIPTS if path.name != "setup"]
    lines = [(path.name, line) for path in ours for line in path.read_text().splitlines()]
    code = [(name, line.partition("#")[0]) for name, line in lines]
    assert [(name, line) for name, line in code if missing.search(line)] == []


def test_the_example_configuration_is_right() -> None:
    assert len(load(PACKAGING / "venus/config.example.ini").packs) == 4


def test_enable_links_the_service_and_outlives_a_boot(root: Path, app: Path) -> None:
    call(app / "enable.sh", root)
    call(app / "enable.sh", root)
    assert (root / "service/packbank").resolve() == app / "service"
    boot = root / "data/rc.local"
    assert boot.read_text() == "#!/bin/sh\n" + boot_line(app, root)
    (root / "service/packbank").unlink()  # as a boot does
    call(boot, root)
    assert (root / "service/packbank/run").exists()


@pytest.mark.parametrize(
    "others",
    ["echo other\n", "echo other", "echo other\nexit 0\n", "set -e\nif true; then\n    exit 0\nfi", "\n\n# end"],
)
def test_enable_keeps_what_else_is_started_at_boot(root: Path, app: Path, others: str) -> None:
    boot = root / "data/rc.local"
    executable(boot, others)
    boot.chmod(0o750)
    call(app / "enable.sh", root)
    assert boot.read_text() == "#!/bin/sh\n" + boot_line(app, root) + others.rstrip("\n") + "\n"
    (root / "service/packbank").unlink()
    call(boot, root)
    assert (root / "service/packbank/run").exists()
    call(app / "disable.sh", root)
    assert boot.read_text() == "#!/bin/sh\n" + others.rstrip("\n") + "\n"
    assert boot.stat().st_mode & 0o777 == 0o750


def test_a_boot_file_without_an_interpreter(root: Path, app: Path) -> None:
    (root / "data/rc.local").write_text("echo other")
    call(app / "enable.sh", root)
    assert (root / "data/rc.local").read_text() == boot_line(app, root) + "echo other\n"


def test_a_boot_file_that_is_a_link_stays_one(root: Path, app: Path) -> None:
    executable(root / "data/elsewhere", "echo other\n")
    (root / "data/rc.local").symlink_to(root / "data/elsewhere")
    call(app / "enable.sh", root)
    assert (root / "data/rc.local").is_symlink()
    assert boot_line(app, root) in (root / "data/elsewhere").read_text()


@pytest.mark.parametrize("name", ["pack bank", "a;touch broken;b", "it's", "$(touch broken)", "a&b|c*"])
def test_a_folder_of_any_name(root: Path, name: str) -> None:
    app = root / "data" / name
    unpack(root, app)
    (app / "config.ini").write_text("[bus:roof]\nPORT = /dev/ttyUSB7\n")
    (root / "data/link").symlink_to(app)
    call(root / "data/link/enable.sh", root)
    (root / "service/packbank").unlink()
    call(root / "data/rc.local", root)
    assert (root / "service/packbank").resolve() == app / "service"
    call(root / "service/packbank/run", root)
    assert calls(root)[-1] == f"packbank run --config {app}/config.ini"
    call(app / "uninstall.sh", root)
    assert [path.name for path in app.iterdir()] == ["config.ini"]
    assert (root / "data/rc.local").read_text() == "#!/bin/sh\n"
    assert not list(root.rglob("broken"))


def test_a_full_disk_leaves_the_boot_file_as_it_was(root: Path, app: Path) -> None:
    boot = root / "data/rc.local"
    executable(boot, "echo other\n")
    call(app / "enable.sh", root)
    before = boot.read_text()
    executable(root / "bin/cat", "/bin/cat >/dev/null; echo 'cat: write error: No space left on device' >&2; exit 1\n")
    refused = call(app / "disable.sh", root, check=False)
    assert refused.returncode == 1
    assert "is as it was" in refused.stderr
    assert boot.read_text() == before
    assert sorted(path.name for path in (root / "data").iterdir()) == ["apps", "rc.local"]


def test_a_full_disk_does_not_keep_packbank_from_being_removed(root: Path, app: Path) -> None:
    boot = root / "data/rc.local"
    call(app / "enable.sh", root)
    full = f'[ ! -e "{app}/bin/packbank" ] || [ $# != 0 ] || {{ /bin/cat >/dev/null; exit 1; }}; exec /bin/cat "$@"\n'
    executable(root / "bin/cat", full)  # no standard input can be written down until something is removed
    removed = call(app / "uninstall.sh", root)
    assert "is as it was" in removed.stderr
    assert [path.name for path in app.iterdir()] == ["config.ini"]
    assert boot.read_text() == "#!/bin/sh\n"


def test_enable_wants_a_configuration_that_holds(root: Path, app: Path) -> None:
    executable(app / "bin/packbank", "exit 2\n")
    assert call(app / "enable.sh", root, check=False).returncode == 2
    (app / "config.ini").unlink()
    refused = call(app / "enable.sh", root, check=False)
    assert refused.returncode == 1
    assert "packbank scan" in refused.stderr
    assert not (root / "data/rc.local").exists()
    assert not (root / "service/packbank").is_symlink()


def test_enable_refuses_a_service_of_somebody_else(root: Path, app: Path) -> None:
    (root / "service/packbank").mkdir()
    refused = call(app / "enable.sh", root, check=False)
    assert refused.returncode == 1
    assert "not a link of ours" in refused.stderr


def test_disable_stops_service_and_log(root: Path, app: Path) -> None:
    call(app / "disable.sh", root)  # nothing to do is no fault
    call(app / "enable.sh", root)
    (root / "up").touch()
    call(app / "disable.sh", root)
    assert not (root / "service/packbank").is_symlink()
    assert calls(root)[-1] == f"svc -dx {app}/service {app}/service/log"


def test_a_failing_svc_is_said_and_the_rest_is_done(root: Path, app: Path) -> None:
    call(app / "enable.sh", root)
    (root / "up").touch()
    (root / "svc-fails").touch()
    executable(root / "bin/sleep", "exit 0\n")
    refused = call(app / "disable.sh", root, check=False)
    assert refused.returncode == 1
    assert "svstat" in refused.stderr
    assert not (root / "service/packbank").is_symlink()
    assert boot_line(app, root) not in (root / "data/rc.local").read_text()
    assert call(app / "uninstall.sh", root, check=False).returncode == 1  # it runs: nothing is removed under it
    assert (app / "bin/packbank").exists()


def test_uninstall_keeps_the_users_files(root: Path, app: Path) -> None:
    call(app / "enable.sh", root)
    (app / "config.state.json").write_text("{}")
    (app / "bin/mine").write_text("")
    said = call(app / "uninstall.sh", root).stdout
    assert sorted(path.name for path in app.iterdir()) == ["bin", "config.ini", "config.state.json"]
    assert [path.name for path in (app / "bin").iterdir()] == ["mine"]
    assert "config.state.json" in said
    assert str(app) not in (root / "data/rc.local").read_text()


def test_unpacked_among_others_only_its_own_files_are_removed(root: Path) -> None:
    """As with an archive that was unpacked straight into /data."""
    app = root / "data"
    (app / "bin").mkdir()
    (app / "bin/other").write_text("")
    unpack(root, app)
    call(app / "uninstall.sh", root, "--all", "--yes")
    assert (app / "bin/other").exists()
    assert (app / "apps/packbank/bin/packbank").exists()
    assert not (app / "bin/packbank").exists()


def test_uninstall_all_asks_first(root: Path, app: Path) -> None:
    refused = call(app / "uninstall.sh", root, "--all", check=False)
    assert refused.returncode == 1
    assert "nothing was removed" in refused.stderr
    assert (app / "config.ini").exists()


def test_uninstall_all(root: Path, app: Path) -> None:
    (root / "var/log/packbank").mkdir(parents=True)
    (root / "var/log/other").mkdir()
    (root / "data/linked").symlink_to(app)
    call(root / "data/linked/uninstall.sh", root, "--all", "--yes")
    assert not app.exists()
    assert [path.name for path in (root / "var/log").iterdir()] == ["other"]
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


def test_the_systemd_unit_calls_packbank_as_it_is() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(PACKAGING / "systemd/packbank.service")
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "packbank"
    assert words.pop(0) == "run"
    args = build_parser("run").parse_args(words)
    assert args.config == Path("/etc/packbank/config.ini")
    assert args.state.parent == Path("/var/lib") / unit["Service"]["StateDirectory"]
    assert unit["Service"]["Restart"] == "always"
    assert unit["Service"]["RestartPreventExitStatus"] == "2"  # a wrong configuration stays wrong
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
