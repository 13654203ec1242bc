"""A serial port as ``packbank doctor`` sees it: is it there, is it ours, is the adapter any good."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from packbank.findings import Finding, note, ok, wrong
from packbank.sources.serial.ports import STOP_TTY, explain, holder, usb_identity

SERIAL_STARTER = Path("/dev/serial-starter")
FT232R = ("0403", "6001")


def port_findings(port: str) -> Iterator[Finding]:
    """Everything worth saying of one port, without opening it."""
    if "://" in port:
        yield note(f"{port}: a network port; whether it works shows only when packbank runs")
        return
    device = Path(os.path.realpath(port))
    if not device.exists():
        yield wrong(*_split(explain(port, FileNotFoundError(2, "no such port"))))
        return
    if not os.access(device, os.R_OK | os.W_OK):
        yield wrong(*_split(explain(port, PermissionError(13, "forbidden"))))
        return
    yield _use(port, device)
    if usb_identity(device)[:2] == FT232R:
        yield wrong(
            f"{port}: an FT232R adapter; they are known to lose bytes of long answers",
            "use an adapter with CH340, CH341 or FT2232H",
        )


def _use(port: str, device: Path) -> Finding:
    """Who has the port."""
    who = holder(port)
    if not who and (SERIAL_STARTER / device.name).exists():
        return wrong(f"{port}: serial-starter of Venus OS will try its own drivers on it", f"{STOP_TTY} {device.name}")
    if who and not _is_packbank(who):
        return wrong(*_split(explain(port, BlockingIOError(11, "in use"))))
    return ok(f"{port}: {'in use by ' + who if who else 'free'}")


def _is_packbank(who: str) -> bool:
    """Whether ``name (pid 12)`` is a packbank: its process may be called python3."""
    pid = who.rpartition("pid ")[2].rstrip(")")
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"packbank" in command


def _split(message: str) -> tuple[str, str]:
    """A message of the form ``what; remedy`` in its two halves."""
    what, _, remedy = message.rpartition("; ")
    return what, remedy
