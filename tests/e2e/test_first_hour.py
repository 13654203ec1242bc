"""The quick start of the README, word for word, by a new user with simulated packs."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from on_terminal import PACKBANK, eventually

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
OLD = "[DEFAULT]\nBMS_TYPE = Jkbms_pb\nBATTERY_ADDRESSES = 0x01, 0x02\nMAX_BATTERY_CHARGE_CURRENT = 40\n"


def command(begins: str) -> str:
    """The command of the README that begins like this."""
    found = re.search(rf"^ +({re.escape(begins)}.*?)(?:  +#.*)?$|`({re.escape(begins)}[^`]*)`", README, re.MULTILINE)
    assert found, begins
    return found[1] or found[2]


class User:
    """A shell in a folder of its own, with packbank on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        program = bin_folder / "packbank"
        program.write_text("#!/bin/sh\nexec " + " ".join(PACKBANK) + ' "$@"\n')
        program.chmod(0o755)
        self.environment = os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}", "TMPDIR": str(folder)}
        self.running: list[subprocess.Popen[str]] = []

    def types(self, line: str, code: int = 0) -> str:
        ended = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stdout + ended.stderr

    def leaves_running(self, line: str) -> None:
        errors = (self.folder / f"errors{len(self.running)}").open("w")
        with errors:
            self.running.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec {line}"], cwd=self.folder, env=self.environment, stderr=errors, text=True
                )
            )


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    one = User(tmp_path)
    yield one
    for process in one.running:
        process.terminate()
        process.wait(20)


def test_the_quick_start_works_as_it_is_written(user: User) -> None:
    assert "0x05  pack 5" in user.types("packbank dip 5")
    user.leaves_running(command("packbank simulate").replace("/tmp/", "./"))
    simulated = user.folder / "simulated.ini"
    assert eventually(lambda: simulated.exists() and "bus2" in simulated.read_text())
    assert "2 buses, 16 packs" in user.types(f"packbank check {simulated}")
    user.leaves_running(command("packbank run /tmp").replace("/tmp/", "./"))
    assert re.search(r"^ +packbank show$", README, re.MULTILINE)
    show = "packbank show --config simulated.ini"  # others may run daemons on this machine
    assert eventually(lambda: "16 of 16 packs" in user.types(f"{show} || true"))
    assert "bus1 3 · pack 3 of 16" in user.types(f"{show} 3")
    page = user.types(f"packbank doctor {simulated} --no-dbus || true")  # a busy machine may lose an answer
    assert "16/16 packs" in page
    assert page.count(": polling, ") == 2
    assert '"online": 16' in user.types(f"{show} --json")


def test_the_owner_of_a_dbus_serialbattery_configuration(user: User) -> None:
    (user.folder / "OLD.ini").write_text(OLD)
    line = command("packbank migrate").replace("PORT", "/dev/ttyUSB0")
    assert "MAX_BATTERY_CHARGE_CURRENT = 40" in user.types(line)
    assert "1 bus, 2 packs" in user.types(command("packbank check"))
    assert "exists; name another file" in user.types(line, code=2)
    assert "no bus: write PORT" in user.types("packbank run OLD.ini --no-dbus", code=2)
