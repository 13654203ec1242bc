"""The shell scripts: clean by shellcheck, and set-up on machines that lack things (apt and Python are stand-ins)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPTS = [*sorted((ROOT / "scripts").iterdir()), ROOT / ".ci/run"]
TOOLS = ("bash", "env", "dirname", "cat", "sha256sum", "cut", "sort", "tr", "mkdir", "cp")
NEEDED = "gcc libc6-dev pkg-config dbus libdbus-1-dev libglib2.0-dev libgirepository1.0-dev libcairo2-dev"


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    result = subprocess.run(["shellcheck", "-x", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout == ""


class Machine:
    """A checkout on a machine whose PATH holds only what the test puts there."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.tree = folder / "tree"
        self.log = folder / "log"
        self.bin.mkdir()
        for name in TOOLS:
            found = shutil.which(name)
            assert found is not None
            (self.bin / name).symlink_to(found)
        for name in ("scripts/setup", "scripts/run", "pyproject.toml", "setup.py"):
            target = self.tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
        (self.tree / "cext").mkdir()

    def provide(self, name: str, body: str) -> None:
        """A command that notes its arguments in the log, then does ``body``."""
        path = self.bin / name
        path.write_text(f'#!{self.bin}/bash\necho "{name} $*" >>{self.log}\n{body}\n', encoding="utf-8")
        path.chmod(0o755)

    def setup(self, *arguments: str, script: str = "scripts/setup", **environment: str) -> tuple[int, str]:
        result = subprocess.run(
            [self.tree / script, *arguments],
            env={"PATH": str(self.bin), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.stdout == "", "standard output belongs to the command that is run afterwards"
        return result.returncode, result.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_apt_it_says_what_to_install(machine: Machine) -> None:
    code, said = machine.setup()
    assert code == 1
    assert "please install: " in said
    wanted = said.split("please install: ")[1].split(" (as root")[0].split()
    assert set(wanted) == {*NEEDED.split(), "python3", "python3-dev", "python3-venv"}


def test_it_asks_apt_for_what_is_missing_and_only_for_that(machine: Machine) -> None:
    machine.provide("gcc", "exit 0")
    machine.provide("pkg-config", "exit 0")  # every library is there
    machine.provide("dbus-daemon", "exit 0")
    machine.provide("apt-get", "exit 0")
    machine.provide("apt-cache", "exit 0")
    machine.provide("sudo", 'while [[ $1 == -* ]]; do shift; done; exec "$@"')
    code, said = machine.setup("--dev")
    installed = [line for line in machine.log.read_text().splitlines() if line.startswith("apt-get -qq install")]
    broker = "" if Path("/usr/sbin/mosquitto").exists() else "mosquitto "  # not in everybody's PATH
    assert installed == [
        f"apt-get -qq install -y --no-install-recommends chromium {broker}python3 python3-dev python3-venv shellcheck",
    ]
    assert code == 1
    assert "needs Python 3.11 or newer" in said


def test_a_failing_apt_ends_it(machine: Machine) -> None:
    machine.provide("apt-get", "exit 100")
    machine.provide("apt-cache", "exit 0")
    machine.provide("sudo", 'while [[ $1 == -* ]]; do shift; done; exec "$@"')
    code, said = machine.setup()
    assert code == 1
    assert "failed; repair that" in said


def test_a_package_that_the_system_does_not_know_is_not_asked_for(machine: Machine) -> None:
    machine.provide("apt-get", "exit 0")
    machine.provide("apt-cache", "[[ $2 != libgirepository1.0-dev ]]")
    machine.provide("sudo", 'while [[ $1 == -* ]]; do shift; done; exec "$@"')
    _, said = machine.setup()
    assert "this system has no package libgirepository1.0-dev" in said
    (install,) = [line for line in machine.log.read_text().splitlines() if line.startswith("apt-get -qq install")]
    assert "libgirepository" not in install


def test_a_chosen_python_that_will_not_do_is_said_and_not_replaced(machine: Machine) -> None:
    machine.provide("python3", PYTHON)
    machine.provide("old", "exit 1")
    code, said = machine.setup(PYTHON="old")
    assert code == 1
    assert said.splitlines() == ["setup: PYTHON=old is not a Python 3.11 or newer; set it to one, or leave it away"]


def test_an_unknown_option_is_refused(machine: Machine) -> None:
    assert machine.setup("--fast") == (1, "setup: usage: scripts/setup [--dev] [--bundle]\n")


PYTHON = """
case "$*" in
    *print*version_info*) echo 3.12 ;;
    *include*) echo "$PWD" ;;
    "-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *"pip install"*--editable* | *build_ext*) cat cext/kernel.pyx >cext/kernel.abi3.so ;;
esac
"""


@pytest.fixture
def ready(machine: Machine) -> Machine:
    """A machine that was set up with a Python that only pretends."""
    for name in ("gcc", "pkg-config", "dbus-daemon", "shellcheck", "mosquitto", "chromium"):
        machine.provide(name, "exit 0")
    (machine.tree / "Python.h").touch()
    (machine.tree / "cext/kernel.pyx").write_text("one", encoding="utf-8")
    machine.provide("python3", PYTHON)
    code, said = machine.setup()
    assert code == 0
    assert "installing packbank[venus,tui,mqtt,web] into .venv" in said
    machine.log.unlink()
    return machine


def calls(machine: Machine) -> list[str]:
    return [line for line in machine.log.read_text(encoding="utf-8").splitlines() if " -c " not in line]


def test_nothing_is_done_when_nothing_changed(ready: Machine) -> None:
    assert ready.setup() == (0, "")
    assert calls(ready) == []


def test_tools_for_tests_are_installed_only_when_they_are_asked_for(ready: Machine) -> None:
    code, _ = ready.setup("--dev")
    assert code == 0
    assert any(call.endswith("--editable .[venus,tui,mqtt,web] --group dev") for call in calls(ready))
    assert ready.setup("--dev") == (0, "")
    assert ready.setup() == (0, "")


def test_a_changed_kernel_is_compiled_and_nothing_else(ready: Machine) -> None:
    (ready.tree / "cext/kernel.pyx").write_text("two", encoding="utf-8")
    assert ready.setup() == (0, "setup: compiling the extension\n")
    assert calls(ready) == ["python3 setup.py -q build_ext --inplace"]
    assert (ready.tree / "cext/kernel.abi3.so").read_text(encoding="utf-8") == "two"
    assert ready.setup() == (0, "")


def test_a_lost_extension_is_compiled_again(ready: Machine) -> None:
    (ready.tree / "cext/kernel.abi3.so").unlink()
    assert ready.setup() == (0, "setup: compiling the extension\n")


def test_changed_metadata_is_installed_again_into_the_same_venv(ready: Machine) -> None:
    (ready.tree / "pyproject.toml").write_text("changed", encoding="utf-8")
    code, said = ready.setup()
    assert code == 0
    assert "installing" in said
    assert "creating" not in said


def test_without_the_libraries_of_dbus_the_core_is_installed(machine: Machine) -> None:
    for name in ("gcc", "dbus-daemon"):
        machine.provide(name, "exit 0")
    machine.provide("pkg-config", "[[ $2 != gobject-introspection-1.0 ]]")
    machine.provide("apt-get", "exit 0")
    machine.provide("apt-cache", "exit 1")
    machine.provide("sudo", 'while [[ $1 == -* ]]; do shift; done; exec "$@"')
    machine.provide("python3", PYTHON)
    (machine.tree / "Python.h").touch()
    (machine.tree / "cext/kernel.pyx").write_text("one", encoding="utf-8")
    code, said = machine.setup()
    assert code == 0
    assert "without libgirepository1.0-dev there is no D-Bus" in said
    assert "installing packbank[tui,mqtt,web] into .venv" in said


def test_run_passes_its_arguments_on_and_shows_the_demo_without_any(ready: Machine) -> None:
    packbank = ready.tree / ".venv/bin/packbank"
    packbank.write_text(f'#!{ready.bin}/bash\necho "called: $*" >&2\n', encoding="utf-8")
    packbank.chmod(0o755)
    assert ready.setup("decode", "--json", "a b", script="scripts/run") == (0, "called: decode --json a b\n")
    code, said = ready.setup(script="scripts/run")
    assert code == 0
    assert said.endswith("called: demo\n")
