import gc
import json
import os
from pathlib import Path

import pytest

from packbank import state
from packbank.errors import ConfigError
from packbank.model.controls import Controls


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "state.json"
    state.save(path, {"stage": "float", "ah": 1.5})
    assert state.load(path) == {"schema": state.SCHEMA, "stage": "float", "ah": 1.5}


@pytest.mark.parametrize("number", ["9" * 400, "1e400", "-1e999"])
def test_a_number_that_no_float_can_hold_is_damage(tmp_path: Path, number: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(f'{{"schema": 2, "controls": {{"charge_current": {number}}}}}', encoding="utf-8")
    assert state.load(path) == {}


def test_a_cap_below_zero_is_damage() -> None:
    assert state.controls_of({"controls": {"charge_current": -5}}) is None


def test_a_second_daemon_cannot_have_the_state_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    held = state.lock(path)
    with pytest.raises(ConfigError, match="another packbank runs"):
        state.lock(path)
    held.close()
    state.lock(path).close()
    assert not list(tmp_path.iterdir())


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "disk" / "s.json", tmp_path / "state.json"
    target.parent.mkdir()
    link.symlink_to(target)
    state.save(link, {"ah": 1.0})
    assert link.is_symlink()
    assert state.load(target)["ah"] == 1.0


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is not a file"):
        state.load(tmp_path / "pipe")


def test_no_file_is_an_empty_state_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert state.load(tmp_path / "none.json") == {}
    assert not caplog.records


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"soc": NaN}',
        "\x00\xff",
        "\x00" * 4096,
        '{"a":' * 100_000,
        '{"a": ' + "[" * 100_000,
        f'{{"a": {"9" * 5000}}}',
    ],
)
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
    assert state.load(path) == {"schema": state.SCHEMA, "kept": True}
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


FIRST_VERSION = """{"bank": {"version": 1, "share": {}, "charge": {}, "soc": {"counted": 55.0}, "history": {}},
 "controls": {"charge_current": 80.0, "discharge_current": null, "charge_voltage": null, "charge_off": false,
 "discharge_off": true}}"""


def test_the_state_of_the_first_version_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(FIRST_VERSION, encoding="utf-8")
    loaded = state.load(path)
    assert loaded["bank"]["soc"] == {"counted": 55.0}
    assert state.controls_of(loaded) == Controls(charge_current=80.0, discharge_off=True)


@pytest.mark.parametrize("schema", ["99", '"two"', "1e300", "null"])
def test_a_newer_state_is_kept_aside(tmp_path: Path, schema: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state.json"
    text = f'{{"schema": {schema}, "bank": {{}}}}'
    path.write_text(text, encoding="utf-8")
    assert state.load(path) == {}
    assert not path.exists()
    [aside] = tmp_path.iterdir()
    assert aside.read_text(encoding="utf-8") == text
    assert str(aside) in caplog.text


@pytest.mark.parametrize("content", ["[DEFAULT]\nPORT = /dev/ttyUSB0\n", "; mine\n", "[1]", "x"])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.ini"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="STATE_FILE"):
        state.load(path)
    assert path.read_text(encoding="utf-8") == content


def test_a_state_has_an_age_within_one_run_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, boots = [100.0], ["first"]
    monkeypatch.setattr(state, "since_boot", lambda: clock[0])
    monkeypatch.setattr(state, "boot_name", lambda: boots[0])
    saved = json.loads(json.dumps(state.stamp()))
    clock[0] = 104.5
    assert state.age(saved) == 4.5
    boots[0] = "second"
    assert state.age(saved) is None


@pytest.mark.parametrize(
    "saved", [{}, {"boot": "now"}, {"at": 3.0}, {"boot": "now", "at": "3"}, {"boot": "now", "at": 1e9}]
)
def test_a_state_without_a_time_has_no_age(saved: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "boot_name", lambda: "now")
    assert state.age(saved) is None


def test_a_machine_that_names_no_boots_gives_no_age(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(state, "boot_name", unknown)
    assert state.stamp() == {}
    assert state.age({}) is None
