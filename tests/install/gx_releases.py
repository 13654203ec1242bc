"""Releases of packbank on a web server of this machine: the one under test, a newer one, and newer ones that fail."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

PACKAGE = "apps/packbank/python/lib/python3/dist-packages/packbank"
INSTALLER = "apps/packbank/install.sh"


class Quiet(SimpleHTTPRequestHandler):
    """Files of a folder, without a log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@contextlib.contextmanager
def served(folder: Path, port: int = 0) -> Iterator[int]:
    """Serve ``folder`` on loopback; the port."""
    with ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


class Releases:
    """A folder a release, each with signed checksums, and the server for them while the context is open."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self.folder = folder
        self.archive = archive
        self.version, self._arch = archive.name.removesuffix(".tar.gz").split("-")[2:]
        self._private = folder / "key.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self._private], check=True)
        public = subprocess.run(
            ["openssl", "pkey", "-in", self._private, "-pubout", "-outform", "DER"], check=True, capture_output=True
        )
        self.key = base64.b64encode(public.stdout).decode()
        self._undo = contextlib.ExitStack()
        self._port = 0

    def __enter__(self) -> Self:
        self._port = self._undo.enter_context(served(self.folder))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def address(self, name: str) -> str:
        """Where the release ``name`` is served."""
        return f"http://127.0.0.1:{self._port}/{name}"

    def publish(self, name: str, version: str = "", broken: Mapping[str, str] | None = None) -> Path:
        """Make the release ``name``, if it is not there yet: another version number, other texts of our modules."""
        folder = self.folder / name
        archive = folder / f"packbank-venus-{version or self.version}-{self._arch}.tar.gz"
        if not folder.exists():
            folder.mkdir()
            if version or broken:
                _rewrite(self.archive, archive, version or self.version, broken or {})
            else:
                shutil.copy(self.archive, archive)
            text = re.sub("(?<=PACKBANK_RELEASES:-)[^}]*", self.address(name), self.installer())
            (folder / "install.sh").write_text(re.sub("(?<=PACKBANK_KEY:-)[^}]*", self.key, text))
            self.sign(folder, archive)
        return archive

    def installer(self) -> str:
        """The install.sh of the archive under test."""
        with tarfile.open(self.archive) as tar:
            installer = tar.extractfile(INSTALLER)
            assert installer is not None
            return installer.read().decode()

    def sign(self, folder: Path, archive: Path) -> None:
        """Write the checksum of ``archive`` and its signature."""
        sums = folder / "SHA256SUMS"
        sums.write_text(f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {archive.name}\n")
        files = ["-inkey", str(self._private), "-in", str(sums), "-out", f"{sums}.sig"]
        subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", *files], check=True)


def _rewrite(source: Path, target: Path, version: str, texts: Mapping[str, str]) -> None:
    """``source`` with the version and the modules exchanged; their byte code goes, since nothing would notice."""
    changed = {f"{PACKAGE}/{name}": text for name, text in texts.items()}
    changed["apps/packbank/version"] = f"{version}\n"
    changed[f"{PACKAGE}/__init__.py"] = f'__version__ = "{version}"\n'
    stale = [name.rpartition("/") for name in changed if name.endswith(".py")]
    gone = {f"{folder}/__pycache__/{name.removesuffix('.py')}.cpython-311.pyc" for folder, _, name in stale}
    with tarfile.open(source) as old, tarfile.open(target, "w:gz", compresslevel=1) as new:
        for member in old:
            if member.name in gone:
                continue
            if member.name in changed:
                data = changed[member.name].encode()
                member.size = len(data)
                new.addfile(member, io.BytesIO(data))
            else:
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
