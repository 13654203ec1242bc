"""A D-Bus of our own for the demo: a dbus-daemon in a temporary folder, and a monitor that counts what is said."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from packbank.cli.child import end_child, start_child
from packbank.errors import LinkError

START_TIMEOUT = 5.0  # s
PROGRAMS = ("dbus-daemon", "dbus-monitor")  # Debian: packages dbus-daemon or dbus, and dbus-bin or dbus
MODULES = {"dbus": "dbus-python", "gi": "PyGObject"}
BUS_ADDRESS = "DBUS_SESSION_BUS_ADDRESS"
ROOT = "PACKBANK_ROOT"
BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def missing() -> str:
    """What this machine lacks for a private D-Bus, in words; ``""`` when nothing."""
    packages = [package for module, package in MODULES.items() if find_spec(module) is None]
    programs = [program for program in PROGRAMS if shutil.which(program) is None]
    return ", ".join(packages + programs)


class PrivateBus:
    """The D-Bus while the context is open; the environment names it, as Venus OS's own services expect."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "dbus"
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        # Its address, and a root without Venus OS: on a GX, too, there is no localsettings on this bus to wait for.
        self._own = {BUS_ADDRESS: f"unix:path={self._socket}", ROOT: str(folder)}
        self._before: dict[str, str | None] = {}
        self.address = f"unix:path={self._socket}"

    def __enter__(self) -> PrivateBus:
        config = self._folder / "dbus.conf"
        config.write_text(BUS_CONFIG.format(socket=self._socket), encoding="utf-8")
        with ExitStack() as undo:
            undo.callback(self._end)
            self._start("dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--nosyslog")
            self._await_socket()
            self._start("dbus-monitor", "--address", self.address, "--profile")
            undo.pop_all()
        self._before = {name: os.environ.get(name) for name in self._own}
        os.environ.update(self._own)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, before in self._before.items():
            del os.environ[name]
            if before is not None:
                os.environ[name] = before
        self._end()

    def signals(self, member: str) -> int:
        """How many signals ``member`` were sent so far."""
        lines = self._output("dbus-monitor").read_text(encoding="utf-8", errors="replace").splitlines()
        return sum(line.startswith("sig\t") and line.endswith(f"\t{member}") for line in lines)

    def _start(self, program: str, *arguments: str) -> None:
        command = [program, *arguments]
        with self._output(program).open("wb") as output:
            self._processes.append(start_child(command, output, subprocess.DEVNULL))

    def _output(self, program: str) -> Path:
        return self._folder / f"{program}.out"

    def _await_socket(self) -> None:
        until = time.monotonic() + START_TIMEOUT
        while not self._socket.exists():
            if self._processes[0].poll() is not None or time.monotonic() > until:
                raise LinkError("the demo's own dbus-daemon did not start; run 'dbus-daemon --session' to see why")
            time.sleep(0.01)

    def _end(self) -> None:
        for process in reversed(self._processes):
            end_child(process)
        self._processes.clear()
