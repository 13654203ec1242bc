"""``packbank doctor --bundle FILE``: one archive for a report, without secrets."""

from __future__ import annotations

import io
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packbank import __version__
from packbank.cli.feed import open_feed
from packbank.cli.progress import open_countdown
from packbank.config.loader import load
from packbank.config.redacted import redacted
from packbank.daemon import Daemon, wait_loop
from packbank.errors import ConfigError, LinkError, PackbankError
from packbank.sources.serial.capture import Capture

GX_LOG = Path("/var/log/packbank/current")
VENUS_VERSION = Path("/opt/victronenergy/version")
LOG_LINES = 2000
LIBRARIES = ("numpy", "pyserial", "paho-mqtt", "dbus-python", "PyGObject")
CONTENT = """\
doctor.txt     what 'packbank doctor' said
versions.txt   of packbank, Python, its libraries, the system
config.ini     the configuration without comments and without values that may be secrets
daemon.json    what the daemon reported: bank, packs with their serial numbers, statistics of the buses
log.txt        the last lines of its log
capture.jsonl  what was on the buses for a while; all but whole messages without secrets is zeros
What could not be had says why in its place.
"""


def check_place(path: Path) -> None:
    """Raise ConfigError when there is a file of this name, or no folder for it."""
    if path.exists():
        raise ConfigError(f"{path} exists; name another file")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.absolute().parent}")


def write_bundle(path: Path, config_file: Path | None, ports: list[str], page: str, seconds: float) -> None:
    """Write the archive, for its owner only; takes ``seconds`` for the capture."""
    report = _report(config_file)
    texts = {
        "README.txt": CONTENT,
        "doctor.txt": page,
        "versions.txt": "\n".join(_versions()) + "\n",
        "config.ini": redacted(config_file) if config_file else "# no configuration was named\n",
        "daemon.json": report,
        "log.txt": _log(),
        "capture.jsonl": _capture(config_file, ports, seconds, running=report.startswith("{")),
    }
    path.touch(0o600)
    with tarfile.open(path, "w:gz") as archive:
        for name, text in texts.items():
            data = text.encode()
            about = tarfile.TarInfo(f"packbank-report/{name}")
            about.size, about.mtime, about.mode = len(data), int(time.time()), 0o600
            archive.addfile(about, io.BytesIO(data))


def _report(config_file: Path | None) -> str:
    try:
        with closing(open_feed(config_file)) as feed:
            return json.dumps(feed.first(), indent=1) + "\n"
    except PackbankError as error:
        return f"# {' '.join(str(error).split())}\n"


def _versions() -> Iterator[str]:
    yield f"packbank {__version__}"
    yield f"Python {sys.version}"
    for library in LIBRARIES:
        try:
            yield f"{library} {version(library)}"
        except PackageNotFoundError:
            yield f"{library} is not there"
    yield " ".join(platform.uname()[index] for index in (0, 2, 3, 4))  # without the machine's own name
    if VENUS_VERSION.is_file():
        yield f"Venus OS {VENUS_VERSION.read_text(errors='replace').strip()}"


def _log() -> str:
    """The end of the daemon's log, from where the GX or systemd keeps it."""
    try:
        if GX_LOG.is_file():
            with GX_LOG.open(errors="replace") as log:
                return "".join(deque(log, LOG_LINES))
        if shutil.which("journalctl"):
            command = ["journalctl", "-u", "packbank", "-n", str(LOG_LINES), "--no-pager", "-o", "short-iso"]
            return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return f"# the log cannot be read: {error}\n"
    return f"# there is neither {GX_LOG} nor journalctl\n"


def _capture(config_file: Path | None, ports: list[str], seconds: float, *, running: bool) -> str:
    """What is on the buses, by the daemon that has them, or without one by reading them here."""
    if config_file is None or seconds <= 0.0:
        return "# no capture: no configuration was named, or none was wanted\n"
    try:
        if running:
            return _by_daemon(config_file, seconds)
        return _by_ourselves(config_file, ports, seconds)
    except (PackbankError, OSError) as error:
        return f"# no capture: {' '.join(str(error).split())}\n"


def _by_daemon(config_file: Path, seconds: float) -> str:
    with closing(open_feed(config_file)) as feed:
        feed.ask_for_capture(seconds)
        _wait(seconds + 2.0)
        try:
            return feed.capture.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise LinkError("this daemon makes none; it is an older one, or a demo") from None


def _by_ourselves(config_file: Path, ports: list[str], seconds: float) -> str:
    with tempfile.TemporaryDirectory(prefix="packbank-report-") as folder:
        file = Path(folder, "capture.jsonl")
        until = time.monotonic() + seconds
        with Daemon(load(config_file, ports), capture=Capture(file)) as daemon:
            wait_loop(lambda: daemon.tick() and time.monotonic() < until)
        return file.read_text(encoding="utf-8")


def _wait(seconds: float) -> None:
    with open_countdown("capture", seconds) as step:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0.0:
            time.sleep(min(left, 1.0))
            step(min(left, 1.0))
