"""What a port is called, who holds it, and why it cannot be had."""

from __future__ import annotations

import errno
import getpass
import grp
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from packbank.sources.serial import ports


def give_to_group(monkeypatch: pytest.MonkeyPatch, port: str, group: int) -> None:
    values = list(Path(port).stat())
    values[5] = group
    monkeypatch.setattr(Path, "stat", lambda *_args, **_options: os.stat_result(values))


def test_a_forbidden_port_names_the_group_to_join(terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    give_to_group(monkeypatch, terminal[1], os.getgid() or 1)
    text = ports.explain(terminal[1], OSError(errno.EACCES, "Permission denied"))
    assert "forbidden" in text
    assert "usermod -aG" in text


def test_nobody_is_advised_to_join_the_group_root(terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    give_to_group(monkeypatch, terminal[1], 0)
    text = ports.explain(terminal[1], OSError(errno.EACCES, "Permission denied"))
    assert "usermod" not in text
    assert "only root may use it; run 'sudo chgrp dialout" in text


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "nobody listens there"),
        (TimeoutError("timed out"), "no answer; is the gateway on"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no answer; is the gateway on"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "no network to it"),
        (socket.gaierror(-2, "Name or service not known"), "no machine of this name"),
        (socket.gaierror(-3, "Temporary failure in name resolution"), "the name cannot be looked up"),
        (OSError("Remote does not seem to support RFC2217 or BINARY mode []"), "write socket:// instead"),
        (ValueError("remote rejected value for option 'baudrate'"), "does not take the speed"),
        (OSError("something else"), "no connection (something else)"),
    ],
)
def test_each_trouble_with_a_gateway_has_its_own_reason(error: Exception, says: str) -> None:
    text = ports.explain("socket://10.0.0.9:4196", error)
    assert text.startswith("socket://10.0.0.9:4196: ")
    assert says in text


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (["-c", "import sys; P"], "python"),
        (["{folder}/dbus-serialbattery.py", "P"], "dbus-serialbattery.py"),
        (["-u", "-m", "holds_the_port", "P"], "holds_the_port"),
    ],
)
def test_who_holds_a_port_is_named_by_what_it_is(
    terminal: tuple[int, str], program: list[str], name: str, tmp_path: Path
) -> None:
    hold = f"import time; port = open({terminal[1]!r}, 'rb+', 0); print(flush=True); time.sleep(60)"
    for file in ("dbus-serialbattery.py", "holds_the_port.py"):
        (tmp_path / file).write_text(hold)
    words = [hold if word.startswith("import") else word.format(folder=tmp_path) for word in program]
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, cwd=tmp_path) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        text = ports.holder(terminal[1])
        command = Path(f"/proc/{holder.pid}/comm").read_text().strip()
        holder.kill()
    if command == "packbank":
        pytest.skip("the Python of the bundle for a GX is called packbank, whatever it runs")
    assert text.startswith(name)
    assert text.endswith(f"(pid {holder.pid})")


def test_a_forbidden_port_whose_group_has_no_name_is_explained(
    terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(number: int) -> None:
        raise KeyError(number)

    give_to_group(monkeypatch, terminal[1], 4711)
    monkeypatch.setattr(grp, "getgrgid", unknown)
    assert "has no name; run 'sudo groupadd -g" in ports.explain(terminal[1], OSError(errno.EACCES, "forbidden"))


def test_a_user_without_a_name_is_explained_all_the_same(
    terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> None:
        raise KeyError("uid not found: 4711")

    give_to_group(monkeypatch, terminal[1], 1)
    monkeypatch.setattr(getpass, "getuser", unknown)
    assert "usermod -aG" in ports.explain(terminal[1], OSError(errno.EACCES, "forbidden"))


def test_a_port_in_a_forbidden_folder_is_explained_and_raises_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_args: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "stat", forbidden)
    port = "/run/secret/ttyUSB0"
    text = ports.explain(port, OSError(errno.EACCES, "Permission denied"))
    assert text == f"{port}: forbidden; let this user read the folder /run/secret"
    assert not ports.is_there(port)
    assert ports.stable_path(port) == ""


def device_tree(root: Path, serials: dict[str, str]) -> None:
    """A /dev and a /sys with one CH340 for each name; by-id knows the last of those without a serial number."""
    for name, number in serials.items():
        usb = root / "sys/usb" / name
        usb.mkdir(parents=True)
        (usb / "idVendor").write_text("1a86\n")
        (usb / "idProduct").write_text("7523\n")
        if number:
            (usb / "serial").write_text(number + "\n")
        tty_folder = root / "sys/tty" / name
        (usb / "interface").mkdir()
        tty_folder.mkdir(parents=True)
        (tty_folder / "device").symlink_to(usb / "interface")
        for folder in ("by-id", "by-path"):
            (root / "dev/serial" / folder).mkdir(parents=True, exist_ok=True)
        device = root / "dev" / name
        device.touch()
        by_id = root / "dev/serial/by-id" / f"usb-CH340{number and '_' + number}-port0"
        by_id.unlink(missing_ok=True)
        by_id.symlink_to(device)
        (root / "dev/serial/by-path" / f"pci-{name}").symlink_to(device)


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ports, "DEV", tmp_path / "dev")
    monkeypatch.setattr(ports, "BY_ID", tmp_path / "dev/serial/by-id")
    monkeypatch.setattr(ports, "BY_PATH", tmp_path / "dev/serial/by-path")
    monkeypatch.setattr(ports, "SYS_TTY", tmp_path / "sys/tty")
    return tmp_path


def test_adapters_are_listed_by_the_path_that_stays(devices: Path) -> None:
    device_tree(devices, {"ttyUSB0": "A1", "ttyUSB1": "B2"})
    assert ports.serial_ports() == [
        str(devices / "dev/serial/by-id/usb-CH340_A1-port0"),
        str(devices / "dev/serial/by-id/usb-CH340_B2-port0"),
    ]


def test_twins_without_a_serial_number_are_distinguished_by_their_sockets(devices: Path) -> None:
    device_tree(devices, {"ttyUSB0": "", "ttyUSB1": ""})
    assert ports.serial_ports() == [
        str(devices / "dev/serial/by-path/pci-ttyUSB0"),
        str(devices / "dev/serial/by-path/pci-ttyUSB1"),
    ]


def test_a_port_without_udev_keeps_its_name(devices: Path) -> None:
    (devices / "dev").mkdir()
    (devices / "dev/ttyUSB3").touch()
    assert ports.serial_ports() == [str(devices / "dev/ttyUSB3")]
    assert ports.stable_path(str(devices / "dev/none")) == ""


@pytest.mark.parametrize(
    ("who", "cure"),
    [("packbank (pid 7)", "'svc -d /service/packbank' stops it"), ("gps_dbus (pid 7)", "stop-tty.sh ttyUSB3")],
)
def test_on_a_gx_who_has_a_port_is_stopped_in_its_own_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, who: str, cure: str
) -> None:
    """Venus OS's script stops its own drivers, by the port in a service's name; packbank's has none."""
    stop = tmp_path / "stop-tty.sh"
    stop.touch()
    monkeypatch.setattr(ports, "STOP_TTY", str(stop))
    monkeypatch.setattr(ports, "holder", lambda _port: who)
    text = ports.explain("/dev/ttyUSB3", OSError(errno.EBUSY, "busy"))
    assert text.startswith(f"/dev/ttyUSB3: in use by {who}; ")
    assert text.endswith(cure)
