"""``[history]``: on without it, off when it says so, and no history of more than makes sense."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from packbank.cli.run import outputs
from packbank.config.loader import load
from packbank.config.model import HistoryConfig
from packbank.config.problems import InvalidConfigError


def written(folder: Path, *lines: str) -> Path:
    path = folder / "config.ini"
    path.write_text("\n".join(["[DEFAULT]\nPORT = /dev/ttyUSB7\n", *lines]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), HistoryConfig()),
        (("[history]",), HistoryConfig()),
        (("[history]", "PERIOD = 1", "days = 60", "YEARS = 5"), HistoryConfig(period=1, days=60, years=5)),
        (("[history]", "ENABLED = False"), HistoryConfig(enabled=False)),
    ],
)
def test_what_it_says_is_what_is_kept(tmp_path: Path, lines: tuple[str, ...], expected: HistoryConfig) -> None:
    path = written(tmp_path, *lines)
    config = load(path)
    assert config.history == expected
    names = [
        output.name for output, _ in outputs(Namespace(config=path, state=None, json=False), config, lambda *_: None)
    ]
    assert ("history" in names) == expected.enabled


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("PERIOD = 0", "1 to 60 min"),
        ("PERIOD = 90", "1 to 60 min"),
        ("DAYS = 0", "1 to 400 days"),
        ("YEARS = 99", "1 to 20 years"),
        ("ENABLED = maybe", "neither True nor False"),
        ("PERIODS = 5", "did you mean PERIOD?"),
        ("BROKER = mqtt://x", "move it to [host:NAME] or [mqtt]"),
    ],
)
def test_what_cannot_be_is_refused_with_its_remedy(tmp_path: Path, line: str, remedy: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        load(written(tmp_path, "[history]", line))
    assert remedy in str(caught.value)
