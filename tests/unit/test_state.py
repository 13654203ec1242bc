import gc
import os
from pathlib import Path

import pytest

from packbank import state


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "state.json"
    state.save(path, {"stage": "float", "ah": 1.5})
    assert state.load(path) == {"stage": "float", "ah": 1.5}


def test_no_file_is_an_empty_state_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert state.load(tmp_path / "none.json") == {}
    assert not caplog.records


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"soc": NaN}', "\x00\xff"])
def test_a_spoilt_file_starts_empty_and_says_so(tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state.json"
    path.write_text(content, encoding="utf-8")
    assert state.load(path) == {}
    assert str(path) in caplog.text


def test_a_failed_write_keeps_the_old_file_and_leaves_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    state.save(path, {"kept": True})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        state.save(path, {"kept": False})
    assert state.load(path) == {"kept": True}
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_value_json_cannot_hold_is_refused_not_written(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    with pytest.raises(ValueError, match="JSON compliant"):
        state.save(path, {"soc": float("nan")})
    assert not path.exists()


def test_saving_leaves_nothing_to_the_garbage_collector(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state.save(path, {"ah": 1.5})
    gc.collect()
    state.save(path, {"ah": 1.6, "packs": [{"soc": 50}]})
    assert gc.collect() == 0
