"""check, dip and migrate as a user calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from packbank.cli import COMMANDS, main

OLD = """\
[DEFAULT]
MODBUS_ADDRESSES = 0x01, 0x02
LINEAR_LIMITATION_ENABLE = False
MAX_CELL_VOLTAGE = 3.5 ; mine
FLOAT_CELL_VOLTAGE = 3,35
SOC_RESET_AFTER_DAYS = 0
max_battery_charge_current = 80
CCL_RECOVERY_RATE_A_PER_SEC = 5
DCL_RECOVERY_RATE_A_PER_SEC = 20
MQTT_PASSWORD = secret%%
CELL_VOLTAGES_WHILE_CHARGING = 3.55,
    3.5, 3.45, 3.4, 3.3
[mine]
A = 1
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "config.ini"
    path.write_text(OLD, encoding="utf-8")
    return path


def test_without_a_command_all_of_them_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    text = capsys.readouterr().err
    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("command", ["demo", "simulate"])
@pytest.mark.parametrize("seconds", ["0", "-3", "nan"])
def test_no_time_at_all_is_a_mistake_of_use(command: str, seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--seconds", seconds]) == 2
    assert "more than 0" in capsys.readouterr().err


def test_check_says_what_would_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.ini"
    path.write_text(
        "[DEFAULT]\nVOLTAGE_DROP = 0.2\nTELEMETRY = False\n[bus:north]\nPORT = /dev/ttyUSB7\n"
        "BATTERY_ADDRESSES = 0x01-0x02\n[bus:south]\nPORT = socket://10.0.0.9:4196\nPROTOCOL = jkpb\n"
        "[pack:north/0x02]\nNAME = garage\nMAX_BATTERY_CHARGE_CURRENT = 60\n",
        encoding="utf-8",
    )
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path} is right: 2 buses, 2 packs",
        "  bus north: /dev/ttyUSB7, jkpb, poll, 0x01-0x02 (north 1, garage)",
        "  bus south: socket://10.0.0.9:4196, jkpb, poll, whoever answers",
        "  VOLTAGE_DROP = 0.2 (default 0)",
        "  garage: MAX_BATTERY_CHARGE_CURRENT = 60 (empty by default)",
        (
            "  RESERVE_PACKS = 1 would keep about 50% of the charge limit free, so that a pack that opens trips no "
            "other; a charge over-current delay of 6 s or more in every BMS makes it needless"
        ),
        "  ignored: TELEMETRY (packbank sends nothing to anybody)",
    ]


def test_check_prints_the_price_of_reserve_packs_for_the_bank(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.ini"
    bank = "[bus:a]\nPORT = /dev/ttyUSB7\nPROTOCOL = jkpb\nBATTERY_ADDRESSES = 1-4\n"
    path.write_text(f"[DEFAULT]\nRESERVE_PACKS = 2\n{bank}", encoding="utf-8")
    assert main(["check", str(path)]) == 0
    assert "RESERVE_PACKS = 2 keeps about 50% of the charge limit free" in capsys.readouterr().out
    path.write_text(f"{bank}[pack:a/0x02]\nRESISTANCE_FACTOR = 0.5\n", encoding="utf-8")
    assert main(["check", str(path)]) == 0
    assert "RESERVE_PACKS = 1 would keep about 40% of the charge limit free" in capsys.readouterr().out


def test_check_prints_every_problem_and_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.ini"
    path.write_text("[DEFAULT]\nVOLTAGE_DROP = much\nWHAT = 1\nPORT = /dev/ttyUSB7\n", encoding="utf-8")
    assert main(["check", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        f"packbank check: {path} has 2 problems:",
        "  config.ini: line 2 [DEFAULT] VOLTAGE_DROP = much: is not a number; write digits only, without a unit",
        "  config.ini: line 3 [DEFAULT] WHAT = ...: unknown key; remove it; docs/config.md lists all keys",
    ]


def test_an_old_file_passes_check_once_it_is_migrated(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = old.with_name("new.ini")
    assert main(["migrate", str(old), "--port", "/dev/ttyUSB7", "-o", str(new)]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert main(["check", str(new)]) == 0
    text = new.read_text(encoding="utf-8")
    assert text.startswith("# packbank, from config.ini of dbus-serialbattery\n[DEFAULT]\nPORT = /dev/ttyUSB7\n")
    assert [line for line in text.splitlines()[3:] if line and not line.startswith("#")] == [
        "MAX_CELL_VOLTAGE = 3.5",
        "FLOAT_CELL_VOLTAGE = 3.35",
        "MAX_BATTERY_CHARGE_CURRENT = 80",
        "CCL_RECOVERY_RATE_A_PER_SEC = 5",
        "DCL_RECOVERY_RATE_A_PER_SEC = 20",
        "CELL_VOLTAGES_WHILE_CHARGING = 3.55, 3.5, 3.45, 3.4, 3.3",
        "BATTERY_ADDRESSES = 0x01, 0x02",
        "CHARGE_MODE = 2",
        "MAX_BATTERY_DISCHARGE_CURRENT = 60",
    ]
    account = captured.err.splitlines()
    for line in (
        "taken    MAX_BATTERY_CHARGE_CURRENT = 80",
        "renamed  MODBUS_ADDRESSES -> BATTERY_ADDRESSES = 0x01, 0x02",
        "changed  LINEAR_LIMITATION_ENABLE -> CHARGE_MODE = 2: True is 1 (linear), False 2 (stepped)",
        "dropped  A = ...: dbus-serialbattery reads [DEFAULT] only, not [mine]",
        "dropped  MQTT_PASSWORD = ...: packs come from serial buses, or from another host's 'packbank forward'",
    ):
        assert line in account
    text = captured.err
    assert "behind it made dbus-serialbattery read something else" in text
    assert "changed  FLOAT_CELL_VOLTAGE = 3.35: the decimal comma became a point" in text
    assert "dropped  SOC_RESET_AFTER_DAYS = 0: 0 is out of range" in text
    assert "added    MAX_BATTERY_DISCHARGE_CURRENT = 60: dbus-serialbattery's default" in text
    assert "think    MAX_BATTERY_CHARGE_CURRENT = 80: holds for each pack" in text
    assert "think    DCL_RECOVERY_RATE_A_PER_SEC = 20: is for each pack" in text
    assert "think    CCL_RECOVERY_RATE_A_PER_SEC" not in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("MAX_BATTERY_CHARGE_CURRENT =", "is empty, which dbus-serialbattery reads as 0 A"),
        ("MAX_BATTERY_CHARGE_CURRENT = 20 A", "is not a number"),
        ("MAX_BATTERY_CHARGE_CURRENT = -20", "is out of range"),
        ("MAX_CELL_VOLTAGE = 3.45\n MAX_BATTERY_CHARGE_CURRENT = 20", "the next line begins with a blank"),
        ("BLUETOOTH_BMS =\n MAX_BATTERY_CHARGE_CURRENT = 20", "the next line begins with a blank"),
        ("MIN_CELL_VOLTAGE = 3.6\nMAX_CELL_VOLTAGE = 3.4", "MIN_CELL_VOLTAGE"),
        ("CC_CURRENT_LIMIT1_FRACTION = 0.1", "makes sense only together with"),
        ("BATTERY_ADDRESSES = 0x01, 0xZZ", "is not an address"),
        ("BMS_TYPE = Ant, HeltecSmart", "not read by packbank"),
    ],
)
def test_what_cannot_be_taken_over_is_never_left_out(
    tmp_path: Path, line: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, new = tmp_path / "config.ini", tmp_path / "new.ini"
    path.write_text(f"[DEFAULT]\n{line}\n", encoding="utf-8")
    assert main(["migrate", str(path), "-o", str(new)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert "line 2" in captured.err
    assert not new.exists()


def test_a_port_named_twice_is_refused_before_a_file_is_written(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = old.with_name("new.ini")
    assert main(["migrate", str(old), "--port", "/dev/x", "--port", "/dev/x", "-o", str(new)]) == 2
    assert "is the port of bus bus1 too" in capsys.readouterr().err
    assert not new.exists()


def test_the_users_comments_and_the_reasons_are_in_the_new_file(tmp_path: Path) -> None:
    path, new = tmp_path / "config.ini", tmp_path / "new.ini"
    path.write_text(
        "# in the cellar\n[DEFAULT]\n# the fuse\nMAX_BATTERY_CHARGE_CURRENT = 20,0\n\n; four packs\n; and no more\n"
        "MODBUS_ADDRESSES = 0x00, 0x01-0x04\n# TOKEN = geheim\n# wifi\nMQTT_PASSWORD = geheim\n# the end\n",
        encoding="utf-8",
    )
    path.chmod(0o640)
    assert main(["migrate", str(path), "--port", "/dev/ttyUSB7", "-o", str(new)]) == 0
    text = new.read_text(encoding="utf-8")
    assert text.splitlines()[1:9] == [
        "# in the cellar",
        "[DEFAULT]",
        "PORT = /dev/ttyUSB7",
        "# the fuse",
        "# MAX_BATTERY_CHARGE_CURRENT = 20.0: the decimal comma became a point",
        "MAX_BATTERY_CHARGE_CURRENT = 20.0",
        "; four packs",
        "; and no more",
    ]
    assert "# BATTERY_ADDRESSES = 0x01-0x04: address 0x00 is a pack with all four DIP switches off" in text
    assert "# TOKEN = ...\n# wifi\n# MQTT_PASSWORD = ...: packs come from serial buses, or" in text
    assert text.endswith("# the end\n")
    assert "geheim" not in text
    assert new.stat().st_mode & 0o777 == 0o640
    assert main(["check", str(new)]) == 0


def test_several_ports_become_several_buses(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", str(old), "--port", "/dev/ttyUSB7", "--port", "/dev/ttyUSB8"]) == 0
    text = capsys.readouterr().out
    assert text.endswith("\n\n[bus:bus1]\nPORT = /dev/ttyUSB7\n\n[bus:bus2]\nPORT = /dev/ttyUSB8\n")
    new = old.with_name("new.ini")
    new.write_text(text, encoding="utf-8")
    assert main(["check", str(new)]) == 0


def test_without_a_port_the_new_file_says_that_it_guessed(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", str(old)]) == 0
    captured = capsys.readouterr()
    assert "PORT = /dev/ttyUSB0\n" in captured.out
    assert "think    PORT: /dev/ttyUSB0 is a guess" in captured.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[bus:a]\nPORT = /dev/x\n", "is packbank's own already"),
        ("A = 1\n", "stands before any section"),
        ("[DEFAULT]\nA = 1\nA = 2\n", "stands in this section twice"),
    ],
)
def test_migrate_refuses_what_is_no_file_of_the_driver(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    path = tmp_path / "config.ini"
    path.write_text(text, encoding="utf-8")
    assert main(["migrate", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_migrate_changes_no_file_that_is_there(old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new.ini"
    new.write_text("# mine\n", encoding="utf-8")
    assert main(["migrate", str(old), "-o", str(new)]) == 2
    assert "exists" in capsys.readouterr().err
    assert new.read_text(encoding="utf-8") == "# mine\n"


def test_migrate_says_when_it_cannot_write(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", str(old), "-o", str(old / "below" / "a-file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_dip_draws_one_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dip", "0x0A"]) == 0
    assert capsys.readouterr().out == (
        "0x0A  pack 10    \n"
        "┌ON─┬───┬───┬───┐\n"
        "│   │ █ │   │ █ │\n"
        "│ █ │   │ █ │   │\n"
        "└───┴───┴───┴───┘\n"
        "  1   2   3   4  \n"
    )


def test_dip_explains_the_master(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dip", "0"]) == 0
    out = capsys.readouterr().out
    assert "0x00  MASTER" in out
    assert "ends RS485" in out


def test_dip_draws_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dip"]) == 0
    out = capsys.readouterr().out
    assert all(f"0x{address:02X}  " in out for address in range(16))
    assert out.count("█") == 16 * 4
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("address", ["0x0C", "0c", "12", "c"])
def test_dip_takes_an_address_as_people_write_it(capsys: pytest.CaptureFixture[str], address: str) -> None:
    assert main(["dip", address]) == 0
    assert capsys.readouterr().out.startswith("0x0C  pack 12")


@pytest.mark.parametrize("address", ["0x10", "16", "99", "x", "-1", "9" * 9999])
def test_dip_names_the_addresses_that_switches_can_show(capsys: pytest.CaptureFixture[str], address: str) -> None:
    assert main(["dip", address]) == 2
    message = capsys.readouterr().err
    assert "write 0x01 to 0x0F, or 1 to 15" in message
    assert len(message) < 250


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["doctr", "x"], "there is no command 'doctr'; did you mean 'packbank doctor'?"),
        (["Doctor"], "did you mean 'packbank doctor'?"),
        (["frobnicate"], "'packbank --help' lists them"),
        (["run", "x.ini", "--no-dbsu"], "unrecognized arguments: --no-dbsu; did you mean --no-dbus?"),
        (["run"], "which configuration? packbank run FILE"),
        (["check"], "which configuration? packbank check FILE"),
        (["check", "a.ini", "--config", "b.ini"], "two configurations"),
        (["demo", "--packs", "16"], "for 16 packs write --packs 8 --buses 2"),
        (["demo", "--packs", "15", "--buses", "65"], "--buses 65: write 1 to 64"),
        (["simulate", "--packs", "31"], "for 33 packs write --packs 11 --buses 3"),
    ],
)
def test_a_mistyped_command_line_gets_a_proposal(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main(words)
    except SystemExit as left:
        code = left.code
    assert code == 2
    message = capsys.readouterr().err
    assert says in message
    assert message.count("\n") <= 2


@pytest.mark.parametrize("words", [["FILE"], ["--config", "FILE"]])
def test_check_run_and_doctor_take_the_file_in_the_same_ways(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.ini"
    path.write_text("[DEFAULT]\nWHAT = 1\n")
    for command, code in (("check", 2), ("run", 2), ("doctor", 1)):
        assert main([command, *(word.replace("FILE", str(path)) for word in words)]) == code
        assert "WHAT" in "".join(capsys.readouterr())
