"""What a running daemon reports of its bank: finds its socket and reads its lines (docs/json.md)."""

from __future__ import annotations

import json
import select
import time
from contextlib import suppress
from pathlib import Path
from socket import socket
from typing import Any

from packbank.errors import LinkError
from packbank.outputs.local_socket import SUFFIX, capture_beside, config_of, connect, runtime_folders, socket_name

FIRST_TIMEOUT = 5.0  # s; a daemon that works sends a line every second
CHUNK = 1 << 18  # bytes
START = "start one with 'packbank run --config FILE', or 'packbank demo' to try without hardware"

Line = dict[str, Any]


class Feed:
    """The lines of one daemon, as dicts under the keys of the catalogue; every pack has its ``settings``."""

    def __init__(self, connection: socket, path: Path) -> None:
        self._connection = connection
        self.capture = capture_beside(path)
        self._unread = b""
        self._settings: list[Line] = []
        self.ended = False

    def fileno(self) -> int:
        """What to wait on until there is something to read."""
        return self._connection.fileno()

    def ask_for_capture(self, seconds: float) -> None:
        """Have the daemon write what is on its buses into :attr:`capture`, for ``seconds`` from now on."""
        try:
            self._connection.sendall(f"capture {seconds:.0f}\n".encode())
        except OSError as error:
            raise LinkError("the daemon has hung up; try again") from error

    def close(self) -> None:
        """Leave the daemon."""
        self._connection.close()

    def newest(self) -> Line | None:
        """The newest line that has come since the last call, without waiting; :attr:`ended` is true at the end."""
        with suppress(BlockingIOError):
            while data := self._receive():
                self._unread += data
            self.ended = True
        *lines, self._unread = self._unread.split(b"\n")
        line: Line | None = None
        for line in map(json.loads, lines):
            settings = [pack["settings"] for pack in line["packs"] if "settings" in pack]  # all have them or none
            self._settings = settings or self._settings
        if line is not None:
            for pack, remembered in zip(line["packs"], self._settings, strict=True):
                pack["settings"] = remembered
        return line

    def first(self) -> Line:
        """Wait for a line. Raises LinkError when none comes."""
        until = time.monotonic() + FIRST_TIMEOUT
        while (line := self.newest()) is None:
            if self.ended:
                raise LinkError("the daemon has hung up: it has ended, or too many others look at it; try again")
            if not select.select([self], [], [], max(0.0, until - time.monotonic()))[0]:
                raise LinkError(f"the daemon says nothing for {FIRST_TIMEOUT:.0f} s; its log says why")
        return line

    def _receive(self) -> bytes:
        try:
            return self._connection.recv(CHUNK)
        except ConnectionError:
            return b""


def open_feed(config_file: Path | None) -> Feed:
    """A feed from the daemon that runs with ``config_file``, or from the only one. Raises LinkError with a remedy."""
    found, forbidden = _reach()
    wanted = [path for path in found if config_file is None or path.name == socket_name(config_file)]
    for path, connection in found.items():
        if [path] != wanted:
            connection.close()
    if len(wanted) == 1:
        return Feed(found[wanted[0]], wanted[0])
    raise LinkError(_why_none(config_file, [config_of(path) for path in found], forbidden))


def _reach() -> tuple[dict[Path, socket], list[Path]]:
    """Connections to all daemons of this machine, and what is closed to us."""
    found: dict[Path, socket] = {}
    forbidden: list[Path] = []
    for folder in runtime_folders():
        try:
            for path in sorted(folder.glob(f"*{SUFFIX}")):
                with suppress(ConnectionRefusedError, FileNotFoundError):  # of a daemon that was killed, or ends now
                    found[path] = connect(path)
        except PermissionError:
            forbidden.append(folder)
        except OSError as error:
            for connection in found.values():
                connection.close()
            raise LinkError(f"{folder}: {error.strerror}; try again") from error
    return found, forbidden


def _why_none(config_file: Path | None, running: list[str], forbidden: list[Path]) -> str:
    others = " or ".join(f"--config {name}" for name in running)
    if config_file and running:
        return f"no daemon runs with {config_file.resolve()}; say {others}"
    if running:
        return f"{len(running)} daemons run here; say {others}"
    if forbidden:
        return f"{forbidden[0]} is another user's; show it as that user or as root, with 'sudo packbank show'"
    return f"no daemon runs{f' with {config_file.resolve()}' if config_file else ''}; {START}"
