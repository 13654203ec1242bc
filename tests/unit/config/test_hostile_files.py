"""Files that no editor wrote: refused with one line each, in time and memory that grow with their size at most."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from packbank.cli import main
from packbank.config.inifile import LARGEST, MOST_PROBLEMS, parse, read

LINES = 20_000


def messages(path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(["check", str(path)]) == 2
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "[DEFAULT]\n" + "PORT = /dev/ttyUSB7\n" * LINES,
            "line 3 [DEFAULT] PORT = /dev/ttyUSB7: stands in this section",
        ),
        ("[DEFAULT]\n" + "".join(f"KEY_{n} = 1\n" for n in range(LINES)), "line 2 [DEFAULT] KEY_0 = ...: unknown key"),
        ("[DEFAULT]\n" + "what\n" * LINES, "line 2: is not KEY = value"),
        ("[bus:a]\nPORT = /dev/x\n" * LINES, "line 3 [bus:a]: stands in the file twice"),
        ("".join(f"[bus:b{n}]\nPORT = /dev/x{n}\n" for n in range(LINES)), "has more than 2048 sections"),
        ("".join(f"[bus:b{n}]\nPORT = /dev/x{n}\n" for n in range(100)), "100 buses; one packbank reads 64"),
        ("".join(f"[bux{n}]\nA = 1\n" for n in range(1000)), "line 2 [bux0]: unknown section"),
        ("[DEFAULT]\nA" + " " * 100_000, "line 2: is longer than 4096 characters"),
        ("[DEFAULT]\nCUSTOM_NAME = a\0b\n", "line 2: has a character that is no text (U+0000)"),
        ("[DEFAULT]\nCUSTOM_NAME = a\x1bb\n", "line 2: has a character that is no text (U+001B)"),
        ("#" * LARGEST + "\n", "is larger than"),
    ],
)
def test_a_file_that_is_too_much_is_refused_in_few_lines(
    tmp_path: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.ini"
    path.write_text(text, encoding="utf-8")
    lines = messages(path, capsys)
    assert any(says in line for line in lines)
    assert len(lines) <= 2 * MOST_PROBLEMS


def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.ini"
    path.write_bytes("[DEFAULT]\n# für den Keller\nPORT = /dev/x\n".encode("latin-1"))
    assert (
        messages(path, capsys)[1] == "  config.ini: line 2: has a character that is not UTF-8; save the file as UTF-8"
    )


def test_what_is_no_file_is_refused_without_being_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero")):
        assert "is not a file" in read(path)[1][0].text


def test_the_second_of_two_lines_is_named_and_a_continued_value_is_none() -> None:
    _, problems = parse("[DEFAULT]\nA = 1\n  a b\nB = 2\nA = 3\n")
    assert [(problem.entry.key, problem.entry.line) for problem in problems] == [("A", 5)]
