"""``check`` calls a file right only when ``run`` starts with it: both say the same of every file here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from packbank.cli import main
from packbank.config.loader import load
from packbank.config.problems import InvalidConfigError

PORT = "PORT = /dev/no-such-port\n"
GATEWAY = "is not a gateway's address"
WRONG = [
    ("CURRENT_FROM = com.victronenergy.battery.packbank", "is this bank itself"),
    ("SOC_FROM = com.victronenergy.battery.packbank_a_01", "is this bank itself"),
    ("SOC_FROM = com.victronenergy.battery.1", "write the name of a battery service"),
    (f"SOC_FROM = com.victronenergy.battery.{'x' * 250}", "write the name of a battery service"),
    (f"CUSTOM_NAME = {'x' * 65}", "has 65 characters"),
    ("PRODUCT_NAME = a\u200bb", "has a character that cannot be shown"),
    ("STATE_FILE = /dev/null", "/dev/null is not a file"),
    ("STATE_FILE = /dev/null/state", "/dev/null is not a folder"),
    ("STATE_FILE = {config}", "is not a state file of packbank"),
    ("STATE_FILE = {folder}", "is not a file"),
    (f"STATE_FILE = /tmp/{'x' * 300}", "too long"),
    ("[mqtt]\nBROKER = mqtt://10.0.0.9:70000", "has no port from 1 to 65535"),
    ("[bus:a-b]\nPORT = /dev/a\n[bus:a.b]\nPORT = /dev/b", "has the same name as [bus:a-b]"),
    (f"[bus:{'x' * 65}]\nPORT = /dev/a", "has at most 64 characters"),
    ("[bus:a]\nPORT = /dev/a\n[pack:a/0x01]\nNAME = " + 65 * "x", "has 65 characters"),
    ("[bus:a]\nPORT = /dev/a\n[bus:b]\nPORT = /dev/../dev/a", "is the port of bus a too"),
]
PORTS = [
    ("socket://gateway:0", "has no port from 1 to 65535"),
    ("socket://gateway:65536", "has no port from 1 to 65535"),
    ("rfc2217://gateway:99999999999999999999", "has no port from 1 to 65535"),
    ("socket://gateway", GATEWAY),
    ("socket://:4196", GATEWAY),
    ("tcp://gateway:4196", GATEWAY),
    ("socket://[::1:4196", GATEWAY),
    ("socket://gate way:4196", "has a host that no machine can have"),
    ("socket://-:4196", "has a host that no machine can have"),
    (f"socket://{'x' * 64}.de:4196", "has a host that no machine can have"),
    ("socket://gateway:4196/path", "has something behind the port"),
    ("socket://gateway:4196?timeout=1", "has something behind the port"),
    ("rfc2217://gateway:4196?speed=1", "has an unknown option speed"),
    (f"/dev/{'x' * 256}", "is too long for a path"),
    ("ttyUSB0", "write its whole path, such as /dev/ttyUSB0"),
    ("replay:///no/such/capture", "cannot be read"),
]
RIGHT = ["socket://[fe80::1%eth0]:4196", "socket://10.0.0.9:65535", "rfc2217://gateway.local.:4196?ign_set_control"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.ini"


def refusals(config: Path, capfd: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What check and run say; both must refuse."""
    assert main(["check", str(config)]) == 2
    checked = capfd.readouterr().err
    assert main(["run", str(config), "--no-dbus"]) == 2
    return checked, capfd.readouterr().err


@pytest.mark.parametrize(("line", "says"), WRONG)
def test_run_refuses_what_check_refuses(config: Path, line: str, says: str, capfd: pytest.CaptureFixture[str]) -> None:
    head = "" if line.startswith("[bus") else f"[DEFAULT]\n{PORT}"
    config.write_text(head + line.format(config=config, folder=config.parent) + "\n", encoding="utf-8")
    checked, ran = refusals(config, capfd)
    assert says in checked
    assert says in ran


@pytest.mark.parametrize(("port", "says"), PORTS)
def test_a_port_that_can_be_none(config: Path, port: str, says: str, capfd: pytest.CaptureFixture[str]) -> None:
    config.write_text(f"[DEFAULT]\nPORT = {port}\n", encoding="utf-8")
    checked, ran = refusals(config, capfd)
    assert says in checked
    assert says in ran


@pytest.mark.parametrize("port", RIGHT)
def test_a_port_that_can_be_one(config: Path, port: str) -> None:
    config.write_text(f"[DEFAULT]\nPORT = {port}\n", encoding="utf-8")
    assert load(config).buses[0].port == port


def test_the_state_of_the_command_line_stands_in_for_the_files(config: Path) -> None:
    config.write_text(f"[DEFAULT]\n{PORT}STATE_FILE = {config}\n", encoding="utf-8")
    with pytest.raises(InvalidConfigError, match="is not a state file"):
        load(config)
    assert load(config, state_file=config.with_name("other.json")).buses


def test_a_damaged_state_hinders_nothing(config: Path) -> None:
    config.write_text(f"[DEFAULT]\n{PORT}", encoding="utf-8")
    state = config.with_suffix(".state.json")
    for text in ("{", "[" * 9999, json.dumps({"schema": 99}), "", "\0" * 99):
        state.write_text(text)
        if not text.startswith("["):
            assert load(config).buses
