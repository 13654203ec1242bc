from __future__ import annotations

import importlib.util
import json
from dataclasses import fields
from pathlib import Path

import pytest

from packbank.cli import main
from packbank.cli.progress import WIDTH, open_countdown
from packbank.sim.trial import Result

SHORT = ["trial", "--scenario", "equal", "--packs", "3", "--hours", "0.04"]
RIVAL = ["--policy", "n-min", "oracle"]  # whose verdict does not decide the exit code


def test_json_has_one_object_a_run_of_the_scenarios_that_match(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SHORT, "--scenario", "equa?", *RIVAL, "--json", "--seeds", "2", "--jobs", "2"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["policy"], line["seed"]) for line in lines] == [
        ("n-min", 0),
        ("n-min", 1),
        ("oracle", 0),
        ("oracle", 1),
    ]
    assert all(set(line) == {field.name for field in fields(Result)} for line in lines)
    assert (lines[0]["scenario"], lines[0]["packs"], lines[0]["delay"]) == ("equal", 3, 3.0)


def test_several_processes_give_what_one_gives(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for jobs in ("1", "2"):
        assert main([*SHORT, *RIVAL, "--json", "--jobs", jobs]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_a_table_for_people_has_a_verdict_and_explains_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SHORT, "--policy", "n-min", "--jobs", "1"]) == 0
    head, line, verdict, *rest = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["scenario", "policy"]
    assert line.split()[:2] == ["equal", "n-min"]
    assert verdict.strip().startswith("no BMS trips; no pack over its limit")
    for word in ("use:", "recovery:", "trips:", "turns:"):
        assert word in "".join(rest)


def test_exit_code_says_when_our_policy_breaks_its_promise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packbank.cli.trial.broken", lambda *_: ["a reason"])
    assert main([*SHORT, "--policy", "packbank", "--jobs", "1"]) == 1
    assert "broken: equal, seed 0: a reason" in capsys.readouterr().err


def test_another_delay_and_keys_of_the_bank_reach_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    lowered = ["--set", "MAX_BANK_DISCHARGE_CURRENT=30", "--delay", "10"]
    main([*SHORT, "--policy", "packbank", "--json", "--jobs", "1", *lowered])
    line = json.loads(capsys.readouterr().out)
    assert line["delay"] == 10.0
    assert line["use"] < 0.1


@pytest.mark.parametrize(("pair", "says"), [("NO_KEY=1", "no key of the bank"), ("LOST_AFTER=often", "not a number")])
def test_a_wrong_key_is_refused_before_the_simulation(pair: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SHORT, "--set", pair]) != 0
    captured = capsys.readouterr()
    assert says in captured.err
    assert not captured.out


def test_a_plot_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "trial.png"
    assert main([*SHORT, *RIVAL, "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_plot_that_cannot_be_made_is_refused_before_the_simulation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("simulated")

    monkeypatch.setattr("packbank.cli.trial.Run", never)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr("packbank.cli.trial.find_spec", lambda _: None)
    assert main([*SHORT, "--plot", str(tmp_path / "trial.png")]) == 1
    assert "-m pip install matplotlib" in capsys.readouterr().err
    monkeypatch.setattr("packbank.cli.trial.find_spec", lambda _: object())
    assert main([*SHORT, "--plot", str(tmp_path / "nowhere" / "trial.png")]) == 1
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--packs", "1"], ["--scenario", "nonsense"], ["--policy", "mean"]])
def test_nonsense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["trial", *words])
    assert refusal.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_a_countdown_says_how_long_it_will_take(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((100.0, 130.0, 160.0))
    monkeypatch.setattr("packbank.cli.progress.find_spec", lambda _: None)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with open_countdown("2 runs", 400.0, lambda: next(clock)) as done:
        done(100.0)
        assert "[#######                       ] 1:30 left" in capsys.readouterr().err
        done(300.0)
        assert f"[{'#' * WIDTH}] 0:00 left" in capsys.readouterr().err


def test_a_countdown_that_nobody_watches_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with open_countdown("2 runs", 400.0) as done:
        done(100.0)
    assert not capsys.readouterr().err
