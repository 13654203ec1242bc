"""Every command that a document quotes is one that works: run by a test, or listed here with the reason why not.

Links lead to files of the repository.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from packbank.cli import COMMANDS, build_parser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
INLINE = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^ {4,}(\S.*?)(?: {2,}#.*)?$")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
PROGRAM = re.compile(r"(?:\./)?(scripts/[a-z-]+)|(?:\S*/)?(packbank|[a-z-]+\.sh|wget|curl|svc|dbus|git|tail|for)")

# Which test runs a command of this beginning; the test's file has its words.
RUN_BY = {
    "packbank bench": "tests/e2e/test_bench_run.py",
    "packbank check": "tests/e2e/test_first_hour.py",
    "packbank demo": "tests/e2e/test_demo.py",
    "packbank dip": "tests/e2e/test_first_hour.py",
    "packbank doctor": "tests/e2e/test_first_hour.py",
    "packbank events": "tests/unit/cli/test_history_commands.py",
    "packbank forward": "tests/mqtt/test_run_with_hosts.py",
    "packbank history": "tests/unit/cli/test_history_commands.py",
    "packbank migrate": "tests/e2e/test_first_hour.py",
    "packbank replay": "tests/unit/sources/hosts/test_host_capture.py",
    "packbank run": "tests/e2e/test_first_hour.py",
    "packbank scan": "tests/bus/test_scan_command.py",
    "packbank settings": "tests/unit/cli/test_settings_command.py",
    "packbank show": "tests/e2e/test_first_hour.py",
    "packbank simulate": "tests/e2e/test_first_hour.py",
    "packbank top": "tests/e2e/test_top.py",
    "packbank trial": "tests/unit/cli/test_trial_command.py",
    "enable.sh": "tests/unit/packaging/test_service_files.py",
    "disable.sh": "tests/unit/packaging/test_service_files.py",
    "uninstall.sh": "tests/unit/packaging/test_service_files.py",
    "install.sh": "tests/unit/packaging/test_installer.py",
}
# Why no test runs a command of this beginning.
NOT_RUN = {
    "scripts/setup": "makes the environment that tests run in",
    "scripts/test": "is what runs the tests",
    "scripts/lint": "is run by .ci/run, before the tests",
    "scripts/bench": "measures for minutes; its parts have tests in tests/unit/benchmarks",
    "scripts/bundle": "downloads; the release is made by it and tried by scripts/test-install",
    "scripts/release": "needs the key; scripts/test-release runs it",
    "scripts/test-release": "downloads, and needs an emulator and root",
    "scripts/fault-matrix": "measures for minutes; tests/bus/test_fault_matrix.py runs its rows",
    "scripts/first-success": "measures the set-up of a clean clone",
    "scripts/attack-web": "attacks for minutes; tests of the web output run each attack once",
    "scripts/pictures": "takes pictures of the documents with a browser",
    "scripts/draw-demo": "draws the picture of the live table, by a bank that runs for a minute",
    "scripts/draw-gx": "draws pictures of the documents with the GX's own pages",
    "scripts/soak": "measures for an hour",
    "scripts/test-arm": "needs an emulator and root; .ci/run has a short form",
    "scripts/test-install": "needs an emulator and root; .ci/run has a short form",
    "scripts/try-hosts": "measures for minutes",
    "scripts/try-joins": "measures for minutes",
    "scripts/try-starts": "measures for minutes",
    "wget": "needs the address of a release",
    "curl": "needs the address of a release",
    "svc": "is of the GX",
    "dbus": "is of the GX",
    "tail": "is of the GX",
    "git": "is of everybody",
    "for": "counts lines for the page itself",
    "stop-tty.sh": "is of the GX",
}


def quoted(page: Path) -> Iterator[str]:
    for line in page.read_text(encoding="utf-8").splitlines():
        block = BLOCK.match(line)
        for text in [block[1]] if block else INLINE.findall(line):
            for part in re.split(r"\s*(?:&&|;|\|)\s*", text):
                words = part.split()
                if words and PROGRAM.fullmatch(words[0]) and "=" not in words[0]:
                    yield part


def beginning(command: str) -> str:
    """What the tables know a command by: ``packbank check``, ``scripts/bench``, ``install.sh``."""
    program, *rest = command.split()
    found = PROGRAM.fullmatch(program)
    assert found
    name = found[1] or found[2]
    if name == "packbank":
        return f"packbank {rest[0]}" if rest and rest[0] in COMMANDS else ""
    return name


COMMANDS_OF_PAGES = sorted({command for page in PAGES for command in quoted(page) if beginning(command)})


def test_the_documents_have_commands_and_there_is_one_form_of_ours() -> None:
    assert len(COMMANDS_OF_PAGES) > 50
    assert [one for one in COMMANDS_OF_PAGES if beginning(one).startswith("packbank ") and one[:9] != "packbank "] == []
    assert not any("scripts/run" in page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("command", COMMANDS_OF_PAGES)
def test_a_quoted_command_is_run_by_a_test_or_has_a_reason(command: str) -> None:
    known_by = beginning(command)
    if test := RUN_BY.get(known_by):
        assert known_by.rpartition(" ")[2] in (ROOT / test).read_text(encoding="utf-8")
    else:
        assert known_by in NOT_RUN, f"{command}: let a test run it, or give the reason in NOT_RUN"
    if known_by.startswith("scripts/"):
        assert (ROOT / known_by).is_file()


LINES_OF_OURS = [one for one in COMMANDS_OF_PAGES if one.startswith("packbank ") and one.count(" ") > 1]


@pytest.mark.parametrize("command", LINES_OF_OURS)
def test_a_quoted_command_line_of_ours_is_understood(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["4" if word == "N" else word for word in shlex.split(command.partition(" > ")[0])[1:]]
    if words[-1] == "--help":
        with pytest.raises(SystemExit, match="0"):
            build_parser(words[0]).parse_args(words[1:])
        assert "usage: packbank" in capsys.readouterr().out
    else:
        assert build_parser(words[0]).parse_args(words[1:]).command == words[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_of_the_repository(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path = (page.parent / target).resolve()
        assert path.is_relative_to(ROOT), f"{target} is outside the repository"
        assert path.exists(), f"{target} is not there"
