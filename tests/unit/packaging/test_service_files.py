"""The scripts that enable, disable and remove packbank under a fake root, and the systemd unit."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from unpacked import PACKAGING, call, calls, executable, unpack

from packbank.cli import build_parser
from packbank.config.loader import load

SCRIPTS = [
    path
    for path in sorted(PACKAGING.rglob("*"))
    if path.is_file() and path.read_bytes().startswith((b"#!/bin/sh", b"#!/bin/bash"))
]


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
    assert not (root / "data/rc.local").exists()
    assert not list(root.rglob("broken"))


def test_a_full_disk_does_not_keep_packbank_from_being_removed(root: Path, app: Path) -> None:
    boot = root / "data/rc.local"
    executable(boot, "echo other\n")
    call(app / "enable.sh", root)
    full = f'[ ! -e "{app}/bin/packbank" ] || [ $# != 0 ] || {{ /bin/cat >/dev/null; exit 1; }}; exec /bin/cat "$@"\n'
    executable(root / "bin/cat", full)  # no standard input can be written down until something is removed
    removed = call(app / "uninstall.sh", root)
    assert "is as it was" in removed.stderr
    assert [path.name for path in app.iterdir()] == ["config.ini"]
    assert boot.read_text() == "#!/bin/sh\necho other\n"


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


def test_one_that_is_about_to_be_started_again_is_not_down(root: Path, app: Path) -> None:
    """Between two starts svstat says down, and that it wants up; a file must not be removed under it."""
    executable(root / "bin/sleep", "exit 0\n")
    says = (
        '[ -e "$PACKBANK_ROOT/down" ] && echo "$1: down 1 seconds" || echo "$1: down 0 seconds, normally up, want up"\n'
    )
    executable(root / "bin/svstat", says)
    assert call(app / "uninstall.sh", root, check=False).returncode == 1
    assert (app / "bin/packbank").exists()
    (root / "down").touch()
    call(app / "uninstall.sh", root)
    assert not (app / "bin/packbank").exists()


def test_a_failing_svc_is_said_and_the_rest_is_done(root: Path, app: Path) -> None:
    call(app / "enable.sh", root)
    (root / "up").touch()
    (root / "svc-fails").touch()
    executable(root / "bin/sleep", "exit 0\n")
    refused = call(app / "disable.sh", root, check=False)
    assert refused.returncode == 1
    assert "svstat" in refused.stderr
    assert not (root / "service/packbank").is_symlink()
    assert not (root / "data/rc.local").exists()
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
    assert not (root / "data/rc.local").exists()


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


def test_what_is_half_there_says_how_to_remove_it(root: Path, app: Path) -> None:
    (app / "files").unlink()
    refused = call(app / "uninstall.sh", root, check=False)
    assert refused.returncode == 1
    assert "install packbank again, then remove it" in refused.stderr


def test_what_a_power_cut_left_is_removed_too(root: Path, app: Path) -> None:
    (root / "service/packbank").symlink_to(app / "service")
    (app / "disable.sh").unlink()
    for left in ("bin/packbank.packbank-new", ".packbank-config", ".packbank-new/apps/packbank/files"):
        executable(app / left, "")
    call(app / "uninstall.sh", root)
    assert [path.name for path in app.iterdir()] == ["config.ini"]
    assert not (root / "service/packbank").is_symlink()


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
