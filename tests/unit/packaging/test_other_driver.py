"""A dbus-serialbattery beside packbank, as its versions lie on a GX: found if it runs, stopped if the owner agrees."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from unpacked import calls, executable

SVSTAT = '[ ! -e "$1/up" ] && echo "$1: down 3 seconds" || echo "$1: up (pid 7) 3 seconds"\n'
SVC = 'echo "svc $1 ${2##*/}" >>"$PACKBANK_ROOT/calls"; [ -e "$PACKBANK_ROOT/stubborn" ] || rm -f "$2/up"\n'
ONE = "/dev/ttyUSB0"
NAME = "dbus-serialbattery"


@pytest.fixture
def theirs(root: Path, app: Path) -> Path:
    """Its folder of services with one that runs, and one of a port on which Venus OS has only tried it."""
    executable(root / "bin/svstat", SVSTAT)
    executable(root / "bin/svc", SVC)
    executable(root / "bin/sleep", "")
    for tty in ("ttyUSB0", "ttyUSB1"):
        executable(root / f"service/dbus-serialbattery.{tty}/run", "exec sleep 1000\n")
    (root / "service/dbus-serialbattery.ttyUSB0/up").touch()
    (app / "config.ini").write_text(f"[DEFAULT]\nPORT = /dev/ttyUSB9, {ONE}\n")
    (root / "calls").write_text("")
    return root / "service"


def ask(root: Path, app: Path, answer: str = "yes") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PACKBANK_ROOT": str(root),
        "PATH": f"{root}/bin:{os.environ['PATH']}",
        "answer": answer,
    }
    command = [app / "serialbattery.sh"]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("off", [f"apps/{NAME}/disable.sh", f"etc/{NAME}/disable.sh", f"etc/{NAME}/disabledriver.sh"])
def test_each_version_is_stopped_its_own_way(root: Path, app: Path, theirs: Path, off: str) -> None:
    script = root / "data" / off
    script.parent.mkdir(parents=True)
    script.write_text('#!/bin/bash\nwords=(one two)\necho "${words[1]}" >>"$PACKBANK_ROOT/calls"\n')  # not for sh
    refused = ask(root, app, "")
    assert refused.returncode == 1
    assert f"'bash {script}' stops it" in refused.stderr
    assert calls(root) == []
    done = ask(root, app)
    assert done.returncode == 0, done.stderr
    assert calls(root) == ["two", "svc -d dbus-serialbattery.ttyUSB0"]
    assert ask(root, app, "").returncode == 0


def test_one_that_goes_on_is_not_called_disabled(root: Path, app: Path, theirs: Path) -> None:
    executable(root / "data/apps/dbus-serialbattery/disable.sh", "exit 1\n")
    (root / "stubborn").touch()
    done = ask(root, app)
    assert done.returncode == 1
    assert f"still runs on {ONE}" in done.stderr
    assert "is disabled" not in done.stdout


def test_one_without_a_script_of_its_own(root: Path, app: Path, theirs: Path) -> None:
    refused = ask(root, app)
    assert refused.returncode == 1
    assert f"dbus-serialbattery runs on {ONE}; only one program" in refused.stderr


def test_on_other_ports_it_may_stay(root: Path, app: Path, theirs: Path) -> None:
    (app / "config.ini").write_text("[DEFAULT]\nPORT = /dev/ttyUSB1\n")
    assert ask(root, app, "").returncode == 0
    (root / "dev").mkdir()
    (root / "dev/by-id").symlink_to(ONE)
    (app / "config.ini").write_text(f"[DEFAULT]\nPORT = {root}/dev/by-id\n")
    assert ask(root, app, "").returncode == 1


def test_only_ports_it_runs_on_are_taken_over(root: Path, app: Path, theirs: Path) -> None:
    """Venus OS makes it a service on a meter's port too, and tries it there once."""
    (app / "config.ini").unlink()
    executable(root / "data/apps/dbus-serialbattery/disable.sh", "")
    (root / "data/apps/dbus-serialbattery/config.ini").write_text("[DEFAULT]\n")
    executable(app / "bin/packbank", 'echo "$*" >>"$PACKBANK_ROOT/calls"; for word; do :; done; echo new >"$word"\n')
    assert ask(root, app).returncode == 0
    old = root / "data/apps/dbus-serialbattery/config.ini"
    assert calls(root)[-1] == f"migrate {old} --port {ONE} -o {app}/.packbank-config"
    assert (app / "config.ini").read_text() == "new\n"
