"""``packbank settings`` against a real socket, and what ``doctor`` makes of the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packbank.cli import main
from packbank.cli.comparison import compared, sentence, settings_findings
from packbank.cli.pages.settings import settings_page
from packbank.cli.pages.words import Style
from packbank.findings import Verdict
from packbank.model.columns import Column, empty_matrix
from packbank.model.identity import Identity
from packbank.model.snapshot import Snapshot
from packbank.outputs import local_socket
from served import line, serving
from virtual_battery import pack_view, snapshot

WHO = Identity(model="JK_PB2A16S20P", hardware="15A", software="15.41")
Changes = dict[tuple[int, Column], float]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only folder in which daemons are looked for."""
    for module in (local_socket, "packbank.cli.feed"):
        target = module if isinstance(module, str) else module.__name__
        monkeypatch.setattr(f"{target}.runtime_folders", lambda: [tmp_path / "run"])


def bank(packs: int, changes: Changes | None = None, who: dict[int, Identity] | None = None) -> Snapshot:
    """Packs set alike but for ``changes``, numbered from 1."""
    rows = empty_matrix(packs)
    rows[:, Column.SETTINGS_TIME], rows[:, Column.CELL_OVP], rows[:, Column.CHARGE_CURRENT_LIMIT] = 1.0, 3.65, 100.0
    rows[:, Column.CHARGE_ENABLED], rows[:, Column.NOMINAL_CAPACITY] = 1.0, 280.0
    rows[:, Column.DEVICE_ADDRESS] = range(1, packs + 1)
    for (number, column), value in (changes or {}).items():
        rows[number - 1, column] = value
    shown = snapshot(rows=rows, packs=tuple(pack_view(f"pack {n}") for n in range(1, packs + 1)), online=packs)
    return replace(shown, identities=tuple((who or {}).get(n, WHO) for n in range(1, packs + 1)))


def reported(*of_bank: Any) -> list[dict[str, Any]]:
    packs: list[dict[str, Any]] = line(bank(*of_bank))["packs"]
    return packs


def sentences(packs: list[dict[str, Any]]) -> list[str]:
    return [sentence(one, packs) for one in compared(packs)]


OVP = "cell over-voltage protection"


@pytest.mark.parametrize(
    ("packs", "changes", "said"),
    [
        (15, {}, []),
        (15, {(7, Column.CELL_OVP): 3.55}, [f"{OVP}: pack 7 has 3.550 V, 14 others have 3.650 V"]),
        (3, {(2, Column.CELL_OVP): 3.55}, [f"{OVP}: pack 2 has 3.550 V, 2 others have 3.650 V"]),
        (2, {(2, Column.CELL_OVP): 3.55}, [f"{OVP}: pack 1 has 3.650 V, pack 2 has 3.550 V"]),
        (
            300,
            {(n, Column.CELL_OVP): 3.55 for n in range(1, 101)},
            [f"{OVP}: pack 1, pack 2, pack 3 and 97 more have 3.550 V, 200 others have 3.650 V"],
        ),
        (
            8,
            {(n, Column.CELL_OVP): 3.5 + n / 100 for n in range(1, 9)},
            [
                f"{OVP}: pack 1 has 3.510 V, pack 2 has 3.520 V, pack 3 has 3.530 V, pack 4 has 3.540 V, 4 more values"
            ],
        ),
        (4, {(1, Column.CHARGE_ENABLED): 0.0}, ["charging switched on by the user: pack 1 has no, 3 others have yes"]),
        (4, {(1, Column.NOMINAL_CAPACITY): 284.0}, []),  # as measured
        (
            4,
            {(1, Column.NOMINAL_CAPACITY): 200.0},
            ["capacity the user has set: pack 1 has 200.0 Ah, 3 others have 280.0 Ah"],
        ),
        (4, {(1, Column.CELL_OVP): float("nan")}, []),  # not known
    ],
)  # fmt: skip
def test_differences_in_words(packs: int, changes: Changes, said: list[str]) -> None:
    assert sentences(reported(packs, changes)) == said


def test_firmware_is_compared_within_a_model_only() -> None:
    old = replace(WHO, software="14.20")
    assert sentences(reported(4, {}, {2: old})) == ["firmware version: pack 2 has 14.20, 3 others have 15.41"]
    other = Identity(model="Daly", software="2.1")
    assert sentences(reported(4, {(3, Column.CELL_OVP): 3.5, (4, Column.CELL_OVP): 3.5}, {3: other, 4: other})) == []
    assert sentences(reported(4, {}, {2: replace(WHO, software="")})) == []  # not known


def test_the_table_marks_what_differs_and_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path / "config.ini", bank(5, {(2, Column.CELL_OVP): 3.55})):
        assert main(["settings"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [words.split() for words in lines if words.startswith("cell_ovp ")]
    assert [word for row in rows for word in row[2:]] == ["3.650", "3.550*", "3.650", "3.650", "3.650"]
    assert max(map(len, lines)) <= 80
    assert lines[-2:] == [
        "* differs from the other packs of its model:",
        f"  {OVP}: pack 2 has 3.550 V, 4 others have 3.650 V",
    ]
    assert not [words for words in lines if words.startswith("heating_start")]  # no pack reports it


def test_a_table_of_many_packs_is_whole() -> None:
    packs = reported(300, {(300, Column.CELL_OVP): 3.55})
    page = settings_page(packs, compared(packs), 80)
    shown = " ".join(one.text for one in page)
    assert all(f"pack {number} " in shown + " " for number in (1, 150, 300))
    assert sum(one.style is Style.WARNING and one.text.startswith("cell_ovp") for one in page) == 1
    assert settings_page([], [], 80)[-1].text == "packs of one model are set alike, as far as is known"


def test_json_has_every_pack_and_every_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path / "config.ini", bank(3, {(2, Column.CELL_OVP): 3.55})):
        assert main(["settings", "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert [pack["settings"]["cell_ovp"] for pack in whole["packs"]] == [3.65, 3.55, 3.65]
    assert [pack["differs"] for pack in whole["packs"]] == [[], ["cell_ovp"], []]
    assert whole["packs"][0]["software"] == "15.41"
    assert whole["differences"] == [
        {
            "key": "cell_ovp",
            "usual": 3.65,
            "packs": {"pack 2": 3.55},
            "text": f"{OVP}: pack 2 has 3.550 V, 2 others have 3.650 V",
        }
    ]


def test_without_a_daemon_it_says_what_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 1
    assert "packbank run" in capsys.readouterr().err


def test_doctor_notes_the_differences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    with serving(tmp_path / "config.ini", bank(3, {(2, Column.CELL_OVP): 3.55})):
        main(["doctor"])
    shown = capsys.readouterr().out
    assert f"note  {OVP}: pack 2 has 3.550 V, 2 others have 3.650 V\n        -> make them alike" in shown


def test_packs_that_are_alike_are_a_finding_too() -> None:
    (finding,) = settings_findings(reported(3))
    assert finding.verdict is Verdict.OK
    assert finding.text == "settings and versions of 3 of 3 packs read: those of one model are alike"
