"""The step from one version to the next, with stand-ins for daemontools and packbank: what is where after each end."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

VENUS = Path(__file__).parents[3] / "packaging/venus"
SVC = """#!/bin/sh
echo "svc $*" >>"$PACKBANK_ROOT/calls"
case $1 in
    -d)
        [ -e "$PACKBANK_ROOT/stubborn" ] || rm -f "$PACKBANK_ROOT/up"
        echo "state at the end" >"$2/../config.state.json"
        ;;
    -u) touch "$PACKBANK_ROOT/up" ;;
esac
"""
SVSTAT = """#!/bin/sh
if [ -e "$PACKBANK_ROOT/up" ]; then echo "$1: up (pid 7) 3 seconds"; else echo "$1: down 3 seconds"; fi
"""
# Asked whether the battery is there: it is while the service is up and this version works.
PYTHON = '#!/bin/sh\n[ -e "$PACKBANK_ROOT/up" ] && [ -e "$(dirname "$0")/works" ]\n'


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def lay_down(folder: Path, version: str, *, works: bool = True, more: str = "") -> None:
    """A version of packbank in ``folder``."""
    shutil.copytree(VENUS, folder, dirs_exist_ok=True)
    (folder / "version").write_text(f"{version}\n")
    executable(folder / "bin/packbank", f'#!/bin/sh\necho "{version} $*" >>"$PACKBANK_ROOT/calls"\n')
    executable(folder / "python/bin/python3", PYTHON)
    if works:
        (folder / "python/bin/works").touch()
    if more:
        (folder / more).write_text("")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    (folder / "files").write_text("\n".join([*files, "files"]) + "\n")


class Machine:
    """A GX with version 1 installed, enabled and running, and version 2 unpacked beside it."""

    def __init__(self, root: Path, *, works: bool = True) -> None:
        self.root = root
        self.app = root / "data/apps/packbank"
        self.new = self.app / ".packbank-new/apps/packbank"
        lay_down(self.app, "1", more="only-in-1")
        lay_down(self.new, "2", works=works)
        (self.app / "config.ini").write_text("mine\n")
        executable(root / "bin/svc", SVC)
        executable(root / "bin/svstat", SVSTAT)
        executable(root / "bin/sleep", "#!/bin/sh\n")
        (root / "up").touch()

    def activate(self) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PACKBANK_ROOT": str(self.root), "PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        return subprocess.run(
            ["sh", self.new / "activate.sh", self.app], env=environment, capture_output=True, text=True, check=False
        )

    def version(self) -> str:
        """The one that would run, all of it."""
        assert (self.app / "python/bin/python3").exists()
        said = subprocess.run(
            [self.app / "bin/packbank"], env=os.environ | {"PACKBANK_ROOT": str(self.root)}, check=True
        )
        assert said.returncode == 0
        last = (self.root / "calls").read_text().split()[-1]
        assert last == (self.app / "version").read_text().strip()
        return last


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_update_keeps_the_users_files_and_the_version_before(machine: Machine) -> None:
    done = machine.activate()
    assert done.returncode == 0, done.stderr
    assert "the battery was away for" in done.stdout
    assert machine.version() == "2"
    assert (machine.app / "config.ini").read_text() == "mine\n"
    assert not (machine.app / "only-in-1").exists()
    previous = machine.app / ".packbank-previous"
    assert (previous / "version").read_text() == "1\n"
    assert (previous / "python/bin/works").exists()
    assert not (previous / "unproven").exists()


def test_a_version_without_a_battery_goes_back_with_the_state(tmp_path: Path) -> None:
    machine = Machine(tmp_path, works=False)
    done = machine.activate()
    assert done.returncode == 1
    assert "packbank 1 is back, with its state, and shows its battery" in done.stderr
    assert machine.version() == "1"
    assert (machine.app / "only-in-1").exists()
    assert (machine.app / "config.state.json").read_text() == "state at the end\n"
    assert not (machine.app / ".packbank-previous/unproven").exists()
    assert (machine.app / ".packbank-previous/refused").read_text() == "2\n"
    assert (machine.root / "up").exists()


def test_no_battery_before_is_no_reason_to_go_back(tmp_path: Path) -> None:
    machine = Machine(tmp_path, works=False)
    (machine.app / "python/bin/works").unlink()
    done = machine.activate()
    assert done.returncode == 0, done.stderr
    assert "as there was none before" in done.stderr
    assert machine.version() == "2"


def test_a_version_that_does_not_end_goes_on(machine: Machine) -> None:
    (machine.root / "stubborn").touch()
    done = machine.activate()
    assert done.returncode == 1
    assert "it goes on" in done.stderr
    assert machine.version() == "1"
    assert "svc -u" in (machine.root / "calls").read_text()


@pytest.mark.parametrize("file", ["run", "packbank", "config.state.json", "install.sh"])
def test_a_disk_that_fills_up_half_way(machine: Machine, file: str) -> None:
    fails = f'#!/bin/sh\ncase $3 in */{file}.packbank-new | */{file}) exit 1 ;; esac\nexec /bin/cp "$@"\n'
    executable(machine.root / "bin/cp", fails)
    done = machine.activate()
    assert done.returncode == 1
    assert machine.version() == "1"
    assert (machine.root / "up").exists()
    assert not (machine.app / ".packbank-previous/unproven").exists()


def test_what_only_the_new_version_has_goes_with_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path, works=False)
    executable(machine.new / "only-in-2", "")
    with (machine.new / "files").open("a") as files:
        files.write("only-in-2\n")
    assert machine.activate().returncode == 1
    assert machine.version() == "1"
    assert not (machine.app / "only-in-2").exists()


def test_a_service_between_two_starts_is_a_running_one(machine: Machine) -> None:
    """It is about to be started again: nothing may be replaced under it, and the new version has to prove itself."""
    wants = '[ -e "$PACKBANK_ROOT/up" ] && echo "x: down 0 seconds, normally up, want up" || echo "x: down 3 seconds"\n'
    executable(machine.root / "bin/svstat", f"#!/bin/sh\n{wants}")
    assert machine.activate().returncode == 0
    assert "svc -d" in (machine.root / "calls").read_text()


def test_a_configuration_that_the_new_version_refuses_changes_nothing(machine: Machine) -> None:
    executable(machine.new / "bin/packbank", "#!/bin/sh\necho 'PORT is missing' >&2\nexit 2\n")
    done = machine.activate()
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert machine.version() == "1"
    assert not (machine.root / "calls").read_text().startswith("svc")
