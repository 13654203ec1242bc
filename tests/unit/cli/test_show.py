"""``packbank show`` against a real socket, and how it finds daemons and packs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from packbank.cli import main
from packbank.cli.feed import open_feed
from packbank.cli.show import find_pack
from packbank.errors import ConfigError, LinkError
from packbank.outputs import local_socket
from packbank.outputs.local_socket import socket_name
from served import bank, line, serving


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which daemons are looked for."""
    folder = tmp_path / "run"
    monkeypatch.setattr(local_socket, "runtime_folders", lambda: [folder])
    monkeypatch.setattr("packbank.cli.feed.runtime_folders", lambda: [folder])
    return folder


def test_the_bank_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path / "config.ini", bank()):
        assert main(["show"]) == 0
    shown = capsys.readouterr().out
    assert "CCL 30.0 A: pack 2: cell voltage, cell 12 3.470 V, carries 50% of the current" in shown
    assert "ALARM BmsCable: a pack does not answer (pack 3)" in shown


@pytest.mark.parametrize("words", [["pack", "2"], ["PACK 2"], ["2"], ["roof/0x02"], ["roof/2"]])
def test_a_pack_is_shown_by_name_number_or_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with serving(tmp_path / "config.ini", bank()):
        assert main(["show", *words]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("pack 2 · pack 2 of 3 · roof/0x02 · fresh")
    assert "12 3.470 +142 high" in shown
    assert "3.650 V  cell over-voltage protection" in shown


def test_json_is_the_daemons_line_with_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path / "config.ini", bank()):
        assert main(["show", "--json"]) == 0
        whole = json.loads(capsys.readouterr().out)
        assert main(["show", "2", "--json"]) == 0
        pack = json.loads(capsys.readouterr().out)
    assert set(whole) == set(line(bank()))
    assert whole["packs"][1]["cells"][11] == pack["cells"][11] == 3.47
    assert pack["settings"]["cell_ovp"] == 3.65


def test_a_pack_that_is_not_there_gets_a_suggestion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path / "config.ini", bank()):
        assert main(["show", "pakc2"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("packbank show: there is no pack 'pakc2'; did you mean 'pack 2' or ")
    assert len(said.splitlines()) == 1


def test_without_a_daemon_one_line_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("packbank show: no daemon runs; start one with 'packbank run --config FILE'")
    assert len(said.splitlines()) == 1


def test_a_socket_that_a_killed_daemon_left_is_no_daemon(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(mode=0o700)
    listener = local_socket._listen(folder / socket_name(tmp_path / "config.ini"))
    listener.close()
    with pytest.raises(LinkError, match="no daemon runs"):
        open_feed(None)


def test_of_several_daemons_the_configuration_chooses(tmp_path: Path) -> None:
    one, two = tmp_path / "one.ini", tmp_path / "two.ini"
    with serving(one, bank()), serving(two, bank(5000.0)):
        with pytest.raises(LinkError, match=rf"2 daemons run here; say --config {one} or --config {two}"):
            open_feed(None)
        with pytest.raises(LinkError, match=rf"no daemon runs with .*other.ini; say --config {one} or"):
            open_feed(tmp_path / "other.ini")
        feed = open_feed(two)
        assert feed.first()["time"] > 5000.0
        feed.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every folder")
def test_the_folder_of_another_user_is_named_with_a_remedy(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0)
    with pytest.raises(LinkError, match=r"run is another user's; .*sudo packbank show"):
        open_feed(None)


def test_a_refusal_for_want_of_rights_is_named_with_a_remedy(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("packbank.cli.feed.connect", refuse)
    folder.mkdir(mode=0o700)
    (folder / socket_name(tmp_path / "config.ini")).touch()
    with pytest.raises(LinkError, match=r"run is another user's; .*sudo packbank show"):
        open_feed(None)


def test_a_daemon_that_says_nothing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packbank.cli.feed.FIRST_TIMEOUT", 0.05)
    with serving(tmp_path / "config.ini", bank(), period=3.0):
        feed = open_feed(None)
        with pytest.raises(LinkError, match="says nothing"):
            feed.first()
        feed.close()


def test_settings_are_remembered_from_the_first_line(tmp_path: Path) -> None:
    with serving(tmp_path / "config.ini", bank()):
        feed = open_feed(None)
        first = feed.first()
        again = feed.first()
        assert again["number"] > first["number"]
        assert again["packs"][2]["settings"] == first["packs"][2]["settings"] != {}
    while not feed.ended:
        feed.newest()
    with pytest.raises(LinkError, match="hung up"):
        feed.first()
    feed.close()


def test_a_name_wins_over_a_number() -> None:
    packs = line(bank())["packs"]
    packs[2]["name"] = "1"
    assert find_pack(packs, "1") == 2
    with pytest.raises(ConfigError, match="'0x07'"):
        find_pack(packs, "0x07")


def test_feeds_of_nothing_are_closed(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with serving(tmp_path / "one.ini", bank()), serving(tmp_path / "two.ini", bank()):
        for _ in range(5):
            with pytest.raises(LinkError):
                open_feed(None)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
