"""What a demo is shown on."""

from __future__ import annotations

import io

import pytest

from packbank.cli import demo
from packbank.outputs.terminal import Lines


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_no_terminal_gets_lines() -> None:
    assert isinstance(demo.open_display(io.StringIO()), Lines)


def test_a_terminal_gets_a_table() -> None:
    pytest.importorskip("rich")
    assert not isinstance(demo.open_display(Terminal()), Lines)


def test_a_terminal_without_rich_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda _: None)
    assert isinstance(demo.open_display(Terminal()), Lines)
