"""No message of a command that reads a configuration has a secret in it, however the key is spelt."""

from __future__ import annotations

from pathlib import Path

import pytest

from packbank.cli import main

SECRET = "hunter2"
LINES = [
    *(f"{key} = {SECRET}" for key in ("MQTT_PASSWORD", "MQTT_PASWORD", "MQTT_PSSWORD", "PASSWD", "PWD", "TOKEN")),
    *(f"{key} = {SECRET}" for key in ("API_KEY", "SECRET", "PASSPHRASE", "PIN", "mqtt_kennwort", "MAX_CELL_VOLTAG")),
    f"MQTT PASSWORD {SECRET}",
    f"MQTT_PASSWORD {SECRET} =",
    f"MQTT_PASSWORD\t{SECRET}",
    f"PORT = socket://user:{SECRET}@10.0.0.9:4196",
    f"PORT = rfc2217://{SECRET}@10.0.0.9:4196",
    f"LOGGING = INFO\n MQTT_PASSWORD = {SECRET}",
    f"LOGGING = INFO\n {SECRET}",
    f"MQTT_PASSWORD = {SECRET}\nMQTT_PASSWORD = {SECRET}2",
    f"MQTT_USERNAME = {SECRET}",
    f"[mqtt]\nPASSWORD = {SECRET}",
    f"[mqtt]\nPASSWORD_FILE = {SECRET}",
    f"[mqtt]\nUSERNAMEE = {SECRET}",
    f"[mqtt]\nBROKER = mqtt://user:{SECRET}@10.0.0.9",
    f"[mqtt]\nPASSWORD_FIL = {SECRET}",
    f"[mqtt]\nBROKER = mqtt://10.0.0.9\n {SECRET}",
    f"[mqt]\nPASSWORD = {SECRET}",
]


@pytest.fixture(autouse=True)
def _no_other_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packbank.cli.feed.runtime_folders", lambda: [tmp_path / "run"])


@pytest.mark.parametrize("command", ["check", "migrate", "doctor", "run"])
@pytest.mark.parametrize("head", ["[DEFAULT]\nPORT = /dev/no-such-port\n", "[DEFAULT]\nCHARGE_MODE = 9\n", ""])
def test_no_secret_is_printed(tmp_path: Path, head: str, command: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.ini"
    for line in LINES:
        path.write_text(f"{head}{line}\nNO SUCH LINE\n", encoding="utf-8")  # the last one keeps run from starting
        assert main([command, str(path)]) in (1, 2)
        printed = "".join(capfd.readouterr())
        assert "config.ini" in printed
        assert SECRET not in printed, line


def test_what_is_known_to_be_harmless_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.ini"
    path.write_text("[DEFAULT]\nPORT = /dev/ttyUSB7\nMAX_CELL_VOLTAGE = high\nLOGGING = " + 300 * "x" + "\n")
    assert main(["check", str(path)]) == 2
    printed = capsys.readouterr().err
    assert "MAX_CELL_VOLTAGE = high: is not a number" in printed
    assert "LOGGING = " + 80 * "x" + "...: " in printed
