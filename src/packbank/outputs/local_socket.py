"""The daemon's snapshots on a Unix socket, for ``packbank show`` and ``packbank top``.

Whoever connects gets one JSON object a line (docs/json.md), within a second the first. A line has the settings of all
packs or of none: a client's first one has them, and the first one after the settings of some pack were read again.
A client may send ``capture SECONDS``: what passes on the buses is then written beside the socket. Nothing is encoded
while nobody is connected.

The socket is a file in the runtime folder, named after the daemon's configuration. Only its owner and root may open
the folder and the file.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from socket import AF_UNIX, SOCK_NONBLOCK, SOCK_STREAM, socket
from urllib.parse import quote, unquote_to_bytes
from zlib import crc32

from packbank.errors import LinkError
from packbank.model.columns import Column
from packbank.model.snapshot import Snapshot
from packbank.outputs.json_lines import snapshot_dict

CLIENTS = 8
PATIENCE = 10.0  # s that a client may leave a line unread before a new one takes its place
SEND_TIME = 0.5  # s a snapshot, for lines that are longer than a socket's buffer
SUFFIX = ".sock"
REQUEST = re.compile(rb"capture ([0-9]{1,4})\n")
LONGEST_REQUEST = 64  # bytes
LONGEST_CAPTURE = 300.0  # s
LONGEST_ADDRESS = 107  # bytes of a path that bind and connect take (unix(7))
LONGEST_NAME = LONGEST_ADDRESS - len("/proc/self/fd/12345/") - len(SUFFIX)


def runtime_folders() -> list[Path]:
    """Where sockets of daemons may be; this process would make its own in the first."""
    own = os.geteuid()
    given = [Path(folder) for folder in os.environ.get("RUNTIME_DIRECTORY", "").split(":")[:1] if folder]
    user = [Path(folder, "packbank") for folder in [os.environ.get("XDG_RUNTIME_DIR", "")] if folder]
    system = Path("/run/packbank")
    temporary = Path(tempfile.gettempdir(), f"packbank-{own}")
    ordered = [*given, *([system] if own == 0 else []), *user, temporary, system]
    return list(dict.fromkeys(ordered))


def socket_name(config_file: Path) -> str:
    """The name of the socket of the daemon that runs with ``config_file``; :func:`config_of` turns it back."""
    whole = quote(os.fsencode(config_file.resolve()), safe="").replace("%2F", "+")  # a plus itself is %2B
    return (whole if len(whole) <= LONGEST_NAME else f"{crc32(whole.encode()):08x}") + SUFFIX


def capture_beside(path: Path) -> Path:
    """Where the daemon whose socket is ``path`` writes a capture that a client has asked for."""
    return path.with_suffix(".capture")


def config_of(path: Path) -> str:
    """The configuration of the daemon whose socket is ``path``; of a very long name a number stands for it."""
    return os.fsdecode(unquote_to_bytes(path.name.removesuffix(SUFFIX).replace("+", "/")))


def connect(path: Path) -> socket:
    """A non-blocking connection to the socket ``path``. Raises OSError, BlockingIOError when its daemon is busy."""
    connection = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK)
    try:
        with _address(path) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


@dataclass(slots=True, eq=False)
class _Client:
    connection: socket
    settings: object = None  # when the settings that it was sent were read, and of which packs
    rest: memoryview | bytes = b""  # of the line that it is being sent
    since: float = 0.0  # time of that line's snapshot
    said: bytes = b""

    def fileno(self) -> int:
        return self.connection.fileno()


class LocalSocket:
    """The lines for at most :data:`CLIENTS` clients; one that is slow gets the newest line when it is ready."""

    name = "socket"

    def __init__(
        self, config_file: Path, capture: Callable[[Path, float], None] = lambda _path, _seconds: None
    ) -> None:
        """``capture(path, seconds)`` is called when a client asks for a capture."""
        self._capture = capture
        self._name = socket_name(config_file)
        self._path = Path(self._name)
        self._listener: socket | None = None
        self._inode = 0
        self._clients: list[_Client] = []

    def show(self, snapshot: Snapshot) -> None:
        """Send the line of ``snapshot`` to whoever is ready. Raises LinkError when there can be no socket."""
        if self._listener is None or not self._in_place():
            self._open()
        self._accept(snapshot.time)
        self._hear()
        if not self._clients:
            return
        line = _line_of(snapshot)
        read_at = snapshot.rows[:, Column.SETTINGS_TIME].tobytes(), snapshot.places
        for client in self._clients:
            if not client.rest:
                client.rest, client.since = line(client.settings != read_at), snapshot.time
                client.settings = read_at
        self._send()

    def close(self) -> None:
        """Remove the socket and leave the clients."""
        if self._in_place():
            self._path.unlink()
        self._leave()

    def _open(self) -> None:
        self._leave()
        self._path = runtime_folders()[0] / self._name
        try:
            self._listener = _listen(self._path)
            self._inode = self._path.stat().st_ino
        except LinkError:
            raise
        except OSError as error:
            raise LinkError(
                f"{self._path}: {error.strerror or error}; until it can be made, 'show' cannot see us"
            ) from error

    def _leave(self) -> None:
        for client in self._clients:
            client.connection.close()
        self._clients.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _in_place(self) -> bool:
        """Whether the socket's file is ours; folders of users are removed when they log out."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def _accept(self, now: float) -> None:
        """Take in who has come. When there are too many, one that reads nothing goes, or else the new one."""
        assert self._listener is not None
        for _ in range(CLIENTS):
            try:
                connection, _address = self._listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            if len(self._clients) >= CLIENTS:
                stuck = min((client for client in self._clients if client.rest), key=lambda c: c.since, default=None)
                if stuck is None or now - stuck.since < PATIENCE:
                    connection.close()
                    continue
                self._drop(stuck)
            self._clients.append(_Client(connection))

    def _hear(self) -> None:
        """Do what clients ask for; one that says something else is left alone, and one that says much is dropped."""
        for client in self._clients[:]:
            with suppress(OSError):
                client.said += client.connection.recv(LONGEST_REQUEST)
            if len(client.said) > LONGEST_REQUEST:
                self._drop(client)
            elif request := REQUEST.fullmatch(client.said):
                client.said = b""
                self._capture(capture_beside(self._path), min(float(request[1]), LONGEST_CAPTURE))

    def _send(self) -> None:
        """Send what fits; what does not is waited for, a little."""
        until = time.monotonic() + SEND_TIME
        ready = self._clients[:]
        while ready:
            for client in ready:
                try:
                    client.rest = client.rest[client.connection.send(client.rest) :]
                except BlockingIOError:
                    pass
                except OSError:  # it has gone
                    self._drop(client)
            waiting = [client for client in self._clients if client.rest]
            ready = select.select([], waiting, [], max(0.0, until - time.monotonic()))[1] if waiting else []

    def _drop(self, client: _Client) -> None:
        client.connection.close()
        self._clients.remove(client)


def _line_of(snapshot: Snapshot) -> Callable[[bool], memoryview]:
    """Encodes ``snapshot`` with or without the packs' settings, each at most once."""

    @cache
    def line(with_settings: bool) -> memoryview:
        whole = snapshot_dict(snapshot, settings=with_settings)
        return memoryview(json.dumps(whole, allow_nan=False).encode() + b"\n")

    return line


def _listen(path: Path) -> socket:
    """A listening socket at ``path``. Raises LinkError when a daemon that lives has it, OSError otherwise."""
    with _locked(private_folder(path.parent)):  # daemons that start at once do this in turn
        if path.is_socket():
            if _answers(path):
                raise LinkError(f"{path}: another daemon that runs with {config_of(path)} has it; end one of them")
            path.unlink()
        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK)
        try:
            with _address(path) as address:
                listener.bind(address)
            path.chmod(0o600)
            listener.listen(CLIENTS)
        except OSError:
            listener.close()
            raise
    return listener


def private_folder(folder: Path) -> Path:
    """Make ``folder`` unless it is there. Raises LinkError when others than its owner could put files into it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o022:
        raise LinkError(f"{folder}: others may write there; remove it, it is made anew")
    return folder


def _answers(path: Path) -> bool:
    """Whether a process listens at the socket ``path``."""
    try:
        connect(path).close()
    except BlockingIOError:
        return True  # it has not yet taken in who came before
    except ConnectionRefusedError:
        return False
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _address(path: Path) -> Iterator[str | bytes]:
    """``path`` as bind and connect take it, however long it is."""
    whole = os.fsencode(path)
    if len(whole) <= LONGEST_ADDRESS:
        yield whole
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
