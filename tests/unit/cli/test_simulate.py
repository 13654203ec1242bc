"""The faults that ``simulate`` and ``demo`` take, from the command line and from files."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from packbank.cli import main
from packbank.cli.simulate import add_bank_arguments, check_bank_arguments, faults_of, plans_of, stanza
from packbank.errors import ConfigError
from packbank.sim.faults import FAULTS, parse_fault, parse_schedule
from packbank.sim.wire_bank import BusPlan

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


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((), BusPlan("jkpb", 4)),
        (("--protocol=pace", "--packs=15"), BusPlan("pace", 15)),
        (("--protocol=seplos-v3", "--master"), BusPlan("seplos-v3", 4, master=True)),
    ],
)
def test_a_bus_has_packs_of_one_family(texts: tuple[str, ...], expected: BusPlan) -> None:
    args = arguments(*texts)
    check_bank_arguments(args)
    assert plans_of(args) == [expected]


def test_packs_behind_a_seplos_v3_master_are_listened_to() -> None:
    (plan,) = plans_of(arguments("--protocol=seplos-v3", "--master", "--packs=2"))
    assert stanza(["/dev/x"], [plan]).endswith("PROTOCOL = seplos-v3\nBATTERY_ADDRESSES = 0x01-0x02\nMODE = listen\n")


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (("--protocol=jbd",), "--packs 4: write 1 to 1"),
        (("--protocol=pylontech", "--packs=13"), "write 1 to 12"),
        (("--protocol=pace", "--master"), "no master that can be listened to"),
        (("--protocol=pace", "--mix"), "leave away --mix"),
        (("--mix", "--master"), "leave away --mix"),
    ],
)
def test_a_bus_that_cannot_be_is_refused(texts: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        check_bank_arguments(arguments(*texts))


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
