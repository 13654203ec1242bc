from __future__ import annotations

from dataclasses import asdict

import pytest

from packbank.bms.registry import NAMES
from packbank.config.entry import Entry
from packbank.config.inifile import parse
from packbank.config.loader import build
from packbank.config.sections import default_keys
from packbank.config.serialbattery import IGNORED, RENAMES, Change, Kind, translate

# Every key of dbus-serialbattery 2.1 with its default, and the keys that only older versions had.
DRIVER_DEFAULTS = """\
[DEFAULT]
BATTERY_ADDRESSES =
BMS_TYPE =
EXCLUDED_DEVICES =
CAN_PORT =
BLUETOOTH_BMS =
BLUETOOTH_USE_POLLING = True
BLUETOOTH_FORCE_RESET_BLE_STACK = False
BLUETOOTH_USE_USB = False
SERIAL_STARTER_ENABLED = True
USE_PORT_AS_UNIQUE_ID = False
POLL_INTERVAL =
MAX_BATTERY_CHARGE_CURRENT = 50.0
MAX_BATTERY_DISCHARGE_CURRENT = 60.0
MIN_CELL_VOLTAGE = 2.900
MAX_CELL_VOLTAGE = 3.450
FLOAT_CELL_VOLTAGE = 3.375
CVCM_ENABLE = True
SWITCH_TO_FLOAT_WAIT_FOR_SEC = 900
SWITCH_TO_FLOAT_CELL_VOLTAGE_DIFF = 0.010
SWITCH_TO_FLOAT_CELL_VOLTAGE_DEVIATION = 0.003
SWITCH_TO_BULK_SOC_THRESHOLD = 80
SWITCH_TO_BULK_CELL_VOLTAGE_DIFF = 0.080
SOC_RESET_CELL_VOLTAGE = 3.650
SOC_RESET_AFTER_DAYS =
CVL_CONTROLLER_MODE = 1
CVL_ICONTROLLER_FACTOR = 0.2
CVL_RECOVERY_HOLD_SEC = 60
CVL_RECOVERY_RATE_V_PER_SEC = 0.001
VOLTAGE_DROP = 0.00
CHARGE_MODE = 1
CVL_RECALCULATION_EVERY = 60
CVL_RECALCULATION_ON_MAX_PERCENTAGE_CHANGE = 33
CHARGE_CURRENT_RECOVERY_THRESHOLD_PERCENT = 0.015
DISCHARGE_CURRENT_RECOVERY_THRESHOLD_PERCENT = 0.015
CCL_RECOVERY_HOLD_SEC = 30
DCL_RECOVERY_HOLD_SEC = 30
CCL_RECOVERY_RATE_A_PER_SEC = 5
DCL_RECOVERY_RATE_A_PER_SEC = 5
CCCM_CV_ENABLE = True
DCCM_CV_ENABLE = True
CELL_VOLTAGES_WHILE_CHARGING = 3.500, 3.450, 3.425, 3.400, 3.375
MAX_CHARGE_CURRENT_CV_FRACTION = 0.000, 0.005, 0.050, 0.250, 1.000
CELL_VOLTAGES_WHILE_DISCHARGING = 2.800, 2.900, 3.000, 3.100, 3.190
MAX_DISCHARGE_CURRENT_CV_FRACTION = 0.000, 0.005, 0.050, 0.250, 1.000
CCCM_T_ENABLE = True
DCCM_T_ENABLE = True
TEMPERATURES_WHILE_CHARGING = 0, 2, 5, 10, 40, 45, 50, 55
MAX_CHARGE_CURRENT_T_FRACTION = 0.00, 0.25, 0.50, 1.00, 1.00, 0.50, 0.25, 0.00
TEMPERATURES_WHILE_DISCHARGING = -10, 0, 5, 10, 40, 45, 50, 55
MAX_DISCHARGE_CURRENT_T_FRACTION = 0.00, 0.25, 0.50, 1.00, 1.00, 0.50, 0.25, 0.00
CCCM_T_MOSFET_ENABLE = True
DCCM_T_MOSFET_ENABLE = True
MOSFET_TEMPERATURES_WHILE_CHARGING = 70, 80, 90
MAX_CHARGE_CURRENT_T_MOSFET_FRACTION = 1.00, 0.25, 0.00
MOSFET_TEMPERATURES_WHILE_DISCHARGING = 70, 80, 90
MAX_DISCHARGE_CURRENT_T_MOSFET_FRACTION = 1.00, 0.25, 0.00
CCCM_SOC_ENABLE = False
DCCM_SOC_ENABLE = False
SOC_WHILE_CHARGING = 98, 95, 90, 85
MAX_CHARGE_CURRENT_SOC_FRACTION = 0.10, 0.20, 0.50, 1.00
SOC_WHILE_DISCHARGING = 5, 10, 15, 20
MAX_DISCHARGE_CURRENT_SOC_FRACTION = 0.10, 0.20, 0.50, 1.00
SOC_CALCULATION = False
CURRENT_REPORTED_BY_BMS = -300, 300
CURRENT_MEASURED_BY_USER = -300, 300
BLOCK_ON_DISCONNECT = False
BLOCK_ON_DISCONNECT_TIMEOUT_MINUTES = 30
BLOCK_ON_DISCONNECT_VOLTAGE_MIN = 3.225
BLOCK_ON_DISCONNECT_VOLTAGE_MAX = 3.375
BMS_CABLE_ALARM = True
EXTERNAL_SENSOR_DBUS_DEVICE =
EXTERNAL_SENSOR_DBUS_PATH_CURRENT =
EXTERNAL_SENSOR_DBUS_PATH_SOC =
HISTORY_ENABLE = True
PUBLISH_CONFIG_VALUES = False
PUBLISH_BATTERY_DATA_AS_JSON = False
BATTERY_CELL_DATA_FORMAT = 1
MIDPOINT_ENABLE = False
TEMPERATURE_SOURCE_BATTERY = 1, 2, 3, 4
TEMPERATURE_1_NAME = Temp 1
TEMPERATURE_2_NAME = Temp 2
TEMPERATURE_3_NAME = Temp 3
TEMPERATURE_4_NAME = Temp 4
TEMPERATURE_1_ADJUST = 0, 1
TEMPERATURE_2_ADJUST = 0, 1
TEMPERATURE_3_ADJUST = 0, 1
TEMPERATURE_4_ADJUST = 0, 1
TEMPERATURE_MOS_ADJUST = 0, 1
GUI_PARAMETERS_SHOW_ADDITIONAL_INFO = False
GUI_INSTALL_CUSTOMIZATIONS = True
TELEMETRY = True
TIME_TO_GO_ENABLE = True
TIME_TO_SOC_POINTS =
TIME_TO_SOC_VALUE_TYPE = 1
TIME_TO_SOC_RECALCULATE_EVERY = 60
TIME_TO_SOC_INC_FROM = False
LOGGING = INFO
BMS_CAPTURE_RAW_DATA = False
BMS_CAPTURE_RAW_DATA_MAX_SIZE_MB = 5
BMS_CAPTURE_RAW_DATA_BACKUP_COUNT = 3
BATTERY_CAPACITY = 99
AUTO_RESET_SOC = True
USE_BMS_DVCC_VALUES = False
SOC_LOW_WARNING = 20
SOC_LOW_ALARM = 10
UP16S_REQUIRE_DIRECT_CONNECTION = False
INVERT_CURRENT_MEASUREMENT = 1
GREENMETER_ADDRESS = 1
LIPRO_START_ADDRESS = 2
LIPRO_END_ADDRESS = 4
LIPRO_CELL_COUNT = 15
UBMS_CAN_MODULE_SERIES = 4
UBMS_CAN_MODULE_PARALLEL = 2
MQTT_TOPIC =
MQTT_BROKER_ADDRESS = 127.0.0.1
MQTT_BROKER_PORT = 1883
MQTT_TLS_ENABLED = False
MQTT_TLS_PATH_TO_CA =
MQTT_TLS_INSECURE = True
MQTT_USERNAME =
MQTT_PASSWORD =
"""
OLDER_KEYS = """CAN_SPEED CUSTOM_BATTERY_NAMES HELTEC_MODBUS_ADDR JKBMS_CAN_CELL_COUNT PENALTY_AT_CELL_VOLTAGE
PENALTY_BATTERY_VOLTAGE SOC_RESET_CURRENT SOC_RESET_TIME"""


def translated(known: set[str], **values: str) -> tuple[dict[str, str], list[Change]]:
    entries = {key: Entry("DEFAULT", key, value, 1) for key, value in values.items()}
    left, changes = translate(entries, known)
    return {key: entry.value for key, entry in left.items()}, changes


@pytest.mark.parametrize("key", [*parse(DRIVER_DEFAULTS)[0]["DEFAULT"], *OLDER_KEYS.split()])
def test_every_key_of_the_driver_is_ours_renamed_or_ignored_with_a_reason(key: str) -> None:
    known = set(default_keys())
    _, changes = translated(known, **{key: "1"})
    assert key in known or (changes and all(change.why for change in changes if change.kind is Kind.DROPPED))


def test_the_driver_s_whole_file_runs_unchanged() -> None:
    config, problems = build(parse(DRIVER_DEFAULTS)[0], ["/dev/ttyUSB7"])
    assert problems == []
    assert config is not None
    settings = {**asdict(config.bank), **asdict(config.packs[0].settings)}
    taken = {key: entry.value for key, entry in parse(DRIVER_DEFAULTS)[0]["DEFAULT"].items() if key.lower() in settings}
    assert len(taken) > 50
    for key, text in taken.items():
        assert settings[key.lower()] == default_keys()[key].parse(text)


def test_the_tables_name_every_key_once_and_none_of_ours() -> None:
    names = [key for keys in IGNORED.values() for key in keys.split()]
    names += {key for rename in RENAMES for key in rename.old}
    assert sorted(names) == sorted(set(names))
    assert not set(names) & set(default_keys())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"MODBUS_ADDRESSES": "0x01, 0x02"}, {"BATTERY_ADDRESSES": "0x01, 0x02"}),
        ({"BMS_TYPE": "Jkbms_pb"}, {"PROTOCOL": "jkpb"}),
        ({"BMS_TYPE": "Lifepower"}, {"PROTOCOL": "eg4"}),
        ({"BMS_TYPE": "EG4_Lifepower, Ant"}, {"PROTOCOL": "eg4"}),
        ({"BMS_TYPE": "Pace"}, {"PROTOCOL": "pace"}),
        ({"BMS_TYPE": "Seplos"}, {"PROTOCOL": "seplos"}),
        ({"BMS_TYPE": "Daren485"}, {"PROTOCOL": "daren"}),
        ({"BMS_TYPE": "LltJbd_Up16s"}, {"PROTOCOL": "jbd-up"}),
        ({"BMS_TYPE": "LltJbd"}, {"PROTOCOL": "jbd"}),
        ({"BMS_TYPE": "Seplosv3"}, {"PROTOCOL": "seplos-v3"}),
        ({"BULK_CELL_VOLTAGE": "3.6"}, {"SOC_RESET_CELL_VOLTAGE": "3.6"}),
        (
            {"SOC_RESET_VOLTAGE": "3.6", "BULK_AFTER_DAYS": "30"},
            {"SOC_RESET_CELL_VOLTAGE": "3.6", "SOC_RESET_AFTER_DAYS": "30"},
        ),
        ({"TEMP_BATTERY": "0"}, {"TEMPERATURE_SOURCE_BATTERY": "1, 2, 3, 4"}),
        ({"TEMP_BATTERY": "2"}, {"TEMPERATURE_SOURCE_BATTERY": "2"}),
        ({"LINEAR_LIMITATION_ENABLE": "True"}, {"CHARGE_MODE": "1"}),
        ({"LINEAR_LIMITATION_ENABLE": "False"}, {"CHARGE_MODE": "2"}),
        ({"SOC_LEVEL_TO_RESET_VOLTAGE_LIMIT": "90"}, {"SWITCH_TO_BULK_SOC_THRESHOLD": "90"}),
        (
            {"CC_SOC_LIMIT1": "98", "CC_SOC_LIMIT2": "95", "CC_SOC_LIMIT3": "90"},
            {"SOC_WHILE_CHARGING": "100, 98, 95, 90"},
        ),
        (
            {"DC_SOC_LIMIT1": "10", "DC_SOC_LIMIT2": "20", "DC_SOC_LIMIT3": "30"},
            {"SOC_WHILE_DISCHARGING": "10, 20, 30, 30"},
        ),
        (
            {f"DC_CURRENT_LIMIT{step}_FRACTION": value for step, value in ((1, "0.1"), (2, "0.3"), (3, "0.5"))},
            {"MAX_DISCHARGE_CURRENT_SOC_FRACTION": "0.1, 0.3, 0.5, 1"},
        ),
        (
            {"CELL_VOLTAGE_DIFF_KEEP_MAX_VOLTAGE_TIME_RESTART": "0.013"},
            {"SWITCH_TO_FLOAT_CELL_VOLTAGE_DEVIATION": "0.003"},
        ),
        (
            {
                "CELL_VOLTAGE_DIFF_KEEP_MAX_VOLTAGE_TIME_RESTART": "0.013",
                "CELL_VOLTAGE_DIFF_KEEP_MAX_VOLTAGE_UNTIL": "0.005",
            },
            {"SWITCH_TO_FLOAT_CELL_VOLTAGE_DEVIATION": "0.008", "SWITCH_TO_FLOAT_CELL_VOLTAGE_DIFF": "0.005"},
        ),
    ],
)
def test_old_names_and_values_become_new_ones(old: dict[str, str], new: dict[str, str]) -> None:
    left, changes = translated(set(default_keys()), **old)
    assert left == new
    assert {change.old for change in changes} == set(old)
    assert {change.kind for change in changes} <= {Kind.RENAMED, Kind.CHANGED}


@pytest.mark.parametrize(
    ("old", "why"),
    [
        (
            {"CC_SOC_LIMIT1": "98"},
            "makes sense only together with CC_SOC_LIMIT1, CC_SOC_LIMIT2, CC_SOC_LIMIT3; write them too, or none",
        ),
        ({"BMS_TYPE": "Ant"}, f"not read by packbank, which has the protocols {', '.join(sorted(NAMES))}"),
        ({"LINEAR_LIMITATION_ENABLE": "yes"}, "is neither True nor False; write one of them"),
        ({"BMS_TYPE": "Jkbms_pb, Daly"}, "a bus has one protocol; write a [bus:NAME] section for each of jkpb, daly"),
        (
            {"CELL_VOLTAGE_DIFF_KEEP_MAX_VOLTAGE_TIME_RESTART": "0.002"},
            "0.002 V is less than the 0.01 V that count as balanced",
        ),
    ],
)
def test_what_cannot_be_translated_is_refused_with_the_reason(old: dict[str, str], why: str) -> None:
    left, changes = translated(set(default_keys()), **old)
    assert left == {}
    assert [(change.kind, change.why) for change in changes] == [(Kind.REFUSED, why)]
    text = "[DEFAULT]\nPORT = /dev/ttyUSB7\n" + "".join(f"{key} = {value}\n" for key, value in old.items())
    config, problems = build(parse(text)[0])
    assert config is None
    assert why in [problem.text for problem in problems], "run and check refuse it too"


@pytest.mark.parametrize(
    ("old", "why"),
    [
        # One address would make a bank of one pack out of a balancer's number.
        ({"HELTEC_MODBUS_ADDR": "1"}, "for hardware that packbank does not read"),
        ({"BMS_TYPE": ""}, "is empty; PROTOCOL has its default then"),
    ],
)
def test_what_has_no_effect_is_dropped_with_the_reason(old: dict[str, str], why: str) -> None:
    left, changes = translated(set(default_keys()), **old)
    assert left == {}
    assert [(change.kind, change.why) for change in changes] == [(Kind.DROPPED, why)]


def test_a_new_name_wins_over_its_old_one() -> None:
    left, (change,) = translated({"BATTERY_ADDRESSES"}, MODBUS_ADDRESSES="0x01", BATTERY_ADDRESSES="0x02")
    assert left == {"BATTERY_ADDRESSES": "0x02"}
    assert change.why == "BATTERY_ADDRESSES, its new name, is in the file too and wins"


def test_an_unknown_key_is_left_to_the_caller() -> None:
    assert translated(set(), NONSENSE="1") == ({"NONSENSE": "1"}, [])
