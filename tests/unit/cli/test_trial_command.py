from __future__ import annotations

import json
from pathlib import Path

import pytest

from packbank.cli import main

KEYS = {
    "scenario",
    "policy",
    "packs",
    "hours",
    "seed",
    "worst_overshoot",
    "overshoot_seconds",
    "bms_trips",
    "current_utilisation",
    "energy_utilisation",
    "limit_changes_per_minute",
    "all_full_hours",
}
SHORT = ["trial", "--scenario", "equal", "--packs", "3", "--hours", "0.05"]


def test_json_has_one_object_a_policy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SHORT, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["policy"] for line in lines] == ["share", "n-min", "sum"]
    assert all(set(line) == KEYS for line in lines)
    assert (lines[0]["scenario"], lines[0]["packs"], lines[0]["hours"], lines[0]["seed"]) == ("equal", 3, 0.05, 0)


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SHORT, "--policy", "n-min"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["scenario", "policy"]
    assert line.split()[:2] == ["equal", "n-min"]


def test_exit_code_says_when_our_policy_breaks_its_promise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packbank.cli.trial.broken", lambda *_: ["a reason"])
    assert main([*SHORT, "--policy", "share"]) == 1
    assert "broken: equal: a reason" in capsys.readouterr().err


def test_a_plot_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "trial.png"
    assert main([*SHORT, "--policy", "share", "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_plot_without_matplotlib_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    assert main([*SHORT, "--policy", "share", "--plot", str(tmp_path / "trial.png")]) == 1
    assert "pip install 'packbank[plot]'" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--packs", "1"], ["--scenario", "nonsense"], ["--policy", "mean"]])
def test_nonsense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["trial", *words])
    assert refusal.value.code == 2
    assert words[0] in capsys.readouterr().err
