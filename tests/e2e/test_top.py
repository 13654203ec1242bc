"""``packbank top`` on real pseudo-terminals: keys, sizes, without colour, and the ends of daemon and terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from on_terminal import PACKBANK, OnTerminal
from served import bank, serving

TOP = (*PACKBANK, "top")
SMALL = "\x1b[?1049l"  # xterm: back to the ordinary screen
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Of a terminal in whose runtime folder one daemon serves."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    with serving(tmp_path / "config.ini", bank()):
        yield {"RUNTIME_DIRECTORY": str(tmp_path / "run"), "TERM": "xterm-256color"}


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (60, 15), (200, 60)])
def test_keys_sort_open_and_quit(environment: dict[str, str], columns: int, lines: int) -> None:
    with OnTerminal(TOP, columns, lines, environment) as top:
        assert "pack 3" in top.wait_for("sort by: #")
        top.press(">")
        top.wait_for("pack")
        top.press("j\n")
        assert "3.470" in top.wait_for("difference 0.176 V") + top.wait_for("low")
        top.press("\x1b")
        top.wait_for("sort by")
        top.press("q")
        code, said = top.end()
        assert code == 0
        assert SMALL in said
        assert termios.tcgetattr(top.terminal) == top.mode


@pytest.mark.parametrize("way", ["ctrl-c", "SIGTERM", "hang-up"])
def test_the_terminal_is_restored_whatever_ends_it(environment: dict[str, str], way: str) -> None:
    with OnTerminal(TOP, environment=environment) as top:
        top.wait_for("sort by: #")
        if way == "hang-up":
            top.hang_up()
        elif way == "ctrl-c":
            top.press("\x03")
        else:
            top.process.terminate()
        code, said = top.end()
        assert code in {0, 130}
        assert "Traceback" not in said
        if way != "hang-up":
            assert SMALL in said
            assert termios.tcgetattr(top.terminal) == top.mode


def test_colours_are_used_unless_no_color_forbids(environment: dict[str, str]) -> None:
    for no_color in ("", "1"):
        with OnTerminal(TOP, environment={**environment, "NO_COLOR": no_color}) as top:
            said = top.wait_for("sort by: #")
            assert bool(COLOUR.search(said)) == (not no_color)
            assert "lost" in said


def test_a_changed_size_is_drawn(environment: dict[str, str]) -> None:
    with OnTerminal(TOP, 60, 15, environment) as top:
        assert "share" not in top.wait_for("sort by: #")
        top.resize(200, 60)
        top.wait_for("share")


def test_a_dumb_terminal_gets_pages(environment: dict[str, str]) -> None:
    with OnTerminal(TOP, environment={**environment, "TERM": "dumb"}) as top:
        said = top.wait_for("3  pack 3")
        assert "\x1b" not in said
        top.press("\x03")
        code, said = top.end()
        assert code == 130
        assert "Traceback" not in said


@pytest.mark.parametrize("module", ["curses", "_curses"])
def test_a_python_without_curses_prints_pages_and_says_why(environment: dict[str, str], module: str) -> None:
    script = f"import sys; sys.modules[{module!r}] = None; from packbank.cli import main; sys.exit(main(['top']))"
    with OnTerminal((sys.executable, "-c", script), environment=environment) as top:
        assert "no curses to draw with" in top.wait_for("3  pack 3")
        top.press("\x03")
        assert top.end()[0] == 130


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "en_US.ISO-8859-1", "no_SUCH.locale"])
def test_no_locale_stops_it(environment: dict[str, str], locale: str) -> None:
    with OnTerminal(TOP, environment={**environment, "LC_ALL": locale}) as top:
        top.wait_for("53.12 V")
        top.press("q")
        assert top.end()[0] == 0


def test_piped_it_prints_what_show_prints(environment: dict[str, str]) -> None:
    said = [
        subprocess.run(
            [*PACKBANK, command],
            env={**os.environ, **environment, "COLUMNS": "80"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
        for command in ("top", "show")
    ]
    assert said[0] == said[1]
    assert "1  pack 1  fresh" in said[0]


def test_show_with_a_strict_locale_prints_marks_for_what_it_cannot_write(environment: dict[str, str]) -> None:
    run = subprocess.run(
        [*PACKBANK, "show"],
        env={**os.environ, **environment, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert b"2 of 3 packs ? 53.12 V" in run.stdout


def test_show_whose_reader_has_gone_is_silent(environment: dict[str, str]) -> None:
    run = subprocess.run(
        ["/bin/sh", "-c", '"$@" | head -1', "sh", *PACKBANK, "show", "2"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert run.stderr == ""
    assert len(run.stdout.splitlines()) == 1


def test_the_end_of_a_daemon_is_shown_and_then_its_successor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    environment = {"RUNTIME_DIRECTORY": str(tmp_path / "run")}
    with serving(tmp_path / "config.ini", bank()):
        top = OnTerminal(TOP, environment=environment)
        top.wait_for("sort by: #")
    with top:
        top.wait_for("the daemon has ended; waiting for the next")
        with serving(tmp_path / "config.ini", bank()):
            top.wait_for("sort by: #")
            top.press("q")
            assert top.end()[0] == 0


def test_the_silence_of_a_daemon_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    environment = {"RUNTIME_DIRECTORY": str(tmp_path / "run")}
    with serving(tmp_path / "config.ini", bank(), period=4.5), OnTerminal(TOP, environment=environment) as top:
        top.wait_for("no news for ")
