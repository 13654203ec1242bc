"""A command on a pseudo-terminal of its own, as a user has it: sized, with Ctrl-C, and closed at will."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PACKBANK = (sys.executable, "-m", "packbank")
TIMEOUT = 30.0  # s
# A session leader's first terminal becomes its controlling one, which is what Ctrl-C and a hang-up go through.
LEADER = ("import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])",)


class OnTerminal:
    """The command while the context is open; it is killed at the end if it still runs."""

    def __init__(
        self, command: Sequence[str], columns: int = 80, lines: int = 24, environment: Mapping[str, str] | None = None
    ) -> None:
        self.master, self.terminal = pty.openpty()
        self.resize(columns, lines)
        self.mode = termios.tcgetattr(self.terminal)
        self.output = b""
        kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
        self.process = subprocess.Popen(
            [sys.executable, "-c", *LEADER, *command],
            stdin=self.terminal,
            stdout=self.terminal,
            stderr=self.terminal,
            start_new_session=True,
            env={**kept, "TERM": "vt220", **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.hang_up()
        os.close(self.terminal)

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        """Type ``keys``; ``"\\x03"`` is Ctrl-C."""
        os.write(self.master, keys.encode())

    def hang_up(self) -> None:
        """Close the terminal, as a window is closed."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def wait_for(self, text: str) -> str:
        """Read until ``text`` has come since the last call; everything up to and with it."""
        wanted, until = text.encode(), time.monotonic() + TIMEOUT
        while wanted not in self.output:
            assert time.monotonic() < until, f"{text!r} did not come, but {self.output!r}"
            self._read(0.1)
        at = self.output.index(wanted) + len(wanted)
        found, self.output = self.output[:at], self.output[at:]
        return found.decode(errors="replace")

    def end(self) -> tuple[int, str]:
        """Wait for the command's end: its exit code and everything that it said since the last ``wait_for``."""
        until = time.monotonic() + TIMEOUT
        while self.process.poll() is None:
            assert time.monotonic() < until, f"it does not end; {self.output!r}"
            self._read(0.05)
        while self._read(0.0):
            pass
        return self.process.returncode, self.output.decode(errors="replace")

    def _read(self, timeout: float) -> bool:
        if self.master < 0:
            time.sleep(timeout)
            return False
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        data = os.read(self.master, 1 << 16)
        self.output += data
        return bool(data)


def processes_with(name: str, value: str) -> list[str]:
    """The command lines of all processes in whose environment ``name`` is ``value``."""
    entry = f"{name}={value}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if entry in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [command for command in found if command]


def eventually(condition: Any) -> bool:
    """Whether ``condition()`` becomes true before long."""
    until = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
