"""The serial ports of this machine: which there are, by which path they stay found, who holds one, why one fails."""

from __future__ import annotations

import errno
import getpass
import grp
import os
import re
from itertools import pairwise
from pathlib import Path

BY_ID = Path("/dev/serial/by-id")
BY_PATH = Path("/dev/serial/by-path")
DEV = Path("/dev")
SYS_TTY = Path("/sys/class/tty")
ADAPTERS = ("ttyUSB*", "ttyACM*")
INTERPRETER = re.compile(r"python[0-9.]*|perl|ruby|node|bash|sh")
STOP_TTY = "/opt/victronenergy/serial-starter/stop-tty.sh"


def serial_ports() -> list[str]:
    """Every serial adapter once, by its stable path where udev made one."""
    devices = sorted(device for pattern in ADAPTERS for device in DEV.glob(pattern))
    return [stable_path(str(device)) or str(device) for device in devices]


def stable_path(port: str) -> str:
    """The path that keeps naming this adapter after a replug or a reboot; ``""`` when there is none better or known.

    Adapters without a serial number (CH340) share one by-id name, of which udev keeps the last; those are
    distinguished by the socket they sit in, which is what by-path names.
    """
    device = Path(port)
    try:
        return "" if device.is_symlink() or not device.exists() else _stable_path(device)
    except OSError:  # forbidden, or unplugged meanwhile
        return ""


def is_there(port: str) -> bool:
    """Whether the device ``port`` exists, as far as this user may see it."""
    try:
        return Path(port).exists()
    except OSError:
        return False


def _stable_path(device: Path) -> str:
    twins = sum(_has_serial_number_twin(device, other) for pattern in ADAPTERS for other in DEV.glob(pattern))
    folders = (BY_PATH, BY_ID) if twins else (BY_ID, BY_PATH)
    links = (link for folder in folders if folder.is_dir() for link in sorted(folder.iterdir()))
    return next((str(link) for link in links if os.path.realpath(link) == os.path.realpath(device)), "")


def _has_serial_number_twin(device: Path, other: Path) -> bool:
    """Whether ``other`` is a second adapter with the vendor, product and serial of ``device``, all that udev sees."""
    return other != device and usb_identity(device) == usb_identity(other) != ("", "", "")


def usb_identity(device: Path) -> tuple[str, ...]:
    """Vendor, product and serial number of the adapter behind a tty, each empty when unknown."""
    interface = SYS_TTY / device.name / "device"
    usb = next((folder for folder in interface.resolve().parents if (folder / "idVendor").exists()), None)
    names = ("idVendor", "idProduct", "serial")
    files = [usb / name for name in names] if usb else []
    return tuple(file.read_text().strip() if file.exists() else "" for file in files) or ("", "", "")


def holder(port: str) -> str:
    """The process that has ``port`` open, as ``name (pid 12)``, as far as this user may see it; else ``""``."""
    device = os.path.realpath(port)
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            if any(os.path.realpath(entry) == device for entry in (process / "fd").iterdir()):
                return f"{_program(process)} (pid {process.name})"
        except OSError:  # another user's process, or one that has just ended
            continue
    return ""


def _program(process: Path) -> str:
    """What a process of /proc runs: its name, or of an interpreter the script or module."""
    name = (process / "comm").read_text().strip()
    if not INTERPRETER.fullmatch(name):
        return name
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")[1:]
    for word, following in pairwise([*words, ""]):
        if word == "-m":
            return following
        if word == "-c":
            return name
        if word and not word.startswith("-"):
            return Path(word).name
    return name


def _permit(port: str) -> str:
    """What lets this user open ``port``: the group that owns it, or what is known instead."""
    try:
        owner = Path(port).stat().st_gid
    except OSError:
        return f"let this user read the folder {Path(port).parent}"
    if owner == 0:  # whoever is in the group root may do more than use a port
        return f"only root may use it; run 'sudo chgrp dialout {port}', or packbank as root"
    try:
        group = grp.getgrgid(owner).gr_name
    except KeyError:
        return f"its group {owner} has no name; run 'sudo groupadd -g {owner} serial', then add this user to it"
    return f"run 'sudo usermod -aG {group} {_user()}' and log in again"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user that has a number only, as in a container
        return "$USER"


def explain(port: str, error: BaseException) -> str:
    """Why ``port`` could not be opened and what to do, for people."""
    code = getattr(error, "errno", None)
    if "://" in port:
        return f"{port}: {_explain_gateway(error)}"
    if code == errno.ENOENT:
        there = ", ".join(serial_ports()) or "none"
        return f"{port}: no such port; is the adapter plugged in? Serial adapters here: {there}"
    if code in (errno.EACCES, errno.EPERM):
        return f"{port}: forbidden; {_permit(port)}"
    if code in (errno.EAGAIN, errno.EBUSY):
        name = Path(os.path.realpath(port)).name
        who = holder(port) or "another program"
        cure = "stop it"
        if Path(STOP_TTY).exists():  # on a GX; it stops the drivers of Venus OS, and those only
            cure = "'svc -d /service/packbank' stops it" if who.startswith("packbank ") else f"{STOP_TTY} {name}"
        return f"{port}: in use by {who}; {cure}"
    if code in (errno.ENOTTY, errno.EISDIR) or "Inappropriate ioctl" in str(error):
        return f"{port}: not a serial port; serial adapters here: {', '.join(serial_ports()) or 'none'}"
    return f"{port}: {error}; is the adapter still plugged in?"


GATEWAY_TROUBLES = (  # what stands in an error of connecting, and what it means
    ("refused", "nobody listens there; is the port's number right, and the gateway set to TCP server?"),
    ("timed out", "no answer; is the gateway on, and is its address right?"),
    ("No route to host", "no answer; is the gateway on, and is its address right?"),
    ("unreachable", "no network to it; is this machine connected, and is the address right?"),
    ("Name or service not known", "no machine of this name; write its IP address"),
    ("name resolution", "the name cannot be looked up; write the IP address"),
    ("No address associated", "no machine of this name; write its IP address"),
    ("does not seem to support RFC2217", "it does not speak RFC 2217; write socket:// instead of rfc2217://"),
    ("rejected value", "it does not take the speed of this bus; set it at the gateway, and write socket://"),
    ("waiting for option", "it does not take the speed of this bus; set it at the gateway, and write socket://"),
)


def _explain_gateway(error: BaseException) -> str:
    said = str(error)
    known = next((meaning for part, meaning in GATEWAY_TROUBLES if part.lower() in said.lower()), "")
    return known or f"no connection ({said}); is the gateway on, and is no other client connected to it?"
