from __future__ import annotations

from pathlib import Path

import pytest

from packbank.aggregator.settings import PackSettings
from packbank.config.loader import load
from packbank.config.model import Config, LogLevel, Mode
from packbank.config.problems import InvalidConfigError
from packbank.errors import ConfigError


def loaded(folder: Path, text: str, *ports: str) -> Config:
    path = folder / "config.ini"
    path.write_text(text, encoding="utf-8")
    return load(path, ports)


def refused(folder: Path, text: str, *ports: str) -> list[str]:
    """The lines of the message, without the one that counts the problems."""
    with pytest.raises(InvalidConfigError) as caught:
        loaded(folder, text, *ports)
    return str(caught.value).splitlines()[1:]


def test_one_port_and_nothing_else_takes_in_whoever_answers(tmp_path: Path) -> None:
    config = loaded(tmp_path, "[DEFAULT]\nPORT = /dev/ttyUSB7\n")
    (bus,) = config.buses
    assert (bus.port, bus.protocol, bus.addresses, bus.mode) == ("/dev/ttyUSB7", "jkpb", (), Mode.POLL)
    assert [pack.address for pack in config.packs] == list(range(1, 16))
    assert not any(pack.expected for pack in config.packs)
    assert config.packs[2].name == "pack 3"


def test_the_narrower_section_wins(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        """
[DEFAULT]
MAX_CELL_VOLTAGE = 3.5
MAX_BATTERY_CHARGE_CURRENT = 100
VOLTAGE_DROP = 0.2
LOGGING = debug
DEVICE_INSTANCE = 20
[bus:north]
PORT = /dev/ttyUSB7
BATTERY_ADDRESSES = 0x01-0x02
[bus:south]
PORT = socket://10.0.0.9:4196
BATTERY_ADDRESSES = 0x0A
MAX_CELL_VOLTAGE = 3.4
[pack:north/0x02]
NAME = garage
MAX_BATTERY_CHARGE_CURRENT =
""",
    )
    assert [pack.name for pack in config.packs] == ["north 1", "garage", "south 10"]
    assert [pack.settings.max_cell_voltage for pack in config.packs] == [3.5, 3.5, 3.4]
    assert [pack.settings.max_battery_charge_current for pack in config.packs] == [100.0, None, 100.0]
    assert all(pack.expected for pack in config.packs)
    assert config.bank.voltage_drop == 0.2
    assert config.service.device_instance == 20
    assert config.log_level is LogLevel.DEBUG
    assert config.notes == ()


def test_a_pack_section_makes_a_pack_expected(tmp_path: Path) -> None:
    config = loaded(tmp_path, "[DEFAULT]\nPORT = /dev/ttyUSB7\n[pack:bus1/0x03]\nNAME = left\n")
    assert [(pack.address, pack.name) for pack in config.packs if pack.expected] == [(3, "left")]


@pytest.mark.parametrize("mode", ["listen", "auto"])
def test_a_master_that_is_heard_is_the_pack_at_zero(tmp_path: Path, mode: str) -> None:
    config = loaded(tmp_path, f"[DEFAULT]\nPORT = /dev/ttyUSB7\nMODE = {mode}\n")
    assert [pack.address for pack in config.packs] == list(range(16))
    config = loaded(tmp_path, f"[DEFAULT]\nPORT = /dev/ttyUSB7\nMODE = {mode}\nBATTERY_ADDRESSES = 0x00-0x02\n")
    assert config.buses[0].addresses == (0, 1, 2)


@pytest.mark.parametrize("mode", ["listen", "auto", "poll"])
def test_where_0_is_a_pack_s_address_it_is_no_master_and_no_second_row(tmp_path: Path, mode: str) -> None:
    bus = f"[bus:a]\nPORT = /dev/ttyUSB7\nPROTOCOL = seplos-v3\nMODE = {mode}\n"
    assert [pack.address for pack in loaded(tmp_path, bus).packs] == list(range(16))
    (pack,) = loaded(tmp_path, f"{bus}BATTERY_ADDRESSES = 0x00\n").packs
    assert pack.address == 0


def test_an_inverted_current_is_of_a_pack(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        "[DEFAULT]\nPORT = /dev/ttyUSB7\nPROTOCOL = daly\nBATTERY_ADDRESSES = 0x01, 0x10\n"
        "MAX_BATTERY_CHARGE_CURRENT = 50\nMAX_BATTERY_DISCHARGE_CURRENT = 60\n"
        "[pack:bus1/0x10]\nINVERT_CURRENT_MEASUREMENT = True\n",
    )
    assert [pack.invert_current_measurement for pack in config.packs] == [False, True]


@pytest.mark.parametrize("mark", ["", "\N{ZERO WIDTH NO-BREAK SPACE}"])
def test_an_unchanged_file_runs_on_the_ports_of_the_command_line(tmp_path: Path, mark: str) -> None:
    text = f"{mark}[DEFAULT]\nBMS_TYPE = Jkbms_pb\nmodbus_addresses = 0x01, 0x02\nTELEMETRY = False\nCAN_PORT =\n"
    config = loaded(tmp_path, text, "/dev/ttyUSB7", "/dev/ttyUSB8")
    assert [(bus.name, bus.port) for bus in config.buses] == [("bus1", "/dev/ttyUSB7"), ("bus2", "/dev/ttyUSB8")]
    assert [(pack.bus, pack.address) for pack in config.packs] == [("bus1", 1), ("bus1", 2), ("bus2", 1), ("bus2", 2)]
    notes = "\n".join(config.notes)
    assert "BMS_TYPE is read as PROTOCOL = jkpb" in notes
    assert "ignored: TELEMETRY (packbank sends nothing to anybody)" in notes


def test_a_port_of_the_command_line_comes_before_the_file_s(tmp_path: Path) -> None:
    config = loaded(tmp_path, "[DEFAULT]\nPORT = /dev/ttyUSB7\n", "/dev/ttyUSB8")
    assert [bus.port for bus in config.buses] == ["/dev/ttyUSB8"]


BUS = "[bus:a]\nPORT = /dev/ttyUSB7\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # keys and sections
        (
            f"[DEFAULT]\nMAX_CEL_VOLTAGE = 3.5\n{BUS}",
            "line 2 [DEFAULT] MAX_CEL_VOLTAGE = ...: unknown key; did you mean MAX_CELL_VOLTAGE?",
        ),
        (f"{BUS}QQQ = 1\n", "line 3 [bus:a] QQQ = ...: unknown key; remove it; docs/config.md lists all keys"),
        (
            f"{BUS}LOGGING = INFO\n",
            "line 3 [bus:a] LOGGING = INFO: has no place here; move it to [DEFAULT]",
        ),
        (
            f"[DEFAULT]\nNAME = x\n{BUS}",
            "line 2 [DEFAULT] NAME = x: has no place here; move it to [pack:BUS/0x03]",
        ),
        (f"[default]\nLOGGING = INFO\n{BUS}", "line 2 [default]: unknown section; did you mean [DEFAULT]?"),
        (f"{BUS}[bis:b]\nPORT = /dev/x\n", "line 4 [bis:b]: unknown section; did you mean [bus:NAME]?"),
        (
            f"{BUS}[serial]\nA = 1\n",
            "line 4 [serial]: unknown section; sections are [DEFAULT], [bus:NAME], [pack:BUS/0x03]",
        ),
        (
            f"{BUS}[bus:a]\nMODE = poll\n",
            "line 3 [bus:a]: stands in the file twice; put its keys under one header",
        ),
        (
            f"{BUS}PORT = /dev/x\n",
            "line 3 [bus:a] PORT = /dev/x: stands in this section twice; remove one of the two",
        ),
        ("PORT = /dev/x\n", "line 1: stands before any section; let the file begin with [DEFAULT]"),
        (f"{BUS}nothing\n", "line 3: is not KEY = value; complete it, or put # before it"),
        # values
        (
            f"[DEFAULT]\nVOLTAGE_DROP = 3,5\n{BUS}",
            "VOLTAGE_DROP = 3,5: is not a number; write the decimal point as a point, 3.5",
        ),
        (
            f"[DEFAULT]\nVOLTAGE_DROP = 0.5 ; cable\n{BUS}",
            "VOLTAGE_DROP = 0.5 ; cable: is not a number; a comment needs a line of its own",
        ),
        (f"[DEFAULT]\nVOLTAGE_DROP = nan\n{BUS}", "VOLTAGE_DROP = nan: is not a finite number; write one"),
        (f"[DEFAULT]\nVOLTAGE_DROP =\n{BUS}", "VOLTAGE_DROP = : is empty; write a value or remove the line"),
        (f"[DEFAULT]\nVOLTAGE_DROP = 9\n{BUS}", "VOLTAGE_DROP = 9: 9 is out of range; write 0 to 2 V"),
        (f"[DEFAULT]\nCHARGE_MODE = 1.0\n{BUS}", "CHARGE_MODE = 1.0: is not a whole number; write digits only"),
        (f"[DEFAULT]\nCHARGE_MODE = 3\n{BUS}", "CHARGE_MODE = 3: 3 is out of range; write 1 to 2"),
        (
            f"[DEFAULT]\nCCCM_CV_ENABLE = yes\n{BUS}",
            "CCCM_CV_ENABLE = yes: is neither True nor False; write one of them",
        ),
        (
            f"[DEFAULT]\nLOGGING = loud\n{BUS}",
            "LOGGING = loud: is not known; write ERROR, WARNING, INFO, DEBUG",
        ),
        (
            f"[DEFAULT]\nCELL_VOLTAGES_WHILE_CHARGING = 3.5, 34\n{BUS}",
            "CELL_VOLTAGES_WHILE_CHARGING = 3.5, 34: 34 is out of range; write 1.5 to 4.5 V",
        ),
        (
            f"[DEFAULT]\nVOLTAGE_DROP = 0.1\n  CHARGE_MODE = 1\n{BUS}",
            "VOLTAGE_DROP = 0.1 ...: the next line begins with a blank",
        ),
        # ports
        ("[DEFAULT]\nLOGGING = INFO\n", "no bus: write PORT = /dev/serial/by-id/... into [DEFAULT]"),
        ("[bus:a]\nMODE = poll\n", "[bus:a] PORT = : a bus needs a port; write /dev/serial/by-id/..."),
        ("[bus:a]\nPORT = ttyUSB0\n", "PORT = ttyUSB0: is not a device; write its whole path, such as /dev/ttyUSB0"),
        ("[bus:a]\nPORT = tcp://x\n", "PORT = tcp://x: is not a gateway's address; write socket://HOST:PORT"),
        (f"{BUS}[bus:b]\nPORT = /dev/ttyUSB7\n", "line 4 [bus:b] PORT = /dev/ttyUSB7: is the port of bus a too"),
        (
            f"{BUS}[bus:b]\nPORT = /dev/../dev/ttyUSB7\n",
            "PORT = /dev/../dev/ttyUSB7: is the port of bus a too (it is /dev/ttyUSB7); one adapter is one bus",
        ),
        (
            f"[DEFAULT]\nPORT = /dev/x\n{BUS}",
            "line 2 [DEFAULT] PORT = /dev/x: a port belongs to one bus; move it to that [bus:...] section",
        ),
        ("[bus:a b]\nPORT = /dev/x\n", "[bus:a b]: a bus's name goes without blanks and slashes; change it"),
        (f"{BUS}PROTOCOL = jkbp\n", "line 3 [bus:a] PROTOCOL = jkbp: is not known; write "),
        (f"{BUS}MODE = hear\n", "line 3 [bus:a] MODE = hear: is not known; write poll, listen, auto"),
        (f"{BUS}MODE = auto\nBATTERY_ADDRESSES = 0x00\n", "names only the master, which nobody can ask"),
        # addresses
        (f"{BUS}BATTERY_ADDRESSES = 0x01, 0x01\n", "0x01 stands in the list twice; every pack needs an address"),
        (f"{BUS}BATTERY_ADDRESSES = 0x01-0x03, 0x02\n", "0x02 stands in the list twice"),
        (f"{BUS}BATTERY_ADDRESSES = 0x05-0x03\n", "the range 0x05-0x03 runs backwards; write 0x03-0x05"),
        (f"{BUS}BATTERY_ADDRESSES = 10\n", "10 can be read as 10 or as 16; write 0x0A or 0x10"),
        (f"{BUS}BATTERY_ADDRESSES = eins\n", "'eins' is not an address; write two hexadecimal digits, such as 0x0A"),
        (
            f"{BUS}BATTERY_ADDRESSES = 0x0F-0x11\n",
            "line 3 [bus:a] BATTERY_ADDRESSES = 0x0F-0x11: address 0x10 cannot be set",
        ),
        (f"{BUS}BATTERY_ADDRESSES = 0x00\n", "line 3 [bus:a] BATTERY_ADDRESSES = 0x00: address 0x00 is a pack"),
        # settings that do not go together
        (
            f"{BUS}CELL_VOLTAGES_WHILE_CHARGING = 3.5, 3.4\n",
            "= 3.5, 3.4: MAX_CHARGE_CURRENT_CV_FRACTION (now 0, 0.005, 0.05, 0.25, 1) needs one fraction for each of",
        ),
        (
            f"[DEFAULT]\nSOC_LOW_ALARM = 30\n{BUS}",
            "line 2 [DEFAULT] SOC_LOW_ALARM = 30: must not be above SOC_LOW_WARN",
        ),
        (
            f"{BUS}[pack:a/0x02]\nMAX_CELL_VOLTAGE = 3.6\n",
            "line 4 [pack:a/0x02] MAX_CELL_VOLTAGE = 3.6: CELL_VOLTAGES_WHILE_CHARGING (now 3.5, ",
        ),
        # what the packs do not report
        (
            f"{BUS}PROTOCOL = daly\nMAX_BATTERY_CHARGE_CURRENT = 50\n",
            "[bus:a] MAX_BATTERY_DISCHARGE_CURRENT = : Daly",
        ),
        (
            f"{BUS}PROTOCOL = daly\nMAX_BATTERY_DISCHARGE_CURRENT = 9\nMAX_BATTERY_CHARGE_CURRENT =\n",
            "line 5 [bus:a] MAX_BATTERY_CHARGE_CURRENT = : Daly",
        ),
        ("[DEFAULT]\nPORT = /dev/x\nPROTOCOL = eg4\n", "[DEFAULT] MAX_BATTERY_CHARGE_CURRENT = : EG4"),
        # packs
        (f"{BUS}[pack:b/0x03]\nNAME = x\n", "[pack:b/0x03]: there is no bus 'b'; "),
        (f"{BUS}[pack:a/9x]\nNAME = x\n", "[pack:a/9x]: '9x' is not an address"),
        (f"{BUS}[pack:a/0x13]\nNAME = x\n", "line 4 [pack:a/0x13]: "),
        (
            f"{BUS}BATTERY_ADDRESSES = 0x01\n[pack:a/0x02]\nNAME = x\n",
            "line 5 [pack:a/0x02]: bus a has no pack 0x02; add it to its BATTERY_ADDRESSES",
        ),
        (
            f"{BUS}[pack:a/0x02]\nNAME = x\n[pack:a/2]\nNAME = y\n",
            "line 6 [pack:a/2]: is the pack of [pack:a/0x02] too; put their keys together",
        ),
        (
            f"{BUS}[pack:a/0x02]\nNAME = x\n[pack:a/0x03]\nNAME = x\n",
            "line 6 [pack:a/0x03] NAME = x: is the name of a/0x02 and a/0x03; every pack needs its own",
        ),
        ("[bus: a]\nPORT = /dev/x\n", "[bus: a]: a bus's name goes without blanks and slashes; change it"),
        (f"{BUS}[ DEFAULT ]\nLOGGING = INFO\n", "[ DEFAULT ]: unknown section; did you mean [DEFAULT]?"),
        (
            f"{BUS}[pack:a/0x02]\nNAME = pack 3\n[pack:a/0x03]\nMAX_CELL_VOLTAGE = 3.4\n",
            "line 4 [pack:a/0x02] NAME = pack 3: is the name of a/0x02 and a/0x03; every pack needs its own",
        ),
        (
            f"{BUS}[pack:a/0x02]\nNAME = pack 3\n",
            "line 4 [pack:a/0x02] NAME = pack 3: is the name of a/0x02 and a/0x03; every pack needs its own",
        ),
    ],
)
def test_a_problem_is_reported_with_its_place_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    first = refused(tmp_path, text)[0]
    assert first.startswith("  config.ini: ")
    assert message in first


def test_all_that_is_wrong_with_a_list_of_addresses_is_reported_at_once(tmp_path: Path) -> None:
    messages = "\n".join(refused(tmp_path, f"{BUS}BATTERY_ADDRESSES = 0x01, 0x01, 0x00, 0x10\n"))
    for text in ("0x01 stands in the list twice", "all four DIP switches off", "address 0x10 cannot be set"):
        assert messages.count(text) == 1


def test_zero_explains_master_mode_and_shows_the_table(tmp_path: Path) -> None:
    message = "\n".join(refused(tmp_path, f"{BUS}BATTERY_ADDRESSES = 0x00, 0x01\n"))
    assert "master" in message
    assert "0x0F      ON    ON    ON    ON" in message


def test_all_problems_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    lines = refused(
        tmp_path,
        f"[DEFAULT]\nVOLTAGE_DROP = x\nCHARGE_MODE = 1\nCHARGE_MODE = 2\n{BUS}MODE = x\n[pack:z/1]\nNAME = q\n",
    )
    assert [line.split()[2].rstrip(":") for line in lines] == ["2", "4", "7", "9"]


def test_one_adapter_under_two_names_is_one_port(tmp_path: Path) -> None:
    device, link = tmp_path / "ttyX", tmp_path / "by-id"
    device.touch()
    link.symlink_to(device)
    lines = refused(tmp_path, f"[bus:a]\nPORT = {device}\n[bus:b]\nPORT = {link}\n")
    assert f"PORT = {link}: is the port of bus a too (it is {device})" in lines[0]


def test_ports_are_for_files_without_buses(tmp_path: Path) -> None:
    assert "names its ports itself" in refused(tmp_path, BUS, "/dev/ttyUSB8")[0]


def test_a_secret_in_an_unknown_key_is_not_shown(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, f"[DEFAULT]\nMQTT_PASSWROD = hunter2\n{BUS}")
    assert "MQTT_PASSWROD = ...: unknown key" in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read, no such file or directory; check the path"),
        (b"\xff\xfe[", "line 1: has a character that is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "config.ini"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.ini has a problem") as caught:
        load(path)
    assert message in str(caught.value)


def test_nothing_set_is_the_defaults(tmp_path: Path) -> None:
    config = loaded(tmp_path, "[DEFAULT]\nPORT = /dev/ttyUSB7\nBATTERY_ADDRESSES = 0x03\n")
    assert config.packs[0].settings == PackSettings()


def test_a_configuration_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    assert loaded(tmp_path, "[DEFAULT]\nPORT = /dev/ttyUSB7\nCONFIG_VERSION = 1\n").config_version == 1
    (problem,) = refused(tmp_path, "[DEFAULT]\nPORT = /dev/ttyUSB7\nCONFIG_VERSION = 2\n")
    assert "reads version 1 and older; update packbank" in problem
