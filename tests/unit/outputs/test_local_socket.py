"""The Unix socket of the daemon, with real clients: many, slow, silent, hostile."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from packbank.errors import LinkError
from packbank.model.catalogue import PACK_SETTINGS
from packbank.model.columns import Column, empty_matrix
from packbank.model.snapshot import Snapshot
from packbank.outputs import local_socket
from packbank.outputs.json_lines import snapshot_dict
from packbank.outputs.local_socket import CLIENTS, PATIENCE, LocalSocket, config_of, connect, socket_name
from packbank.outputs.runner import Runner
from virtual_battery import pack_view, snapshot

CONFIG = Path("/data/apps/packbank/config.ini")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder))
    return folder


@pytest.fixture
def output(folder: Path) -> Iterator[LocalSocket]:
    output = LocalSocket(CONFIG)
    output.show(scene(0.0))
    yield output
    output.close()


def scene(second: float, settings_read: float = 1.0, packs: int = 2) -> Snapshot:
    rows = empty_matrix(packs)
    rows[:, Column.SETTINGS_TIME] = settings_read
    rows[:, Column.CELL_OVP] = 3.65
    views = tuple(pack_view(f"pack {n + 1}") for n in range(packs))
    return snapshot(time=second, rows=rows, packs=views)


def client(folder: Path) -> socket.socket:
    connection = connect(folder / socket_name(CONFIG))
    connection.settimeout(10.0)
    return connection


def next_line(connection: socket.socket) -> dict[str, Any]:
    data = b""
    while not data.endswith(b"\n"):
        waiting = connection.recv(1 << 20, socket.MSG_PEEK)
        assert waiting
        data += connection.recv(waiting.find(b"\n") + 1 or len(waiting))
    line: dict[str, Any] = json.loads(data)
    return line


def test_a_client_gets_the_lines_of_the_documents(output: LocalSocket, folder: Path) -> None:
    with client(folder) as connection:
        shown = scene(1.0)
        output.show(shown)
        line = next_line(connection)
        for pack in line["packs"]:
            assert set(pack.pop("settings")) == {row.key for row in PACK_SETTINGS}
        assert line == json.loads(json.dumps(snapshot_dict(shown)))


def test_settings_are_in_the_first_line_and_after_they_were_read_again(output: LocalSocket, folder: Path) -> None:
    with client(folder) as early:
        output.show(scene(1.0))
        output.show(scene(2.0))
        with client(folder) as late:
            output.show(scene(3.0))
            output.show(scene(4.0, settings_read=3.5))
            have_settings = [["settings" in pack for pack in next_line(early)["packs"]] for _ in range(4)]
            assert have_settings == [[True, True], [False, False], [False, False], [True, True]]
            assert next_line(late)["packs"][1]["settings"]["cell_ovp"] == 3.65


def test_settings_that_are_not_known_are_null(output: LocalSocket, folder: Path) -> None:
    with client(folder) as connection:
        output.show(scene(1.0, settings_read=np.nan))
        output.show(scene(2.0, settings_read=np.nan))
        assert next_line(connection)["packs"][0]["settings"]["cell_uvp"] is None
        assert "settings" not in next_line(connection)["packs"][0]


def test_nothing_is_encoded_while_nobody_is_connected(
    output: LocalSocket, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[float] = []

    def count(shown: Snapshot, *, settings: bool) -> dict[str, Any]:
        encoded.append(shown.time)
        return snapshot_dict(shown, settings=settings)

    monkeypatch.setattr(local_socket, "snapshot_dict", count)
    output.show(scene(1.0))
    with client(folder), client(folder):
        output.show(scene(2.0))
        output.show(scene(3.0))
    output.show(scene(4.0))  # finds that they have gone
    output.show(scene(5.0))
    assert encoded == [2.0, 3.0, 4.0]


def test_only_the_owner_may_open_the_socket_and_its_folder(output: LocalSocket, folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / socket_name(CONFIG)).stat().st_mode) == 0o600


def test_a_silent_client_costs_the_others_nothing_and_itself_only_old_lines(
    output: LocalSocket, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_socket, "SEND_TIME", 0.01)
    with client(folder) as silent, client(folder) as reader:
        for second in range(1, 41):
            output.show(scene(float(second), packs=64))
            assert next_line(reader)["time"] == second
        old = [next_line(silent)["time"]]
        while old[-1] < 40:
            output.show(scene(41.0, packs=64))
            old.append(next_line(silent)["time"])
        assert old[-1] == 41.0
        assert len(old) < 20  # it missed what did not fit, and then got the newest


def test_a_line_longer_than_the_buffer_arrives_with_its_snapshot(
    output: LocalSocket, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_socket, "SEND_TIME", 10.0)
    with client(folder) as connection, connection.makefile() as stream:
        sender = Thread(target=output.show, args=(scene(1.0, packs=200),))
        sender.start()
        line = stream.readline()
        sender.join()
    assert len(line) > 500_000
    assert len(json.loads(line)["packs"]) == 200


def test_what_clients_send_is_ignored(output: LocalSocket, folder: Path) -> None:
    with client(folder) as hostile:
        output.show(scene(1.0))
        hostile.setblocking(False)
        for _ in range(1000):
            try:
                hostile.send(b'{"command": "ClearHistory"}\n' * 100)
            except BlockingIOError:
                break
        output.show(scene(2.0))
        hostile.settimeout(10.0)
        assert [next_line(hostile)["number"] for _ in range(2)] == [1, 1]


def test_clients_that_come_and_go_by_the_hundred_leave_nothing(output: LocalSocket, folder: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for second in range(100):
        for _ in range(3):
            client(folder).close()
        output.show(scene(float(second)))
    output.show(scene(100.0))
    output.show(scene(101.0))
    assert output._clients == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_ninth_client_is_refused_until_one_reads_nothing_for_a_while(output: LocalSocket, folder: Path) -> None:
    crowd = [client(folder) for _ in range(CLIENTS)]
    output.show(scene(1.0))
    with client(folder) as ninth:
        output.show(scene(2.0))
        assert ninth.recv(1) == b""
    stuck = output._clients[3]
    stuck.rest, stuck.since = memoryview(b"x" * 10_000_000), 2.0
    with client(folder) as ninth:
        output.show(scene(2.0 + PATIENCE))
        assert next_line(ninth)["time"] == 2.0 + PATIENCE
    for connection in crowd:
        connection.close()


def test_sockets_of_two_configurations_do_not_collide(output: LocalSocket, folder: Path) -> None:
    other = LocalSocket(Path("/etc/packbank/config.ini"))
    other.show(scene(0.0))
    assert {config_of(path) for path in folder.iterdir()} == {str(CONFIG), "/etc/packbank/config.ini"}
    other.close()


def test_a_live_daemon_keeps_its_socket(output: LocalSocket, folder: Path) -> None:
    second = LocalSocket(CONFIG)
    with pytest.raises(LinkError, match=r"another daemon that runs with /data/apps/packbank/config\.ini"):
        second.show(scene(0.0))
    second.close()
    with client(folder) as connection:
        output.show(scene(1.0))
        assert next_line(connection)["time"] == 1.0


def test_a_live_daemon_that_takes_nobody_in_keeps_its_socket(output: LocalSocket, folder: Path) -> None:
    waiting: list[socket.socket] = []
    with suppress(BlockingIOError):
        while len(waiting) < 1000:
            waiting += [client(folder)]
    assert len(waiting) < 1000
    with pytest.raises(LinkError, match="another daemon"):
        LocalSocket(CONFIG).show(scene(0.0))
    for connection in waiting:
        connection.close()


def test_the_socket_of_a_killed_daemon_is_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import sys, time, socket; listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]);"
        "listener.listen(); print('up', flush=True); time.sleep(60)"
    )
    folder.mkdir(mode=0o700)
    monkeypatch.chdir(folder)  # a relative path is short enough for any length of the folder's
    daemon = subprocess.Popen([sys.executable, "-c", script, socket_name(CONFIG)], stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == "up\n"
    daemon.send_signal(signal.SIGKILL)
    daemon.communicate()
    assert (folder / socket_name(CONFIG)).is_socket()
    output = LocalSocket(CONFIG)
    output.show(scene(0.0))
    with client(folder) as connection:
        output.show(scene(1.0))
        assert next_line(connection)["time"] == 1.0
    output.close()
    assert list(folder.iterdir()) == []


def test_what_is_not_a_socket_is_not_removed(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / socket_name(CONFIG)).write_text("somebody's notes")
    with pytest.raises(LinkError, match="Address already in use"):
        LocalSocket(CONFIG).show(scene(0.0))
    assert (folder / socket_name(CONFIG)).read_text() == "somebody's notes"


def test_a_socket_whose_file_was_removed_is_made_again(output: LocalSocket, folder: Path) -> None:
    (folder / socket_name(CONFIG)).unlink()
    folder.rmdir()
    output.show(scene(1.0))
    with client(folder) as connection:
        output.show(scene(2.0))
        assert next_line(connection)["time"] == 2.0


@pytest.mark.parametrize("attack", ["writeable", "link"])
def test_a_folder_that_others_could_write_is_refused(folder: Path, tmp_path: Path, attack: str) -> None:
    if attack == "writeable":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        folder.symlink_to(tmp_path)
    with pytest.raises(LinkError, match="others may write there"):
        LocalSocket(CONFIG).show(scene(0.0))


def test_no_folder_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "no" / "such"))
    with pytest.raises(LinkError, match=r"no/such/.*No such file"):
        LocalSocket(CONFIG).show(scene(0.0))


@pytest.mark.parametrize("length", [10, 40, 55, 66, 77, 90, 150, 300, 3000])
def test_paths_of_any_length_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    folder = tmp_path / ("f" * 120)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder))
    config = Path("/" + "long/ name/" * (length // 11) + "config.ini")
    output = LocalSocket(config)
    output.show(scene(0.0))
    connection = connect(folder / socket_name(config))
    connection.settimeout(10.0)
    with connection:
        output.show(scene(1.0))
        assert next_line(connection)["time"] == 1.0
    output.close()
    assert list(folder.iterdir()) == []


def test_the_folder_is_systemds_or_the_systems_or_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/given:/run/other")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    monkeypatch.setattr("tempfile.tempdir", "/somewhere")
    found = [list(map(str, local_socket.runtime_folders()))]
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    found.append(list(map(str, local_socket.runtime_folders())))
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    found.append(list(map(str, local_socket.runtime_folders())))
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    found.append(list(map(str, local_socket.runtime_folders())))
    assert [folders[0] for folders in found] == [
        "/run/given",
        "/run/packbank",
        "/run/user/7/packbank",
        "/somewhere/packbank-7",
    ]
    assert all("/run/packbank" in folders for folders in found)


def test_in_a_thread_of_its_own_it_shows_the_next_snapshot_and_is_gone_at_the_end(folder: Path) -> None:
    runner = Runner()
    runner.add(LocalSocket(CONFIG), may_block=True)
    runner.show(scene(0.0))
    until = time.monotonic() + 10.0
    while not (folder / socket_name(CONFIG)).exists() and time.monotonic() < until:
        time.sleep(0.01)
    with client(folder) as connection:
        runner.show(scene(1.0))
        assert next_line(connection)["time"] == 1.0
        runner.close()
        assert connection.recv(1) == b""
    assert list(folder.iterdir()) == []


def test_a_client_may_ask_for_a_capture_and_for_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_socket, "runtime_folders", lambda: [tmp_path / "run"])
    asked: list[tuple[Path, float]] = []
    output = LocalSocket(tmp_path / "config.ini", lambda path, seconds: asked.append((path, seconds)))
    output.show(snapshot())
    (path,) = (tmp_path / "run").glob("*.sock")
    said = [b"capture 60\n", b"capture 9999\n", b"capture -1\n", b"capture ../x\n", b"x" * 1000, b"\xff\n", b"capt"]
    clients = [local_socket.connect(path) for _ in said]
    output.show(snapshot())
    for client, words in zip(clients, said, strict=True):
        client.send(words)
    for _ in range(3):
        output.show(snapshot())
    assert asked == [(path.with_suffix(".capture"), 60.0), (path.with_suffix(".capture"), 300.0)]
    for client in clients:
        client.close()
    output.close()
