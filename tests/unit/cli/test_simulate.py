"""The faults that ``simulate`` and ``demo`` take, from the command line and from files."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from packbank.cli import main
from packbank.cli.simulate import add_bank_arguments, faults_of
from packbank.errors import ConfigError
from packbank.sim.faults import FAULTS, parse_fault, parse_schedule

DOCUMENT = Path(__file__).parents[3] / "docs" / "simulate.md"


def arguments(*texts: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_bank_arguments(parser)
    return parser.parse_args(texts)


def test_faults_come_from_the_command_line_and_from_files(tmp_path: Path) -> None:
    file = tmp_path / "faults"
    file.write_text("# later\n30: swap@3\n")
    args = arguments("--fault=late=0.2@1", f"--faults={file}", "--fault=echo")
    assert faults_of(args) == [parse_fault(text) for text in ("late=0.2@1", "echo", "30: swap@3")]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "faults"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(f"--faults {file}: ")):
        faults_of(arguments(f"--faults={file}"))


def test_help_and_document_have_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["simulate", "--help"])
    text, document = capsys.readouterr().out, DOCUMENT.read_text(encoding="utf-8")
    for name, kind in FAULTS.items():
        assert f"  {name} " in text
        assert kind.meaning in text
        assert f"`{name}`" in document


def test_schedules_of_the_document_are_right() -> None:
    text = DOCUMENT.read_text(encoding="utf-8").partition("## What owners have met")[2]
    lines = re.findall(r"^    (.+)$", text, re.MULTILINE)
    assert len(parse_schedule("\n".join(lines))) == len(lines) > 10
