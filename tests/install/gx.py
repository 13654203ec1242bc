"""A GX to install on: a chroot with the GX's processor (qemu), BusyBox, daemontools and Venus OS's places, no more.

Its packs are simulated on this machine's pseudo-terminals and its D-Bus is a dbus-daemon of this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dbus import Array
from dbus.bus import BusConnection

STAND_INS = Path(__file__).parents[1] / "dbus/stand_ins.py"
CHROOT = shutil.which("chroot") or "/usr/sbin/chroot"
BATTERY = "com.victronenergy.battery.packbank"
FIRMWARE = ("svc", "svok", "svstat", "svscan", "supervise", "multilog", "tai64nlocal", "openssl")
FOLDERS = ("bin", "data", "dev/pts", "etc/venus", "media", "opt/victronenergy/serial-starter", "proc", "run/dbus",
           "service", "tmp", "usr/bin", "var/log", "var/run/dbus")  # fmt: skip
LAUNCHER = '#!/bin/sh\nexec /opt/firmware/lib/{loader} --library-path /opt/firmware/lib /opt/firmware/bin/{name} "$@"\n'
APP = "/data/apps/packbank"


def names(folder: Path) -> list[str]:
    """What is in ``folder``."""
    return sorted(path.name for path in folder.iterdir())


def until(condition: Callable[[], object], seconds: float, explain: Callable[[], str]) -> float:
    """Wait for ``condition``; the seconds that it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"not within {seconds:.0f} s; {explain()}"
        time.sleep(0.1)
    return time.monotonic() - begun


class Gx:
    """The machine while the context is open. ``parts`` holds the unpacked Debian packages of its userland."""

    def __init__(self, parts: Path, cpu: str, packs: int = 3) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="gx-", dir="/tmp"))  # short: a socket's path has 107 characters
        self.app = self.root / APP[1:]
        self._parts = parts
        self._environment = {"PATH": "/bin:/usr/bin", "HOME": "/data", "QEMU_CPU": cpu}
        self._packs = packs
        self._undo = ExitStack()
        self._dbus: Any = None
        self._svscan: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, self.root)
            self._build()
            # In memory, as /service is on a GX too: under qemu a 32-bit program cannot read every folder of ext4.
            for place in ("service", "var/log"):
                _mount(undo, self.root / place, "-t", "tmpfs", "tmpfs")
            _mount(undo, self.root / "proc", "-t", "proc", "proc")
            _mount(undo, self.root / "dev/pts", "--bind", "/dev/pts")
            _mount(undo, self.root / "data", "--bind", str(self.root / "data"))  # so that df knows it
            undo.callback(self._end_processes)
            self._start_dbus(undo)
            self._start_packs(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def run(self, *words: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """A command in the GX; both its outputs come in ``stdout``."""
        done = subprocess.run(
            [CHROOT, self.root, *words],
            env=self._environment,
            input=stdin or "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert not check or done.returncode == 0, f"{words}: exit code {done.returncode}\n{done.stdout}{self.log()}"
        return done

    def boot(self) -> None:
        """What Venus OS does at a boot: the end of all processes, a new /service, svscan, rc.local."""
        self._end_processes()
        for entry in (self.root / "service").iterdir():
            entry.unlink()
        self._svscan = subprocess.Popen(
            [CHROOT, self.root, "svscan", "/service"], env=self._environment, start_new_session=True
        )
        if (self.root / "data/rc.local").exists():
            self.run("/data/rc.local")

    def log(self) -> str:
        """What the service wrote."""
        log = self.root / "var/log/packbank/current"
        return log.read_text(errors="replace") if log.exists() else ""

    def battery(self) -> bool:
        """Whether the battery is on the D-Bus."""
        return bool(self._dbus.name_has_owner(BATTERY))

    def get(self, path: str) -> Any:
        """A value of the battery; ``None`` for the empty array by which Venus OS says that there is none."""
        value = self._dbus.call_blocking(BATTERY, path, "com.victronenergy.BusItem", "GetValue", "", ())
        return None if isinstance(value, Array) else value

    def set(self, path: str, value: float, service: str = BATTERY) -> int:
        """Write a value of the battery, or of another service, as the GUI does; 0: taken."""
        return int(self._dbus.call_blocking(service, path, "com.victronenergy.BusItem", "SetValue", "v", (value,)))

    def daemon(self) -> int:
        """The process id of the running packbank."""
        for process in self._processes():
            words = (Path("/proc") / str(process) / "cmdline").read_bytes().split(b"\0")
            if b"run" in words and b"packbank" in words:
                return process
        raise AssertionError(f"packbank does not run\n{self.log()}")

    def _build(self) -> None:
        for folder in FOLDERS:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        # Debian's BusyBox has svc and svok of another supervisor built in, and its shell prefers them to all others.
        program = (self._parts / "bin/busybox").read_bytes()
        program = program.replace(b"\0svc\0", b"\0svb\0").replace(b"\0svok\0", b"\0svoj\0")
        (self.root / "bin/busybox").write_bytes(program)
        (self.root / "bin/busybox").chmod(0o755)
        for name in set(self.run("/bin/busybox", "--list").stdout.split()) - {"busybox"}:
            (self.root / "bin" / name).symlink_to("busybox")
        firmware = self.root / "opt/firmware"
        (firmware / "bin").mkdir(parents=True)
        (firmware / "lib").mkdir()
        libraries = [path for pattern in ("lib/*/*.so*", "usr/lib/*/*.so*") for path in self._parts.glob(pattern)]
        for library in libraries:
            shutil.copy(library, firmware / "lib" / library.name)
        loader = next(path.name for path in libraries if path.name.startswith("ld-linux"))
        for name in FIRMWARE:
            shutil.copy(self._parts / "usr/bin" / name, firmware / "bin" / name)
            self.write(f"usr/bin/{name}", LAUNCHER.format(loader=loader, name=name), 0o755)
        for name, number in (("null", 3), ("zero", 5), ("urandom", 9)):
            os.mknod(self.root / "dev" / name, 0o666 | 0o020000, os.makedev(1, number))
        os.mknod(self.root / "dev/tty", 0o666 | 0o020000, os.makedev(5, 0))
        self.write("opt/victronenergy/version", "v3.60\nbuild\n")
        self.write("etc/passwd", "root:x:0:0:root:/data:/bin/sh\n")
        self.write("opt/victronenergy/serial-starter/stop-tty.sh", '#!/bin/sh\necho "$1" >>/tmp/freed\n', 0o755)

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """A file of the GX."""
        path = self.root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def _start_dbus(self, undo: ExitStack) -> None:
        address = f"unix:path={self.root}/var/run/dbus/system_bus_socket"
        _start(undo, ["dbus-daemon", "--session", "--nofork", "--print-address=1", f"--address={address}"])
        for kind in ("settings", "system"):
            _start(undo, [sys.executable, str(STAND_INS), address, kind])
        self._dbus = BusConnection(address)
        self._dbus.set_exit_on_disconnect(False)
        undo.callback(self._dbus.close)

    def _start_packs(self, undo: ExitStack) -> None:
        command = [sys.executable, "-m", "packbank", "simulate", "--json", "--packs", str(self._packs)]
        ports = json.loads(_start(undo, command))["ports"]
        adapter = self.root / "dev/ttyUSB0"
        adapter.touch()
        _mount(undo, adapter, "--bind", os.path.realpath(ports[0]))

    def _processes(self) -> Sequence[int]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "root").readlink() == self.root:
                    found.append(int(process.name))
            except OSError:  # it has just ended
                continue
        return found

    def _end_processes(self) -> None:
        """As a power cut does."""
        while left := self._processes():
            for process in left:
                os.kill(process, signal.SIGKILL)
            if self._svscan is not None:
                self._svscan.wait()
                self._svscan = None
            time.sleep(0.1)


def _mount(undo: ExitStack, place: Path, *what: str) -> None:
    """Mount something until the context ends."""
    subprocess.run(["mount", *what, str(place)], check=True)
    undo.callback(lambda: subprocess.run(["umount", "-l", str(place)], check=True))


def _start(undo: ExitStack, command: Sequence[str]) -> str:
    """Start a program of this machine that ends with the context; its first line."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    undo.callback(process.wait)
    undo.callback(process.kill)
    assert process.stdout is not None
    line = process.stdout.readline()
    # Nobody reads on: what the program prints later must not block it.
    undo.callback(process.stdout.close)
    return line
